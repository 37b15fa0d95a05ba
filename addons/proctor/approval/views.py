"""Approvals, grants, kills and changes as JSON: for the API, its event stream and notifications.

Never in it: sealed values, nonces, and the names by which humans are told apart. What an agent
wrote may not be well-formed Unicode; what UTF-8 cannot hold stands there as U+FFFD.
"""

from datetime import datetime, timedelta
from typing import Any

from proctor.approval.model import Approval, Card, Change, Grant, Kill, State, Vote
from proctor.model import ApprovalTerms
from proctor.record import timestamp

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def approval_json(approval: Approval, now: datetime) -> dict[str, Any]:
    """One approval; `seconds_left` is to its absolute end, 0 once that does not matter any more."""
    asking = approval.asking
    alive = approval.state in {State.PENDING, State.APPROVED}
    left = (approval.expires_at - now).total_seconds() if alive else 0.0
    return _well_formed(
        {
            "id": approval.id,
            "state": approval.state.value,
            "origin": asking.origin.value,
            "kind": asking.kind.value,
            "listener": asking.listener,
            "digest": asking.digest,
            "target": asking.target,
            "shape": asking.shape,
            "pattern": asking.pattern,
            "principal": asking.principal,
            "subject": asking.subject,
            "human": asking.human,
            "groups": list(asking.groups),
            "session": asking.session,
            "session_started": _moment(asking.session_started),
            "flow_id": asking.flow_id,
            "policy_version": asking.policy_version,
            "terms": [_terms_json(terms) for terms in asking.demands],
            "card": _card_json(asking.card),
            "for": _duration(asking.for_),
            "uses": asking.uses,
            "requester_reason": asking.reason,
            "requested_at": timestamp(approval.requested_at),
            "expires_at": timestamp(approval.expires_at),
            "seconds_left": round(max(0.0, left), 3),
            "waiting": approval.waiting,
            "votes": [_vote_json(vote) for vote in approval.votes],
            "decided_at": _moment(approval.decided_at),
            "by": approval.by.split(),
            "reason": approval.reason,
            "break_glass": approval.break_glass,
            "reviewed_by": approval.reviewed_by,
            "grant_ids": approval.grant_id.split(),
        }
    )


def grant_json(grant: Grant, now: datetime) -> dict[str, Any]:
    """One grant; `open` says whether it still lets anything pass."""
    return _well_formed(
        {
            "id": grant.id,
            "open": grant.open(now),
            "rule_id": grant.rule_id,
            "principal": grant.principal,
            "kind": grant.kind.value,
            "pattern": grant.pattern,
            "uses": grant.uses,
            "used": grant.used,
            "created_at": timestamp(grant.created_at),
            "expires_at": timestamp(grant.expires_at),
            "by": grant.by.split(),
            "reason": grant.reason,
            "approval_id": grant.approval_id,
            "revoked_at": _moment(grant.revoked_at),
            "revoked_by": grant.revoked_by,
        }
    )


def kill_json(kill: Kill) -> dict[str, Any]:
    """One kill."""
    return _well_formed(
        {
            "id": kill.id,
            "scope": kill.scope.value,
            "target": kill.target,
            "by": kill.by,
            "reason": kill.reason,
            "at": timestamp(kill.at),
            "lifted_at": _moment(kill.lifted_at),
            "lifted_by": kill.lifted_by,
        }
    )


def change_json(change: Change) -> dict[str, Any]:
    """One change."""
    return _well_formed(
        {
            "seq": change.seq,
            "subject": change.subject,
            "id": change.id,
            "state": change.state,
            "by": change.by.split(),
            "reason": change.reason,
            "at": timestamp(change.at),
            "detail": change.detail,
        }
    )


def _well_formed(value: dict[str, Any]) -> dict[str, Any]:
    return {key: _item(item) for key, item in value.items()}


def _item(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return _well_formed(value)
        case list() | tuple():
            return [_item(item) for item in value]
        case _:
            return value


def _terms_json(terms: ApprovalTerms) -> dict[str, Any]:
    return {
        "rule_id": terms.rule_id,
        "rule_reason": terms.rule_reason,
        "from": list(terms.from_groups),
        "count": terms.count,
        "wait": _duration(terms.wait),
        "ttl": _duration(terms.ttl),
        "reason_required": terms.reason_required,
        "grant": _duration(terms.grant),
    }


def _card_json(card: Card) -> dict[str, Any]:
    return {
        "title": card.title,
        "summary": card.summary,
        "parts": [
            {"name": part.name, "kind": part.kind, "text": part.text, "cut": part.cut}
            for part in card.parts
        ],
        "hidden": [
            {"type": span.type, "length": span.length, "place": span.place, "shown": span.shown}
            for span in card.hidden
        ],
        "findings": [{"type": kind, "place": place} for kind, place in card.findings],
        "prompt": card.prompt,
        "tool_use_id": card.tool_use_id,
    }


def _vote_json(vote: Vote) -> dict[str, Any]:
    return {
        "by": vote.reviewer,
        "name": vote.name,
        "groups": list(vote.groups),
        "approve": vote.approve,
        "reason": vote.reason,
        "at": timestamp(vote.at),
        "via": vote.via.value,
        "break_glass": vote.break_glass,
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else timestamp(value)


def _duration(value: timedelta | None) -> str | None:
    """In the largest unit that holds it in whole numbers, as rules write it: `90m`, `1h`."""
    if value is None:
        return None
    seconds = value.total_seconds()
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
