"""Days go, what somebody typed is erased, holds stop both; through the real store."""

import asyncio
import errno
import json
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.keeper import Keeper
from proctor.audit.segments import Workshop
from proctor.audit.store import Store
from proctor.errors import ClientError, InternalError
from proctor.evidence import erasure, holds
from proctor.evidence.beside import Runs
from proctor.evidence.holds import Hold, Subject
from proctor.evidence.hot import all_leaves
from proctor.evidence.keys import KEY_FILE, read_key
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.sealer import newest
from proctor.evidence.upkeep import Upkeep
from proctor.evidence.verify import signed
from proctor.evidence.verify.findings import Level
from proctor.evidence.verify.verifier import Asked, verify
from proctor.runtime.tasks import spawn, stop
from proctor.search.finding import Filters, search
from proctor.search.indexer import FOLDER, Indexer
from proctor.search.query import parse
from proctor.tlog.tree import root_of
from tests.evidence.days import (
    DAY,
    GENTLE,
    Time,
    bytes_of,
    days,
    files,
    on_the_ledger,
    one,
    says,
    settled,
    writing,
)
from tests.support.envelopes import ALICE, BOB, QUICK, ask, begin, end, run, turn, until

TWO_DAYS = RetentionSettings(default=2 * 86400.0)
ADMIN = "https://idp#root"


def flows(path: Path) -> list[str]:
    return [name for (name,) in ask(path, "SELECT flow_id FROM flows ORDER BY ts, flow_id")]


def texts(path: Path) -> dict[str, str | None]:
    return dict(ask(path, "SELECT session_id, prompt FROM turns"))


def told(path: Path, kind: str) -> list[dict[str, object]]:
    rows = ask(path, f"SELECT detail FROM events WHERE kind = '{kind}' ORDER BY seq")  # noqa: S608
    return [json.loads(detail) for (detail,) in rows]


async def carried_out(upkeep: Upkeep, path: Path) -> None:
    """Until no order is left."""
    async with asyncio.timeout(20):
        while erasure.orders(Store.at(path)):
            await upkeep.carry_out()
            await asyncio.sleep(0.01)


def proved(path: Path, writer: str = "w0") -> None:
    """What was signed still follows from the leaves."""
    folder = path / "writers" / writer
    last = newest(folder)
    assert last is not None
    assert last.size
    assert root_of(all_leaves(folder, last.size)(0, last.size)) == last.root


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


def test_an_erasure_leaves_nothing_but_the_proof(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 2, lambda day: run("mine" if day else "other"))
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 2, run("mine"), "hot secret " * 40)  # still in a journal
            await one(recorder, 2, run("hers"))
            Indexer(path).step()
            assert b"hot secret" in bytes_of(path)
            scope = recorder.scope(ALICE, run("mine"))
            salts = [scope._salt.hex(), *salts_of(path, "mine")]
            order, known = await upkeep.erase(Subject(session="mine"), "She asked.", ADMIN)
            assert known == 2
            await carried_out(upkeep, path)
            after = bytes_of(path)
            assert b"hot secret" not in after
            assert says(1).encode() not in after
            assert not any(salt.encode() in after for salt in salts)
            assert texts(path)["mine"] is None
            assert texts(path)["hers"] == says(2)
            assert texts(path)["other"] == says(0)
            # What goes on is stored elsewhere.
            body = recorder.put(scope, b"and now this " * 20)
            assert body.scope not in told(path, "erasure")[0]["scopes"]  # type: ignore[operator]
            seq = await begin(recorder, "on", session_id="mine", turn=turn(body))
            await end(recorder, "on", seq, session_id="mine", turn=turn(body))
            found = dict(ask(path, "SELECT flow_id, prompt FROM turns"))
            assert found["on"] == "and now this " * 20
            first, second = told(path, "erasure")
            assert (first["id"], first["by"], first["reason"]) == (order.id, ADMIN, "She asked.")
            assert second["writer"] == "w0"
            assert first["scopes"] == second["scopes"]
            (done,) = told(path, "erasure.done")
            assert done["id"] == order.id
            assert done["scopes"] == 2
            assert int(str(done["bytes"])) > 0
        assert not list((path / erasure.FOLDER).iterdir())
        on_the_ledger(path)
        proved(path)

    asyncio.run(test())


def salts_of(path: Path, session: str) -> list[str]:
    rows = ask(path, f"SELECT salt FROM _content WHERE session_id = '{session}'")  # noqa: S608
    return [salt for (salt,) in rows]


