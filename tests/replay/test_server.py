"""The replay as a Messages API, without a socket."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from proctor.audit.conversation import conversation
from proctor.audit.find import find
from proctor.audit.reader import opened
from proctor.replay import server as module
from proctor.replay.recorded import Recording, read
from proctor.replay.server import OnDivergence, Server, Told
from tests.support.recorded import SESSION, STREAM, record, story

TOKEN = "replay-token"
AUTH = {"authorization": f"Bearer {TOKEN}"}
FIRST = {"model": "m", "stream": True, "messages": [
    {"role": "user", "content": "How many files are here?"}]}  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = record(tmp_path_factory.mktemp("served") / "r", story)
    with opened(path) as reader:
        assert reader is not None
        return read(conversation(reader, find(reader, SESSION)))


@pytest.fixture
def told() -> list[Told]:
    return []


@pytest.fixture
def server(recording: Recording, told: list[Told]) -> Server:
    return Server(recording, token=TOKEN, tell=told.append)


def ask(
    server: Server,
    body: Any = FIRST,
    *,
    path: str = "/v1/messages?beta=true",
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app=server)
        async with httpx.AsyncClient(transport=transport, base_url="http://replay") as client:
            given = AUTH if headers is None else headers
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return await client.request(method, path, content=content, headers=given)

    return asyncio.run(main())


def test_the_recorded_bytes(server: Server, told: list[Told]) -> None:
    found = ask(server)
    assert (found.status_code, found.content) == (200, STREAM)
    assert found.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert ask(server).content == STREAM
    assert [(each.number, each.match and each.match.again) for each in told] == [
        (1, False), (2, True),
    ]  # fmt: skip
    assert server.figures.first is None


def test_a_whole_message_where_no_stream_is_asked_for(server: Server, told: list[Told]) -> None:
    found = ask(server, {**FIRST, "stream": False})
    assert found.json()["stop_reason"] == "tool_use"
    assert told[0].framed == "converted"


def test_a_recorded_error_is_an_error_again(server: Server, recording: Recording) -> None:
    busy = recording.turns[5]
    messages = [json.loads(each) for each in busy.asked.messages]
    asked = {**FIRST, "messages": messages}
    found = ask(server, asked)
    assert (found.status_code, found.json()["error"]["type"]) == (529, "overloaded_error")


def test_tokens_are_counted(server: Server) -> None:
    found = ask(server, {"model": "m", "messages": []}, path="/v1/messages/count_tokens")
    assert found.json() == {"input_tokens": 7}


def test_the_nearest_answer_or_an_end(recording: Recording, told: list[Told]) -> None:
    other = {**FIRST, "messages": [{"role": "user", "content": "How many \x1b[2Jbirds?"}]}
    server = Server(recording, token=TOKEN, tell=told.append)
    assert ask(server, other).content == STREAM
    assert server.figures.first is told[0]
    assert told[0].match is not None
    assert told[0].match.divergence is not None
    assert told[0].match.divergence.message == 1
    stops = Server(recording, token=TOKEN, on_divergence=OnDivergence.STOP)
    found = ask(stops, other)
    assert (found.status_code, found.headers["x-should-retry"]) == (451, "false")
    assert found.json()["error"]["details"]["error_code"] == "replay-diverged"
    assert "files" not in found.text
    assert (stops.figures.diverged, stops.figures.failed) == (1, 1)


def test_nothing_of_the_kind(server: Server, told: list[Told]) -> None:
    found = ask(server, {**FIRST, "tools": [{"name": "Bash"}]})
    assert found.json()["error"]["details"]["error_code"] == "replay-unknown"
    assert told[0].match is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer other"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"x-api-key": "other"}, 401),
        ({"x-api-key": TOKEN}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({**AUTH, "origin": "https://page.example"}, 403),
    ],
)
def test_who_may_ask(
    server: Server, told: list[Told], headers: dict[str, str], status: int
) -> None:
    found = ask(server, headers=headers)
    assert (found.status_code, len(told)) == (status, status == 200)
    assert status == 200 or b"files" not in found.content


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/messages"), ("POST", "/"), ("POST", "/v1/messages/x"), ("GET", "/v1/models")],
)
def test_other_places(server: Server, method: str, path: str) -> None:
    assert ask(server, method=method, path=path).status_code == 404


def test_a_probe_needs_no_token(server: Server) -> None:
    found = ask(server, b"", method="HEAD", path="/", headers={})
    assert (found.status_code, found.content) == (200, b"")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff" * 9, b'{"model": 1, "messages": []}'])
def test_what_is_no_request(server: Server, body: bytes) -> None:
    found = ask(server, body)
    assert found.status_code == 400
    assert server.figures.requests == 0


def test_a_body_that_is_too_large(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY", 100)
    assert ask(server, b"x" * 101).status_code == 413


def test_a_client_that_dawdles_or_goes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = {
        "type": "http", "method": "POST", "path": "/v1/messages",
        "headers": [(b"x-api-key", TOKEN.encode())],
    }  # fmt: skip
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never() -> Any:
        await asyncio.Event().wait()

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    monkeypatch.setattr(module, "_READING", 0.001)
    asyncio.run(server(scope, never, send))
    asyncio.run(server(scope, gone, send))
    assert [message["status"] for message in sent if "status" in message] == [408, 400]
    asyncio.run(server({"type": "websocket"}, never, send))
    assert len(sent) == 4
