"""An envelope as lines for others: who did what to what, how it came out, and why.

One envelope is several things: a flow, the turn it was, each tool call, verdict and finding in it.
Each is an event of its own, with an id that is the same whenever it is sent:

    STORE/WRITER/SEQ            the envelope's main one
    STORE/WRITER/SEQ/VIEW/N     what else stands in it

The names of `view` are those of the views in SQL; `data` has their columns but for those all share.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor.audit.reader import reference
from proctor.model import ContentRef

SCHEMA = "proctor.event/1"

VIEWS = (
    "flows", "turns", "tool_calls", "statements", "findings", "decisions", "approvals", "events"
)  # fmt: skip
"""What one envelope holds; a session is made of many. What has no view here is an event."""

_FLOW = (
    "listener", "protocol", "method", "scheme", "host", "port", "path", "status", "request_bytes",
    "response_bytes", "started_at", "ended_at", "verdict", "rule_id", "reason", "error", "record",
    "coverage", "correlated_by", "client", "policy_version", "approval_id",
)  # fmt: skip
_TURN = (
    "model", "stop_reason", "request_class", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens",
)  # fmt: skip
_STATEMENT = (
    "listener", "database", "n", "fingerprint", "verbs", "tables", "columns", "functions",
    "has_where", "read_only", "in_transaction", "verdict", "rule_id", "reason", "rows",
    "masked_columns", "duration_ms", "response_bytes", "error", "record", "policy_version",
    "approval_id",
)  # fmt: skip
_FINDING = (
    "direction", "location", "entity_type", "detector", "action", "digest", "score"
)  # fmt: skip
_APPROVAL = ("approval_id", "action_digest", "state", "rule_id", "by", "reason", "expires_at")
_DECISION = ("action_kind", "action_digest", "verdict", "rule_id", "reason", "mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line.

    Attributes:
        id: The same whenever it is sent.
        view: One of VIEWS.
        envelope: What it was made of.
        action: What was done.
        outcome: `allow`, `hold`, `deny`, `error`, or a state.
        reason: Why.
        data: The view's own columns.
        contents: What else belongs to `data` where content is wanted, by name.
    """

    id: str
    view: str
    envelope: Mapping[str, Any] = field(repr=False)
    action: str
    outcome: str
    reason: str
    data: Mapping[str, Any] = field(repr=False)
    contents: Mapping[str, ContentRef] = field(default_factory=dict[str, ContentRef], repr=False)

    def as_json(self, texts: Mapping[str, str | None] | None = None) -> dict[str, Any]:
        """The line, in proctor's own form.

        Args:
            texts: What `contents` stand for, where wanted; None for what was erased.
        """
        envelope = self.envelope
        return {
            "schema": SCHEMA,
            "id": self.id,
            "time": envelope["ts"],
            "view": self.view,
            "actor": actor(envelope),
            "action": self.action,
            "resource": resource(envelope),
            "outcome": self.outcome,
            "reason": self.reason,
            "session_id": envelope.get("session_id"),
            "flow_id": envelope.get("flow_id"),
            "writer": envelope["writer"],
            "seq": envelope["seq"],
            "data": {**self.data, **(texts or {})},
        }


