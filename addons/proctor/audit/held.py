"""What was held, and who decided it, as the record tells it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proctor.audit.find import Target
from proctor.audit.reader import Reader

_MAX_CHANGES = 10_000
_OF_SESSION = f"""
    SELECT raw FROM _records WHERE kind = 'approval'
    AND session_id = $session_id AND principal = $principal
    ORDER BY ts, writer, seq LIMIT {_MAX_CHANGES}
"""  # noqa: S608 - made of the constant above
_OF_EXCHANGE = f"""
    SELECT raw FROM _records WHERE kind = 'approval' AND flow_id = $flow_id AND session_id IS NULL
    ORDER BY ts, writer, seq LIMIT {_MAX_CHANGES}
"""  # noqa: S608 - the same
_STATES = frozenset({"pending", "approved", "denied", "expired", "cancelled", "used"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of an approval.

    Attributes:
        by: `Principal.key` of who decided; `proctor` or "" where nobody did.
    """

    at: datetime
    state: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One held action.

    Attributes:
        id: Of the approval.
        flow_id: The exchange in which it was asked.
        tool_use_id: The model's name for the call that was held; "" if it was none.
        digest: Of the action; "" where that is not on record.
        steps: Its changes in order.
    """

    id: str
    flow_id: str
    tool_use_id: str
    rule_id: str
    steps: tuple[Step, ...]
    digest: str = ""

    @property
    def at(self) -> datetime:
        """When it was asked."""
        return self.steps[0].at

    @property
    def state(self) -> str:
        """What became of it."""
        return next((s.state for s in reversed(self.steps) if s.state in _STATES), "pending")


def read_held(reader: Reader, target: Target) -> list[Held]:
    """What was held in a session, or in an exchange of none, in order of time."""
    if target.session_id is None:
        sql, given = _OF_EXCHANGE, {"flow_id": target.flow_id}
    else:
        sql, given = _OF_SESSION, {"session_id": target.session_id, "principal": target.principal}
    envelopes: dict[str, list[dict[str, Any]]] = {}
    for row in reader.rows(sql, given):
        envelope: dict[str, Any] = json.loads(row["raw"])
        envelopes.setdefault(envelope["approval_id"], []).append(envelope)
    return [
        Held(
            id=name,
            flow_id=told[0]["flow_id"] or "",
            tool_use_id=told[0].get("tool_use_id") or "",
            rule_id=told[0]["rule_id"] or "",
            steps=tuple(_step(envelope) for envelope in told),
            digest=told[0].get("action_digest") or "",
        )
        for name, told in envelopes.items()
    ]


def _step(envelope: Mapping[str, Any]) -> Step:
    return Step(
        at=datetime.fromisoformat(envelope.get("at") or envelope["ts"]),
        state=envelope["state"],
        by=envelope["by"] or "",
        reason=envelope["reason"] or "",
    )
