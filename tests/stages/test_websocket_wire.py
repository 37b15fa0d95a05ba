"""WebSockets byte by byte: what comes before it is expected, and upstreams that are hostile."""

import base64
import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proctor.protocols.websocket.messages import Close, Heard, Message, Wire
from tests.protocols.websocket.test_messages import frame
from tests.support.live import Live
from tests.support.screened import KEY, screens
from tests.support.scripted import Conversation, Scripted
from tests.support.stand import Stand, house, listener, running
from tests.support.talking import ended
from tests.support.websockets import handshake, read

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def switching(head: bytes, *more: str) -> bytes:
    """An upstream's 101 to a request."""
    (key,) = (
        line.partition(b":")[2].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def scripted(
    folder: Path, script: Callable[[Conversation], None]
) -> Iterator[tuple[Stand, Live, Scripted]]:
    with (
        Scripted() as origin,
        screens(folder / "state", listeners=("api",)) as ours,
    ):
        origin.script = script
        item = listener(origin.port, name="api", speaks="http")
        this = house(item.model_copy(update={"websocket": True}), screens=ours)
        with running(this, "api") as proxy:
            yield this, proxy, origin


def connect(proxy: Live) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.ports["api"]), 30)


def after_head(connection: socket.socket) -> tuple[bytes, list[Heard]]:
    """The answer's head, and what is heard after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        assert more, data
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    wire = Wire(client=True, limit=10**6)
    wire.feed(rest)
    return head, [*wire.heard(), *read(connection)]


def test_frames_behind_the_answer_s_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.runtime.websocket.CLOSING", 0.3)
    monkeypatch.setattr("proctor.runtime.websocket.LINGER", 0.3)

    def script(conversation: Conversation) -> None:
        head = conversation.head()
        first = frame(1, f"key: {KEY}".encode(), mask=False)
        conversation.send(switching(head, "X-More: 1", "Set-Cookie: a=b") + first)
        conversation.send(frame(8, b"\x03\xe8", mask=False))
        conversation.wait_gone()

    with scripted(tmp_path, script) as (this, proxy, _), connect(proxy) as connection:
        connection.sendall(handshake())
        head, heard = after_head(connection)
        ended(this)
    assert b"x-more" not in head.lower()
    assert b"set-cookie" not in head.lower()
    assert heard == [Message(text=True, data=b"key: <API_KEY>"), Close(1000)]


def test_frames_behind_the_request_s_head(tmp_path: Path) -> None:
    got: list[bytes] = []

    def script(conversation: Conversation) -> None:
        head = conversation.head()
        got.append(head)
        conversation.send(switching(head))
        wire = Wire(client=False, limit=10**6)
        while True:
            data = conversation.connection.recv(65536)
            if not data:
                return
            wire.feed(data)
            for said in wire.heard():
                if isinstance(said, Message):
                    got.append(said.data)
                if isinstance(said, Close):
                    conversation.send(frame(8, b"\x03\xe8", mask=False))

    with scripted(tmp_path, script) as (this, proxy, _), connect(proxy) as connection:
        connection.sendall(handshake() + frame(1, KEY.encode()) + frame(8, b"\x03\xe8"))
        after_head(connection)
        ended(this)
    assert got[1:] == [b"<API_KEY>"]
    assert KEY.encode() not in got[0]


@pytest.mark.parametrize(
    "more",
    ["Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: other", "Upgrade: x"],
)
def test_an_upstream_that_agrees_to_something_else(tmp_path: Path, more: str) -> None:
    def script(conversation: Conversation) -> None:
        head = conversation.head()
        with contextlib.suppress(OSError):
            conversation.send(switching(head, more) + frame(1, b"hello", mask=False))
            conversation.wait_gone()

    with scripted(tmp_path, script) as (this, proxy, _):
        answer = proxy.request("api", handshake())
        end = ended(this)
    assert b" 502 " in answer.split(b"\r\n")[0]
    assert b"hello" not in answer
    assert b"websocket-handshake" in answer
    assert end["error"]


def test_an_upstream_that_says_no(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.head()
        conversation.send(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\n\r\nno")

    with scripted(tmp_path, script) as (this, proxy, _):
        answer = proxy.request("api", handshake())
        end = ended(this)
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert (end["status"], end["protocol"]) == (426, "websocket")


def test_a_101_that_nobody_asked_for(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        conversation.head()
        with contextlib.suppress(OSError):
            conversation.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nraw")
            conversation.wait_gone()

    with scripted(tmp_path, script) as (this, proxy, _):
        answer = proxy.request(
            "api", b"GET /x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\r\n\r\n"
        )
        ended(this)
    assert b"raw" not in answer
    assert not answer.startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(1, b"masked"), 1001),
        (frame(1, b"\xff", mask=False), 1001),
        (frame(2, b"x" * 1_100_000, mask=False), 1001),
        (b"GET / HTTP/1.1\r\n\r\n", 1001),
    ],
)
def test_an_upstream_that_does_not_keep_to_the_protocol(
    tmp_path: Path, said: bytes, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor.runtime.websocket.LINGER", 0.3)

    def script(conversation: Conversation) -> None:
        head = conversation.head()
        with contextlib.suppress(OSError):
            conversation.send(switching(head) + said)
            conversation.wait_gone()

    with scripted(tmp_path, script) as (this, proxy, _), connect(proxy) as connection:
        connection.sendall(handshake())
        _, heard = after_head(connection)
        end = ended(this)
    assert heard == [Close(code)]
    assert end["error"].startswith("websocket-frames: The upstream ")


def test_many_connections_at_once_and_none_is_left(tmp_path: Path) -> None:
    def script(conversation: Conversation) -> None:
        head = conversation.head()
        conversation.send(switching(head))
        conversation.wait_gone()

    with scripted(tmp_path, script) as (this, proxy, origin):
        open_ones = [connect(proxy) for _ in range(20)]
        for each in open_ones:
            each.sendall(handshake())
        for each in open_ones:
            assert each.recv(12) == b"HTTP/1.1 101"
        assert origin.connections == 20
        for each in open_ones:
            each.close()
        until = time.monotonic() + 30
        while this.suite.open_exchanges and time.monotonic() < until:
            threading.Event().wait(0.05)
    assert this.suite.open_exchanges == 0
