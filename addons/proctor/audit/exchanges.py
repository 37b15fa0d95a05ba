"""What envelopes say of the exchanges of a session, without their content."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from proctor.audit.find import Target
from proctor.audit.origins import Came, origins
from proctor.audit.reader import Reader, reference
from proctor.errors import ClientError
from proctor.model import ContentRef, Finding, Observation
from proctor.record import Receipt

_SESSION = """
    SELECT raw FROM _records WHERE kind IN ('flow.begin', 'flow.end')
    AND principal = $principal AND session_id = $session_id ORDER BY writer, seq
"""
_EXCHANGE = """
    SELECT raw FROM _records WHERE kind IN ('flow.begin', 'flow.end')
    AND flow_id = $flow_id AND session_id IS NULL ORDER BY writer, seq
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool call as its envelope has it."""

    id: str
    name: str
    source: str
    input: ContentRef | None
    verdict: str
    rule_id: str | None
    approval_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A tool's result as the envelope of the exchange that brought it has it."""

    id: str
    content: ContentRef | None
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange: its begin and its end in one.

    Attributes:
        ended: When it ended; while it lasts, when it was last heard of.
        ended_at: The same, but None while it lasts.
        run: What tells one run of a session from the next.
        approval_id: The approval that let it pass, or None.
        kinds: What its Actions were; empty where the rules were not asked.
        model: None where it was no request to the model.
        refused: Denied by a rule, or not let through at all.
        observed: What rules in `mode: observe` would have done.
        passed: Only global observe let it pass.
        results: Results of tool calls that the request brought.
        outcomes: What the tool calls that the exchange itself was have given back.
        case: What rules could see of it besides; see `policy.casefile`.
        findings: What was found in the request, then what was found in the answer.
        receipts: How each direction was looked at, by `request` and `response`.
        origins: What of the request, and of what the answer asks for, came from elsewhere.
    """

    writer: str
    seq: int
    flow_id: str
    session_id: str | None
    principal: str | None
    subject: str | None
    groups: tuple[str, ...]
    client: str
    run: datetime | None
    listener: str
    correlated_by: str | None
    protocol: str
    method: str
    scheme: str
    host: str
    port: int
    path: str
    status: int | None
    request_bytes: int
    response_bytes: int
    started_at: datetime
    ended: datetime
    ended_at: datetime | None
    verdict: str
    rule_id: str
    reason: str
    observed: tuple[Observation, ...]
    passed: bool
    approval_id: str | None
    kinds: tuple[str, ...]
    policy_version: str
    record: str
    error: str | None
    coverage: str | None
    model: str | None
    request_class: str
    stop_reason: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    tools: tuple[Tool, ...]
    results: tuple[Given, ...]
    outcomes: tuple[Given, ...]
    prompt: ContentRef | None
    output: ContentRef | None
    request: ContentRef | None
    response: ContentRef | None
    case: ContentRef | None = None
    findings: tuple[Finding, ...] = ()
    receipts: Mapping[str, Receipt] = field(default_factory=dict[str, Receipt])
    origins: tuple[Came, ...] = ()

    @property
    def refused(self) -> bool:
        """A rule, or proctor itself, said no."""
        return self.verdict == "deny"


def read(reader: Reader, target: Target) -> list[Exchange]:
    """All exchanges of the target's session in order of time; the one itself if there is none.

    Raises:
        ClientError: Code `session-unknown`.
    """
    if target.session_id is None:
        sql, given = _EXCHANGE, {"flow_id": target.flow_id}
    else:
        sql, given = _SESSION, {"principal": target.principal, "session_id": target.session_id}
    begins: dict[tuple[str, int], dict[str, Any]] = {}
    found: list[Exchange] = []
    for row in reader.rows(sql, given):
        envelope: dict[str, Any] = json.loads(row["raw"])
        writer = envelope["writer"]
        if envelope["kind"] == "flow.begin":
            begins[writer, envelope["seq"]] = envelope
        else:
            begin = begins.pop((writer, envelope["begin_seq"]), envelope)
            found.append(_exchange(begin, envelope))
    found += [_exchange(begin, {}) for begin in begins.values()]
    if not found:
        raise ClientError(
            code="session-unknown", message="Nothing of this session is on record", status=404
        )
    return sorted(found, key=lambda each: (each.started_at, each.writer, each.seq))


def _exchange(begin: Mapping[str, Any], end: Mapping[str, Any]) -> Exchange:
    both = {**begin, **end}
    turn = both.get("turn") or {}
    decisions = begin.get("decisions") or []
    ended = _time(end.get("ended_at"))
    return Exchange(
        writer=both["writer"],
        seq=begin["seq"],
        flow_id=both["flow_id"],
        session_id=both["session_id"],
        principal=both["principal"],
        subject=both["subject"],
        groups=tuple(both["groups"]),
        client=both["client"] or "",
        run=_time(both["session_started"]),
        listener=both["listener"],
        correlated_by=both["correlated_by"],
        protocol=both["protocol"],
        method=both["method"],
        scheme=both["scheme"],
        host=both["host"],
        port=both["port"],
        path=both["path"],
        status=both.get("status"),
        request_bytes=both["request_bytes"],
        response_bytes=both.get("response_bytes") or 0,
        started_at=datetime.fromisoformat(both["started_at"]),
        ended=ended or datetime.fromisoformat(both["ts"]),
        ended_at=ended,
        verdict=both["verdict"],
        rule_id=both["rule_id"],
        reason=both["reason"],
        origins=origins([*decisions, *(end.get("decisions") or () if end is not begin else ())]),
        observed=tuple(
            Observation(rule_id=o["rule_id"], verdict=o["verdict"], reason=o["reason"])
            for decision in decisions
            for o in decision["observed"]
        ),
        passed=any(decision["mode"] == "observe" for decision in decisions),
        approval_id=both.get("approval_id"),
        kinds=tuple(dict.fromkeys(decision["action_kind"] for decision in decisions)),
        policy_version=both["policy_version"],
        record=both["record"],
        error=both.get("error"),
        coverage=both.get("coverage"),
        model=turn.get("model"),
        request_class=turn.get("request_class") or "",
        stop_reason=turn.get("stop_reason"),
        input_tokens=turn.get("input_tokens") or 0,
        output_tokens=turn.get("output_tokens") or 0,
        cache_read_tokens=turn.get("cache_read_tokens") or 0,
        cache_write_tokens=turn.get("cache_write_tokens") or 0,
        tools=tuple(
            Tool(
                id=tool["id"],
                name=tool["name"],
                source=tool["source"],
                input=reference(tool["input"]),
                verdict=tool["verdict"],
                rule_id=tool["rule_id"],
                approval_id=tool.get("approval_id"),
            )
            for tool in both.get("tools") or ()
        ),
        results=_given(begin),
        outcomes=() if begin is end else _given(end),
        findings=tuple(map(_finding, both.get("findings") or ())),
        receipts={
            direction: _receipt(given) for direction, given in (both.get("receipt") or {}).items()
        },
        prompt=reference(turn.get("prompt")),
        output=reference(turn.get("output")),
        request=reference(both.get("request")),
        response=reference(both.get("response")),
        case=reference(begin.get("case")),
    )


def _given(envelope: Mapping[str, Any]) -> tuple[Given, ...]:
    return tuple(
        Given(
            id=given["tool_use_id"],
            content=reference(given["content"]),
            is_error=given["is_error"],
        )
        for given in envelope.get("results") or ()
    )


def _finding(found: Mapping[str, Any]) -> Finding:
    """Records of older versions lack some of it."""
    return Finding(
        type=found["entity_type"],
        location=found["location"],
        direction=found["direction"],
        score=found.get("score", 0.0),
        detector=found.get("detector") or "",
        action=found.get("action") or "",
        digest=found.get("digest") or "",
    )


def _receipt(given: Mapping[str, Any]) -> Receipt:
    return Receipt(
        looked=given["looked"],
        skipped=tuple((part["reason"], part["bytes"]) for part in given["skipped"]),
        detectors=tuple(given["detectors"]),
        seconds=given["seconds"],
        failure=given["failure"],
    )


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
