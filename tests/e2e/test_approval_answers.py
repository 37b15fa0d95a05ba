"""Answers of a model that would have a client run what no rule allows: it never sees them."""

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.held import House, eventually, fresh, housed, refused, well

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("answers") / "house") as made:
        yield made
        well(made)


FORBIDDEN = "cat /etc/shadow"
INPUT = json.dumps({"command": FORBIDDEN})
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
    "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip


def event(kind: str, text: str = "", **fields: Any) -> str:
    return f"event: {kind}\ndata: {text or json.dumps({'type': kind, **fields})}\n\n"


def start(block: dict[str, Any], index: int = 0) -> str:
    return event("content_block_start", index=index, content_block=block)


def delta(text: str = INPUT, index: int = 0) -> str:
    return event(
        "content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text}
    )


def stop(index: int = 0) -> str:
    return event("content_block_stop", index=index)


def stream(*blocks: str, message: dict[str, Any] | None = None) -> str:
    ends = event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9})
    begins = event("message_start", message=message or MESSAGE)
    return "".join((begins, *blocks, ends, event("message_stop")))


def raw_start(block: str) -> str:
    return event(
        "content_block_start",
        f'{{"type":"content_block_start","index":0,"content_block":{block}}}',
    )


PLAIN = stream(start(TOOL), delta(), stop())
HARMLESS = stream(start(TOOL), delta('{"command": "ls"}'), stop())
WHOLE = MESSAGE | {"content": [TOOL | {"input": {"command": FORBIDDEN}}], "stop_reason": "tool_use"}
EVENTS = "text/event-stream"

STREAMS: dict[str, str] = {
    "as it comes": PLAIN,
    "in pieces": stream(start(TOOL), *(delta(letter) for letter in INPUT), stop()),
    "input in the start": stream(start(TOOL | {"input": {"command": FORBIDDEN}}), stop()),
    "input in both": stream(
        start(TOOL | {"input": {"command": FORBIDDEN}}), delta('{"command": "ls"}'), stop()),
    "two names, the last counts": stream(
        raw_start('{"type":"tool_use","id":"t","name":"Read","name":"Bash","input":{}}'),
        delta(), stop()),
    "two names, the first counts": stream(
        raw_start('{"type":"tool_use","id":"t","name":"Bash","name":"Read","input":{}}'),
        delta(), stop()),
    "two types": stream(
        raw_start('{"type":"text","type":"tool_use","id":"t","name":"Bash","input":{}}'),
        delta(), stop()),
    "an escaped name": stream(
        raw_start('{"type":"tool_use","id":"t","n\\u0061me":"B\\u0061sh","input":{}}'),
        delta(), stop()),
    "two commands": stream(
        start(TOOL), delta('{"command": "ls", "command": "cat /etc/shadow"}'), stop()),
    "two commands, the other way": stream(
        start(TOOL), delta('{"command": "cat /etc/shadow", "command": "ls"}'), stop()),
    "more behind the object": stream(
        start(TOOL), delta('{"command": "ls"} {"command": "cat /etc/shadow"}'), stop()),
    "cut off": stream(start(TOOL), delta(INPUT[:-1]), stop()),
    "started twice": stream(start(TOOL | {"name": "Read"}), start(TOOL), delta(), stop()),
    "started twice, apart": stream(
        start({"type": "text", "text": ""}), start(TOOL), delta(), stop()),
    "a second index": stream(start(TOOL, 0), start(TOOL, 1), delta(index=0), delta(index=1),
        stop(0), stop(1)),
    "an index as text": stream(
        event("content_block_start", json.dumps(
            {"type": "content_block_start", "index": "0", "content_block": TOOL})),
        delta(), stop()),
    "no index": stream(
        event("content_block_start", json.dumps(
            {"type": "content_block_start", "content_block": TOOL})),
        delta(), stop()),
    "a delta for a text": stream(start({"type": "text", "text": ""}), delta(), stop()),
    "a delta for nothing": stream(delta(), stop()),
    "never stopped": stream(start(TOOL), delta()),
    "a delta after the stop": stream(
        start(TOOL), delta('{"command": "ls"}'), stop(), delta(), stop()),
    "an unknown kind": stream(start(TOOL | {"type": "future_tool_use"}), delta(), stop()),
    "an unknown kind, whole": stream(
        start(TOOL | {"type": "runs", "input": {"command": FORBIDDEN}}), stop()),
    "in the message's start": stream(message=WHOLE | {"stop_reason": None}),
    "in the message's end": stream(
        event("message_delta", delta={"stop_reason": "tool_use", "content": WHOLE["content"]})),
    "a kind in capitals": stream(start(TOOL | {"type": "TOOL_USE"}), delta(), stop()),
    "CR LF": PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "mixed ends": PLAIN.replace("\n\n", "\r\n\r"),
    "a mark at the start": "\ufeff" + PLAIN,
    "comments": PLAIN.replace("event:", ": x\nevent:"),
    "no blank": PLAIN.replace("data: ", "data:"),
    "no event": "".join(line for line in PLAIN.splitlines(keepends=True) if "event:" not in line),
    "another event": PLAIN.replace("event: content_block_start", "event: ping"),
    "another case": PLAIN.replace("event: content_block_start", "event: Content_Block_Start"),
    "two lines of data": PLAIN.replace('"content_block": ', '\ndata: "content_block": '),
    "two events' names": PLAIN.replace("event: c", "event: ping\nevent: c"),
    "no end": PLAIN.rstrip("\n"),
    "line separators": PLAIN.replace("\n\n", "\u2028\n\n"),
    "a zero": PLAIN.replace("event: content", "\0event: content"),
}  # fmt: skip


