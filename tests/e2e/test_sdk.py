"""The anthropic SDK works through proctor as without it, and the record says what happened."""

import json
from contextlib import nullcontext

import anthropic
import duckdb
import httpx
import pytest

from proctor.testing.gateway import Gateway
from proctor.testing.service import MODELS, Fault
from proctor.testing.standin import KEY, StandIn
from tests.e2e.conftest import Sdk
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e

WEATHER = anthropic.types.ToolParam(
    name="weather", input_schema={"type": "object", "properties": {}}
)


def ask(sdk: Sdk, prompt: str) -> anthropic.types.Message:
    return sdk.client.messages.create(
        model=MODELS[0], max_tokens=99, messages=[{"role": "user", "content": prompt}]
    )


def test_a_stream_and_a_tool(sdk: Sdk, standin: StandIn, home: Installation) -> None:
    messages: list[anthropic.types.MessageParam] = [
        {"role": "user", "content": 'think: hm\nsay: Wait.\ncall: weather {"city": "Oslo"}'}
    ]

    def turn() -> anthropic.types.Message:
        with sdk.client.messages.stream(
            model=MODELS[0], max_tokens=99, messages=messages, tools=[WEATHER]
        ) as stream:
            return stream.get_final_message()

    first = turn()
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    call = first.content[2]
    assert call.type == "tool_use"
    messages += [
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "12 degrees"}],
        },
    ]
    assert turn().content[0].to_dict()["text"] == "The tool said: 12 degrees"
    assert standin.leaks == []
    assert [request.header("x-api-key") for request in standin.requests] == [KEY, KEY]

    turns = home.query(
        "select model, stop_reason, prompt, output, principal, subject from turns"
        " where session_id = $session order by seq",
        sdk.session_id,
    )
    assert [row["stop_reason"] for row in turns] == ["tool_use", "end_turn"]
    assert turns[0]["model"] == MODELS[0]
    assert "say: Wait." in turns[0]["prompt"]
    assert "Wait." in turns[0]["output"]
    assert turns[0]["subject"] == "alice"
    (tool,) = home.query("select * from tool_calls where session_id = $session", sdk.session_id)
    assert tool["tool_use_id"] == call.id
    assert (tool["source"], tool["name"], tool["result"]) == ("llm", "weather", "12 degrees")
    assert json.loads(tool["input"]) == {"city": "Oslo"}


def test_without_stream(sdk: Sdk, home: Installation) -> None:
    answer = ask(sdk, "say: plain")
    assert answer.content[0].to_dict()["text"] == "plain"
    (row,) = home.query(
        "select output, input_tokens, output_tokens, cache_read_tokens from turns"
        " where session_id = $session",
        sdk.session_id,
    )
    assert row == {
        "output": "plain",
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cache_read_tokens": answer.usage.cache_read_input_tokens,
    }


def test_the_other_routes(sdk: Sdk) -> None:
    counted = sdk.client.messages.count_tokens(
        model=MODELS[0], messages=[{"role": "user", "content": "hello"}]
    )
    assert counted.input_tokens > 0
    assert [model.id for model in sdk.client.models.list()] == list(MODELS)
    assert sdk.client.models.retrieve(MODELS[1]).id == MODELS[1]


def test_head_needs_no_token(gateway: Gateway, standin: StandIn) -> None:
    assert httpx.head(gateway.url("claude")).status_code == 200
    assert not standin.requests


