"""One held action, from the question to the release; the ways through a proxy: tests/stages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from proctor.approval.holder import Held, Holder, Release, Waiting, Why
from proctor.approval.model import Approval, Card, State
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.model import GUESSED, Action, ActionKind, Allow, Decision, Deny, Hold, Session
from tests.support.desks import FakeDesk, terms
from tests.support.parts import ALICE

HOLD = Decision(verdict=Hold(rule_id="r", reason="Look.", terms=(terms("r"),)))
ACTION = Action(kind=ActionKind.HTTP_REQUEST, listener="api", target="GET http://x/")


def held(decision: Decision = HOLD, patience: timedelta | None = None) -> Held:
    return Held(
        principal=ALICE,
        session=None,
        action=ACTION,
        digest="d",
        decision=decision,
        card=Card(title="GET", summary=""),
        shape="GET x",
        pattern="GET http://x/",
        patience=patience,
    )


def run(
    play: Callable[[FakeDesk, Waiting], Awaitable[Release]],
    what: Held | None = None,
    now: Decision = HOLD,
) -> tuple[FakeDesk, Release]:
    async def main() -> tuple[FakeDesk, Release]:
        desk = FakeDesk()
        holder = Holder(desk, lambda _held: now, lambda: datetime.now(UTC))
        return desk, await play(desk, holder.hold(what or held(), lambda _approval: None))

    return asyncio.run(main())


def decided(state: State, reason: str = "") -> Callable[[FakeDesk, Waiting], Awaitable[Release]]:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        outcome = asyncio.ensure_future(waiting.outcome())
        (approval,) = await desk.pending()
        await desk.change(approval.id, state, reason)
        return await outcome

    return play


def test_it_is_used_once_it_is_approved() -> None:
    desk, release = run(decided(State.APPROVED))
    assert release.approval
    assert desk.approvals[release.approval.id].state is State.USED


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.DENIED, "approval-denied"),
        (State.EXPIRED, "approval-expired"),
        (State.CANCELLED, "approval-cancelled"),
        (State.USED, "approval-cancelled"),
    ],
)
def test_anything_else_is_a_refusal_with_the_reviewers_words(state: State, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        run(decided(state, "not today"))
    assert (caught.value.code, caught.value.rule_id) == (code, "r")
    assert ("not today" in str(caught.value)) is (state is not State.EXPIRED)


@pytest.mark.parametrize(
    ("how", "bound"), [("header", "run-1"), ("tool_use", "run-1"), (GUESSED, None)]
)
def test_an_approval_is_for_a_run_that_was_named(how: str, bound: str | None) -> None:
    session = Session(id="run-1", client="", started=datetime.now(UTC), correlated_by=how)
    desk, release = run(decided(State.APPROVED), replace(held(), session=session))
    assert release.approval
    assert desk.approvals[release.approval.id].asking.session == bound


def test_nobody_decided() -> None:
    async def play(_desk: FakeDesk, waiting: Waiting) -> Release:
        return await waiting.outcome()

    short = Decision(verdict=Hold(rule_id="r", reason="", terms=(terms("r", wait=0.01),)))
    with pytest.raises(RefusedError) as caught:
        run(play, held(short))
    assert caught.value.code == "approval-pending"
    assert "ap_0" in str(caught.value)
    assert "12:30 UTC" in str(caught.value)


@pytest.mark.parametrize(
    ("why", "state"),
    [
        (Why.GONE, State.CANCELLED),
        (Why.KILLED, State.CANCELLED),
        (Why.STOPPING, State.PENDING),
    ],
)
@pytest.mark.parametrize("turns", range(6))
def test_it_can_be_stopped_at_any_moment(why: Why, state: State, turns: int) -> None:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        outcome = asyncio.ensure_future(waiting.outcome())
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.stop(why)
        waiting.stop(Why.GONE)
        with pytest.raises(RefusedError):
            await outcome
        assert [each.state for each in desk.approvals.values()] in ([], [state])
        return Release()

    run(play)


@pytest.mark.parametrize("why", [Why.GONE, Why.KILLED])
def test_a_client_that_asks_again_waits_on_when_its_first_connection_ends(why: Why) -> None:
    async def main() -> None:
        desk = FakeDesk()
        holder = Holder(desk, lambda _held: HOLD, lambda: datetime.now(UTC))
        both = [holder.hold(held(), lambda _approval: None) for _ in range(2)]
        first, second = (asyncio.ensure_future(each.outcome()) for each in both)
        (approval,) = await desk.pending()
        for _ in range(10):
            await asyncio.sleep(0)
        assert all(each.approval for each in both)
        both[0].stop(why)
        with pytest.raises(RefusedError):
            await first
        if why is Why.KILLED:
            with pytest.raises(RefusedError):
                await second
            return
        await desk.change(approval.id, State.APPROVED)
        assert (await second).name == approval.id
        # The last one that goes takes it along.
        third = holder.hold(held(), lambda _approval: None)
        outcome = asyncio.ensure_future(third.outcome())
        (fresh,) = await desk.pending()
        third.stop(Why.GONE)
        with pytest.raises(RefusedError):
            await outcome
        assert desk.approvals[fresh.id].state is State.CANCELLED
        assert not holder._at

    asyncio.run(main())


def test_a_task_that_is_cancelled_by_others_is_cancelled() -> None:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        outcome = asyncio.ensure_future(waiting.outcome())
        await desk.pending()
        outcome.cancel()
        return await outcome

    with pytest.raises(asyncio.CancelledError):
        run(play)


@pytest.mark.parametrize(
    ("now", "passes"),
    [
        (Decision(verdict=Allow(rule_id="a")), True),
        (HOLD, True),
        (Decision(verdict=Hold(rule_id="r", reason="", terms=(terms("r", count=2),))), False),
        (Decision(verdict=Hold(rule_id="r", reason="", terms=(terms("r"), terms("s")))), False),
        (Decision(verdict=Deny(rule_id="d", reason="")), False),
        (Decision(verdict=Deny(rule_id="r", reason="", appeal=(terms("r"),))), False),
    ],
)
def test_the_rules_are_asked_again(now: Decision, passes: bool) -> None:  # noqa: FBT001 - a parameter
    if passes:
        assert run(decided(State.APPROVED), now=now)[1].approval
        return
    with pytest.raises(RefusedError) as caught:
        run(decided(State.APPROVED), now=now)
    assert caught.value.code == "approval-void"


def test_a_client_that_waits_less_is_told_sooner() -> None:
    async def play(_desk: FakeDesk, waiting: Waiting) -> Release:
        assert waiting._until() < datetime.now(UTC) + timedelta(seconds=3)
        return Release()

    run(play, held(patience=timedelta(seconds=2)))


def test_without_a_desk_nothing_passes() -> None:
    async def main() -> None:
        holder = Holder(None, lambda _held: HOLD, lambda: datetime.now(UTC))
        await holder.hold(held(), lambda _approval: None).outcome()

    with pytest.raises(RefusedError) as caught:
        asyncio.run(main())
    assert caught.value.code == "approvals-off"


def test_what_is_unexpected_refuses() -> None:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        desk.grants_for = None  # type: ignore[assignment,method-assign]  # breaks on purpose
        return await waiting.outcome()

    with pytest.raises(InternalError) as caught:
        run(play)
    assert caught.value.code == "approvals-failed"


def test_a_broken_store_refuses() -> None:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        desk.broken = True
        return await waiting.outcome()

    with pytest.raises(ProctorError) as caught:
        run(play)
    assert caught.value.code == "approvals-unavailable"


def test_terms_are_all_that_is_asked() -> None:
    two = Decision(verdict=Hold(rule_id="r", reason="", terms=(terms("r"), terms("s"))))
    assert [each.rule_id for each in held(two).terms] == ["r", "s"]
    assert held(Decision(verdict=Allow(rule_id="a"))).terms == ()
    assert replace(held(), decision=Decision(verdict=Deny(rule_id="d", reason=""))).terms == ()


def test_the_slower_of_two_that_do_the_same_asks_anew() -> None:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        outcome = asyncio.ensure_future(waiting.outcome())
        (first,) = await desk.pending()
        real, quicker = desk.use, desk.change

        async def use(name: str) -> Approval:
            desk.use = real  # type: ignore[method-assign]  # once
            await quicker(name, State.USED)
            return await real(name)

        desk.use = use  # type: ignore[method-assign]  # somebody else comes first
        await desk.change(first.id, State.APPROVED)
        (second,) = await desk.pending()
        await desk.change(second.id, State.APPROVED)
        release = await outcome
        assert release.name == second.id != first.id
        return release

    run(play)


def test_a_gateway_that_stops_says_that_it_is_still_open() -> None:
    async def play(desk: FakeDesk, waiting: Waiting) -> Release:
        outcome = asyncio.ensure_future(waiting.outcome())
        await desk.pending()
        waiting.stop(Why.STOPPING)
        return await outcome

    with pytest.raises(RefusedError) as caught:
        run(play)
    assert caught.value.code == "approval-pending"
    assert "ap_0 stays open" in str(caught.value)