def answering(house: House, head: str, body: bytes) -> None:
    """The model says this to whoever asks next."""
    raw = f"HTTP/1.1 200 OK\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body

    def script(conversation: Any) -> None:
        while True:
            conversation.request()
            conversation.send(raw)

    house.model.reset(script)


def question(*, streamed: bool = True, **more: Any) -> bytes:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Bash", "Read")]
    return json.dumps(
        {"model": "m", "max_tokens": 9, "stream": streamed, "tools": tools,
         "messages": [{"role": "user", "content": "tidy up"}], **more}
    ).encode()  # fmt: skip


def heard(house: House, listener: str, *, streamed: bool = True) -> bytes:
    """What the client gets, however it ends."""
    said = b""
    headers = {"authorization": f"Bearer {house.agent()}", "anthropic-version": "2023-06-01"}
    with httpx.Client(timeout=40, trust_env=False) as client:
        try:
            with client.stream(
                "POST",
                house.earnest.url(listener) + "/v1/messages",
                content=question(streamed=streamed),
                headers=headers,
            ) as answer:
                for piece in answer.iter_bytes():
                    said += piece
        except (httpx.TransportError, httpx.DecodingError):
            pass
    return said


def calls_nothing(said: bytes) -> bool:
    """Neither the command nor the half of it, and no escapes that would hide it."""
    return b"shadow" not in said and b"sh\\u0061dow" not in said and b'"tool_use","id"' not in said


@pytest.mark.parametrize("listener", ["model", "unseen"])
def test_what_is_allowed_is_called(house: House, listener: str) -> None:
    # So that the others cannot pass because nothing does.
    answering(house, f"content-type: {EVENTS}\r\n", HARMLESS.encode())
    said = heard(house, listener)
    assert b'"tool_use"' in said
    assert b"message_stop" in said


@pytest.mark.parametrize("listener", ["model", "unseen"])
@pytest.mark.parametrize("how", STREAMS)
def test_a_stream_that_hides_a_call(house: House, listener: str, how: str) -> None:
    answering(house, f"content-type: {EVENTS}\r\n", STREAMS[how].encode())
    said = heard(house, listener)
    assert calls_nothing(said), said


HEADS: dict[str, tuple[str, bytes]] = {
    "events as JSON": ("content-type: application/json\r\n", PLAIN.encode()),
    "events as text": ("content-type: text/plain\r\n", PLAIN.encode()),
    "events as bytes": ("content-type: application/octet-stream\r\n", PLAIN.encode()),
    "events as nothing": ("", PLAIN.encode()),
    "events as two": (
        f"content-type: image/png\r\ncontent-type: {EVENTS}\r\n", PLAIN.encode()),
    "events in another set": (
        f"content-type: {EVENTS}; charset=utf-16\r\n", PLAIN.encode("utf-16")),
    "JSON as events": (f"content-type: {EVENTS}\r\n", json.dumps(WHOLE).encode()),
    "JSON": ("content-type: application/json\r\n", json.dumps(WHOLE).encode()),
    "JSON as text": ("content-type: text/plain\r\n", json.dumps(WHOLE).encode()),
    "JSON as nothing": ("", json.dumps(WHOLE).encode()),
    "JSON in another set": (
        "content-type: application/json; charset=utf-16\r\n", json.dumps(WHOLE).encode("utf-16")),
    "JSON with two contents": (
        "content-type: application/json\r\n",
        json.dumps(WHOLE).encode().replace(b'"role"', b'"content": [], "role"')),
    "JSON with two contents, the other way": (
        "content-type: application/json\r\n",
        json.dumps(WHOLE).encode().replace(b'"stop_reason"', b'"content": [], "stop_reason"')),
    "gzip": (
        f"content-type: {EVENTS}\r\ncontent-encoding: gzip\r\n", gzip.compress(PLAIN.encode())),
    "gzip twice": (
        f"content-type: {EVENTS}\r\ncontent-encoding: gzip, gzip\r\n",
        gzip.compress(gzip.compress(PLAIN.encode()))),
    "gzip in two members": (
        f"content-type: {EVENTS}\r\ncontent-encoding: gzip\r\n",
        gzip.compress(HARMLESS.encode()) + gzip.compress(PLAIN.encode())),
    "gzip that nobody tells of": (
        f"content-type: {EVENTS}\r\n", gzip.compress(PLAIN.encode())),
    "an encoding nobody knows": (
        f"content-type: {EVENTS}\r\ncontent-encoding: rot13\r\n", PLAIN.encode()),
}  # fmt: skip


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("listener", ["model", "unseen"])
@pytest.mark.parametrize("how", HEADS)
def test_an_answer_of_another_kind(
    house: House,
    listener: str,
    how: str,
    streamed: bool,  # noqa: FBT001 - a parameter
) -> None:
    answering(house, *HEADS[how])
    said = heard(house, listener, streamed=streamed)
    assert calls_nothing(said), said
    assert b"\x1f\x8b" not in said


