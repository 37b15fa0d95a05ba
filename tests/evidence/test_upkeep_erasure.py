"""Erasure through the real store: nothing is left but the proof, whatever comes between."""

import asyncio
import errno
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.store import Store
from proctor.errors import ClientError, InternalError
from proctor.evidence import erasure, holds
from proctor.evidence.beside import Runs
from proctor.evidence.holds import Hold, Subject
from proctor.evidence.keys import KEY_FILE, read_key
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.sealer import newest
from proctor.evidence.verify import signed
from proctor.evidence.verify.findings import Level
from proctor.evidence.verify.verifier import Asked, verify
from proctor.runtime.tasks import spawn, stop
from proctor.search.finding import Filters, search
from proctor.search.indexer import Indexer
from proctor.search.query import parse
from tests.evidence.days import (
    ADMIN,
    DAY,
    TWO_DAYS,
    Time,
    bytes_of,
    carried_out,
    days,
    on_the_ledger,
    one,
    proved,
    says,
    settled,
    texts,
    told,
    writing,
)
from tests.support.envelopes import ALICE, BOB, QUICK, ask, begin, end, run, turn, until


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
