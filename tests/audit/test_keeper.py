# ruff: noqa: S608 - a test asks with paths of its own
"""Journals become segments, segments are merged, and nothing is seen twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from proctor.audit import keeper as module
from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.segments import Segment, Workshop, segments
from proctor.audit.store import CONTENT, SEGMENTS
from proctor.errors import InternalError
from proctor.evidence.ledger import digest_of, lines
from tests.support.envelopes import ALICE, QUICK, STILL, ask, begin, end, run, turn, until
from tests.support.whole import problems, records


@asynccontextmanager
async def recorder_at(path: Path, pace: Pace = QUICK, **more: Any) -> AsyncIterator[Recorder]:
    recorder = await Recorder.open(path, pace=pace, **more)
    try:
        yield recorder
    finally:
        await recorder.close()


def names(path: Path, folder: str = SEGMENTS) -> list[str]:
    return [segment.name for segment in segments(path / folder, "w0")]


def journals(path: Path) -> int:
    """Bytes in journals."""
    return sum(slot.stat().st_size for slot in path.glob("writers/w0/[0-9]*.jsonl"))


def counted(path: Path, last: int) -> bool:
    """Whether everything up to `last` is in segments that count."""
    state = json.loads((path / "writers/w0/state.json").read_text())
    return bool(state["levels"][SEGMENTS][0] >= last)


def test_a_journal_becomes_segments_and_is_empty_again(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path) as recorder:
            body = recorder.put(recorder.scope(ALICE, run()), "été\0".encode())
            first = await begin(recorder, "ended", turn=turn(body))
            await end(recorder, "ended", first, turn=turn(body))
            await begin(recorder, "open", turn=turn(body))
            await until(lambda: counted(path, 2) and journals(path) == 0)
            assert names(path) == ["w0-0-000000000000-000000000002.parquet"]
            assert names(path, CONTENT) == ["w0-0-000000000000-000000000001.parquet"]
            assert ask(path, "SELECT flow_id, status FROM flows ORDER BY seq") == [
                ("ended", 200), ("open", None),
            ]  # fmt: skip
            assert ask(path, "SELECT prompt FROM turns") == [("été\0",), ("été\0",)]
            (opened,) = (path / "writers/w0/open.jsonl").read_text().splitlines()
            assert json.loads(opened)["flow_id"] == "open"
            # Its end comes when its begin is long in a segment.
            await end(recorder, "open", 2)
            assert ask(path, "SELECT status FROM flows") == [(200,), (200,)]
            await until(lambda: counted(path, 3) and journals(path) == 0)
            assert ask(path, "SELECT status FROM flows") == [(200,), (200,)]
            assert (path / "writers/w0/open.jsonl").read_bytes() == b""

    asyncio.run(main())
    assert (records(path), problems(path)) == ({"w0": 4}, [])


def test_the_bytes_stay_what_they_were(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    lines: list[bytes] = []

    async def main() -> None:
        async with recorder_at(path, STILL) as recorder:
            await recorder.event("é\U0001f600", {"x": [1, 2.5, None, "\0\x7f\u2028\\"], "n": 2**70})
            await recorder.event("x", {" ": "\ud800", "nested": {"raw": '{"v":1,"kind":'}})
        lines.extend((path / "writers/w0/0.jsonl").read_bytes().splitlines())
        async with recorder_at(path):
            await until(lambda: counted(path, 1) and journals(path) == 0)

    asyncio.run(main())
    assert ask(path, "SELECT raw FROM _records ORDER BY seq") == [
        (line.decode(),) for line in lines
    ]


def test_a_restart_goes_on_from_segments_alone(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path) as recorder:
            await begin(recorder, "lost")
            await until(lambda: counted(path, 0) and journals(path) == 0)
        async with recorder_at(path, STILL) as recorder:
            assert await recorder.event("x", {}) == 2

    asyncio.run(main())
    assert ask(path, "SELECT flow_id, error FROM flows") == [
        ("lost", "interrupted: gateway stopped")
    ]
    assert problems(path) == []


def test_small_segments_are_merged_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAN_IN", 2)
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path, replace(QUICK, journal_bytes=1)) as recorder:
            scope = recorder.scope(ALICE, run())
            for number in range(9):
                body = recorder.put(scope, b"body %d" % number)
                await end(recorder, f"f{number}", None, turn=turn(body))
            # Nobody may ask meanwhile: what is merged goes away at once.
            await until(lambda: counted(path, 8) and journals(path) == 0)
            await until(lambda: names(path)[-1].startswith("w0-2-"))
            await until(lambda: len(names(path)) <= 3 and len(names(path, CONTENT)) <= 5)

    asyncio.run(main())
    assert ask(path, "SELECT seq, flow_id, prompt FROM turns ORDER BY seq") == [
        (number, f"f{number}", f"body {number}") for number in range(9)
    ]
    assert problems(path) == []


def test_no_file_holds_two_days(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    day = 86400.0
    today = [1_800_000_000.0]

    async def main() -> None:
        pace = replace(QUICK, journal_age=3600.0)
        async with recorder_at(path, pace, clock=lambda: today[0]) as recorder:
            scope = recorder.scope(ALICE, run())
            for number in range(9):
                body = recorder.put(scope, b"body %d" % number)
                await end(recorder, f"f{number}", None, turn=turn(body))
                today[0] += day / 3
            # The last day is still in the journal, so the one before may go on for all we know.
            await until(lambda: names(path) == expected and len(names(path, CONTENT)) == 3)

    expected = [
        "w0-0-000000000005-000000000007.parquet",
        "w0-2-000000000000-000000000001.parquet",
        "w0-2-000000000002-000000000004.parquet",
    ]
    asyncio.run(main())
    made = {said["file"]: said["day"] for _, said in lines(path / "writers/w0/ledger.jsonl")
            if said["op"] == "made"}  # fmt: skip
    assert made[f"{SEGMENTS}/{expected[2]}"] == "2027-01-16"
    assert len(ask(path, "FROM turns")) == 9
    assert problems(path) == []


def test_what_is_done_to_files_is_on_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAN_IN", 2)
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path, replace(QUICK, journal_bytes=1)) as recorder:
            for number in range(5):
                await recorder.event("x", {"number": number})
            await until(lambda: counted(path, 4) and len(names(path)) == 2)

    asyncio.run(main())
    there: dict[str, Any] = {}
    for _, said in lines(path / "writers/w0/ledger.jsonl"):
        if said["op"] == "made":
            there[said["file"]] = said
        else:
            assert said["op"] == "gone"
            assert there.pop(said["file"])
    assert set(there) == {f"{SEGMENTS}/{name}" for name in names(path)}
    for name, said in there.items():
        assert said["sha256"] == digest_of(path / name)


def test_a_file_that_a_crash_left_off_the_ledger_is_put_on_it(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path) as recorder:
            await recorder.event("x", {})
            await until(lambda: counted(path, 0))
        (path / "writers/w0/ledger.jsonl").unlink()
        async with recorder_at(path, STILL):
            pass

    asyncio.run(main())
    ((_, said),) = lines(path / "writers/w0/ledger.jsonl")
    assert (said["file"], said["why"], said["rows"]) == (
        f"{SEGMENTS}/{names(path)[0]}", "found", 1,
    )  # fmt: skip


def test_a_journal_that_somebody_changed_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path, replace(QUICK, journal_age=0.3)) as recorder:
            body = recorder.put(recorder.scope(ALICE, run()), b"the truth " * 20)
            await end(recorder, "f", None, turn=turn(body))
            hot = path / "writers/w0/0.jsonl"
            hot.write_bytes(hot.read_bytes().replace(b"the truth", b"no  truth"))
            await until(lambda: counted(path, 0))

    asyncio.run(main())
    assert "somebody changed a journal" in caplog.text
    said = [said for _, said in lines(path / "writers/w0/ledger.jsonl")]
    assert [each["op"] for each in said] == ["changed", "made", "made"]
    assert said[0]["expected"] != said[0]["sha256"]
    assert (said[0]["file"], said[0]["last"]) == ("writers/w0/0.jsonl", 0)


def test_what_fails_is_reported_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "recordings"
    reported: list[Exception] = []
    convert, failing = Workshop.convert, True

    def fail(own: Workshop, *given: Any) -> int:
        if failing:
            raise duckdb.IOException("no space: /some/where")
        return convert(own, *given)

    monkeypatch.setattr(Workshop, "convert", fail)

    async def main() -> None:
        nonlocal failing
        pace = replace(QUICK, journal_bytes=1)
        async with recorder_at(path, pace, report=reported.append) as recorder:
            for number in range(10):
                await recorder.event("x", {"number": number})
            await until(lambda: len(reported) > 1)
            assert len(ask(path, "FROM events")) == 10
            assert len(list(path.glob("writers/w0/[0-9]*.jsonl"))) > 4  # the ring has grown
            failing = False
            await until(lambda: counted(path, 8))
            assert len(ask(path, "FROM events")) == 10

    asyncio.run(main())
    assert "segments cannot be written: IOException" in caplog.text
    assert records(path) == {"w0": 10}


def test_a_segment_that_would_lack_a_line_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    reported: list[Exception] = []

    async def main() -> None:
        pace = replace(QUICK, journal_age=3600.0)
        async with recorder_at(path, pace, report=reported.append) as recorder:
            await recorder.event("x", {"number": 1})
            await recorder.event("x", {"number": 2})
            journal = path / "writers/w0/0.jsonl"
            journal.write_bytes(b"#" + journal.read_bytes()[1:])
            recorder._flusher._journal.rotate()  # nothing else is going on
            await until(lambda: bool(reported))

    asyncio.run(main())
    assert "does not hold all" in str(reported[0])
    assert names(path) == []


def test_after_a_crash_between_any_two_steps(tmp_path: Path) -> None:
    """A segment that is there and does not count yet is not made again, and then counts."""
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path, replace(QUICK, settle=3600.0)) as recorder:
            body = recorder.put(recorder.scope(ALICE, run()), b"body")
            await end(recorder, "f", None, turn=turn(body))
            await until(lambda: len(names(path)) == len(names(path, CONTENT)) == 1)
            made = {file: file.stat().st_mtime_ns for file in path.glob("*/w0-*.parquet")}
            assert ask(path, "SELECT prompt FROM turns") == [("body",)]
        async with recorder_at(path):
            await until(lambda: counted(path, 0) and journals(path) == 0)
        assert made == {file: file.stat().st_mtime_ns for file in path.glob("*/w0-*.parquet")}

    asyncio.run(main())
    assert ask(path, "SELECT prompt FROM turns") == [("body",)]


def test_a_merged_segment_that_a_crash_left_counts_too(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        async with recorder_at(path, replace(QUICK, journal_bytes=1)) as recorder:
            for number in range(3):
                await recorder.event("x", {"number": number})
            await until(lambda: counted(path, 2))
        parts = segments(path / SEGMENTS, "w0")
        made = Segment("w0", 1, 0, 1)
        source = [str(path / SEGMENTS / part.name) for part in parts[:2]]
        duckdb.sql(
            "COPY (SELECT CAST(1 AS TINYINT) AS tier, * EXCLUDE (tier)"
            f" FROM read_parquet({source})) TO '{path / SEGMENTS / made.name}'"
        )
        assert len(ask(path, "FROM events")) == 3
        async with recorder_at(path):
            await until(lambda: len(names(path)) == 2)
            assert len(ask(path, "FROM events")) == 3

    asyncio.run(main())


def test_without_views_there_is_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Workshop) -> None:
        raise duckdb.IOException("broken")

    monkeypatch.setattr(Workshop, "publish_views", fail)

    async def main() -> None:
        with pytest.raises(InternalError) as caught:
            await Recorder.open(tmp_path / "recordings")
        assert caught.value.code == "views-unwritable"

    asyncio.run(main())
    monkeypatch.undo()

    async def again() -> None:
        async with recorder_at(tmp_path / "recordings") as recorder:
            assert recorder.writer == "w0"  # the lock was let go

    asyncio.run(again())


def test_what_others_have_done_to_its_files(tmp_path: Path) -> None:
    async def test() -> None:
        async with recorder_at(tmp_path / "recordings", STILL) as recorder:
            assert await recorder.do(lambda workshop: workshop.ask("SELECT ?", [7])) == [(7,)]

            def fails(_workshop: Workshop) -> None:
                raise ValueError("of whoever asked")

            with pytest.raises(ValueError, match="of whoever asked"):
                await recorder.do(fails)
        with pytest.raises(InternalError) as caught:
            await recorder.do(lambda _: None)
        assert caught.value.code == "recorder-closed"

    asyncio.run(test())
