"""Clients that mean harm or are broken: proctor survives and lets nothing by."""

import contextlib
import json
import socket
import ssl
from typing import Self

import h2.config
import h2.connection
import h2.events
import psutil
import pytest

from tests.support.live import read_answer
from tests.support.stage import MIB, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


# Clients that speak HTTP/1.


@pytest.mark.parametrize("part", ["nothing", "head"])
def test_a_slow_client_is_not_waited_for(stage: Stage, part: str) -> None:
    with stage.connect("raw") as connection:
        if part == "head":
            connection.sendall(stage.head()[:-3])
        answer = read_answer(connection)
    assert answer == b"" or b" 408 " in answer
    assert not stage.origin.connections


def test_many_headers(stage: Stage) -> None:
    answer = stage.send(stage.head("GET", "/x", *(f"x-{i}: y" for i in range(100_000))))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert not stage.origin.connections


def test_a_head_that_does_not_end(stage: Stage) -> None:
    with stage.connect("raw") as connection:
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * MIB)
        assert read_answer(connection)[:13] in {b"HTTP/1.1 431 ", b""}
    assert not stage.origin.connections


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT 127.0.0.1:1 HTTP/1.1",
        "CONNECT localhost:443 HTTP/1.1",
        "TRACE /x HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://127.0.0.1:1/elsewhere HTTP/1.1",
        "GET https://127.0.0.1:1/elsewhere HTTP/1.1",
        "GET //127.0.0.1:1/elsewhere HTTP/1.1",
        "GET /x",
        "GET /x HTTP/0.9",
        "GET /x HTTP/2.0",
        "GET /x HTTP/9.9",
        "GET  /x HTTP/1.1",
        "GET /x y HTTP/1.1",
        "GET\t/x\tHTTP/1.1",
        "GET /x\0 HTTP/1.1",
        "G\0T /x HTTP/1.1",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02",
        "",
    ],
)
def test_request_lines(stage: Stage, request_line: str) -> None:
    rest = f"\r\nhost: x\r\nauthorization: Bearer {stage.token}\r\n\r\n"
    answer = stage.send((request_line + rest).encode("latin-1"))
    # It is refused, or goes to the listener's own upstream and nowhere else, as one request.
    assert stage.origin.connections <= 1
    assert len(stage.origin.requests) <= 1
    if stage.origin.requests:
        assert answer.startswith(b"HTTP/1.1 200 ")
        (request,) = stage.origin.requests
        line = request.split(b"\r\n")[0]
        assert line.count(b" ") == 2
        assert line.endswith(b" HTTP/1.1")
        assert not line.startswith((b"CONNECT", b"PRI"))
        assert b"\0" not in request
        assert f"host: 127.0.0.1:{stage.origin.port}\r\n".encode() in request.lower()
    else:
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer


@pytest.mark.parametrize(
    "more",
    [
        ("content-length: 5", "transfer-encoding: chunked"),
        ("content-length: 5", "content-length: 6"),
        ("content-length: 5, 5",),
        ("content-length: +5",),
        ("content-length: -1",),
        ("content-length: 5 5",),
        ("content-length: 0x5",),
        ("content-length : 5",),
        ("transfer-encoding: chunked, identity",),
        ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding: xchunked",),
        ("transfer-encoding: chunked", "transfer-encoding: chunked"),
        ("transfer-encoding : chunked",),
        ("transfer-encoding:\x0bchunked",),
        ("x: a\r b",),
        ("x: a\0b",),
        ("x\0y: a",),
        ("x: a\n y: b",),
        (" folded: 1",),
        ("x: a", " folded"),
        ("no colon",),
        (": empty",),
        ("host: y",),
    ],
)
def test_framing_and_headers(stage: Stage, more: tuple[str, ...]) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    stage.send(stage.head("POST", "/x", *more) + b"5\r\nhello\r\n0\r\n\r\n" + smuggled)
    assert all(b"/smuggled" not in request for request in stage.origin.requests)
    for request in stage.origin.requests:
        head = request.partition(b"\r\n\r\n")[0].lower()
        assert not (b"content-length:" in head and b"transfer-encoding:" in head)
        assert b"\0" not in head
        assert b"\r" not in head.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"FFFFFFFFFFFFFFFFF\r\nhello",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5;a=\0\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"0\r\nx-trailer: 1\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_chunks(stage: Stage, body: bytes) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    with stage.connect("raw") as connection:
        framed = stage.head("POST", "/x", "transfer-encoding: chunked")
        connection.sendall(framed + body + smuggled)
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
    assert len(stage.origin.requests) <= 1
    assert all(b"/smuggled" not in request for request in stage.origin.requests)
    assert answer[:10] in {b"", b"HTTP/1.1 2", b"HTTP/1.1 4"}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("listener", ["raw", "claude"])
def test_a_body_over_the_limit(stage: Stage, listener: str, *, chunked: bool) -> None:
    before = stage.installed.standin.connections
    big = 2 * MIB
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {big}"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (big, b"x" * big) if chunked else b"x" * big
    answer = stage.send(stage.head("POST", "/v1/messages", framing) + body, listener)
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    if listener == "claude":
        assert said["error"]["type"] == "request_too_large"
    assert not stage.origin.connections
    assert stage.installed.standin.connections == before


def test_expect_100_continue(stage: Stage) -> None:
    with stage.connect("raw") as connection:
        connection.sendall(stage.head("POST", "/x", "expect: 100-continue", "content-length: 5"))
        first = connection.recv(65536)
        assert first.startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert b" 200 " in first.partition(b"\r\n\r\n")[2] + read_answer(connection)
    (request,) = stage.origin.requests
    assert request.endswith(b"\r\n\r\nhello")
    refused = stage.send(
        b"POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
    )
    assert refused.startswith(b"HTTP/1.1 401 ")
    assert len(stage.origin.requests) == 1


