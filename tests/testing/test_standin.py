"""The stand-in, asked by the real SDK."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import anthropic
import pytest

from proctor.testing.service import MODELS, Fault
from proctor.testing.standin import KEY, StandIn, serving

TOOL = anthropic.types.ToolParam(name="weather", input_schema={"type": "object", "properties": {}})


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with serving(StandIn()) as running:
        yield running


@pytest.fixture
def client(standin: StandIn) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=standin.url, api_key=KEY, max_retries=0) as made:
        yield made


def stream(client: anthropic.Anthropic, prompt: str) -> anthropic.types.Message:
    with client.messages.stream(
        model=MODELS[0],
        max_tokens=99,
        messages=[{"role": "user", "content": prompt}],
        tools=[TOOL],
    ) as events:
        return events.get_final_message()


def test_the_sdk_streams(client: anthropic.Anthropic, standin: StandIn) -> None:
    message = stream(client, 'think: well\nsay: Let me look.\ncall: weather {"city": "Oslo"}')
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.stop_reason == "tool_use"
    assert message.content[2].to_dict()["input"] == {"city": "Oslo"}
    assert (standin.request_count, standin.connections, standin.broken) == (1, 1, 0)
    (request,) = standin.requests
    assert standin.bytes_received == request.head_bytes + len(request.body)


def test_the_sdk_without_stream(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODELS[0], max_tokens=9, messages=[{"role": "user", "content": "say: hi"}]
    )
    assert message.content[0].to_dict() == {"type": "text", "text": "hi"}
    counted = client.messages.count_tokens(
        model=MODELS[0], messages=[{"role": "user", "content": "x"}]
    )
    assert counted.input_tokens > 1
    assert [model.id for model in client.models.list()] == list(MODELS)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RATE_LIMITED, anthropic.RateLimitError),
        (Fault.OVERLOADED, anthropic.InternalServerError),
        (Fault.SERVER_ERROR, anthropic.InternalServerError),
        (Fault.HTML, anthropic.InternalServerError),
        (Fault.STREAM_ERROR, anthropic.APIStatusError),
        (Fault.MALFORMED, json.JSONDecodeError),
    ],
)
def test_faults(
    client: anthropic.Anthropic, standin: StandIn, fault: Fault, error: type[Exception]
) -> None:
    standin.faults.append(fault)
    with pytest.raises(error):
        stream(client, "say: hello")
    assert stream(client, "say: hello").stop_reason == "end_turn"


def test_a_cut_stream(client: anthropic.Anthropic, standin: StandIn) -> None:
    standin.faults.append(Fault.CUT)
    with pytest.raises(Exception, match="incomplete chunked read"):
        stream(client, "say: hello")
    assert standin.aborted == 1


def test_a_held_stream(client: anthropic.Anthropic, standin: StandIn) -> None:
    standin.faults.append(Fault.HELD_MIDWAY)
    with client.messages.stream(
        model=MODELS[0], max_tokens=9, messages=[{"role": "user", "content": "say: one two three"}]
    ) as events:
        assert next(iter(events)).type == "message_start"
        assert standin.wait_held()
        standin.release()
        assert events.get_final_message().stop_reason == "end_turn"


def test_what_is_no_http(standin: StandIn) -> None:
    host, _, port = standin.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(b"hello\r\n\r\n")
        assert raw.recv(1) == b""
    assert standin.broken == 1
    assert standin.request_count == 0


def test_as_a_program() -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "proctor.testing.standin",
            "--api-key",
            "k",
            "--fault",
            "overloaded",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            with (
                anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client,
                pytest.raises(anthropic.InternalServerError),
            ):
                client.models.list()
        finally:
            process.terminate()


def test_release_before_start() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        StandIn().release()
