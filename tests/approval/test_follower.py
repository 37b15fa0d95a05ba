"""Waking, recording and sweeping, over several processes and failures."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval import follower, lifecycle
from proctor.approval.model import ApprovalError, Change, KillScope, State
from proctor.approval.sqlite import SqliteStore
from proctor.errors import InternalError
from tests.approval.desks import SHELL, Clock, Records, open_desk
from tests.approval.samples import asking, kill, pending, reviewer, vote

ASKING = asking(demands=(SHELL,))
BOB = reviewer("bob")


class Failing(SqliteStore):
    """A store that can stop to work."""

    broken = False

    def version(self) -> int:
        if self.broken:
            raise ApprovalError(
                code="approvals-unavailable", message="The disk is gone", status=503
            )
        return super().version()


def soon(seconds: float = 30) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


def path(folder: Path) -> Path:
    return folder / "state" / "approvals.db"


def test_whoever_waits_in_another_process_is_woken(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as gate, open_desk(tmp_path) as console:
            for number in range(5):
                made = await gate.ask(replace(ASKING, digest=str(number)))
                task = asyncio.ensure_future(gate.settled(made.id, soon(3600)))
                await asyncio.sleep(0)
                await console.decide(made.id, BOB, approve=True)
                assert (await task).state is State.APPROVED

    run(work())


def test_only_what_is_waited_for_wakes_and_all_that_wait_do(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = [await desk.ask(replace(ASKING, digest=str(n))) for n in range(3)]
            first = [asyncio.ensure_future(desk.settled(made[0].id, soon())) for _ in range(3)]
            other = asyncio.ensure_future(desk.settled(made[1].id, soon()))
            await desk.decide(made[2].id, BOB, approve=True)
            await desk.decide(made[0].id, BOB, approve=False)
            assert {item.state for item in await asyncio.gather(*first)} == {State.DENIED}
            assert not other.done()
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)
            assert desk._follower._waiting == {}

    run(work())


def test_cancelled_waiters_leave_nothing_behind(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            for rounds in range(4):
                tasks = [asyncio.ensure_future(desk.settled(made.id, soon())) for _ in range(10)]
                for _ in range(rounds):
                    await asyncio.sleep(0.005)
                for task in tasks:
                    task.cancel()
                assert all(
                    isinstance(item, asyncio.CancelledError)
                    for item in await asyncio.gather(*tasks, return_exceptions=True)
                )
            assert desk._follower._waiting == {}
            assert (await desk.approval(made.id, BOB)).state is State.PENDING

    run(work())


def test_it_waits_no_longer_than_until(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            for moment in (soon(-1), soon(0.05)):
                assert (await desk.settled(made.id, moment)).state is State.PENDING
            with pytest.raises(ApprovalError):
                await desk.settled("ap_none", soon())
            assert desk._follower._waiting == {}

    run(work())


def test_closing_wakes_everybody_and_nothing_hangs(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            made = await desk.ask(ASKING)
            waits = [asyncio.ensure_future(desk.settled(made.id, soon(60))) for _ in range(3)]
            changes = desk.follow()
            await asyncio.sleep(0.02)
            last = asyncio.ensure_future(desk.ask(replace(ASKING, digest="d2")))
            await asyncio.sleep(0)
        assert {item.state for item in await asyncio.gather(*waits)} == {State.PENDING}
        assert (await last).state is State.PENDING
        assert [change.state async for change in changes] == ["pending"]
        assert records.words == ["approval pending"] * 2
        for late in (desk.ask(ASKING), desk.use(made.id), desk.settled(made.id, soon())):
            with pytest.raises(ApprovalError) as caught:
                await late
            assert caught.value.code == "approvals-unavailable"
        with pytest.raises(ApprovalError):
            desk.killed("p", "s", None, None)
        assert [change async for change in desk.follow()] == []

    run(work())


def test_the_overdue_expire_whoever_asked_for_them(tmp_path: Path) -> None:
    async def work() -> None:
        store = SqliteStore(path(tmp_path))
        old = datetime.now(UTC) - timedelta(hours=1)
        left = [pending(old, digest=str(number)) for number in range(3)]
        for item in left:
            store.add(item)
        approved, _ = lifecycle.voted(left[0], vote("bob"), met=True, now=old)
        store.update(left[0].id, lambda _: (approved, lifecycle.noted(approved)))
        store.close()
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            await until(lambda: records.words.count("approval expired") == 3)
            assert {i.state for i in await desk.approvals(BOB)} == {State.EXPIRED}

    run(work())


def test_what_a_dead_process_did_is_put_on_record(tmp_path: Path) -> None:
    async def work() -> None:
        store = SqliteStore(path(tmp_path))
        long_ago = datetime.now(UTC) - timedelta(seconds=11)
        one, ended = pending(long_ago), kill(at=long_ago)
        store.add(one)
        store.add_kill(ended, lifecycle.killed(ended))
        store.note(lifecycle.revealed(pending(), "bob", "", long_ago))
        lately = pending(datetime.now(UTC), digest="d2")
        store.add(lately)
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            await until(lambda: len(records.made) == 3)
            assert [getattr(item, "id", None) for _, item in records.made] == [
                one.id,
                ended.id,
                None,
            ]
            assert desk.killed("p", "s", None, "s1") == ended
        assert [change.id for change in store.unrecorded(soon())] == [lately.id]
        store.close()

    run(work())


def test_each_change_is_recorded_once_and_marked(tmp_path: Path) -> None:
    async def work() -> None:
        one, two = Records(), Records()
        async with open_desk(tmp_path, records=one) as gate:
            async with open_desk(tmp_path, records=two) as console:
                made = [await gate.ask(replace(ASKING, digest=str(n))) for n in range(20)]
                await asyncio.gather(*(console.decide(i.id, BOB, approve=True) for i in made))
                await asyncio.gather(*(gate.use(item.id) for item in made))
        assert sorted(one.words) == ["approval pending"] * 20 + ["approval used"] * 20
        assert two.words == ["approval approved"] * 20
        seqs = sorted(change.seq for change, _ in one.made + two.made)
        assert len(set(seqs)) == 60
        store = SqliteStore(path(tmp_path))
        assert store.unrecorded(soon()) == []
        store.close()

    run(work())


def test_followers_see_all_processes_changes_in_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as gate, open_desk(tmp_path) as console:
            seen: list[Change] = []
            async with console.follow() as changes:
                made = await gate.ask(ASKING)
                await console.decide(made.id, BOB, approve=True)
                await gate.use(made.id)
                async for change in changes:
                    seen.append(change)
                    if len(seen) == 3:
                        break
            assert [change.state for change in seen] == ["pending", "approved", "used"]
            assert sorted(change.seq for change in seen) == [change.seq for change in seen]

    run(work())


def test_a_store_that_cannot_be_read_lets_nothing_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        monkeypatch.setattr(follower, "BLIND", 0.05)
        store = Failing(path(tmp_path))
        async with open_desk(tmp_path, store=store) as desk:
            made = await desk.ask(ASKING)
            await desk.decide(made.id, BOB, approve=True)
            store.broken = True
            with pytest.raises(InternalError) as caught:
                await desk.use(made.id)
            assert caught.value.code == "approval-unrecorded"
            await asyncio.sleep(0.2)
            with pytest.raises(ApprovalError) as blind:
                desk.killed("p", "s", None, None)
            assert blind.value.code == "approvals-unavailable"
            store.broken = False

            def sees() -> bool:
                try:
                    return desk.killed("p", "s", None, None) is None
                except ApprovalError:
                    return False

            await until(sees)
        events = [getattr(entry, "event", "") for entry in caplog.records]
        assert events.count("approvals.unread") == 1

    with caplog.at_level(logging.ERROR):
        run(work())


def test_a_kill_from_when_the_store_could_not_be_read_ends_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        monkeypatch.setattr(follower, "BLIND", 0.05)
        store = Failing(path(tmp_path))
        admin = reviewer("root", groups=(), roles=frozenset({"admin"}))
        ended: list[object] = []
        async with open_desk(tmp_path, store=store) as desk, open_desk(tmp_path) as console:
            # As Suite.kill does: it asks for each exchange whether it is meant.
            desk.on_kill.append(lambda _: ended.append(desk.killed("i#bot", "bot", "alice", None)))
            store.broken = True
            await asyncio.sleep(0.2)
            made = await console.kill(KillScope.PRINCIPAL, "alice", admin, "stop")
            await asyncio.sleep(0.1)
            store.broken = False
            await until(lambda: ended)
        assert ended == [made]

    run(work())


def test_a_kill_is_in_force_at_start(tmp_path: Path) -> None:
    async def work() -> None:
        admin = reviewer("root", groups=(), roles=frozenset({"admin"}))
        async with open_desk(tmp_path) as desk:
            made = await desk.kill(KillScope.PRINCIPAL, "Alice", admin, "stop")
        called: list[object] = []
        async with open_desk(tmp_path) as desk:
            desk.on_kill.append(called.append)
            assert desk.killed("i#bot", "bot", "alice", None) == made
        assert called == []

    run(work())


def test_what_is_long_over_is_forgotten(tmp_path: Path) -> None:
    async def work() -> None:
        clock = Clock()
        async with open_desk(tmp_path, clock=clock) as desk:
            made = await desk.ask(ASKING)
            await desk.cancel(made.id, "gone")
            clock.move(days=31)
        async with open_desk(tmp_path, clock=clock) as desk:
            for _ in range(6000):
                if not await desk.approvals(BOB):
                    return
                await asyncio.sleep(0.005)
            raise AssertionError

    run(work())
