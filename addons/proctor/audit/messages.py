"""Messages of WebSockets as the record has them, by the exchange that opened each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proctor.audit.find import Target
from proctor.audit.held import Held
from proctor.audit.origins import Came, origins
from proctor.audit.reader import Content, Reader, reference
from proctor.model import ContentRef, Observation

MOST = 20_000
"""Messages of a session, or of a WebSocket of none, that are read; the rest are counted."""

WEBSOCKET = "websocket"
"""`protocol` of what opened one."""

_SESSION = "session_id = $session_id AND principal = $principal"
_FLOW = "flow_id = $flow_id AND session_id IS NULL"
_READ = """
    SELECT raw FROM _records WHERE kind = 'message' AND {which}
    ORDER BY ts, writer, seq LIMIT $most
"""
_COUNTS = """
    SELECT flow_id, count(*) AS said, count(*) FILTER (verdict = 'deny') AS refused
    FROM _records WHERE kind = 'message' AND {which} GROUP BY flow_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message, without its content.

    Attributes:
        flow_id: Of what opened its WebSocket.
        n: Its number there, both ways.
        at: When it was recorded, which is before it was passed on.
        direction: Who says it: `client` or `server`.
        type: `text` or `binary`.
        size: Bytes as it came.
        verdict: What the rules said, or `deny` where it was not passed on at all.
        observed: What rules in `mode: observe` would have done.
        origins: What in it came from elsewhere.
        approval_id: The approval that let it pass, or None.
        digests: Of the action that it is.
        record: `full`, or `metadata` where no content was kept.
        content: Where that is; None for none.
        error: Why it was not passed on, or None.
        found: Types of what was found in it.
    """

    flow_id: str
    n: int
    at: datetime
    direction: str
    type: str
    size: int
    verdict: str
    rule_id: str
    reason: str
    observed: tuple[Observation, ...]
    origins: tuple[Came, ...] = ()
    approval_id: str | None
    digests: tuple[str, ...]
    record: str
    content: ContentRef | None
    error: str | None
    found: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """It was not passed on."""
        return self.verdict == "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message with its content.

    Attributes:
        entry: What its envelope says.
        content: As it was passed on, or may be kept; None where it was not recorded.
        held: What was held of it, and who decided.
    """

    entry: Entry
    content: Content | None = None
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The messages of a session by WebSocket, in order of time.

    Attributes:
        entries: By `flow_id`.
        counts: How many there are of each in all.
        refused: How many of all were.
    """

    entries: Mapping[str, Sequence[Entry]]
    counts: Mapping[str, int]
    refused: int


SILENCE = Heard(entries={}, counts={}, refused=0)


def read_messages(reader: Reader, target: Target, *, most: int = MOST) -> Heard:
    """The messages of the target's session, or of the one WebSocket.

    Args:
        reader: The record.
        target: What is meant.
        most: So many are read.
    """
    if target.session_id is None:
        which, given = _FLOW, {"flow_id": target.flow_id}
    else:
        which, given = _SESSION, {"session_id": target.session_id, "principal": target.principal}
    entries: dict[str, list[Entry]] = {}
    for row in reader.rows(_READ.format(which=which), {**given, "most": most}):
        entry = _entry(json.loads(row["raw"]))
        entries.setdefault(entry.flow_id, []).append(entry)
    rows = list(reader.rows(_COUNTS.format(which=which), given))
    return Heard(
        entries=entries,
        counts={row["flow_id"]: row["said"] for row in rows},
        refused=sum(row["refused"] for row in rows),
    )


def _entry(said: Mapping[str, Any]) -> Entry:
    decisions = said.get("decisions") or ()
    return Entry(
        flow_id=said["flow_id"],
        n=said["n"],
        at=datetime.fromisoformat(said["ts"]),
        direction=said["direction"],
        type=said["type"],
        size=said["bytes"],
        verdict=said["verdict"],
        rule_id=said["rule_id"] or "",
        reason=said["reason"] or "",
        origins=origins(decisions),
        observed=tuple(
            Observation(rule_id=o["rule_id"], verdict=o["verdict"], reason=o["reason"])
            for decision in decisions
            for o in decision["observed"]
        ),
        approval_id=said.get("approval_id"),
        digests=tuple(decision["action_digest"] for decision in decisions),
        record=said["record"],
        content=reference(said.get("request") or said.get("response")),
        error=said.get("error"),
        found=tuple(dict.fromkeys(f["entity_type"] for f in said.get("findings") or ())),
    )
