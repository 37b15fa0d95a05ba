"""The life of an approval, of a grant and of a kill.

An approval is asked for (pending). Humans approve or deny it; once approved it is used, once, and
with that it is over. Until it is used a denial still wins, whoever asked may go away (cancelled),
and at its absolute end it expires, approved or not. From denied, expired, cancelled and used no way
leads anywhere: what was denied once is never let through by that approval, and no approval lets two
actions through.

             approve    deny     expire    cancel      use
  pending  → approved   denied   expired   cancelled   -
  approved → -          denied   expired   cancelled   used

Everything that happens to an approval is one of the functions below. They are pure: from what is
there and the time they make what is to be there and the Change that is put on record; a store calls
them in a transaction. One whose end has come can only expire, whatever else is asked of it, even
where nobody has noticed yet.
"""

import secrets
import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from proctor.approval.model import (
    Approval,
    ApprovalError,
    Asking,
    Change,
    Grant,
    Kill,
    Origin,
    Reviewer,
    State,
    Vote,
)

PROCTOR = "proctor"
"""`by` of what no human did."""

_LETTERS = 16  # 75 bits


class Event(StrEnum):
    """What may happen to an approval."""

    APPROVE = "approve"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    USE = "use"


TABLE: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.PENDING: {
            Event.APPROVE: State.APPROVED,
            Event.DENY: State.DENIED,
            Event.EXPIRE: State.EXPIRED,
            Event.CANCEL: State.CANCELLED,
        },
        State.APPROVED: {
            Event.DENY: State.DENIED,
            Event.EXPIRE: State.EXPIRED,
            Event.CANCEL: State.CANCELLED,
            Event.USE: State.USED,
        },
        State.DENIED: {},
        State.EXPIRED: {},
        State.CANCELLED: {},
        State.USED: {},
    }
)
"""What follows what; nothing else does."""

OPEN = frozenset(state for state, ways in TABLE.items() if ways)
"""The states that end by themselves, when the approval's end comes."""


def after(state: State, event: Event) -> State:
    """The state that an event leads to.

    Raises:
        ApprovalError: `approval-state`: it leads nowhere from here.
    """
    found = TABLE[state].get(event)
    if found is None:
        froms = " or ".join(at.value for at, ways in TABLE.items() if event in ways)
        raise _state_error(f"It cannot {event.value} now", state.value, froms)
    return found


