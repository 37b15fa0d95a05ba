"""One end: what is gathered, written, and not read any more."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from proctor.postgres.stream import AHEAD, HIGH, PRESSURE, End
from proctor.postgres.tls import Contexts, Tls
from proctor.testing import tls


class Transport(asyncio.Transport):
    """Remembers what was done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[object] = []
        self.closing = False

    def write(self, data: Any) -> None:
        self.done.append(bytes(data))

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == HIGH
        assert low is not None

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")


class One(End):
    """An end whose owner writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[object] = []
        self.received = self.told.append

    def secured(self) -> None:
        self.told.append("secured")

    def insecure(self, error: ssl.SSLError) -> None:
        self.told.append("insecure")

    def over(self) -> None:
        self.told.append("over")

    def pressed(self, *, high: bool) -> None:
        self.told.append(high)


@pytest.fixture
def end() -> One:
    one = One()
    one.connection_made(Transport())
    return one


def done(end: One) -> list[object]:
    assert isinstance(end.transport, Transport)
    found, end.transport.done = end.transport.done, []
    return found


def test_what_is_gathered_is_written_once(end: One) -> None:
    end.flush()
    end.send(b"one")
    end.send(b"")
    end.send(b"two")
    assert done(end) == []
    end.flush()
    end.flush()
    assert done(end) == [b"onetwo"]
    end.send(b"three")
    end.forget()
    end.send(b"")
    end.flush()
    assert done(end) == []


def test_it_is_read_again_when_no_reason_is_left(end: One) -> None:
    end.hold(AHEAD)
    end.hold(PRESSURE)
    end.hold(PRESSURE)
    end.release(PRESSURE)
    end.release(PRESSURE)
    assert done(end) == ["pause"]
    end.release(AHEAD)
    assert done(end) == ["resume"]


def test_closing_writes_what_is_left_and_nothing_after(end: One) -> None:
    end.send(b"last")
    end.close()
    end.close()
    end.send(b"more")
    end.flush()
    end.hold(AHEAD)
    end.release(AHEAD)
    assert done(end) == [b"last", "close", "pause"]
    end.abort()
    assert done(end) == ["abort"]


def test_its_owner_is_told(end: One) -> None:
    end.data_received(b"data")
    end.pause_writing()
    end.resume_writing()
    end.eof_received()
    assert end.told == [b"data", True, False, "over"]


def test_before_there_is_a_socket_nothing_happens() -> None:
    one = One()
    one.send(b"x")
    one.flush()
    one.hold(AHEAD)
    one.release(AHEAD)
    one.close()
    one.abort()
    assert one.told == []


def test_tls_is_taken_off(end: One, tmp_path: Path) -> None:
    files, contexts = tls.make(tmp_path), Contexts()
    client = Tls(contexts.trusted(files.ca), "localhost")
    client.shake()
    end.secure(Tls(contexts.served(files.cert, files.key)))
    while not client.ready:
        end.data_received(client.outgoing())
        client.receive(b"".join(part for part in done(end) if isinstance(part, bytes)))
    client.encrypt(b"hello")
    end.data_received(client.outgoing())
    end.send(b"answer")
    end.flush()
    # Tickets of the session may come before it (RFC 8446, 4.6.1).
    wire = b"".join(part for part in done(end) if isinstance(part, bytes))
    assert client.receive(wire) == b"answer"
    client.close()
    end.data_received(client.outgoing())
    assert end.told == ["secured", b"hello", "over"]
    end.close()
    client.receive(b"".join(part for part in done(end) if isinstance(part, bytes)))
    assert client.over


def test_nothing_is_said_before_the_handshake_is_over(end: One, tmp_path: Path) -> None:
    files = tls.make(tmp_path)
    end.secure(Tls(Contexts().served(files.cert, files.key)))
    end.send(b"in the clear")
    end.flush()
    assert done(end) == []
    assert end.told == ["insecure"]


def test_what_is_no_tls_is_said(end: One, tmp_path: Path) -> None:
    files = tls.make(tmp_path)
    end.secure(Tls(Contexts().served(files.cert, files.key)))
    end.data_received(b"in the clear, and long enough")
    assert end.told == ["insecure"]
    assert all(b"clear" not in part for part in done(end) if isinstance(part, bytes))
