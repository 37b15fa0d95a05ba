"""Spans: read by OpenTelemetry's own protobufs, the same each time, in one trace."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.json_format import (  # type: ignore[import-untyped]  # has no types
    ParseDict,
)
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proctor.export import otlp
from proctor.export.otlp import IDLE, Traces, message
from proctor.export.sinks import line
from tests.export.test_events import envelope
from tests.support.envelopes import MOMENT, turn

SESSION = {"session_id": "s1", "session_started": MOMENT, "ended_at": "2026-01-02T03:05:00.25Z"}
TOOL = {
    "id": "t1",
    "source": "llm",
    "name": "Bash",
    "input": None,
    "verdict": "allow",
    "rule_id": "r",
}
TEXTS = {"prompt": "list", "output": "Here.", "input": "{}", "result": "done"}


def spans(traces: Traces, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [traces.span(event, TEXTS) for event in traces.events(given)]


def parsed(found: list[dict[str, Any]]) -> Any:
    """As a collector reads it; ids are hex in OTLP's JSON, base64 in protobuf's own."""
    request = json.loads(message("store", [line(each) for each in found]))
    for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in span:
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return ParseDict(request, ExportTraceServiceRequest())  # unknown names are an error


def attributes(span: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


def test_a_session_is_a_trace() -> None:
    traces = Traces(store="store")
    found = spans(traces, envelope(turn=turn(), tools=[TOOL], **SESSION))
    found += spans(traces, envelope(seq=9, tools=[{**TOOL, "source": "mcp"}], **SESSION))
    found += traces.ended(None)
    (resource,) = parsed(found).resource_spans
    assert resource.schema_url == otlp.SCHEMA_URL
    (scope,) = resource.scope_spans
    chat, asked, called, root = scope.spans
    assert len({each.trace_id for each in scope.spans}) == 1
    assert len(chat.trace_id) == 16
    assert len(chat.span_id) == 8
    assert len({each.span_id for each in scope.spans}) == 4
    assert {each.parent_span_id for each in (chat, asked, called)} == {root.span_id}
    assert root.parent_span_id == b""
    assert [each.name for each in scope.spans] == [
        "chat claude-sonnet", "execute_tool Bash", "execute_tool Bash", "invoke_agent claude-cli",
    ]  # fmt: skip
    assert chat.end_time_unix_nano - chat.start_time_unix_nano == 55_250_000_000
    assert asked.start_time_unix_nano == asked.end_time_unix_nano == chat.end_time_unix_nano
    assert called.end_time_unix_nano > called.start_time_unix_nano
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (
        chat.start_time_unix_nano,
        chat.end_time_unix_nano,
    )


def test_names_of_the_conventions() -> None:
    (chat,) = spans(Traces(store="store"), envelope(turn=turn(), **SESSION))
    found = attributes(parsed([chat]).resource_spans[0].scope_spans[0].spans[0])
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "anthropic"
    assert found["gen_ai.conversation.id"] == "s1"
    assert found["gen_ai.request.model"] == "claude-sonnet"
    assert found["gen_ai.usage.input_tokens"] == 10 + 30 + 40
    assert found["gen_ai.usage.cache_read.input_tokens"] == 30
    assert [each.string_value for each in found["gen_ai.response.finish_reasons"].values] == [
        "end_turn"
    ]
    assert not {name for name in found if name.endswith("messages")}


def test_content_where_it_is_wanted() -> None:
    traces = Traces(store="store", content=True)
    chat, tool = spans(traces, envelope(turn=turn(), tools=[TOOL], **SESSION))
    one, two = (attributes(s) for s in parsed([chat, tool]).resource_spans[0].scope_spans[0].spans)
    assert json.loads(one["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "list"}]}
    ]
    assert json.loads(one["gen_ai.output.messages"])[0]["finish_reason"] == "end_turn"
    assert two["gen_ai.tool.call.arguments"] == "{}"


def test_a_span_sent_again_is_the_same() -> None:
    given = envelope(turn=turn(), tools=[TOOL], **SESSION)
    assert spans(Traces(store="store"), given) == spans(Traces(store="store"), given)
    other = spans(Traces(store="other"), given)
    assert {each["traceId"] for each in other}.isdisjoint(
        each["traceId"] for each in spans(Traces(store="store"), given)
    )


def test_without_a_session_a_span_stands_alone() -> None:
    traces = Traces(store="store")
    (found,) = spans(traces, envelope(turn=turn(), ended_at=None))
    assert "parentSpanId" not in found
    assert traces.open == {}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"verdict": "deny"}, "denied"),
        ({"status": 529}, "529"),
        ({"error": "a secret"}, "_OTHER"),
        ({}, ""),
    ],
    ids=str,
)
def test_errors_are_of_few_kinds(more: dict[str, Any], error: str) -> None:
    (found,) = spans(Traces(store="store"), envelope(turn=turn(), **SESSION, **more))
    assert found["status"] == ({"code": 2, "message": error} if error else {})
    assert "a secret" not in json.dumps(found)


def test_a_session_ends_after_half_an_hour_without_anything() -> None:
    traces = Traces(store="store")
    spans(traces, envelope(turn=turn(), **SESSION))
    end = datetime(2026, 1, 2, 3, 5, 0, 250_000, tzinfo=UTC)
    assert traces.ended(end + IDLE - timedelta(seconds=1)) == []
    assert len(traces.ended(end + IDLE)) == 1
    assert traces.ended(end + IDLE) == []


def test_sessions_that_are_open_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAX_OPEN", 2)
    traces = Traces(store="store")
    for number in range(4):
        ended = f"2026-01-02T03:05:0{number}Z"
        spans(
            traces,
            envelope(turn=turn(), **{**SESSION, "session_id": f"s{number}", "ended_at": ended}),
        )
    found = traces.ended(datetime(2026, 1, 2, 3, 6, tzinfo=UTC))
    assert len(found) == 2
    assert sorted(each["conversation"] for each in traces.open.values()) == ["s2", "s3"]


@given(st.text(), st.text(max_size=20), st.integers(-(2**63), 2**63 - 1))
def test_whatever_a_client_calls_itself(name: str, session: str, tokens: int) -> None:
    given = envelope(
        turn={**turn(), "input_tokens": None, "output_tokens": tokens, "model": name},
        tools=[{**TOOL, "name": name}],
        **{**SESSION, "session_id": session, "client": name},
    )
    traces = Traces(store="store", content=True)
    clean = json.loads(json.dumps(given).encode())
    found = spans(traces, clean) + traces.ended(None)
    assert len(parsed(found).resource_spans[0].scope_spans[0].spans) == 3


SAID = {"n": 3, "database": "shop", "verbs": ["SELECT"], "tables": ["public.orders"], "rows": 2,
        "response_bytes": 9, "started_at": "2026-01-02T03:04:59Z"}  # fmt: skip
SQL = {"sql": "SELECT $1", "parameters": '["a", null]', "result": "{}"}


def statement(*, content: bool = False, **more: Any) -> Any:
    traces = Traces(store="store", content=content)
    given_ = envelope("statement.end", **{**SESSION, **SAID, **more})
    (event,) = traces.events(given_)
    (resource,) = parsed([traces.span(event, SQL)]).resource_spans
    return resource.scope_spans[0].spans[0]


def test_a_statement_is_a_span_of_the_conventions() -> None:
    span = statement()
    found = attributes(span)
    assert (span.name, span.kind) == ("SELECT public.orders", 3)
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert {name: value for name, value in found.items() if name.startswith("db.")} == {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "db.operation.name": "SELECT",
        "db.collection.name": "public.orders",
        "db.query.summary": "SELECT public.orders",
        "db.response.returned_rows": 2,
    }


def test_a_statements_text_is_there_where_content_is() -> None:
    found = attributes(statement(content=True))
    assert (found["db.query.text"], found["db.query.parameter.0"]) == ("SELECT $1", "a")
    assert "db.query.parameter.1" not in found


def test_a_statement_that_failed() -> None:
    found = attributes(statement(error="42703: no", rows=0))
    assert (found["error.type"], found["db.response.status_code"]) == ("42703", "42703")
    assert attributes(statement(verdict="deny", error="x: no"))["error.type"] == "denied"
    assert attributes(statement(error="thrown away"))["error.type"] == "_OTHER"
    # What was written was not returned.
    written = attributes(statement(verbs=["INSERT"], rows=5, response_bytes=0))
    assert "db.response.returned_rows" not in written