def test_what_is_unknown_passes_unchanged(
    gateway: Gateway, home: Installation, standin: StandIn
) -> None:
    body = (
        b'{"model": "claude-sonnet-5-5","max_tokens":9, "unheard_of": {"b":1,"a":1.50e1},\n'
        b' "messages":[{"role":"user","content":"say: \\u00e9\\/ ok"}]}  '
    )
    answer = httpx.post(
        gateway.url("claude") + "/v1/messages?beta=true",
        content=body,
        headers={
            "x-api-key": home.token(),
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "never-heard-2030-01-01",
            "x-unheard-of": "kept",
        },
        timeout=30,
    )
    assert answer.status_code == 200
    (request,) = standin.requests
    assert request.body == body
    assert request.target == "/v1/messages?beta=true"
    assert request.header("anthropic-beta") == "never-heard-2030-01-01"
    assert request.header("x-unheard-of") == "kept"
    assert standin.leaks == []


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        (Fault.RATE_LIMITED, anthropic.RateLimitError, 429),
        (Fault.OVERLOADED, anthropic.InternalServerError, 529),
        (Fault.SERVER_ERROR, anthropic.InternalServerError, 500),
        (Fault.HTML, anthropic.InternalServerError, 502),
    ],
)
def test_errors_of_the_upstream_pass(
    sdk: Sdk,
    standin: StandIn,
    home: Installation,
    fault: Fault,
    error: type[anthropic.APIStatusError],
    status: int,
) -> None:
    standin.faults.append(fault)
    with pytest.raises(error) as raised:
        ask(sdk, "say: x")
    assert raised.value.status_code == status
    (row,) = home.query(
        "select status, verdict from flows where session_id = $session", sdk.session_id
    )
    assert row == {"status": status, "verdict": "allow"}


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.NO_STOP, Fault.STREAM_ERROR, Fault.MALFORMED])
def test_a_stream_that_goes_wrong_is_passed_on_and_recorded(
    sdk: Sdk, standin: StandIn, home: Installation, fault: Fault
) -> None:
    standin.faults.append(fault)
    seen = b""
    with sdk.client.messages.with_streaming_response.create(
        model=MODELS[0],
        max_tokens=9,
        messages=[{"role": "user", "content": "say: a few words to be cut"}],
        stream=True,
    ) as answer:
        cut = pytest.raises(Exception, match="closed") if fault is Fault.CUT else nullcontext()
        with cut:
            for piece in answer.iter_bytes():
                seen += piece
    assert b"a few" in seen
    (row,) = home.query(
        "select f.status, f.error, f.coverage, t.stop_reason, t.output from flows f join turns t"
        " using (flow_id) where f.session_id = $session",
        sdk.session_id,
    )
    assert row["status"] == 200
    assert "a few" in row["output"]
    if fault is not Fault.MALFORMED:
        assert row["stop_reason"] is None
    expected = {
        Fault.CUT: ("error", "closed"),
        Fault.NO_STOP: ("coverage", "cut"),
        Fault.STREAM_ERROR: ("error", "overloaded"),
        Fault.MALFORMED: ("error", "cannot be looked at"),
    }
    column, words = expected[fault]
    assert words in str(row[column]).lower()


def test_gzip_passes_and_is_read(sdk: Sdk, standin: StandIn, home: Installation) -> None:
    standin.faults.append(Fault.GZIP)
    assert ask(sdk, "say: squeezed").content[0].to_dict()["text"] == "squeezed"
    (row,) = home.query("select output from turns where session_id = $session", sdk.session_id)
    assert row == {"output": "squeezed"}


def test_the_first_event_does_not_wait_for_the_last(sdk: Sdk, standin: StandIn) -> None:
    standin.faults.append(Fault.HELD_MIDWAY)
    with sdk.client.messages.stream(
        model=MODELS[0], max_tokens=9, messages=[{"role": "user", "content": "long: 30"}]
    ) as stream:
        events = iter(stream)
        assert next(events).type == "message_start"
        standin.release()
        assert stream.get_final_message().stop_reason == "end_turn"


def test_the_record_opens_in_any_process(sdk: Sdk, home: Installation) -> None:
    ask(sdk, "say: seen from here")
    with duckdb.connect(str(home.folder / "recordings/audit.duckdb"), read_only=True) as database:
        rows = database.execute(
            "select output from turns where session_id = ?", [sdk.session_id]
        ).fetchall()
    assert rows == [("seen from here",)]


def test_two_principals_with_one_session_id_are_two_sessions(sdk: Sdk, home: Installation) -> None:
    ask(sdk, "say: mine")
    other = sdk.client.with_options(auth_token=home.token("bob"))
    other.messages.create(
        model=MODELS[0], max_tokens=9, messages=[{"role": "user", "content": "say: theirs"}]
    )
    rows = home.query(
        "select subject, turns from sessions where session_id = $session order by 1", sdk.session_id
    )
    assert rows == [{"subject": "alice", "turns": 1}, {"subject": "bob", "turns": 1}]
