"""Durable before it leaves, durable before its end is passed on."""

import json
import socket
from pathlib import Path
from typing import Any

from mitmproxy import http

from proctor.model import Allow, Decision, RecordMode
from proctor.stages.recording import Recording
from tests.support.origin import Origin
from tests.support.screened import KEY, screens
from tests.support.stand import (
    ANSWER,
    OK,
    REAL_KEY,
    Stand,
    error_of,
    house,
    listener,
    post,
    running,
)


def test_a_turn_goes_through_and_is_on_record() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", post(more=b"x-claude-code-session-id: s-1\r\n"))
    assert answer.endswith(ANSWER)
    assert b"x-api-key: " + REAL_KEY in origin.received
    assert b"Bearer" not in origin.received
    (_, begin), (_, end) = this.store.appended
    assert (begin["session_id"], begin["subject"], begin["verdict"]) == ("s-1", "alice", "allow")
    assert begin["request_bytes"] == 72
    assert (end["status"], end["turn"]["stop_reason"], end["turn"]["output_tokens"]) == (
        200,
        "tool_use",
        5,
    )
    assert [tool["name"] for tool in end["tools"]] == ["Bash"]
    assert ANSWER in this.store.contents
    assert not any(REAL_KEY in content for content in this.store.contents)
    assert this.metrics.seen == [("claude", "allow")]


def test_the_record_is_written_before_anything_leaves() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        append = this.store.append
        seen: list[tuple[str, int]] = []

        async def watched(kind: str, fields: dict[str, object]) -> int:
            seen.append((kind, len(origin.received)))
            return await append(kind, fields)

        this.store.append = watched  # type: ignore[method-assign]
        with running(this) as proxy:
            proxy.request("claude", post())
    assert [kind for kind, _ in seen] == ["flow.begin", "flow.end"]
    assert seen[0][1] == 0


def test_a_journal_that_cannot_be_written_lets_nothing_out() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        this.store.broken = True
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert error_of(answer)["type"] == "api_error"
    assert origin.connections == 0


def test_an_answer_that_cannot_be_recorded_is_not_passed_on() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        append = this.store.append

        async def second_fails(kind: str, fields: dict[str, object]) -> int:
            this.store.broken = kind == "flow.end"
            return await append(kind, fields)

        this.store.append = second_fails  # type: ignore[method-assign]
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"hello" not in answer


def test_an_upstream_that_switches_protocols_is_cut() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"
    with Origin(switch) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert b" 101 " not in answer


def unchunked(body: bytes) -> bytes:
    """What chunks hold (RFC 9112 7.1)."""
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        found += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return found


def streamed(*pieces: bytes) -> bytes:
    """A chunked event stream."""
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def test_a_stream_passes_byte_for_byte_and_becomes_a_turn() -> None:
    events = [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"m-2",',
        b'"usage":{"input_tokens":7,"output_tokens":1}}}\n\ndata: {"type":"content_block_start",',
        b'"index":0,"content_block":{"type":"text","text":""}}\n\ndata: {"type":',
        b'"content_block_delta","index":0,"delta":{"type":"text_delta","text":"he',
        b'llo"}}\n\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":',
        b'{"output_tokens":9}}\n\ndata: {"type":"message_stop"}\n\n',
    ]
    with Origin(streamed(*events)) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert unchunked(answer.partition(b"\r\n\r\n")[2]) == b"".join(events)
    (_, end) = this.store.appended[-1]
    assert (end["turn"]["model"], end["turn"]["output_tokens"], end["coverage"]) == (
        "m-2",
        9,
        "full",
    )
    assert b"hello" in this.store.contents
    assert b"".join(events) in this.store.contents


def test_a_cut_answer_is_on_record() -> None:
    cut = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000000\r\n\r\nabc"

    class Cutting(Origin):
        def _serve(self, connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(cut)
            connection.close()

    with Cutting() as origin:
        this: Stand = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert error_of(answer)["type"] == "api_error"  # nothing of it is passed on unjudged
    kind, end = this.store.appended[-1]
    assert kind == "flow.end"
    assert end["error"]
    assert this.suite.open_exchanges == 0


def test_a_tap_that_fails_cuts_the_answer_and_the_record_says_so() -> None:
    """Mitmproxy drops the piece and goes on: the client would read a hole as an answer."""
    events = [b"data: one\n\n", b"data: two\n\n", b"data: three\n\n"]
    with Origin(streamed(*events)) as origin:
        this = house(listener(origin.port))
        recording = next(s for s in this.suite.stages_in_order if isinstance(s, Recording))
        headers = recording.responseheaders

        def break_tap(flow: http.HTTPFlow) -> None:
            headers(flow)
            tap = flow.response and flow.response.stream

            def fail(data: bytes) -> Any:
                assert callable(tap)
                if b"two" in data:
                    raise RuntimeError("broken on purpose")
                return tap(data)

            assert flow.response
            flow.response.stream = fail

        recording.responseheaders = break_tap  # type: ignore[method-assign]  # the point
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert b"three" not in answer
    assert not answer.endswith(b"0\r\n\r\n")
    kind, end = this.store.appended[-1]
    assert (kind, bool(end["error"])) == ("flow.end", True)
    assert this.suite.open_exchanges == 0


def test_an_answer_is_recorded_as_it_may_be_seen(tmp_path: Path) -> None:
    """Whole and streamed; the receipt and the findings of both ways stand in the last record."""
    text = f"data: {KEY}\n\n".encode()
    head = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n"
    for kind in ("application/json", "text/event-stream"):
        body = json.dumps([KEY]).encode() if kind == "application/json" else text
        with (
            Origin(head.format(kind, len(body)).encode() + body) as origin,
            screens(tmp_path / kind[:4]) as ours,
        ):
            this = house(listener(origin.port, speaks="http"), screens=ours)
            with running(this) as proxy:
                proxy.request("claude", post(KEY.encode()))
        (_, begin), (_, end) = this.store.appended
        asked, case, answered = this.store.contents
        assert (asked, answered) == (b"<API_KEY>", body.replace(KEY.encode(), b"<API_KEY>"))
        assert KEY.encode() not in case
        assert [f["direction"] for f in begin["findings"]] == ["request"]
        assert [f["direction"] for f in end["findings"]] == ["request", "response"]
        assert set(end["receipt"]) == {"request", "response"}
        assert end["response_bytes"] > 0


def test_metadata_alone_still_has_findings_and_receipts(tmp_path: Path) -> None:
    with Origin(OK) as origin, screens(tmp_path / "state") as ours:
        this = house(listener(origin.port), screens=ours)
        allow = Allow(rule_id="r")
        this.rules.answers["claude"] = Decision(verdict=allow, record=RecordMode.METADATA)
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": KEY}]}).encode()
        with running(this) as proxy:
            proxy.request("claude", post(body))
    assert this.store.contents == []
    _, (_, end) = this.store.appended
    assert [f["entity_type"] for f in end["findings"]] == ["API_KEY"]
    assert end["receipt"]["request"]["looked"] > 0