def test_a_body_that_is_half_stored_when_it_is_erased(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            scope = recorder.scope(ALICE, run("mine"))
            stream = recorder.stream(scope)
            stream.feed(b"first half " * 8000)
            await one(recorder, 0, run("mine"))
            await upkeep.erase(Subject(principal=ALICE), "", ADMIN)
            await upkeep.carry_out()
            stream.feed(b"second half " * 8000)
            body = stream.close()
            seq = await begin(recorder, "cut", session_id="mine", turn=turn(body))
            await end(recorder, "cut", seq, session_id="mine", turn=turn(body))
            await carried_out(upkeep, path)
            assert dict(ask(path, "SELECT flow_id, prompt FROM turns"))["cut"] is None
            assert b"second half" not in bytes_of(path)

    asyncio.run(test())


def test_erasing_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 0, run("mine"))
            with pytest.raises(ClientError) as caught:
                await upkeep.erase(Subject(principal=BOB), "", ADMIN)
            assert caught.value.code == "erasure-nothing"
            assert not erasure.orders(Store.at(path))

    asyncio.run(test())


def test_an_order_that_a_crash_kept_from_being_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 0, run("mine"))
            with monkeypatch.context() as patch:
                patch.setattr(erasure, "write_order", _full)
                with pytest.raises(OSError, match="No space"):
                    await upkeep.erase(Subject(session="mine"), "", ADMIN)
            assert not erasure.orders(Store.at(path))
        time.now += DAY
        async with writing(path, time) as (recorder, upkeep):
            # What is typed since then is not meant.
            await one(recorder, 1, run("mine"), "typed later " * 20)
            await upkeep.carry_out()
            assert told(path, "erasure.done") or erasure.orders(Store.at(path))
            await carried_out(upkeep, path)
            found = dict(ask(path, "SELECT flow_id, prompt FROM turns"))
            assert found == {"f0-mine": None, "f1-mine": "typed later " * 20}
            await upkeep.carry_out()
        async with writing(path, time) as (_, upkeep):  # nobody does it twice
            await upkeep.carry_out()
            assert len(told(path, "erasure.done")) == 1
            assert len(told(path, "erasure")) == 2

    asyncio.run(test())


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_order_that_is_not_on_record_is_not_carried_out(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 0, run("mine"))
            await one(recorder, 0, run("hers"))
            at = "2026-01-01T10:00:00.000000Z"
            mine = erasure.Order(
                id="er_abcdefgh12345678", subject=Subject(session="mine"), reason="", by="", at=at
            )
            erasure.write_order(Store.at(path), mine)
            await upkeep.erase(Subject(session="hers"), "", ADMIN)
            with pytest.raises(InternalError) as caught:
                await carried_out(upkeep, path)
            assert caught.value.code == "erasure-unrecorded"
            await settled(recorder)
            assert texts(path)["mine"] == says(0)
            # The others are carried out all the same.
            while len(erasure.orders(Store.at(path))) > 1:
                with pytest.raises(InternalError):
                    await upkeep.carry_out()
                await asyncio.sleep(0.01)
            assert texts(path) == {"mine": says(0), "hers": None}

    asyncio.run(test())


def test_a_clock_that_went_back_keeps_nothing_from_being_erased(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        time.now += 3 * DAY
        async with writing(path, time) as (recorder, _):
            await one(recorder, 0, run("mine"))
        time.now -= 3 * DAY
        async with writing(path, time) as (_, upkeep):
            await upkeep.erase(Subject(session="mine"), "", ADMIN)
            await carried_out(upkeep, path)
        assert texts(path) == {"mine": None}

    asyncio.run(test())


def test_a_hold_stops_what_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 4, lambda _: run("mine"))
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            await upkeep.erase(Subject(session="mine"), "", ADMIN)
            step = erasure.step
            parts: list[erasure.Part] = []

            def once(*given: Any, **named: Any) -> erasure.Part:
                done = step(*given, **named)
                parts.append(done)
                # Another process makes a hold.
                hold = Hold(name="h", subject=Subject(), reason="", by="", at="2026")
                holds.write(path, [hold])
                return done

            with monkeypatch.context() as patch:
                patch.setattr(erasure, "step", once)
                await upkeep.carry_out()
            left = {text for (text,) in ask(path, "SELECT prompt FROM turns") if text}
            assert [(part.files, part.done) for part in parts] == [(1, False)]
            assert left
            time.now += 10 * DAY
            assert await upkeep.retain() == 0
            await upkeep.carry_out()
            still = {text for (text,) in ask(path, "SELECT prompt FROM turns") if text}
            assert still >= left  # a larger file may have taken the place of one that is empty
            holds.write(path, [])
            await carried_out(upkeep, path)
            assert set(texts(path).values()) == {None}

    asyncio.run(test())