def actor(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Who: the principal's key, subject and groups, and the client's own claim of what it is."""
    return {
        "principal": envelope.get("principal"),
        "subject": envelope.get("subject"),
        "groups": envelope.get("groups") or [],
        "client": envelope.get("client"),
    }


def resource(envelope: Mapping[str, Any]) -> str | None:
    """What it was done to, as a URL without a query; None where there is none.

    Of a SQL statement it is the listener and the database.
    """
    if envelope.get("database"):
        return f"{envelope.get('listener') or ''}/{envelope['database']}"
    host = envelope.get("host")
    if not host:
        return None
    port = envelope.get("port")
    path = str(envelope.get("path") or "").partition("?")[0]
    return f"{envelope.get('scheme') or ''}://{host}{f':{port}' if port else ''}{path}"


def events(store: str, envelope: Mapping[str, Any], wanted: frozenset[str]) -> Iterator[Event]:
    """What one envelope says.

    Args:
        store: The store's id.
        envelope: Parsed; the end of a statement whole, see `export.joined`.
        wanted: Of VIEWS.
    """
    name = f"{store}/{envelope['writer']}/{envelope['seq']}"
    inner: list[Event] = []
    if envelope["kind"] == "flow.end":
        inner += _turn(name, envelope)
        inner += _tools(name, envelope)
    if envelope["kind"] in {"flow.end", "statement", "message"}:
        inner += [
            _finding(f"{name}/findings/{number}", envelope, found)
            for number, found in enumerate(envelope.get("findings") or ())
        ]
    if envelope["kind"] != "statement.end":
        inner += _decisions(name, envelope)
    for each in (*_main(name, envelope), *inner):
        if each.view in wanted:
            yield each


def _main(name: str, envelope: Mapping[str, Any]) -> list[Event]:
    """The event that the envelope itself is, if it is one."""
    found: list[Event] = []
    match envelope["kind"]:
        case "flow.end":
            found = [_flow(name, envelope)]
        case "approval":
            found = [_approval(name, envelope)]
        case "finding":
            found = [_finding(name, envelope, envelope)]
        case "statement.end":
            found = [_statement(name, envelope)]
        case "statement" if envelope.get("verdict") == "deny":
            found = [_statement(name, envelope)]
        case "flow.begin" | "statement" | "message":
            pass  # it is told of when it has ended; what the rules said, at once
        case _:
            found = [_event(name, envelope)]
    return found


def _flow(name: str, envelope: Mapping[str, Any]) -> Event:
    failed = envelope.get("error") is not None and envelope.get("verdict") != "deny"
    return Event(
        id=name,
        view="flows",
        envelope=envelope,
        action=str(envelope.get("method") or ""),
        outcome="error" if failed else str(envelope.get("verdict") or ""),
        reason=str((envelope.get("error") if failed else envelope.get("reason")) or ""),
        data={key: envelope.get(key) for key in _FLOW},
    )


def _statement(name: str, envelope: Mapping[str, Any]) -> Event:
    failed = envelope.get("error") is not None and envelope.get("verdict") != "deny"
    return Event(
        id=name,
        view="statements",
        envelope=envelope,
        action="sql.statement",
        outcome="error" if failed else str(envelope.get("verdict") or ""),
        reason=str((envelope.get("error") if failed else envelope.get("reason")) or ""),
        data={key: envelope.get(key) for key in _STATEMENT},
        contents=_references(
            sql=envelope.get("sql"),
            parameters=envelope.get("parameters"),
            result=envelope.get("response"),
        ),
    )


def _approval(name: str, envelope: Mapping[str, Any]) -> Event:
    return Event(
        id=name,
        view="approvals",
        envelope=envelope,
        action="approval",
        outcome=str(envelope.get("state") or ""),
        reason=str(envelope.get("reason") or ""),
        data={key: envelope.get(key) for key in _APPROVAL},
    )


def _event(name: str, envelope: Mapping[str, Any]) -> Event:
    detail = envelope.get("detail")
    kind = str(envelope.get("event_kind") or envelope["kind"])
    told = detail if isinstance(detail, Mapping) else {}
    return Event(
        id=name,
        view="events",
        envelope=envelope,
        action=kind,
        outcome=str(told.get("state") or ""),
        reason=str(told.get("reason") or ""),
        data={"kind": kind, "detail": detail},
    )


def _finding(name: str, envelope: Mapping[str, Any], found: Mapping[str, Any]) -> Event:
    return Event(
        id=name,
        view="findings",
        envelope=envelope,
        action="finding",
        outcome=str(found.get("action") or ""),
        reason=str(found.get("entity_type") or ""),
        data={key: found.get(key) for key in _FINDING},
    )


def _turn(name: str, envelope: Mapping[str, Any]) -> Iterator[Event]:
    turn = envelope.get("turn")
    if not turn:
        return
    yield Event(
        id=f"{name}/turns/0",
        view="turns",
        envelope=envelope,
        action="llm.request",
        outcome=str(envelope.get("verdict") or ""),
        reason=str(turn.get("stop_reason") or ""),
        data={key: turn.get(key) for key in _TURN},
        contents=_references(prompt=turn.get("prompt"), output=turn.get("output")),
    )


def _tools(name: str, envelope: Mapping[str, Any]) -> Iterator[Event]:
    for number, tool in enumerate(envelope.get("tools") or ()):
        over_mcp = tool.get("source") == "mcp"
        results = envelope.get("results") or () if over_mcp else ()
        own: Mapping[str, Any] = next(
            (r for r in results if r.get("tool_use_id") == tool.get("id")), {}
        )
        verdict = tool.get("verdict") or "allow"
        yield Event(
            id=f"{name}/tool_calls/{number}",
            view="tool_calls",
            envelope=envelope,
            action="mcp.call" if over_mcp else "llm.tool_use",
            outcome=verdict,
            reason="",
            data={
                "tool_use_id": tool.get("id"),
                "source": tool.get("source"),
                "name": tool.get("name"),
                "verdict": verdict,
                "rule_id": tool.get("rule_id"),
                "approval_id": tool.get("approval_id"),
                "is_error": own.get("is_error"),
            },
            contents=_references(input=tool.get("input"), result=own.get("content")),
        )


def _decisions(name: str, envelope: Mapping[str, Any]) -> Iterator[Event]:
    number = 0
    for decided in envelope.get("decisions") or ():
        seen = [
            {**decided, **observed, "mode": "observe"} for observed in decided.get("observed") or ()
        ]
        for each in (decided, *seen):
            yield Event(
                id=f"{name}/decisions/{number}",
                view="decisions",
                envelope=envelope,
                action=str(each.get("action_kind") or ""),
                outcome=str(each.get("verdict") or ""),
                reason=str(each.get("reason") or ""),
                data={
                    **{key: each.get(key) for key in _DECISION},
                    "policy_version": envelope.get("policy_version"),
                },
            )
            number += 1


def _references(**given: Mapping[str, Any] | None) -> dict[str, ContentRef]:
    found = {name: reference(value) for name, value in given.items()}
    return {name: ref for name, ref in found.items() if ref is not None}
