"""Sessions as OpenTelemetry traces, in the JSON of OTLP/HTTP.

One session is one trace: `invoke_agent` over the whole of it, `chat` for each request to the model,
`execute_tool` for each tool call. Names are those of the GenAI conventions of `SCHEMA_URL`; they
are in development there, so they are pinned here. Ids are hashes of what the span is about, so a
span that is sent again is the same span.

A call that went over MCP has the time it took. What the model asked for and the client ran by
itself is known by the moment it was asked for only: its span has no length.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from proctor import __version__
from proctor.export.events import Event, events

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"

IDLE = timedelta(minutes=30)
"""A session without anything for so long has ended."""

MAX_OPEN = 10_000
"""Sessions whose root is still to come; beyond, the one that was idle longest is ended."""

_INTERNAL, _CLIENT = 1, 3  # opentelemetry.proto.trace.v1.Span.SpanKind
_ERROR = 2  # Status.StatusCode
_SUMMARY = 255
"""Characters of `db.query.summary` (docs/database/database-spans.md)."""
_PARAMETERS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WANTED = frozenset({"turns", "tool_calls", "statements"})
_SQLSTATE = re.compile(r"[0-9A-Z]{5}(?=: )")

type Open = dict[str, dict[str, Any]]
"""Sessions by trace id: `conversation`, `agent`, `principal`, `start` and `end`."""


@dataclass(slots=True)
class Traces:
    """Makes spans, and knows which sessions have not ended.

    Attributes:
        store: The store's id.
        content: Prompts, answers, tools' input and results, and SQL are in the spans.
        open: Sessions whose root is still to come.
    """

    store: str
    content: bool = False
    open: Open = field(default_factory=dict[str, dict[str, Any]])

    def events(self, envelope: Mapping[str, Any]) -> Iterator[Event]:
        """What of an envelope becomes spans."""
        return events(self.store, envelope, _WANTED)

    def span(self, event: Event, texts: Mapping[str, str | None]) -> dict[str, Any]:
        """One event as a span; its session is noted.

        Args:
            event: Of `events`.
            texts: Its contents, where they are wanted.
        """
        envelope = event.envelope
        trace, session = self._trace(envelope)
        start = envelope.get("started_at") or envelope["ts"]
        end = envelope.get("ended_at") or envelope["ts"]
        if session:
            self._note(trace, envelope, start, end)
        if event.view == "turns":
            name, kind, attributes = _chat(event, texts if self.content else {})
        elif event.view == "statements":
            name, kind, attributes = _statement(event, texts if self.content else {})
        else:
            name, kind, attributes = _tool(event, texts if self.content else {})
            if event.data["source"] != "mcp":
                start = end
        return _span(
            trace=trace,
            span=_hash(8, "span", event.id),
            parent=_hash(8, "root", trace) if session else "",
            name=name,
            kind=kind,
            start=start,
            end=end,
            attributes={**attributes, **_common(event)},
            error=_failed(event),
        )

    def ended(self, now: datetime | None) -> list[dict[str, Any]]:
        """Roots of sessions that have ended; each is given once.

        Args:
            now: The time; None for all that are open.
        """
        done = [
            trace
            for trace, session in self.open.items()
            if now is None or now - datetime.fromisoformat(session["end"]) >= IDLE
        ]
        left = len(self.open) - len(done) - MAX_OPEN
        if left > 0:
            rest = sorted(set(self.open) - set(done), key=lambda each: str(self.open[each]["end"]))
            done += rest[:left]
        return [_root(trace, self.open.pop(trace)) for trace in done]

    def _trace(self, envelope: Mapping[str, Any]) -> tuple[str, bool]:
        session = envelope.get("session_id")
        if session is None:
            return _hash(16, "flow", self.store, str(envelope.get("flow_id"))), False
        started = str(envelope.get("session_started"))
        who = str(envelope.get("principal"))
        return _hash(16, "session", self.store, who, str(session), started), True

    def _note(self, trace: str, envelope: Mapping[str, Any], start: str, end: str) -> None:
        known = self.open.get(trace)
        self.open[trace] = {
            "conversation": envelope["session_id"],
            "agent": str(envelope.get("client") or ""),
            "principal": envelope.get("principal"),
            "start": min(start, known["start"]) if known else start,
            "end": max(end, known["end"]) if known else end,
        }


def message(store: str, spans: Sequence[bytes]) -> bytes:
    """Spans as one ExportTraceServiceRequest, in JSON (OTLP 1, "JSON Protobuf Encoding")."""
    resource = {
        "service.name": "proctor",
        "service.version": __version__,
        "service.instance.id": store,
    }
    head = json.dumps(
        {"attributes": _attributes(resource)}, separators=(",", ":"), ensure_ascii=True
    )
    scope = json.dumps({"name": "proctor", "version": __version__}, separators=(",", ":"))
    url = json.dumps(SCHEMA_URL)
    return (
        f'{{"resourceSpans":[{{"resource":{head},"scopeSpans":[{{"scope":{scope},"spans":['.encode()
        + b",".join(spans)
        + f'],"schemaUrl":{url}}}],"schemaUrl":{url}}}]}}'.encode()
    )


def _chat(event: Event, texts: Mapping[str, str | None]) -> tuple[str, int, dict[str, Any]]:
    data = event.data
    model = data.get("model")
    cached, written = data.get("cache_read_tokens"), data.get("cache_write_tokens")
    fresh = data.get("input_tokens")
    reason = data.get("stop_reason")
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model if reason else None,
        "gen_ai.response.finish_reasons": [reason] if reason else None,
        # All that went in: the conventions count what came from a cache, Anthropic does not.
        "gen_ai.usage.input_tokens": (
            None if fresh is None else fresh + (cached or 0) + (written or 0)
        ),
        "gen_ai.usage.output_tokens": data.get("output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.cache_creation.input_tokens": written,
        "gen_ai.input.messages": _messages("user", texts.get("prompt"), None),
        "gen_ai.output.messages": _messages("assistant", texts.get("output"), reason or "unknown"),
        "server.address": event.envelope.get("host"),
        "server.port": event.envelope.get("port"),
    }
    return f"chat {model}" if model else "chat", _CLIENT, attributes


def _tool(event: Event, texts: Mapping[str, str | None]) -> tuple[str, int, dict[str, Any]]:
    data = event.data
    name = str(data.get("name") or "")
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": data.get("tool_use_id"),
        "gen_ai.tool.type": "extension" if data.get("source") == "mcp" else "function",
        "gen_ai.tool.call.arguments": texts.get("input"),
        "gen_ai.tool.call.result": texts.get("result"),
        "proctor.tool.source": data.get("source"),
    }
    return f"execute_tool {name}", _INTERNAL, attributes


def _statement(event: Event, texts: Mapping[str, str | None]) -> tuple[str, int, dict[str, Any]]:
    """As the conventions for PostgreSQL have it (docs/database/postgresql.md)."""
    data = event.data
    verbs, tables = data.get("verbs") or [], data.get("tables") or []
    rows = data.get("rows")
    operation = verbs[0] if len(verbs) == 1 else None
    collection = tables[0] if len(tables) == 1 else None
    summary = " ".join((*verbs, *tables))[:_SUMMARY]
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": data.get("database"),
        "db.operation.name": operation,
        "db.collection.name": collection,
        "db.query.summary": summary or None,
        "db.query.text": texts.get("sql"),
        # Rows that were touched, and not returned, are none of these.
        "db.response.returned_rows": rows if data.get("response_bytes") or not rows else None,
        "db.response.status_code": _sqlstate(event),
        **_parameters(texts.get("parameters")),
    }
    return summary or "postgresql", _CLIENT, attributes


def _parameters(text: str | None) -> dict[str, str | None]:
    try:
        values = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(values, list):
        return {}
    return {
        f"db.query.parameter.{at}": None if value is None else str(value)
        for at, value in enumerate(values[:_PARAMETERS])
    }


def _sqlstate(event: Event) -> str | None:
    """What the server said went wrong, by its code; None where it said nothing."""
    found = _SQLSTATE.match(str(event.data.get("error") or ""))
    return found[0] if found else None


def _common(event: Event) -> dict[str, Any]:
    envelope = event.envelope
    return {
        "gen_ai.provider.name": "anthropic" if event.view == "turns" else None,
        "gen_ai.conversation.id": envelope.get("session_id"),
        "user.id": envelope.get("principal"),
        "error.type": _failed(event) or None,
        "proctor.id": event.id,
        "proctor.flow.id": envelope.get("flow_id"),
        "proctor.listener": envelope.get("listener"),
        "proctor.verdict": event.outcome,
        "proctor.rule.id": event.data.get("rule_id") or envelope.get("rule_id"),
        "proctor.approval.id": event.data.get("approval_id") or envelope.get("approval_id"),
    }


def _root(trace: str, session: Mapping[str, Any]) -> dict[str, Any]:
    agent = str(session["agent"]).partition("/")[0]
    return _span(
        trace=trace,
        span=_hash(8, "root", trace),
        parent="",
        name=f"invoke_agent {agent}" if agent else "invoke_agent",
        kind=_INTERNAL,
        start=session["start"],
        end=session["end"],
        attributes={
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.agent.name": agent or None,
            "gen_ai.conversation.id": session["conversation"],
            "user.id": session["principal"],
        },
        error="",
    )


def _failed(event: Event) -> str:
    """Why it failed, of a few words; what somebody wrote does not stand here."""
    if event.outcome == "deny":
        return "denied"
    if event.view == "statements":
        return _sqlstate(event) or ("_OTHER" if event.data.get("error") else "")
    if event.view == "tool_calls" and event.data["source"] != "mcp":
        return ""  # how that went is not in the answer that asks for it
    if event.data.get("is_error"):
        return "tool_error"
    status = event.envelope.get("status")
    if isinstance(status, int) and status >= 400:  # noqa: PLR2004 - RFC 9110, 15.5
        return str(status)
    return "_OTHER" if event.envelope.get("error") else ""


def _span(  # noqa: PLR0913 - a span has so many
    *,
    trace: str,
    span: str,
    parent: str,
    name: str,
    kind: int,
    start: str,
    end: str,
    attributes: Mapping[str, Any],
    error: str,
) -> dict[str, Any]:
    begun = _nanoseconds(start)
    made: dict[str, Any] = {
        "traceId": trace,
        "spanId": span,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(begun),
        "endTimeUnixNano": str(max(begun, _nanoseconds(end))),
        "attributes": _attributes(attributes),
        "status": {"code": _ERROR, "message": error} if error else {},
    }
    return {**made, "parentSpanId": parent} if parent else made


def _attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": _value(value)} for key, value in given.items() if value is not None
    ]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}  # 64 bits are decimal text in JSON
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
        case _:
            return {"stringValue": str(value)}


def _messages(role: str, text: str | None, finish: str | None) -> str | None:
    if text is None:
        return None
    said: dict[str, Any] = {"role": role, "parts": [{"type": "text", "content": text}]}
    if finish is not None:
        said["finish_reason"] = finish
    return json.dumps([said], ensure_ascii=False)


def _hash(size: int, *parts: str) -> str:
    """A trace's (16 bytes) or span's (8) id in hex; never all zeros in practice."""
    state = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8) + data)
    return state.hexdigest()[: 2 * size]


def _nanoseconds(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1) * 1000
