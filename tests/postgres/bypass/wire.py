"""A client of the protocol that sends what a case says and keeps every byte that comes back.

https://www.postgresql.org/docs/15/protocol-message-formats.html
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

_PROTOCOL = 3 << 16
_ENDS = b"Z"
_PATIENCE = 30  # seconds without a byte
SYNC = b"S\0\0\0\4"
IDLE = b"Z\0\0\0\5I"


@dataclass(slots=True)
class Received:
    """What came back.

    Attributes:
        raw: All of it.
        kinds: The messages' letters, in their order.
        values: Of DataRow and CopyData messages, NULLs left out.
        columns: The same by column of DataRow.
        words: Of all that carries text: errors, notices, parameters, notifications, tags, names.
        codes: SQLSTATEs of ErrorResponse messages.
        tags: Of CommandComplete messages, such as `UPDATE 1`.
    """

    raw: bytes = b""
    kinds: list[str] = field(default_factory=list[str])
    values: list[bytes] = field(default_factory=list[bytes])
    columns: list[list[bytes]] = field(default_factory=list[list[bytes]])
    words: list[bytes] = field(default_factory=list[bytes])
    codes: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])

    @property
    def said(self) -> list[str]:
        """The messages of errors and notices."""
        return [each[1:].decode(errors="replace") for each in self.words if each[:1] == b"M"]

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Take the bytes apart.

        Raises:
            ValueError: They are no messages of the protocol.
        """
        own = cls(raw=raw)
        at = 0
        while at < len(raw):
            kind, length = struct.unpack_from("!cI", raw, at)
            body = raw[at + 5 : at + 1 + length]
            if len(body) != length - 4:
                raise ValueError("a message is cut off")
            own._message(kind.decode("latin-1"), body)
            at += 1 + length
        return own

    def _message(self, kind: str, body: bytes) -> None:
        self.kinds.append(kind)
        if kind == "D":
            for number, value in enumerate(_cells(body)):
                if number == len(self.columns):
                    self.columns.append([])
                if value is not None:
                    self.values.append(value)
                    self.columns[number].append(value)
        elif kind in {"d", "V"}:
            self.values.append(body)
        elif kind not in {"K", "Z"}:
            self.words += body.split(b"\0")
        if kind == "C":
            self.tags.append(body[:-1].decode())
        if kind == "E":
            self.codes += [each[1:].decode() for each in body.split(b"\0") if each[:1] == b"C"]


def _cells(body: bytes) -> Iterator[bytes | None]:
    (count,) = struct.unpack_from("!h", body)
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        yield None if length < 0 else body[at : at + length]
        at += max(length, 0)


def message(kind: bytes, *parts: bytes) -> bytes:
    """One message."""
    body = b"".join(parts)
    return kind + struct.pack("!I", len(body) + 4) + body


def text(value: str) -> bytes:
    """A String of the protocol."""
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    """The simple protocol."""
    return message(b"Q", text(sql))


def parse(sql: str, name: str = "") -> bytes:
    """Parse, all types left to the server."""
    return message(b"P", text(name), text(sql), b"\0\0")


def describe(kind: str, name: str = "") -> bytes:
    """Describe of a (S)tatement or (P)ortal."""
    return message(b"D", kind.encode(), text(name))


def bind(values: Sequence[str], *, statement: str = "", portal: str = "", result: int = 0) -> bytes:
    """Bind of text values; `result` 1 asks for binary ones."""
    given = b"".join(struct.pack("!i", len(each.encode())) + each.encode() for each in values)
    return message(
        b"B", text(portal), text(statement), struct.pack("!hh", 0, len(values)), given,
        struct.pack("!hh", 1, result),
    )  # fmt: skip


def close(kind: str, name: str) -> bytes:
    """Close of a (S)tatement or (P)ortal."""
    return message(b"C", kind.encode(), text(name))


def execute(portal: str = "", rows: int = 0) -> bytes:
    """Execute, of at most so many rows."""
    return message(b"E", text(portal), struct.pack("!i", rows))


class Client:
    """One session. The password is sent in the clear."""

    def __init__(self, host: str, port: int, user: str, database: str, password: str) -> None:
        self._socket = socket.create_connection((host, port), _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own = text("user") + text(user) + text("database") + text(database) + b"\0"
        self._socket.sendall(struct.pack("!II", len(own) + 8, _PROTOCOL) + own)
        self._buffer = self._last = b""
        self._until(b"R")
        self._buffer = b""
        self._socket.sendall(message(b"p", text(password)))
        self.greeting = self.until_ready()

    def close(self) -> None:
        """Without a word."""
        self._socket.close()

    def renew(self) -> Received:
        """Leave the transaction and all that a session keeps."""
        self.send(query("ROLLBACK") + query("DISCARD ALL"))
        return self.until_ready(2)

    def send(self, data: bytes) -> None:
        """As it is."""
        self._socket.sendall(data)

    def until_ready(self, times: int = 1) -> Received:
        """All up to the ReadyForQuery, or so many of them, or the end of the connection."""
        return Received.read(self._until(_ENDS, times))

    def skip(self) -> None:
        """All up to a ReadyForQuery outside a transaction, quickly and kept nowhere."""
        buffer, tail = bytearray(1 << 20), b""
        while not tail.endswith(IDLE):
            count = self._socket.recv_into(buffer)
            if not count:
                raise ConnectionError("the connection has ended")
            tail = (tail + bytes(buffer[max(0, count - 6) : count]))[-6:]

    def until_copied(self, data: bytes) -> Received:
        """All up to the ReadyForQuery; where the server asks for data it gets these."""
        found = b""
        while True:
            found += self._until(b"ZG")
            if self._last != b"G":
                return Received.read(found)
            self.send(message(b"d", data) + message(b"c"))

    def _until(self, kinds: bytes, times: int = 1) -> bytes:
        at = 0
        while True:
            while len(self._buffer) >= at + 5:
                kind, length = struct.unpack_from("!cI", self._buffer, at)
                if len(self._buffer) < at + 1 + length:
                    break
                at += 1 + length
                times -= kind in kinds
                self._last = kind
                if not times:
                    found, self._buffer = self._buffer[:at], self._buffer[at:]
                    return found
            more = self._socket.recv(65536)
            if not more:
                found, self._buffer = self._buffer, b""
                return found
            self._buffer += more