class Pausing:
    """An answer that goes on once it is told to."""

    def __init__(self, house: House, before: str, after: str | None) -> None:
        self.go = threading.Event()
        self._parts = before.encode(), after
        house.model.reset(self._script)

    def _script(self, conversation: Any) -> None:
        before, after = self._parts
        conversation.request()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {EVENTS}\r\ntransfer-encoding: chunked\r\n\r\n"
        conversation.send(head.encode() + b"%x\r\n%s\r\n" % (len(before), before))
        self.go.wait(30)
        if after is not None:
            more = after.encode()
            conversation.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(more), more))


SAFE = json.dumps({"command": "rm -r build"})
HELD = start(TOOL), delta(SAFE), stop()


def test_a_call_that_comes_while_a_kill_is_in_force(house: House) -> None:
    words = start({"type": "text", "text": "well"}), stop()
    whole = stream(*words, start(TOOL, 1), delta('{"command": "ls"}', 1), stop(1))
    cut = whole.index(start(TOOL, 1))
    answer = Pausing(house, whole[:cut], whole[cut:])
    waiting = house.pool.submit(heard, house, "model")
    assert house.model.wait_requests(1)
    admin = house.person("dave", "admins")
    asked = {"scope": "principal", "target": "alice", "reason": "enough"}
    kill = house.api("POST", "kills", admin, asked, house.dev).body["id"]  # by the other one
    try:
        said = waiting.result(30)  # ends by itself
        answer.go.set()
        assert b"tool_use" not in said
        assert b"stopped" in said
        refused(house.send(fresh("/free/")), "killed")
    finally:
        answer.go.set()
        assert house.api("DELETE", f"kills/{kill}", admin, {"reason": "over"}).status == 200


def test_a_held_call_is_ended_by_a_kill(house: House) -> None:
    answering(house, f"content-type: {EVENTS}\r\n", stream(*HELD).encode())
    waiting = house.pool.submit(heard, house, "model")
    name = house.held("rm -r build")["id"]
    admin = house.person("dave", "admins")
    asked = {"scope": "principal", "target": "alice", "reason": "enough"}
    kill = house.api("POST", "kills", admin, asked).body["id"]
    try:
        said = waiting.result(30)
        assert b"rm -r build" not in said
        assert house.get(name)["state"] == "cancelled"
        assert house.vote(name, house.person()).code == "approval-state"
    finally:
        house.api("DELETE", f"kills/{kill}", admin, {"reason": "over"})


def test_an_upstream_that_hangs_up_while_a_call_is_held(house: House) -> None:
    whole = stream(*HELD)
    cut = whole.index("event: message_delta")
    answer = Pausing(house, whole[:cut], None)
    waiting = house.pool.submit(heard, house, "model")
    name = house.held("rm -r build")["id"]
    answer.go.set()
    said = waiting.result(20)
    assert b"rm -r build" not in said
    eventually(lambda: house.get(name)["state"] == "cancelled" or None)


def test_a_client_that_goes_away_while_a_call_is_held(house: House) -> None:
    answering(house, f"content-type: {EVENTS}\r\n", stream(*HELD).encode())
    headers = {"authorization": f"Bearer {house.agent()}", "anthropic-version": "2023-06-01"}
    url = house.earnest.url("model") + "/v1/messages"
    with (
        httpx.Client(timeout=40, trust_env=False) as client,
        client.stream("POST", url, content=question(), headers=headers),
    ):
        name = house.held("rm -r build")["id"]
    eventually(lambda: house.get(name)["state"] == "cancelled" or None)
    assert house.vote(name, house.person()).code == "approval-state"


def test_a_client_that_goes_away_while_its_request_is_held(house: House) -> None:
    path = fresh()
    with house.earnest_connection("things") as connection:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.agent()}\r\n"
        connection.sendall(f"{head}content-length: 2\r\n\r\n{{}}".encode())
        name = house.held(path)["id"]
    eventually(lambda: house.get(name)["state"] == "cancelled" or None)
    assert house.vote(name, house.person()).code == "approval-state"
    assert house.reached(path) == 0