def test_two_processes_each_do_their_part(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()
    time.now = datetime.now(UTC)
    program = Path(__file__).with_name("second_process.py")

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):
            await one(recorder, 0, run("mine"))
            other = await asyncio.create_subprocess_exec(
                sys.executable, str(program), str(path), stdin=PIPE, stdout=PIPE
            )
            assert other.stdin
            assert other.stdout
            try:
                assert await other.stdout.readline() == b"w1\n"
                time.now = datetime.now(UTC)
                await upkeep.erase(Subject(session="mine"), "", ADMIN)
                task = spawn(upkeep.run(), name="upkeep")
                await until(lambda: told(path, "erasure.done"))
                await stop(task)
                assert b"typed in" not in bytes_of(path)
                assert set(texts(path).values()) == {None}
                assert {each["writer"] for each in told(path, "erasure")} == {None, "w0", "w1"}
                other.stdin.write(b"\n")  # it goes on, in a scope of another name
                assert await other.stdout.readline() == b"done\n"
                assert "typed after" in str(dict(ask(path, "SELECT flow_id, prompt FROM turns")))
            finally:
                other.stdin.close()
                await other.wait()
        report = verify(Asked(record=path, key=key_of(tmp_path / "state")))
        assert report.findings.codes() == set()
        assert report.findings.codes(Level.NOTICE) == {"content-gone"}
        for writer in ("w0", "w1"):
            on_the_ledger(path, writer)

    asyncio.run(test())


def test_a_writer_that_was_killed_is_looked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, time = tmp_path / "recordings", Time()
    monkeypatch.setattr(signed, "SLACK", timedelta(0))
    time.now = datetime.now(UTC)

    async def test() -> None:
        async with writing(path, time) as (_, upkeep):
            program = Path(__file__).with_name("second_process.py")
            other = await asyncio.create_subprocess_exec(
                sys.executable, str(program), str(path), stdin=PIPE, stdout=PIPE
            )
            assert other.stdout
            assert await other.stdout.readline() == b"w1\n"
            other.kill()
            await other.wait()
            await until(lambda: datetime.now(UTC) > due_of(path / "writers/w1"))
            time.now = datetime.now(UTC)
            await upkeep.erase(Subject(session="mine"), "", ADMIN)
            await carried_out(upkeep, path)
        report = verify(Asked(record=path, key=key_of(tmp_path / "state")))
        assert report.findings.codes() == set()
        assert report.findings.codes(Level.NOTICE) == {"content-gone", "gap-in-time"}

    asyncio.run(test())


def due_of(folder: Path) -> datetime:
    last = newest(folder)
    assert last
    assert last.due
    return last.due


def key_of(state: Path) -> bytes:
    return read_key(state / KEY_FILE).public_key().public_bytes_raw()


def test_search_finds_only_what_stays(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time, pace=QUICK) as (recorder, _):
            for name, rule in (("quiet", "quiet"), ("loud", "claude"), ("held", "claude")):
                await one(recorder, 0, run("s"), f"apple {name} " * 20, rule_id=rule)
                await one(recorder, 0, run(name), f"pear {name} " * 20, rule_id=rule)
            await settled(recorder)
        Indexer(path).step()
        time.now += 3 * DAY
        settings = RetentionSettings.model_validate({"rules": {"quiet": "1d"}})
        async with writing(path, time, settings) as (_, upkeep):
            await upkeep.hold("h", Subject(session="held"), "", ADMIN)
            await upkeep.retain()
        assert seen(path, "apple") == ["apple held", "apple loud"]
        assert seen(path, "pear") == ["pear held", "pear loud"]
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            await upkeep.retain()
        assert seen(path, "pear") == ["pear held"]
        assert seen(path, "apple") == []

    asyncio.run(test())


def seen(path: Path, word: str) -> list[str]:
    found = search(path, parse(word), Filters(), limit=50)
    return sorted({" ".join(each.hit.text.split()[:2]) for each in found})


def test_approvals_that_wait_keep_an_erasure_open(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()
    left = [1, 0]

    async def beside(subject: Subject, runs: Runs) -> tuple[int, int]:
        assert subject == Subject(principal=ALICE)
        assert list(runs) == [(ALICE, "mine")]
        return 1, left.pop(0)

    async def test() -> None:
        async with writing(path, time, beside=beside) as (recorder, upkeep):
            await one(recorder, 0, run("mine"))
            await upkeep.erase(Subject(principal=ALICE), "", ADMIN)
            await carried_out(upkeep, path)
            assert not left
            assert told(path, "erasure.done")[0]["approvals"] == 2

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