# Clients that speak HTTP/2.


class H2:
    """A client that says what it likes."""

    def __init__(self, stage: Stage, listener: str = "safe") -> None:
        context = stage.files.client_context()
        context.set_alpn_protocols(["h2"])
        plain = stage.connect(listener)
        self.socket: ssl.SSLSocket = context.wrap_socket(plain, server_hostname="localhost")
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.token = stage.token
        self.flush()

    def fields(self, *more: tuple[str, str], path: str = "/x") -> list[tuple[str, str]]:
        start = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", path)]
        return [*start, ("authorization", f"Bearer {self.token}"), *more]

    def get(self, *more: tuple[str, str], end: bool = True, path: str = "/x") -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, self.fields(*more, path=path), end_stream=end)
        return stream_id

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def until_ended(self, count: int) -> dict[int, bytes]:
        """Statuses of streams, once so many have ended or the connection has."""
        statuses: dict[int, bytes] = {}
        ended: set[int] = set()
        while len(ended) < count:
            try:
                data = self.socket.recv(65536)
            except OSError:
                break
            if not data:
                break
            for event in self.h2.receive_data(data):
                match event:
                    case h2.events.ResponseReceived():
                        statuses[event.stream_id or 0] = dict(event.headers or ())[b":status"]
                    case h2.events.StreamEnded() | h2.events.StreamReset():
                        ended.add(event.stream_id or 0)
                    case h2.events.ConnectionTerminated():
                        return statuses
            self.flush()
        return statuses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_h2_many_streams(stage: Stage) -> None:
    with H2(stage) as client:
        statuses: dict[int, bytes] = {}
        for _ in range(5):
            for _ in range(100):
                client.get()
            client.flush()
            statuses |= client.until_ended(100)
        assert set(statuses.values()) == {b"200"}
    assert len(stage.origin.requests) == 500


def test_h2_rapid_reset(stage: Stage) -> None:
    """CVE-2023-44487: streams that are opened and reset at once."""
    with H2(stage) as client:
        with contextlib.suppress(OSError):
            for _ in range(5):
                for _ in range(100):
                    client.h2.reset_stream(client.get())
                client.flush()
            # What it has not hung up on is answered.
            client.get(path="/after")
            client.flush()
            client.until_ended(1)
        stage.well()
    assert len(stage.origin.requests) <= 501


def test_h2_continuation_flood(stage: Stage) -> None:
    """CVE-2024-27316: a head that never ends."""
    with H2(stage) as client:
        block = client.h2.encoder.encode(client.fields())
        frame = b"\0\0\1" + b"\x01\x01" + (1).to_bytes(4, "big") + block[:1]
        sent = 0
        process = psutil.Process(stage.gateway.process.pid)
        before = process.memory_info().rss
        with contextlib.suppress(OSError):
            client.socket.sendall(frame)
            flood = b"\0\x40\0" + b"\x09\0" + (1).to_bytes(4, "big") + b"\0\1a\x7f" * 4096
            for _ in range(2000):
                client.socket.sendall(flood)
                sent += len(flood)
        grown = process.memory_info().rss - before
    assert grown < 16 * MIB, (grown, sent)
    assert not stage.origin.requests


def test_h2_a_huge_head(stage: Stage) -> None:
    with H2(stage) as client:
        with contextlib.suppress(OSError):
            client.get(*((f"x-{i}", "y" * 1000) for i in range(500)))
            client.flush()
            statuses = client.until_ended(1)
            assert statuses.get(1, b"431") in {b"431", b"400"}
    assert not stage.origin.requests


@pytest.mark.parametrize(
    "field",
    [
        ("x-a", "b\r\nx-smuggled: 1"),
        ("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x"),
        ("x-a", "b\0c"),
        ("x-a\r\nx-smuggled", "1"),
        ("x-a: 1\r\nx-smuggled", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("connection", "x-api-key"),
        ("host", "elsewhere"),
        (":path", "/smuggled"),
        ("X-Upper", "smuggled"),
        ("", "smuggled"),
    ],
)
def test_h2_fields_that_would_be_more_on_http1(stage: Stage, field: tuple[str, str]) -> None:
    with H2(stage) as client:
        client.get(field)
        client.flush()
        client.until_ended(1)
    received = b"".join(stage.origin.requests).lower()
    assert b"smuggled" not in received
    assert received.count(b"\nhost:") <= 1
    assert len(stage.origin.requests) <= 1


@pytest.mark.parametrize(
    "path",
    ["/x HTTP/1.1\r\nx-smuggled: 1\r\n", "/x\r\n\r\nGET /smuggled", "/x /smuggled", "smuggled", ""],
)
def test_h2_paths(stage: Stage, path: str) -> None:
    with H2(stage) as client:
        client.get(path=path)
        client.flush()
        client.until_ended(1)
    for request in stage.origin.requests:
        assert request.split(b"\r\n")[0].count(b" ") == 2
        assert b"x-smuggled" not in request
    assert len(stage.origin.requests) <= 1


def test_h2_a_body_without_a_length_is_framed(stage: Stage) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    with H2(stage) as client:
        stream_id = client.get(end=False)
        client.h2.send_data(stream_id, smuggled, end_stream=True)
        client.flush()
        assert client.until_ended(1) == {1: b"200"}
    (request,) = stage.origin.requests
    assert b"content-length: %d\r\n" % len(smuggled) in request.lower()
    assert request.endswith(smuggled)
