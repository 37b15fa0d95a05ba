"""The desk: what the gate asks of it, and what humans may and may not do at it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from proctor.approval.desk import Desk
from proctor.approval.model import Approval, Hidden, KillScope, Origin, Role, State
from proctor.approval.serial import encode
from proctor.errors import InternalError
from proctor.model import ActionKind
from tests.approval.desks import SHELL, TWO, WORDS, Clock, Records, open_desk, refused, run
from tests.approval.samples import ISSUER, asking, reviewer

BOT = f"{ISSUER}#bot"
BOB, CAROL = reviewer("bob"), reviewer("carol")
ADMIN = reviewer("root", groups=(), roles=frozenset({Role.ADMIN}))
BREAKER = reviewer("dave", groups=(), roles=frozenset({Role.BREAK_GLASS}))
ASKING = asking(demands=(SHELL,))


def soon(seconds: float = 30) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_asked_approved_used_once_and_recorded(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            made = await desk.ask(ASKING)
            assert (made.state, made.waiting) == (State.PENDING, True)
            waiting = asyncio.ensure_future(desk.settled(made.id, soon()))
            given = await desk.decide(made.id, BOB, approve=True, reason=" fine ")
            assert (given.state, given.reason, given.by) == (State.APPROVED, "fine", BOB.key)
            assert (await waiting).state is State.APPROVED
            assert (await desk.use(made.id)).state is State.USED
            assert records.words == ["approval pending", "approval approved", "approval used"]
            assert [item.state for _, item in records.made] == ["pending", "approved", "used"]
            assert await refused(desk.use(made.id)) == "approval-state"
            assert len(records.made) == 3

    run(work())


def test_what_may_not_be_used(tmp_path: Path) -> None:
    async def work() -> None:
        clock = Clock()
        async with open_desk(tmp_path, clock=clock) as desk:
            assert await refused(desk.use("ap_none")) == "approval-unknown"
            made = await desk.ask(ASKING)
            assert await refused(desk.use(made.id)) == "approval-state"
            await desk.decide(made.id, BOB, approve=True)
            clock.move(minutes=31)
            assert await refused(desk.use(made.id)) == "approval-state"
            assert (await desk.approval(made.id, BOB)).state in {State.APPROVED, State.EXPIRED}

    run(work())


def test_a_state_without_votes_lets_nothing_pass(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            given = await desk.decide(made.id, BOB, approve=True)
            with closing(connect(tmp_path / "state/approvals.db")) as database, database:
                data = encode(replace(given, votes=()))
                database.execute("UPDATE approvals SET data = ?", (data,))
            assert await refused(desk.use(made.id)) == "approval-state"

    run(work())


def test_nothing_is_used_that_is_not_on_record(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            made = await desk.ask(ASKING)
            await desk.decide(made.id, BOB, approve=True)
            records.error = InternalError("journal-full", "The disk is full")
            with pytest.raises(InternalError) as caught:
                await desk.use(made.id)
            assert caught.value.code == "approval-unrecorded"
            records.error = None
            assert await refused(desk.use(made.id)) == "approval-state"
            records.error = InternalError("journal-full", "The disk is full")
            with pytest.raises(InternalError):
                await desk.ask(replace(ASKING, digest="d2"))
            kill = await desk.kill(KillScope.ALL, "", ADMIN, "stop")  # in force all the same
            assert desk.killed(BOT, "bot", None, None) == kill

    run(work())


@pytest.mark.parametrize(
    "who",
    [
        reviewer("bot"),
        reviewer("alice"),
        reviewer("u-4711", "alice", issuer="https://other.example"),
        reviewer("ALICE", issuer="https://other.example", roles=frozenset(Role)),
    ],
)
def test_whoever_asked_decides_nothing(tmp_path: Path, who: Any) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            for glass in (False, True):
                for approve in (False, True):
                    said = desk.decide(
                        made.id, who, approve=approve, break_glass=glass, reason="mine"
                    )
                    assert await refused(said) == "approval-not-yours"
            assert (await desk.approval(made.id, BOB)).votes == ()

    run(work())


def test_one_human_counts_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(replace(ASKING, demands=(TWO,)))
            one = await desk.decide(made.id, reviewer("b1", "bob"), approve=True)
            assert one.state is State.PENDING
            again = reviewer("b2", "Bob", issuer="https://other.example", groups=("dba", "sec"))
            assert await refused(desk.decide(made.id, again, approve=True)) == "approval-twice"
            same = reviewer("b1", "bob")
            assert await refused(desk.decide(made.id, same, approve=True)) == "approval-twice"
            two = await desk.decide(made.id, CAROL, approve=True)
            assert (two.state, len(two.votes)) == (State.APPROVED, 2)
            assert two.by == f"{ISSUER}#b1 {ISSUER}#carol"

    run(work())


def test_who_is_not_asked_decides_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            other, plain = reviewer("eve", groups=("sec",)), reviewer("eve", roles=frozenset())
            for approve in (True, False):
                assert await refused(desk.decide(made.id, other, approve=approve)) == (
                    "approval-group"
                )
                assert await refused(desk.decide(made.id, plain, approve=approve)) == (
                    "approval-role"
                )
                assert await refused(desk.decide(made.id, ADMIN, approve=approve)) == (
                    "approval-role"
                )
            assert await refused(desk.decide("ap_none", BOB, approve=True)) == "approval-unknown"

    run(work())


def test_a_denial_wins_until_it_is_used(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            await desk.decide(made.id, BOB, approve=True)
            denied = await desk.decide(made.id, CAROL, approve=False, reason="not on Friday")
            assert (denied.state, denied.reason) == (State.DENIED, "not on Friday")
            assert await refused(desk.use(made.id)) == "approval-state"
            assert await refused(desk.decide(made.id, BOB, approve=True)) == "approval-state"
            assert await refused(desk.decide(made.id, ADMIN, approve=True)) != ""
            made = await desk.ask(ASKING)
            await desk.decide(made.id, BOB, approve=True)
            await desk.use(made.id)
            assert await refused(desk.decide(made.id, CAROL, approve=False)) == "approval-state"

    run(work())


def test_a_denial_takes_back_the_grant_that_came_with_the_approval(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            await desk.decide(made.id, BOB, approve=True, grant=timedelta(minutes=5))
            await desk.decide(made.id, CAROL, approve=False)
            assert await desk.grants(ADMIN) == []
            (grant,) = await desk.grants(ADMIN, open_only=False)
            assert grant.revoked_by == CAROL.key

    run(work())


def test_no_vote_after_its_end(tmp_path: Path) -> None:
    async def work() -> None:
        clock = Clock()
        async with open_desk(tmp_path, clock=clock) as desk:
            made = await desk.ask(ASKING)
            clock.move(minutes=30)
            for approve in (True, False):
                assert await refused(desk.decide(made.id, BOB, approve=approve)) == (
                    "approval-state"
                )

    run(work())


def test_reasons_are_asked_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(replace(ASKING, demands=(WORDS,)))
            for approve in (True, False):
                for words in ("", " \n", "x" * 3000):
                    said = desk.decide(made.id, BOB, approve=approve, reason=words)
                    assert await refused(said) == "approval-reason"
            assert (await desk.decide(made.id, BOB, approve=True, reason="ok")).state == "approved"

    run(work())


def test_two_gateways_cannot_both_use_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as one, open_desk(tmp_path) as two:
            made = await one.ask(ASKING)
            assert (await two.ask(ASKING)).id == made.id
            waits = [asyncio.ensure_future(d.settled(made.id, soon())) for d in (one, two)]
            await one.decide(made.id, BOB, approve=True)
            assert {item.state for item in await asyncio.gather(*waits)} == {State.APPROVED}
            uses = await asyncio.gather(
                *(desk.use(made.id) for desk in (one, two, one)), return_exceptions=True
            )
            assert sum(isinstance(item, Approval) for item in uses) == 1

    run(work())


def test_a_retry_meets_the_same_answer(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            question = replace(ASKING, prompt="q1")
            made = await desk.ask(question)
            await desk.left(made.id)
            await desk.left(made.id)
            again = await desk.ask(question)
            assert (again.id, again.waiting) == (made.id, True)
            await desk.decide(made.id, BOB, approve=False, reason="no")
            assert (await desk.ask(question)).reason == "no"
            other = await desk.ask(replace(ASKING, prompt="q2"))
            assert (other.id != made.id, other.state) == (True, State.PENDING)
            await desk.cancel(other.id, "the client went away")
            third = await desk.ask(replace(ASKING, prompt="q2"))
            assert third.id != other.id
            words = "pending gone waiting denied pending cancelled pending"
            assert records.words == [f"approval {word}" for word in words.split()]

    run(work())


def test_what_is_approved_waits_for_the_retry(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            assert (await desk.settled(made.id, soon(0.02))).state is State.PENDING
            await desk.left(made.id)
            await desk.decide(made.id, BOB, approve=True)
            assert (await desk.ask(ASKING)).state is State.APPROVED
            await desk.use(made.id)
            assert (await desk.ask(ASKING)).id != made.id

    run(work())


def test_its_end_wakes_whoever_waits(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(replace(ASKING, ttl=timedelta(milliseconds=150)))
            loop = asyncio.get_running_loop()
            begun = loop.time()
            assert (await desk.settled(made.id, soon())).state is State.EXPIRED
            assert loop.time() - begun < 2
            assert (await desk.settled(made.id, soon())).state is State.EXPIRED

    run(work())


def test_breaking_the_glass(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        async with open_desk(tmp_path, records=records) as desk:
            made = await desk.ask(replace(ASKING, demands=(TWO,)))

            def glass(**more: Any) -> Awaitable[Approval]:
                return desk.decide(made.id, BREAKER, approve=True, break_glass=True, **more)

            assert await refused(glass()) == "approval-reason"
            assert await refused(glass(reason="x", grant=timedelta(minutes=1))) == "grant-too-wide"
            assert await refused(desk.decide(made.id, BREAKER, approve=True)) == "approval-role"
            assert await refused(
                desk.decide(made.id, BOB, approve=True, break_glass=True, reason="x")
            ) == ("approval-role")
            done = await glass(reason="production is down")
            assert (done.state, done.break_glass) == (State.APPROVED, True)
            change, _ = records.made[-1]
            assert (change.state, change.detail["break_glass"]) == ("approved", True)
            assert await refused(desk.reviewed(made.id, BREAKER)) == "approval-role"
            both = replace(BREAKER, roles=frozenset(Role))
            assert await refused(desk.reviewed(made.id, both)) == "approval-not-yours"
            assert (await desk.reviewed(made.id, BOB)).reviewed_by == BOB.key
            assert await refused(desk.reviewed(made.id, CAROL)) == "approval-state"

    run(work())


def test_a_grant_with_an_approval(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        async with open_desk(tmp_path, records=records) as desk, open_desk(tmp_path) as other:
            made = await desk.ask(ASKING)

            def give(**more: Any) -> Awaitable[Approval]:
                return desk.decide(made.id, BOB, approve=True, **more)

            hour = timedelta(hours=1)
            assert await refused(give(grant=2 * hour)) == "grant-too-wide"
            assert await refused(give(grant=hour, uses=0)) == "grant-too-wide"
            tools = ("Bash", "Bash(*)", "Bash(r*)", "Bash(npm *)", "Edit(//src/**)")
            for pattern in (*tools, "x" * 3000):
                assert await refused(give(grant=hour, pattern=pattern)) == "grant-too-wide"
            done = await give(grant=hour, uses=2, pattern="Bash(rm *)", reason="tidy")
            (grant,) = await desk.grants(BOB)
            assert (grant.id, grant.approval_id) == (done.grant_id, made.id)
            assert (grant.pattern, grant.uses, grant.principal) == ("Bash(rm *)", 2, BOT)
            assert grant.expires_at - grant.created_at == hour
            assert records.words[-2:] == ["approval approved", "grant granted"]

            def found(at: Desk) -> Any:
                return at.grants_for(BOT, ActionKind.LLM_TOOL_USE, [SHELL], lambda _: True)

            assert found(desk) == (grant,)
            await until(lambda: found(other) is not None)
            assert await desk.use_grants((grant,))
            assert await other.use_grants((grant,))
            assert not await desk.use_grants((grant,))
            assert not await desk.use_grants(())
            await until(lambda: found(desk) is None)

    run(work())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


def test_one_of_two_cannot_give_a_grant(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(replace(ASKING, demands=(TWO,)))
            five = timedelta(minutes=5)
            said = desk.decide(made.id, BOB, approve=True, grant=five)
            assert await refused(said) == "grant-too-wide"
            await desk.decide(made.id, BOB, approve=True)
            said = desk.decide(made.id, CAROL, approve=True, grant=five)
            assert await refused(said) == "grant-too-wide"

    run(work())


def test_access_asked_for_beforehand(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            for_ = timedelta(minutes=30)
            wish = replace(ASKING, origin=Origin.GRANT, for_=for_, demands=(TWO,), digest="g")
            for wrong in (
                replace(wish, for_=None),
                replace(wish, for_=timedelta(hours=2)),
                replace(wish, pattern="Bash(*)"),
                replace(wish, origin=Origin.HOLD),
                replace(wish, demands=(WORDS,)),
            ):
                assert await refused(desk.request_grant(wrong)) == "grant-too-wide"
            made = await desk.request_grant(wish)
            assert not made.waiting
            await desk.decide(made.id, BOB, approve=True)
            assert await desk.grants(ADMIN) == []
            longer, ten = timedelta(minutes=31), timedelta(minutes=10)
            said = desk.decide(made.id, CAROL, approve=True, grant=longer)
            assert await refused(said) == "grant-too-wide"
            said = desk.decide(made.id, CAROL, approve=True, grant=ten, pattern="Bash(rm *)")
            assert await refused(said) == "grant-too-wide"
            done = await desk.decide(made.id, CAROL, approve=True, grant=ten)
            (grant,) = await desk.grants(ADMIN)
            assert grant.expires_at - grant.created_at == ten
            assert grant.pattern == wish.pattern
            assert (done.state, done.grant_id) == (State.USED, grant.id)
            assert await refused(desk.use(done.id)) == "approval-state"

    run(work())


def test_a_grants_approval_lets_nothing_pass_itself(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            wish = replace(ASKING, origin=Origin.GRANT, for_=timedelta(minutes=5))
            made = await desk.request_grant(wish)
            assert (await desk.ask(ASKING)).id != made.id
            assert await refused(desk.use(made.id)) == "approval-state"

    run(work())


def test_revoking(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            made = await desk.ask(ASKING)
            await desk.decide(made.id, BOB, approve=True, grant=timedelta(minutes=5))
            (grant,) = await desk.grants(BOB)
            other = reviewer("eve", groups=("sec",))
            assert await desk.grants(other) == []
            assert await refused(desk.revoke(grant.id, other)) == "approval-group"
            assert await refused(desk.revoke("gr_none", CAROL)) == "grant-unknown"
            assert (await desk.revoke(grant.id, CAROL, "enough")).revoked_by == CAROL.key
            assert desk.grants_for(BOT, grant.kind, [SHELL], lambda _: True) is None
            assert not await desk.use_grants((grant,))
            assert await refused(desk.revoke(grant.id, CAROL)) == "approval-state"

    run(work())


def test_kills_are_seen_by_all(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as one, open_desk(tmp_path) as two:
            seen: list[str] = []

            def broken(_: object) -> None:
                raise RuntimeError

            two.on_kill += [broken, lambda kill: seen.append(kill.id)]
            one.on_kill.append(lambda kill: seen.append(kill.id))
            assert await refused(one.kill(KillScope.ALL, "", BOB, "x")) == "approval-role"
            assert await refused(one.kill(KillScope.ALL, "", ADMIN, " ")) == "approval-reason"
            assert await refused(one.kill(KillScope.SESSION, "", ADMIN, "x")) == "kill-unknown"
            kill = await one.kill(KillScope.SESSION, "s1", ADMIN, "it loops")
            assert one.killed(BOT, "bot", None, "s1") == kill
            assert seen == [kill.id]
            await until(lambda: bool(two.killed(BOT, "bot", None, "s1")))
            assert seen == [kill.id, kill.id]
            assert await two.kills(BOB) == [kill]
            nobody = reviewer("eve", roles=frozenset())
            assert await refused(two.kills(nobody)) == "approval-role"
            assert await refused(two.lift(kill.id, BOB)) == "approval-role"
            assert await refused(two.lift("ki_none", ADMIN)) == "kill-unknown"
            await two.lift(kill.id, ADMIN, "over")
            assert two.killed(BOT, "bot", None, "s1") is None
            await until(lambda: not one.killed(BOT, "bot", None, "s1"))
            assert await two.kills(BOB) == []
            assert len(await two.kills(BOB, in_force=False)) == 1

    run(work())


def test_revealing_is_on_record_first(tmp_path: Path) -> None:
    async def work() -> None:
        records = Records()
        values = {"input.command": "hunter2"}
        async with open_desk(tmp_path, records=records, opened=values) as desk:
            made = await desk.ask(replace(ASKING, sealed=b"sealed"))
            trusted = replace(BOB, roles=frozenset({Role.REVIEWER, Role.REVEAL}))
            assert await refused(desk.reveal(made.id, BOB, "x")) == "approval-role"
            assert await refused(desk.reveal(made.id, trusted, " ")) == "approval-reason"
            assert await desk.reveal(made.id, trusted, "to be sure") == values
            assert records.words[-1] == "approval revealed"
            assert "hunter2" not in repr(records.made)
            records.error = OSError()
            with pytest.raises(InternalError):
                await desk.reveal(made.id, trusted, "again")

    run(work())


def test_a_pattern_never_shows_what_the_card_hides(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            span = Hidden(type="PASSWORD", length=7, place="input.command", shown="<PASSWORD>")
            card = replace(ASKING.card, hidden=(span,))
            made = await desk.ask(replace(ASKING, card=card, pattern="Bash(login hunter2)"))
            assert made.asking.pattern == ""

    run(work())
