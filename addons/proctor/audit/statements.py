"""SQL statements as the record has them: each with how it ended, by connection.

A connection is an exchange like any other; what was said over it are its statements.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from proctor.audit.find import Target
from proctor.audit.held import Held
from proctor.audit.origins import Came, origins
from proctor.audit.reader import Content, Reader, reference
from proctor.model import ContentRef, Observation

MOST = 20_000
"""Statements of a session, or of a connection of none, that are read; the rest are counted."""

POSTGRES = "postgres"
"""`protocol` of a connection."""

_SESSION = "session_id = $session_id AND principal = $principal"
_FLOW = "flow_id = $flow_id AND session_id IS NULL"
_PAIRS = """
    SELECT s.raw AS said, e.raw AS ended FROM (
        SELECT writer, seq, ts, raw FROM _records WHERE kind = 'statement' AND {which}
        ORDER BY ts, writer, seq LIMIT $most) s
    LEFT JOIN (SELECT writer, begin_seq, raw FROM _records
        WHERE kind = 'statement.end' AND {which}) e
        ON e.writer = s.writer AND e.begin_seq = s.seq
    ORDER BY s.ts, s.writer, s.seq
"""
_NEWEST = """
    SELECT raw FROM _records WHERE kind IN ('statement', 'statement.end')
    ORDER BY ts DESC, writer, seq DESC LIMIT $most
"""
_COUNTS = """
    SELECT flow_id, count(*) AS said, count(*) FILTER (verdict = 'deny') AS refused
    FROM _records WHERE kind = 'statement' AND {which} GROUP BY flow_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One statement, without its content.

    Attributes:
        flow_id: Of its connection.
        n: Its number in the connection.
        at: When it was recorded, which is before it ran.
        verbs: In capitals.
        tables: Schema-qualified.
        verdict: What the rules said, or `deny` where it was not let through at all.
        observed: What rules in `mode: observe` would have done.
        origins: What in it came from elsewhere.
        approval_id: The approval that let it pass, or None.
        digests: Of the action that it is.
        record: `full`, or `metadata` where no content was kept.
        rows: That the client got, or that it touched; None where it did not run.
        duration_ms: None while it runs.
        error: What went wrong, or why it did not run.
        ended: It is over.
        found: Types of what was found in it.
    """

    flow_id: str
    n: int
    at: datetime
    database: str
    verbs: tuple[str, ...]
    tables: tuple[str, ...]
    in_transaction: bool
    verdict: str
    rule_id: str
    reason: str
    observed: tuple[Observation, ...]
    origins: tuple[Came, ...] = ()
    approval_id: str | None
    digests: tuple[str, ...]
    record: str
    sql: ContentRef | None
    parameters: ContentRef | None
    response: ContentRef | None
    rows: int | None
    masked_columns: tuple[str, ...]
    duration_ms: float | None
    error: str | None
    ended: bool
    found: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """It did not go to the server."""
        return self.verdict == "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement with its content.

    Attributes:
        entry: What its envelopes say.
        sql: Its text; None where content was not recorded.
        parameters: JSON, a list; None for none.
        result: JSON, see `audit.results`; None for nothing.
        held: What was held of it, and who decided.
    """

    entry: Entry
    sql: Content | None
    parameters: Content | None
    result: Content | None
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The statements of a session by connection, in order of time.

    Attributes:
        entries: By `flow_id`.
        counts: How many there are of each in all.
        refused: How many of all were.
    """

    entries: Mapping[str, Sequence[Entry]]
    counts: Mapping[str, int]
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """A statement, and who said it."""

    entry: Entry
    principal: str | None
    subject: str | None
    session_id: str | None


NOTHING = Spoken(entries={}, counts={}, refused=0)


def read_statements(reader: Reader, target: Target, *, most: int = MOST) -> Spoken:
    """The statements of the target's session, or of the one connection.

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
    for row in reader.rows(_PAIRS.format(which=which), {**given, "most": most}):
        entry = _entry(json.loads(row["said"]), json.loads(row["ended"] or "null"))
        entries.setdefault(entry.flow_id, []).append(entry)
    counts = {flow_id: len(found) for flow_id, found in entries.items()}
    refused = sum(entry.refused for found in entries.values() for entry in found)
    if sum(counts.values()) >= most:
        rows = list(reader.rows(_COUNTS.format(which=which), given))
        counts = {row["flow_id"]: row["said"] for row in rows}
        refused = sum(row["refused"] for row in rows)
    return Spoken(entries=entries, counts=counts, refused=refused)


def newest(reader: Reader, *, most: int) -> list[Spoke]:
    """The statements that were said last, the newest first.

    Args:
        reader: The record.
        most: At most so many.
    """
    ends: dict[tuple[str, int], Mapping[str, Any]] = {}
    found: list[Spoke] = []
    # An end comes after its beginning, so it is met before.
    for row in reader.rows(_NEWEST, {"most": 2 * most}):
        envelope = json.loads(row["raw"])
        if envelope["kind"] == "statement.end":
            ends[envelope["writer"], envelope["begin_seq"]] = envelope
            continue
        entry = _entry(envelope, ends.pop((envelope["writer"], envelope["seq"]), None))
        found.append(
            Spoke(
                entry=entry,
                principal=envelope["principal"],
                subject=envelope["subject"],
                session_id=envelope["session_id"],
            )
        )
    return found[:most]


class Numbered(Protocol):
    """Something that was said, with a number of its own."""

    @property
    def n(self) -> int:
        """Its number."""
        ...

    @property
    def at(self) -> datetime:
        """When it was recorded."""
        ...

    @property
    def approval_id(self) -> str | None:
        """The approval that let it pass, or None."""
        ...

    @property
    def digests(self) -> tuple[str, ...]:
        """Of the action that it is."""
        ...


def held_of(entries: Sequence[Numbered], held: Sequence[Held]) -> dict[int, list[Held]]:
    """What was held, by number of the statement that it was: by approval, else by digest and time.

    A statement that was not let pass is on record once that is decided, so it comes after.
    """
    found: dict[int, list[Held]] = {}
    for each in held:
        own = [e.n for e in entries if e.approval_id == each.id] or [
            e.n
            for e in entries
            if each.digest in e.digests and e.at >= each.at and e.n not in found
        ][:1]
        for n in own:
            found.setdefault(n, []).append(each)
    return found


def _entry(said: Mapping[str, Any], ended: Mapping[str, Any] | None) -> Entry:
    both = {**said, **(ended or {})}
    findings = [*(said.get("findings") or ()), *((ended or {}).get("findings") or ())]
    decisions = said.get("decisions") or ()
    return Entry(
        flow_id=said["flow_id"],
        n=said["n"],
        at=datetime.fromisoformat(said["ts"]),
        database=said["database"],
        verbs=tuple(said["verbs"]),
        tables=tuple(said["tables"]),
        in_transaction=said["in_transaction"],
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
        sql=reference(said.get("sql")),
        parameters=reference(said.get("parameters")),
        response=reference(both.get("response")),
        rows=both.get("rows"),
        masked_columns=tuple(both.get("masked_columns") or ()),
        duration_ms=both.get("duration_ms"),
        error=both.get("error"),
        ended=ended is not None or said["verdict"] == "deny",
        found=tuple(dict.fromkeys(f["entity_type"] for f in findings)),
    )
