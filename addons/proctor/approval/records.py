"""What the record says of a change: one envelope of kind `approval`, or one event."""

from proctor.approval.model import Approval, Change, Grant, Kill
from proctor.record import timestamp

_PRINCIPAL: dict[str, object] = {
    "flow_id": None,
    "session_id": None,
    "session_started": None,
    "principal": "",
    "subject": "",
    "groups": [],
}


def envelope(change: Change, item: Approval | Grant | Kill | None) -> tuple[str, dict[str, object]]:
    """Kind and fields of the record of a change.

    Args:
        change: What happened.
        item: What it happened to, as it is now; None where that is not known any more.
    """
    if isinstance(item, Approval):
        return "approval", _approval(change, item)
    detail: dict[str, object] = {
        "id": change.id,
        "change_seq": change.seq,
        "state": change.state,
        "by": change.by,
        "reason": change.reason,
        "at": timestamp(change.at),
        **change.detail,
    }
    fields = dict(_PRINCIPAL)
    if isinstance(item, Grant):
        fields["principal"] = item.principal
        detail |= {
            "rule_id": item.rule_id,
            "kind": item.kind.value,
            "pattern": item.pattern,
            "uses": item.uses,
            "used": item.used,
            "expires_at": timestamp(item.expires_at),
            "approval_id": item.approval_id,
        }
    elif isinstance(item, Kill):
        detail |= {"scope": item.scope.value, "target": item.target}
    return "event", {
        **fields,
        "event_kind": f"{change.subject}.{change.state}",
        "detail": detail,
    }


def _approval(change: Change, item: Approval) -> dict[str, object]:
    asking = item.asking
    started = asking.session_started
    return {
        "flow_id": asking.flow_id or None,
        "session_id": asking.session,
        "session_started": timestamp(started) if started else None,
        "principal": asking.principal,
        "subject": asking.subject,
        "groups": list(asking.groups),
        "listener": asking.listener,
        "rule_id": asking.demands[0].rule_id if asking.demands else None,
        "rules": [terms.rule_id for terms in asking.demands],
        "reason": change.reason,
        "policy_version": asking.policy_version,
        "approval_id": item.id,
        "action_kind": asking.kind.value,
        "action_digest": asking.digest,
        "tool_use_id": asking.card.tool_use_id or None,
        "origin": asking.origin.value,
        "nonce": item.nonce,
        "change_seq": change.seq,
        "state": change.state,
        "by": change.by,
        "at": timestamp(change.at),
        "expires_at": timestamp(item.expires_at),
        "change": change.detail,
    }
