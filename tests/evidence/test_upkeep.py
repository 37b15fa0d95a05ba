"""Days go, what somebody typed is erased, holds stop both; through the real store."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.audit.keeper import Keeper
from proctor.audit.segments import Workshop
from proctor.audit.store import Store
from proctor.errors import ClientError, InternalError
from proctor.evidence import erasure, holds
from proctor.evidence.holds import Subject
from proctor.evidence.retention import RetentionSettings
from proctor.runtime.tasks import spawn, stop
from proctor.search.indexer import FOLDER
from tests.evidence.days import (
    ADMIN,
    DAY,
    GENTLE,
    TWO_DAYS,
    Time,
    bytes_of,
    carried_out,
    days,
    files,
    flows,
    on_the_ledger,
    one,
    proved,
    says,
    settled,
    texts,
    told,
    writing,
)
from tests.support.envelopes import ALICE, QUICK, ask, begin, end, run, turn, until


def test_days_go_and_the_rest_stays_proved(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 5, lambda day: run(f"s{day}"))
        async with writing(path, time, TWO_DAYS) as (recorder, upkeep):
            assert await upkeep.retain() == 3 * 4
            assert flows(path) == ["f3-s3", "f4-s4"]
            assert texts(path) == {"s3": says(3), "s4": says(4)}
            assert await upkeep.retain() == 0
        async with writing(path, time, TWO_DAYS, QUICK) as (recorder, _):
            await settled(recorder)
            await until(lambda: not list(path.glob("segments/w0-?-000000000000-*.parquet")))
            await until(lambda: not list(path.glob("content/w0-?-000000000000-*.parquet")))
        on_the_ledger(path)
        firsts = [int(name.split("-")[2]) for name in files(path)]
        assert min(firsts) == 3 * 2
        (event,) = told(path, "retention")
        assert event["rows"] == 3 * 4
        assert says(0).encode() not in bytes_of(path)
        proved(path)
        async with writing(path, time, TWO_DAYS) as (recorder, upkeep):  # it goes on after that
            await one(recorder, 5, run("s5"))
            await settled(recorder)
            assert await upkeep.retain() == 0
        assert flows(path) == ["f3-s3", "f4-s4", "f5-s5"]
        proved(path)

    asyncio.run(test())


def test_what_goes_is_found_a_file_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, time = tmp_path / "recordings", Time()
    jobs: list[object] = []
    do = Keeper.do

    def counted[T](keeper: Keeper, work: Callable[[Workshop], T]) -> Future[T]:
        jobs.append(work)
        return do(keeper, work)

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            for day in range(4):
                await one(recorder, day, run(f"s{day}"))
                await settled(recorder)
                time.now += DAY
            upkeep.settings = TWO_DAYS
            monkeypatch.setattr(Keeper, "do", counted)
            assert await upkeep.retain() == 2 * 2 + 2 * 2
            # Between any two of these files the keeper has its turn.
            assert len(jobs) > len([*path.glob("*/w0-0-*.parquet")])
            assert texts(path) == {"s2": says(2), "s3": says(3)}

    asyncio.run(test())


def test_nothing_said_keeps_everything(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 2, lambda day: run(f"s{day}"))
        time.now += 4000 * DAY
        async with writing(path, time) as (_, upkeep):
            assert await upkeep.retain() == 0
        assert len(flows(path)) == 2

    asyncio.run(test())


def test_a_view_and_a_rule_have_ages_of_their_own(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time, pace=QUICK) as (recorder, _):
            for day in range(4):
                await one(recorder, day, run(f"s{day}"))
                await one(recorder, day, run(f"q{day}"), rule_id="quiet")
                await recorder.event("reload", {"day": day})
                await settled(recorder)
                time.now += DAY
        settings = RetentionSettings.model_validate(
            {"turns": "2d", "events": "1d", "rules": {"quiet": "1d"}}
        )
        async with writing(path, time, settings) as (_, upkeep):
            await upkeep.retain()
            # The rule's go with begin and end; of the others the text only.
            assert flows(path) == ["f0-s0", "f1-s1", "f2-s2", "f3-q3", "f3-s3"]
            assert texts(path) == {
                "s0": None,
                "s1": None,
                "s2": says(2),
                "s3": says(3),
                "q3": says(3),
            }
            assert [event["day"] for event in told(path, "reload")] == [3]
            assert len(told(path, "retention")) == 1
        on_the_ledger(path)
        proved(path)

    asyncio.run(test())


def test_a_block_that_a_younger_reference_uses_stays(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()
    asked, more, rest = ("A" * 300, "B" * 300, "C" * 300)

    async def test() -> None:
        session = run("long")
        async with writing(path, time, pace=QUICK) as (recorder, _):
            scope = recorder.scope(ALICE, session)
            for number, text in enumerate((asked + more, more + rest)):
                body = recorder.put(scope, text.encode(), [300])
                seq = await begin(
                    recorder, f"f{number}", session_id="long", turn=turn(body), request=None
                )
                await end(recorder, f"f{number}", seq, session_id="long", turn=turn(body))
                await settled(recorder)
                time.now += DAY
            del scope
        settings = RetentionSettings.model_validate({"turns": "1d"})
        async with writing(path, time, settings) as (_, upkeep):
            await upkeep.retain()
            found = dict(ask(path, "SELECT flow_id, prompt FROM turns"))
            assert found == {"f0": None, "f1": more + rest}
        async with writing(path, time, settings, QUICK):
            await until(lambda: asked.encode() not in bytes_of(path))

    asyncio.run(test())


def test_what_is_alive_is_not_dropped(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time, RetentionSettings(turns=86400.0)) as (recorder, upkeep):
            scope = recorder.scope(ALICE, run("long"))
            recorder.put(scope, b"typed before" * 20)
            await one(recorder, 0, run("other"))
            await settled(recorder)
            time.now += 5 * DAY
            await upkeep.retain()
            body = recorder.put(scope, b"typed before" * 20)  # refers to the block of then
            seq = await begin(recorder, "late", session_id="long", turn=turn(body))
            await end(recorder, "late", seq, session_id="long", turn=turn(body))
            assert texts(path) == {"long": "typed before" * 20, "other": None}

    asyncio.run(test())


def test_the_oldest_days_go_where_there_is_too_much(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 4, lambda day: run(f"s{day}"))
        size = sum(each.stat().st_size for each in path.glob("*/w0-*.parquet"))
        settings = RetentionSettings(size=size // 2)
        async with writing(path, time, settings) as (_, upkeep):
            assert await upkeep.retain() > 0
            left = flows(path)
            assert left == [f"f{day}-s{day}" for day in range(4)][-len(left) :]
            assert 0 < len(left) < 4

    asyncio.run(test())


def test_a_writer_that_nobody_is_is_looked_after(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (first, _):
            await one(first, 0, run("mine"))
            async with writing(path, time) as (second, upkeep):
                assert second.writer == "w1"
                await one(second, 0, run("mine"), "second writer's " * 20)
                # One that somebody else is, is theirs to do.
                await upkeep.erase(Subject(session="mine"), "", ADMIN)
                await upkeep.carry_out()
                assert erasure.read_part(Store.at(path), _only(path), "w0") is None
        time.now += DAY
        async with writing(path, time) as (recorder, upkeep):
            assert recorder.writer == "w0"
            await carried_out(upkeep, path)
        assert set(texts(path).values()) == {None}
        assert b"second writer's" not in bytes_of(path)
        proved(path, "w1")
        on_the_ledger(path, "w1")

    asyncio.run(test())


def _only(path: Path) -> erasure.Order:
    (order,) = erasure.orders(Store.at(path))
    return order


def test_old_days_of_a_writer_that_nobody_is_go(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (first, _):
            async with writing(path, time) as (second, _):
                await one(second, 0, run("old"))
                await settled(second)
            await settled(first) if first.records else None
        time.now += 10 * DAY
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            assert await upkeep.retain() == 4
        assert flows(path) == []
        proved(path, "w1")

    asyncio.run(test())


def test_a_hold_stops_both(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 3, lambda day: run(f"s{day}"))
        time.now += 10 * DAY
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            await upkeep.hold("case-1", Subject(session="s1"), "A lawsuit.", ADMIN)
            for subject in (Subject(session="s1"), Subject(principal=ALICE)):
                with pytest.raises(ClientError) as caught:
                    await upkeep.erase(subject, "", ADMIN)
                assert (caught.value.code, caught.value.got) == ("erasure-held", "case-1")
            assert await upkeep.retain() == 8
            assert texts(path) == {"s1": says(1)}
            await upkeep.hold("case-2", Subject(), "All of it.", ADMIN)
            await upkeep.release("case-1", "Over.", ADMIN)
            assert await upkeep.retain() == 0
            await upkeep.release("case-2", "Over.", ADMIN)
            assert await upkeep.retain() == 4
            assert texts(path) == {}
            assert [each["name"] for each in told(path, "hold.added")] == ["case-1", "case-2"]
            assert len(told(path, "hold.released")) == 2

    asyncio.run(test())


def test_an_order_waits_for_a_hold_that_came_after_it(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 0, run("mine"))
            await upkeep.erase(Subject(session="mine"), "", ADMIN)
            await upkeep.hold("late", Subject(principal=ALICE), "", ADMIN)
            await upkeep.carry_out()
            assert texts(path) == {"mine": says(0)}
            await upkeep.release("late", "", ADMIN)
            await carried_out(upkeep, path)
            assert texts(path) == {"mine": None}

    asyncio.run(test())


@pytest.mark.parametrize("harm", ["missing", "older", "broken"])
def test_holds_that_cannot_be_told_stop_everything(tmp_path: Path, harm: str) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 2, lambda day: run(f"s{day}"))
        time.now += 10 * DAY
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            made = await upkeep.hold("case", Subject(session="s1"), "", ADMIN)
            match harm:
                case "missing":
                    (path / holds.FILE).unlink()
                case "older":
                    holds.write(path, [])
                case _:
                    (path / holds.FILE).write_bytes(b"{")
            with pytest.raises(InternalError):
                await upkeep.retain()
            with pytest.raises(InternalError):
                await upkeep.erase(Subject(session="s0"), "", ADMIN)
            assert len(flows(path)) == 2
            if harm != "broken":  # the same once more writes the file
                assert await upkeep.hold("case", Subject(session="s1"), "", ADMIN) == made
                assert await upkeep.retain() > 0
                assert len(flows(path)) == 1

    asyncio.run(test())


def test_names_of_holds(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (_, upkeep):
            await upkeep.hold("a", Subject(session="s"), "", ADMIN)
            for name, subject, code in (
                ("a", Subject(), "hold-taken"),
                ("../a", Subject(), "hold-name"),
                ("", Subject(), "hold-name"),
            ):
                with pytest.raises(ClientError) as caught:
                    await upkeep.hold(name, subject, "", ADMIN)
                assert caught.value.code == code
            with pytest.raises(ClientError) as caught:
                await upkeep.release("b", "", ADMIN)
            assert caught.value.code == "hold-unknown"

    asyncio.run(test())


def test_it_runs_by_itself_and_says_what_keeps_it_from_it(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 3, lambda day: run(f"s{day}"))
        async with writing(path, time, TWO_DAYS, every=0.05) as (recorder, upkeep):
            (path / holds.FILE).write_bytes(b"{")
            task = spawn(upkeep.run(), name="upkeep")
            await until(lambda: upkeep.trouble)
            assert upkeep.trouble == "holds-unreadable"
            (path / holds.FILE).unlink()
            await until(lambda: not upkeep.trouble)
            assert flows(path) == ["f1-s1", "f2-s2"]
            await one(recorder, 3, run("mine"))
            await upkeep.erase(Subject(session="mine"), "", ADMIN)
            await until(lambda: not erasure.orders(Store.at(path)))
            assert texts(path)["mine"] is None
            await stop(task)

    asyncio.run(test())


def test_whoever_reads_meanwhile_sees_every_kept_row_once(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 6, lambda day: run(f"s{day}"))
        seen: list[tuple[list[str], dict[str, str | None]]] = []
        over = asyncio.Event()

        def look() -> None:
            seen.append((flows(path), texts(path)))

        async def read() -> None:
            while not over.is_set():
                await asyncio.to_thread(look)

        async with writing(path, time, TWO_DAYS, GENTLE) as (recorder, upkeep):
            reader = spawn(read(), name="reader")
            await one(recorder, 6, run("s6"))
            await until(lambda: seen)
            await upkeep.retain()
            await upkeep.erase(Subject(session="s6"), "", ADMIN)
            await carried_out(upkeep, path)
            await settled(recorder)
            count = len(seen)
            await until(lambda: len(seen) > count + 1)
            over.set()
            await reader
        kept = ["f4-s4", "f5-s5"]
        for names, found in seen:
            assert [name for name in names if name in kept] == kept
            assert found["s4"] == says(4)
            assert found["s5"] == says(5)
            assert len(set(names)) == len(names)

    asyncio.run(test())


# The file is looked at, its draft is, names change hands, and that is durable.
@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
def test_killed_anywhere_it_goes_on(tmp_path: Path, step: int) -> None:
    path, time = tmp_path / "recordings", Time()

    async def before() -> None:
        await days(path, time, 3, lambda day: run(f"s{day}"))
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 3, run("s2"), "hot " * 50)
            await upkeep.erase(Subject(session="s2"), "", ADMIN)

    async def after() -> None:
        time.now += 2 * DAY + timedelta(hours=1)
        async with writing(path, time, TWO_DAYS) as (recorder, upkeep):
            await recorder.do(lambda _workshop: None)  # what was cut off is mended by then
            on_the_ledger(path)
            await upkeep.retain()
            await carried_out(upkeep, path)

    asyncio.run(before())
    killer = Path(__file__).with_name("killed_upkeep.py")
    done = subprocess.run(
        [sys.executable, str(killer), str(path), str(step)], check=False, capture_output=True
    )
    assert done.returncode in {0, -9}, done.stderr
    asyncio.run(after())
    on_the_ledger(path)
    proved(path)
    assert flows(path) == ["f3-s2"]
    assert texts(path) == {"s2": None}
    with suppress(FileNotFoundError):
        assert not list((path / erasure.FOLDER).iterdir())
    assert says(2).encode() not in bytes_of(path)
    assert FOLDER not in {each.name for each in path.iterdir()}
