"""WebSockets in tests: an upstream that answers what it hears, and clients that say every byte."""

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from proctor.protocols.websocket.messages import Heard, Wire

# What it has to say of a connection comes when that ends, maybe after the test, and its logs, have.
_SILENT = logging.getLogger("tests.websockets")
_SILENT.setLevel(logging.CRITICAL + 1)

PATIENCE = 30
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass(slots=True)
class Upstream:
    """A server.

    Attributes:
        port: Of loopback.
        heard: Messages that have reached it.
        headers: Of each request for a WebSocket.
        closed: The code that each was closed with.
        answer: What is sent back to a message; None for nothing.
    """

    port: int = 0
    heard: list[str | bytes] = field(default_factory=list[str | bytes])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    closed: list[int] = field(default_factory=list[int])
    answer: Callable[[str | bytes], str | bytes | None] = lambda said: said
    done: threading.Event = field(default_factory=threading.Event)

    def handle(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request
        self.headers.append({name.lower(): value for name, value in request.headers.raw_items()})
        try:
            for said in connection:
                self.heard.append(said)
                back = self.answer(said)
                if back is not None:
                    connection.send(back)
        except ConnectionClosed:
            pass
        finally:
            self.closed.append(connection.close_code or 0)
            self.done.set()


@contextlib.contextmanager
def upstream(context: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """A server that says everything back, for as long as the block lasts.

    Args:
        context: By which it speaks TLS, if it does.
    """
    it = Upstream()
    with serve(
        it.handle,
        "127.0.0.1",
        0,
        ssl=context,
        max_size=None,
        logger=_SILENT,
        subprotocols=None,
        select_subprotocol=lambda _connection, offered: offered[0] if offered else None,
    ) as server:
        it.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield it
        finally:
            server.shutdown()
            thread.join(PATIENCE)


@contextlib.contextmanager
def client(
    port: int, path: str = "/chat", token: str = "a", **more: Any
) -> Iterator[ClientConnection]:
    """A client of a reverse listener; it closes as RFC 6455 7 has it."""
    with connect(
        f"ws://127.0.0.1:{port}{path}",
        additional_headers={"authorization": f"Bearer {token}"},
        proxy=None,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        max_size=None,
        **more,
    ) as connection:
        yield connection


def closing(connection: ClientConnection) -> tuple[int, str]:
    """With what code and words a connection is closed; what comes before is thrown away."""
    try:
        while True:
            connection.recv(PATIENCE)
    except ConnectionClosed as closed:
        return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


def handshake(path: str = "/chat", *more: str, token: str = "a") -> bytes:
    """A request for a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def raw(port: int, *more: str) -> Iterator[socket.socket]:
    """A connection on which the handshake is done."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(handshake("/chat", *more))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more_of_it = connection.recv(1)
            assert more_of_it, head
            head += more_of_it
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield connection


def read(connection: socket.socket) -> list[Heard]:
    """All that comes until the other side hangs up."""
    wire, found = Wire(client=True, limit=2**24), list[Heard]()
    with contextlib.suppress(OSError):
        while data := connection.recv(65536):
            wire.feed(data)
            found += wire.heard()
    return found
