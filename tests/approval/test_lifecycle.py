"""The life of an approval, of a grant and of a kill."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval import lifecycle
from proctor.approval.lifecycle import Event, after
from proctor.approval.model import Approval, ApprovalError, Change, Origin, State
from tests.approval.samples import NOW, TTL, asking, grant, kill, pending, reviewer, vote

LATER = NOW + timedelta(minutes=1)
END = NOW + TTL
MICROSECOND = timedelta(microseconds=1)

type Step = Callable[[Approval, datetime], tuple[Approval, Change]]


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ApprovalError) as caught:
        call()
    assert caught.value.got
    assert caught.value.expected
    return caught.value.code


def approve(found: Approval, now: datetime) -> tuple[Approval, Change]:
    return lifecycle.voted(found, vote("bob"), met=True, now=now)


def deny(found: Approval, now: datetime) -> tuple[Approval, Change]:
    return lifecycle.voted(found, vote("carol", approve=False), met=False, now=now)


def cancel(found: Approval, now: datetime) -> tuple[Approval, Change]:
    return lifecycle.cancelled(found, now, "the client has gone")


STEPS: dict[Event, Step] = {
    Event.APPROVE: approve,
    Event.DENY: deny,
    Event.EXPIRE: lifecycle.expired,
    Event.CANCEL: cancel,
    Event.USE: lifecycle.used,
}


def in_state(state: State) -> Approval:
    found = replace(pending(), state=state)
    return replace(found, votes=(vote("bob"),)) if state is State.APPROVED else found


WAYS = {
    ("pending", "approve"): "approved",
    ("pending", "deny"): "denied",
    ("pending", "expire"): "expired",
    ("pending", "cancel"): "cancelled",
    ("approved", "deny"): "denied",
    ("approved", "expire"): "expired",
    ("approved", "cancel"): "cancelled",
    ("approved", "use"): "used",
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_the_table(state: State, event: Event) -> None:
    now = END if event is Event.EXPIRE else LATER
    expected = WAYS.get((state.value, event.value))
    if expected is None:
        assert code(lambda: after(state, event)) == "approval-state"
        assert code(lambda: STEPS[event](in_state(state), now)) == "approval-state"
        return
    assert after(state, event) == expected
    found, change = STEPS[event](in_state(state), now)
    assert found.state == expected
    assert (change.state, change.id, change.subject, change.at) == (
        expected,
        found.id,
        "approval",
        now,
    )


def test_only_pending_and_approved_are_open() -> None:
    assert {State.PENDING, State.APPROVED} == lifecycle.OPEN


def test_a_new_one() -> None:
    found = lifecycle.requested(asking(reason="to tidy up"), NOW)
    assert re.fullmatch("ap_[a-z]{16}", found.id)
    assert found.state is State.PENDING
    assert found.expires_at == END
    assert found.waiting
    assert len(found.nonce) == 32
    other = lifecycle.requested(asking(origin=Origin.GRANT), NOW)
    assert (other.id, other.nonce) != (found.id, found.nonce)
    assert not other.waiting
    note = lifecycle.noted(found)
    assert (note.state, note.by, note.reason, note.at) == (
        "pending",
        found.asking.principal,
        "to tidy up",
        NOW,
    )


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
@pytest.mark.parametrize("step", [approve, deny, cancel, lifecycle.used, lifecycle.waiting])
def test_once_the_end_has_come_it_can_only_expire(state: State, step: Step) -> None:
    found = in_state(state)
    assert not lifecycle.due(found, END - MICROSECOND)
    assert lifecycle.due(found, END)
    assert code(lambda: step(found, END)) == "approval-state"
    assert lifecycle.expired(found, END)[0].state is State.EXPIRED


def test_it_does_not_expire_early() -> None:
    assert code(lambda: lifecycle.expired(pending(), END - MICROSECOND)) == "approval-state"


def test_it_says_what_it_expired_of() -> None:
    assert lifecycle.expired(pending(), END)[0].reason == "Nobody decided in time."
    found, change = lifecycle.expired(in_state(State.APPROVED), END)
    assert found.reason == change.reason == "It was approved, but not used in time."
    assert (found.by, found.waiting) == ("proctor", False)


def test_two_humans_are_needed() -> None:
    one, change = lifecycle.voted(pending(), vote("bob"), met=False, now=LATER)
    assert (one.state, change.state, one.decided_at) == (State.PENDING, "voted", None)
    assert (change.by, change.reason) == ("https://idp.example#bob", "bob has looked")
    assert change.detail == {"approve": True, "via": "console"}
    two, change = lifecycle.voted(one, vote("carol"), met=True, now=LATER)
    assert (two.state, two.decided_at, two.waiting) == (State.APPROVED, LATER, True)
    assert two.by == change.by == "https://idp.example#bob https://idp.example#carol"
    assert two.reason == "bob has looked\ncarol has looked"


@pytest.mark.parametrize("again", [vote("bob"), vote("b2", "bob"), vote("b2", "robert")])
def test_one_human_votes_once(again: Any) -> None:
    one, _ = lifecycle.voted(pending(), vote("bob", "robert"), met=False, now=NOW)
    assert code(lambda: lifecycle.voted(one, again, met=True, now=NOW)) == "approval-twice"
    assert lifecycle.voted(one, vote("carol"), met=True, now=NOW)[0].state is State.APPROVED


def test_whoever_approved_may_still_deny() -> None:
    one, _ = lifecycle.voted(pending(), vote("bob", "robert"), met=False, now=NOW)
    found, change = lifecycle.voted(one, vote("b2", "bob", approve=False), met=True, now=LATER)
    assert found.state is State.DENIED
    assert found.reason == change.reason == "b2 has looked"
    assert [item.identities for item in found.votes] == [{"bob", "robert", "b2"}]


def test_a_denial_wins_over_an_approval() -> None:
    approved, _ = approve(pending(), NOW)
    denied, change = deny(approved, LATER)
    assert (denied.state, denied.by, change.by) == (
        State.DENIED,
        "https://idp.example#carol",
        "https://idp.example#carol",
    )
    assert denied.reason == "carol has looked"
    assert code(lambda: lifecycle.used(denied, LATER)) == "approval-state"
    assert code(lambda: approve(denied, LATER)) == "approval-state"


def test_use_keeps_who_approved() -> None:
    approved, _ = approve(pending(), NOW)
    found, change = lifecycle.used(approved, LATER)
    assert (found.state, found.by, found.reason) == (State.USED, approved.by, approved.reason)
    assert not found.waiting
    assert (change.by, change.reason) == ("proctor", "")
    assert code(lambda: lifecycle.used(found, LATER)) == "approval-state"


def test_clients_come_and_go() -> None:
    away, change = lifecycle.gone(pending(), LATER)
    assert (away.state, away.waiting, change.state) == (State.PENDING, False, "gone")
    back, change = lifecycle.waiting(away, LATER)
    assert (back.waiting, change.state) == (True, "waiting")
    assert code(lambda: lifecycle.waiting(in_state(State.DENIED), LATER)) == "approval-state"


class TestBreakGlass:
    def broken(self) -> Approval:
        one, _ = lifecycle.voted(pending(), vote("bob"), met=False, now=NOW)
        glass = vote("bob", break_glass=True)
        found, change = lifecycle.voted(one, glass, met=True, now=NOW)
        assert found.break_glass
        assert change.state == "approved"
        assert change.detail["break_glass"] is True
        assert [item.break_glass for item in found.votes] == [True]
        return found

    def test_is_reviewed_by_somebody_else_once(self) -> None:
        found = self.broken()
        for own in (reviewer("bob"), reviewer("b2", "BOB"), reviewer("bot"), reviewer("alice")):
            assert (
                code(lambda own=own: lifecycle.reviewed(found, own, "", LATER))  # type: ignore[misc]
                == "approval-not-yours"
            )
        done, change = lifecycle.reviewed(found, reviewer("carol"), "right so", LATER)
        assert done.reviewed_by == change.by == "https://idp.example#carol"
        assert (change.state, change.reason) == ("reviewed", "right so")
        again = reviewer("dora")
        assert code(lambda: lifecycle.reviewed(done, again, "", LATER)) == "approval-state"

    def test_stays_broken_when_it_is_denied_or_expires(self) -> None:
        assert deny(self.broken(), LATER)[0].break_glass
        assert lifecycle.expired(self.broken(), END)[0].break_glass

    def test_there_is_none(self) -> None:
        found, _ = approve(pending(), NOW)
        assert (
            code(lambda: lifecycle.reviewed(found, reviewer("carol"), "", LATER))
            == "approval-state"
        )


def test_a_look_is_noted() -> None:
    change = lifecycle.revealed(pending(), "https://idp.example#bob", "to be sure", LATER)
    assert (change.state, change.by, change.reason) == (
        "revealed",
        "https://idp.example#bob",
        "to be sure",
    )


def test_a_grant_is_used_up() -> None:
    given_, found = grant(uses=2), grant(uses=2)
    assert lifecycle.granted(given_).detail["rule"] == "shell"
    for count in (1, 2):
        found, change = lifecycle.counted(found, LATER)
        assert (found.used, change.state, change.detail) == (count, "used", {"used": count})
    assert code(lambda: lifecycle.counted(found, LATER)) == "approval-state"


def test_a_grant_ends() -> None:
    found = grant()
    assert code(lambda: lifecycle.counted(found, found.expires_at)) == "approval-state"
    gone, change = lifecycle.revoked(found, "carol", "enough", LATER)
    assert (gone.revoked_at, gone.revoked_by, change.state) == (LATER, "carol", "revoked")
    assert code(lambda: lifecycle.counted(gone, LATER)) == "approval-state"
    assert code(lambda: lifecycle.revoked(gone, "carol", "", LATER)) == "approval-state"


def test_a_kill_is_lifted_once() -> None:
    found = kill()
    assert lifecycle.killed(found).detail == {"scope": "session", "target": "s1"}
    done, change = lifecycle.lifted(found, "carol", "mended", LATER)
    assert (done.lifted_at, done.lifted_by, change.state) == (LATER, "carol", "lifted")
    assert code(lambda: lifecycle.lifted(done, "carol", "", LATER)) == "approval-state"


PEOPLE = st.sampled_from(["bob", "carol", "dora"])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["approve", "deny", "glass"]), PEOPLE),
    st.tuples(st.sampled_from(["use", "cancel", "expire", "gone", "waiting"]), st.just("")),
)


def act(found: Approval, what: str, who: str, now: datetime) -> tuple[Approval, Change]:
    if what in {"approve", "deny", "glass"}:
        said = vote(who, approve=what != "deny", break_glass=what == "glass")
        met = what == "glass" or bool([item for item in found.votes if item.approve])
        return lifecycle.voted(found, said, met=met, now=now)
    if what == "cancel":
        return cancel(found, now)
    steps: dict[str, Step] = {
        "use": lifecycle.used,
        "expire": lifecycle.expired,
        "gone": lifecycle.gone,
        "waiting": lifecycle.waiting,
    }
    return steps[what](found, now)


@given(st.lists(st.tuples(ACTS, st.integers(0, 12)), max_size=25))
def test_whatever_anybody_does(acts: list[tuple[tuple[str, str], int]]) -> None:
    found, now = pending(), NOW
    states = [found.state]
    refusals = set()
    for (what, who), minutes in acts:
        now += timedelta(minutes=minutes)
        try:
            found, change = act(found, what, who, now)
        except ApprovalError as error:
            refusals.add(error.code)
            continue
        moved = found.state is not states[-1]
        assert not moved or change.state == found.state
        assert now < END or what in {"expire", "gone"}
        if moved:
            states.append(found.state)
    assert refusals <= {"approval-state", "approval-twice"}
    assert states.count(State.USED) <= 1
    assert State.USED not in states or states[-2] is State.APPROVED
    over = [index for index, state in enumerate(states) if state not in lifecycle.OPEN]
    assert over in ([], [len(states) - 1])
    if State.APPROVED in states:
        assert [state for state in states if state is State.APPROVED] == [State.APPROVED]
    said = [item.identities for item in found.votes]
    assert len(said) == len(frozenset().union(*said))
    if found.state is State.APPROVED:
        assert found.break_glass or len(said) >= 2
        assert all(item.approve for item in found.votes)
