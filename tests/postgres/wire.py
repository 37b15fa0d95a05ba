"""A client that says exactly what a test has it say, message by message."""

import socket
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

from proctor.protocols.postgres import messages
from proctor.protocols.postgres.fields import Fields, read_fields
from proctor.protocols.postgres.messages import SYNC, Back, Bind, Front, Parse, Piece, Reader, each
from tests.postgres.gateway import Through

PATIENCE = 30.0
"""Seconds to wait for an answer."""

_SIGN_IN = frozenset(b"RK")


@dataclass
class Wire:
    """One connection, signed in.

    Attributes:
        pid: Of the server's process.
        secret: Of the connection's cancels.
    """

    socket: socket.socket
    pid: int = 0
    secret: bytes = b""
    _reader: Reader = field(
        default_factory=lambda: Reader(
            Back.ALL | _SIGN_IN, limit=2**26, runs=frozenset({Back.DATA_ROW})
        )
    )
    _pieces: list[Piece] = field(default_factory=list[Piece])

    @classmethod
    def open(cls, to: Through, *, database: str, token: str = "", **parameters: str) -> Self:
        """Connect, and sign in."""
        wire = cls(socket.create_connection((to.host, to.port), timeout=PATIENCE))
        said = {"user": to.user, "database": database, **parameters}
        body = b"".join(f"{key}\0{value}\0".encode() for key, value in said.items()) + b"\0"
        wire.send((len(body) + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + body)
        found = wire.until(ord("R"))
        assert found[-1].body == b"\0\0\0\x03", "it asks for a password in the clear"
        wire.send(messages.message(ord("p"), (token or to.token()).encode() + b"\0"))
        for piece in wire.until(Back.READY):
            if piece.kind == ord("K"):
                wire.pid = int.from_bytes(piece.body[:4], "big")
                wire.secret = piece.body[4:]
        return wire

    def send(self, *data: bytes) -> None:
        """Send all of it at once."""
        self.socket.sendall(b"".join(data))

    def next(self) -> Piece | None:
        """The next message; None where the connection has ended."""
        while not self._pieces:
            data = self.socket.recv(65536)
            if not data:
                return None
            for piece in self._reader.feed(data):
                self._pieces += [Piece(piece.kind, one, 1, starts=True) for one in each(piece.data)]
        return self._pieces.pop(0)

    def until(self, kind: int) -> list[Piece]:
        """All messages up to the first of this kind, or to an end."""
        found: list[Piece] = []
        while not found or found[-1].kind != kind:
            piece = self.next()
            if piece is None:
                break
            found.append(piece)
        return found

    def ask(self, *data: bytes, readies: int = 1) -> list[Piece]:
        """Send, and give what comes until the server is ready, so many times."""
        self.send(*data)
        return [piece for _ in range(readies) for piece in self.until(Back.READY)]

    def query(self, sql: str) -> list[Piece]:
        """One simple query."""
        return self.ask(query(sql))

    def cancel(self, to: Through) -> None:
        """Ask for what runs to be cancelled."""
        body = (80877102).to_bytes(4, "big") + self.pid.to_bytes(4, "big") + self.secret
        with closing(socket.create_connection((to.host, to.port), timeout=PATIENCE)) as other:
            other.sendall((len(body) + 4).to_bytes(4, "big") + body)
            other.recv(1)

    def close(self) -> None:
        """Go away."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def query(sql: str) -> bytes:
    """A Query."""
    return messages.message(Front.QUERY, sql.encode() + b"\0")


def parse(sql: str, name: str = "", types: Iterable[int] = ()) -> bytes:
    """A Parse."""
    return messages.write_parse(Parse(name.encode(), sql.encode(), tuple(types)))


def bind(*values: bytes | None, portal: str = "", statement: str = "") -> bytes:
    """A Bind in text."""
    return messages.write_bind(Bind(portal.encode(), statement.encode(), (), values, ()))


def execute(portal: str = "", rows: int = 0) -> bytes:
    """An Execute."""
    return messages.write_execute(portal.encode(), rows)


def describe(what: str, name: str = "") -> bytes:
    """A Describe."""
    return messages.write_named(Front.DESCRIBE, ord(what), name.encode())


def close(what: str, name: str = "") -> bytes:
    """A Close."""
    return messages.write_named(Front.CLOSE, ord(what), name.encode())


def run(sql: str, *values: bytes | None) -> bytes:
    """A statement by the extended protocol, up to its Sync."""
    return parse(sql) + bind(*values) + describe("P") + execute() + SYNC


def kinds(pieces: Iterable[Piece]) -> str:
    """What came, by the letters of the messages; what may come at any time is left out."""
    return "".join(chr(piece.kind) for piece in pieces if chr(piece.kind) not in "NSA")


def rows(pieces: Iterable[Piece]) -> list[list[bytes | None]]:
    """The rows among them."""
    return [messages.read_row(piece.body) for piece in pieces if piece.kind == Back.DATA_ROW]


def errors(pieces: Iterable[Piece]) -> list[Fields]:
    """The errors among them."""
    return [read_fields(piece.body) for piece in pieces if piece.kind == Back.ERROR]


def notices(pieces: Iterable[Piece]) -> list[Fields]:
    """The notices among them."""
    return [read_fields(piece.body) for piece in pieces if piece.kind == Back.NOTICE]