def new_name(prefix: str) -> str:
    """A name nobody else has: `ap` for approvals, `gr` for grants, `ki` for kills."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))
    return f"{prefix}_{letters}"


def due(approval: Approval, now: datetime) -> bool:
    """Whether its end has come, and nothing came before that."""
    return approval.state in OPEN and now >= approval.expires_at


def requested(asking: Asking, now: datetime) -> Approval:
    """A new one. Somebody waits for it if an action is held."""
    return Approval(
        id=new_name("ap"),
        asking=asking,
        nonce=secrets.token_hex(16),
        state=State.PENDING,
        requested_at=now,
        expires_at=now + asking.ttl,
        by=asking.principal,
        waiting=asking.origin is Origin.HOLD,
    )


def noted(approval: Approval) -> Change:
    """What is noted of a new one."""
    asking = approval.asking
    return _change(
        approval, State.PENDING, approval.requested_at, by=asking.principal, reason=asking.reason
    )


def voted(approval: Approval, vote: Vote, *, met: bool, now: datetime) -> tuple[Approval, Change]:
    """A human said something.

    Whoever has voted may still deny, or break the glass; the new vote then takes the place of the
    old one. Whether they may vote at all is `authority`'s to say, beforehand.

    Args:
        approval: As it is.
        vote: What they said.
        met: With this vote all demands are met; of no account for a denial.
        now: The time.

    Raises:
        ApprovalError: `approval-state`, or `approval-twice`.
    """
    _in_time(approval, now)
    state = after(approval.state, Event.APPROVE if vote.approve else Event.DENY)
    before = [item for item in approval.votes if not item.identities.isdisjoint(vote.identities)]
    if vote.approve and any(not vote.break_glass or item.break_glass for item in before):
        raise ApprovalError(
            code="approval-twice",
            message="This person has voted already",
            got=f"a vote as {vote.reviewer}",
            expected="another human, however many accounts the first one has",
        )
    if before:  # under whichever of these names they come next, it is the same human
        known = vote.identities.union(*(item.identities for item in before))
        vote = replace(vote, identities=known)
    votes = (*(item for item in approval.votes if item not in before), vote)
    detail: dict[str, Any] = {"approve": vote.approve, "via": vote.via.value}
    if vote.break_glass:
        detail["break_glass"] = True
    if vote.approve and not met:
        found = replace(approval, votes=votes)
        return found, _change(
            found, "voted", now, by=vote.reviewer, reason=vote.reason, detail=detail
        )
    deciding = votes if vote.approve else (vote,)
    found = replace(
        approval,
        votes=votes,
        decided_at=approval.decided_at or now,
        by=" ".join(item.reviewer for item in deciding),
        reason="\n".join(item.reason for item in deciding if item.reason),
        break_glass=approval.break_glass or (vote.approve and vote.break_glass),
    )
    return _in_state(found, state, now, detail)


def used(approval: Approval, now: datetime, by: str = PROCTOR) -> tuple[Approval, Change]:
    """What was approved is let through, now and never again.

    Raises:
        ApprovalError: `approval-state`.
    """
    _in_time(approval, now)
    # Who approved it, and in which words, stays with it.
    found, change = _in_state(approval, after(approval.state, Event.USE), now)
    return found, replace(change, by=by, reason="")


def cancelled(
    approval: Approval, now: datetime, reason: str, by: str = PROCTOR
) -> tuple[Approval, Change]:
    """Whoever asked has gone, or no longer needs it.

    Raises:
        ApprovalError: `approval-state`.
    """
    _in_time(approval, now)
    return _ended(approval, Event.CANCEL, now, reason, by)


def expired(approval: Approval, now: datetime) -> tuple[Approval, Change]:
    """Its end has come.

    Raises:
        ApprovalError: `approval-state`: it has not, or the approval was over before.
    """
    if now < approval.expires_at:
        raise _state_error(
            "Its end has not come",
            approval.state.value,
            f"a time after {approval.expires_at.isoformat()}",
        )
    reason = (
        "It was approved, but not used in time."
        if approval.state is State.APPROVED
        else "Nobody decided in time."
    )
    return _ended(approval, Event.EXPIRE, now, reason, PROCTOR)


def waiting(approval: Approval, now: datetime) -> tuple[Approval, Change]:
    """A client waits for it again.

    Raises:
        ApprovalError: `approval-state`: it is over.
    """
    _in_time(approval, now)
    if approval.state not in OPEN:
        raise _state_error("Nobody can wait for it", approval.state.value, "pending or approved")
    found = replace(approval, waiting=True)
    return found, _change(found, "waiting", now, by=approval.asking.principal)


def gone(approval: Approval, now: datetime, by: str = PROCTOR) -> tuple[Approval, Change]:
    """No client waits any more; it stays as it is, for the retry."""
    found = replace(approval, waiting=False)
    return found, _change(found, "gone", now, by=by)


def reviewed(
    approval: Approval, reviewer: Reviewer, reason: str, now: datetime
) -> tuple[Approval, Change]:
    """Somebody else has looked at a broken glass; it is no longer shown to everybody.

    Raises:
        ApprovalError: `approval-state`: no glass was broken, or it was reviewed before;
            `approval-not-yours`: by whoever asked or broke it.
    """
    if not approval.break_glass or approval.reviewed_by:
        got = f"reviewed by {approval.reviewed_by}" if approval.reviewed_by else "no broken glass"
        raise _state_error("There is nothing to review", got, "a broken glass nobody reviewed")
    involved = approval.asking.identities.union(*(vote.identities for vote in approval.votes))
    if not involved.isdisjoint(reviewer.identities):
        raise ApprovalError(
            code="approval-not-yours",
            message="Whoever asked for it or broke the glass cannot review that",
            got=reviewer.key,
            expected="another human",
            status=403,
        )
    found = replace(approval, reviewed_by=reviewer.key)
    return found, _change(found, "reviewed", now, by=reviewer.key, reason=reason)


def revealed(approval: Approval, by: str, reason: str, now: datetime) -> Change:
    """What is noted when somebody looks at values that were taken out."""
    return _change(approval, "revealed", now, by=by, reason=reason)


def granted(grant: Grant) -> Change:
    """What is noted of a new grant."""
    detail = {"approval": grant.approval_id, "rule": grant.rule_id, "principal": grant.principal}
    return _change(
        grant, "granted", grant.created_at, by=grant.by, reason=grant.reason, detail=detail
    )


def counted(grant: Grant, now: datetime, by: str = PROCTOR) -> tuple[Grant, Change]:
    """A grant lets one action through.

    Raises:
        ApprovalError: `approval-state`: it was used up, revoked, or its end has come.
    """
    _still_open(grant, now)
    found = replace(grant, used=grant.used + 1)
    return found, _change(found, "used", now, by=by, detail={"used": found.used})


def revoked(grant: Grant, by: str, reason: str, now: datetime) -> tuple[Grant, Change]:
    """A grant is taken back.

    Raises:
        ApprovalError: `approval-state`: it was over before.
    """
    _still_open(grant, now)
    found = replace(grant, revoked_at=now, revoked_by=by)
    return found, _change(found, "revoked", now, by=by, reason=reason)


def killed(kill: Kill) -> Change:
    """What is noted of a new kill."""
    detail = {"scope": kill.scope.value, "target": kill.target}
    return _change(kill, "killed", kill.at, by=kill.by, reason=kill.reason, detail=detail)


def lifted(kill: Kill, by: str, reason: str, now: datetime) -> tuple[Kill, Change]:
    """A kill is no longer in force.

    Raises:
        ApprovalError: `approval-state`: it was lifted before.
    """
    if kill.lifted_at is not None:
        raise _state_error("It was lifted before", "lifted", "a kill that is in force")
    found = replace(kill, lifted_at=now, lifted_by=by)
    return found, _change(found, "lifted", now, by=by, reason=reason)


def _ended(
    approval: Approval, event: Event, now: datetime, reason: str, by: str
) -> tuple[Approval, Change]:
    state = after(approval.state, event)
    found = replace(approval, by=by, reason=reason, decided_at=approval.decided_at or now)
    return _in_state(found, state, now)


def _in_state(
    approval: Approval, state: State, now: datetime, detail: dict[str, Any] | None = None
) -> tuple[Approval, Change]:
    found = replace(approval, state=state, waiting=approval.waiting and state in OPEN)
    return found, _change(found, state, now, by=found.by, reason=found.reason, detail=detail)


def _in_time(approval: Approval, now: datetime) -> None:
    if due(approval, now):
        raise _state_error(
            "Its end has come",
            f"{approval.state.value} until {approval.expires_at.isoformat()}",
            "an approval whose end has not come",
        )


def _still_open(grant: Grant, now: datetime) -> None:
    if not grant.open(now):
        raise _state_error("The grant is over", "revoked, used up or expired", "an open grant")


def _state_error(message: str, got: str, expected: str) -> ApprovalError:
    return ApprovalError(code="approval-state", message=message, got=got, expected=expected)


def _change(  # noqa: PLR0913 - the parts of a Change
    item: Approval | Grant | Kill,
    state: str,
    at: datetime,
    *,
    by: str,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> Change:
    return Change(
        seq=0,
        subject=type(item).__name__.lower(),
        id=item.id,
        state=str(state),
        by=by,
        reason=reason,
        at=at,
        detail=detail or {},
    )
