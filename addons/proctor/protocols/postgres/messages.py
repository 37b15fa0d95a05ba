"""Cuts a stream into messages, and writes the ones we make (PostgreSQL, 54.2 and 54.7).

A message after the start-up is one byte that says its kind, four that say its length, themselves
included, and its body. Runs of rows are handed on in one piece: nobody looks at each of them but
where one of them is changed.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from proctor.errors import ClientError
from proctor.protocols.postgres.scanning import ALONE, PASSES, RUNS

try:
    from proctor.protocols.postgres._scan import bound, cut, row
except ImportError:  # it was installed without a compiler
    from proctor.protocols.postgres.scanning import bound, cut, row

HEAD: Final = Struct("!BI")
_INT32: Final = Struct("!i")

BEGIN: Final = 5
"""Bytes of kind and length."""

LONG: Final = 256 * 1024
"""Bytes from which on a message that may be handed on in parts is."""


class Front:
    """Kinds of messages that clients send (54.7, marked F)."""

    BIND: Final = ord("B")
    CLOSE: Final = ord("C")
    COPY_DATA: Final = ord("d")
    COPY_DONE: Final = ord("c")
    COPY_FAIL: Final = ord("f")
    DESCRIBE: Final = ord("D")
    EXECUTE: Final = ord("E")
    FLUSH: Final = ord("H")
    FUNCTION_CALL: Final = ord("F")
    PARSE: Final = ord("P")
    QUERY: Final = ord("Q")
    SYNC: Final = ord("S")
    TERMINATE: Final = ord("X")
    ALL: Final = frozenset(b"BCdcfDEHFPQSX")


class Back:
    """Kinds of messages that servers send after sign-in (54.7, marked B)."""

    PARSE_COMPLETE: Final = ord("1")
    BIND_COMPLETE: Final = ord("2")
    CLOSE_COMPLETE: Final = ord("3")
    NOTIFICATION: Final = ord("A")
    COMMAND_COMPLETE: Final = ord("C")
    COPY_DONE: Final = ord("c")
    DATA_ROW: Final = ord("D")
    COPY_DATA: Final = ord("d")
    ERROR: Final = ord("E")
    COPY_IN: Final = ord("G")
    COPY_OUT: Final = ord("H")
    EMPTY_QUERY: Final = ord("I")
    NOTICE: Final = ord("N")
    NO_DATA: Final = ord("n")
    PARAMETER_STATUS: Final = ord("S")
    PORTAL_SUSPENDED: Final = ord("s")
    PARAMETER_DESCRIPTION: Final = ord("t")
    ROW_DESCRIPTION: Final = ord("T")
    READY: Final = ord("Z")
    ALL: Final = frozenset(b"123ACcDdEGHINnSstTZ")


SYNC: Final = b"S\x00\x00\x00\x04"
FLUSH: Final = b"H\x00\x00\x00\x04"


class Piece(NamedTuple):
    """What was cut off the stream.

    Attributes:
        kind: The message's first byte.
        data: One message whole, several of one kind, or a part of a long one.
        count: Messages that end in it: 0 for a part that goes on.
        starts: Whether it begins with the head of a message.
    """

    kind: int
    data: bytes
    count: int  # type: ignore[assignment]  # a tuple's own method of that name is not used
    starts: bool

    @property
    def body(self) -> bytes:
        """Of one whole message."""
        return self.data[BEGIN:]


class Reader:
    """Cuts one direction of a connection.

    Args:
        kinds: That may come.
        limit: Bytes that a message may have which is handed on whole.
        runs: Kinds that may be handed on several at once.
        passing: Of these, the kinds that may be handed on in parts where they are long.
    """

    def __init__(
        self,
        kinds: frozenset[int],
        *,
        limit: int,
        runs: frozenset[int] = frozenset(),
        passing: frozenset[int] = frozenset(),
    ) -> None:
        self.runs = runs
        self.passing = passing
        self._kinds = kinds
        self._sorts = _sorts(kinds, runs, passing)
        self._limit = limit
        self._parts: list[bytes] = []
        self._have = 0
        self._need = BEGIN
        self._skip = 0
        self._skipped = 0

    @property
    def waiting(self) -> bool:
        """Whether a message has begun that is not yet there."""
        return bool(self._have or self._skip)

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes.

        Raises:
            ClientError: Code `pg-message`: what comes is no message, or too long.
        """
        if self._have:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
            self._parts.clear()
            self._have = 0
        return self._cut(data)

    def _cut(self, data: bytes) -> list[Piece]:
        found: list[Piece] = []
        if self._skip:
            at = min(self._skip, len(data))
            self._skip -= at
            found.append(Piece(self._skipped, data[:at], int(not self._skip), starts=False))
            data = data[at:]
        whole, at = cut(Piece, data, self._sorts, self._limit)
        found += whole
        self._need = BEGIN
        if len(data) - at >= BEGIN:
            kind, length = HEAD.unpack_from(data, at)
            self._check(kind, length)
            end = at + 1 + length
            if kind in self.passing and length > LONG:
                self._skip, self._skipped = end - len(data), kind
                found.append(Piece(kind, data[at:], 0, starts=True))
                return found
            if length > self._limit:
                raise _wrong(f"one of {length} bytes", f"at most {self._limit}")
            self._need = end - at
        if at < len(data):
            self._parts.append(data[at:] if at else data)
            self._have = len(data) - at
        return found

    def _check(self, kind: int, length: int) -> None:
        if kind not in self._kinds:
            raise _wrong(f"one of kind {kind:#04x}", "a kind that may come here")
        if length < BEGIN - 1:
            raise _wrong(f"a length of {length}", "at least 4, its own bytes")
        if length > self._limit and kind not in self.passing:
            raise _wrong(f"one of {length} bytes", f"at most {self._limit}")


@lru_cache(maxsize=32)
def _sorts(kinds: frozenset[int], runs: frozenset[int], passing: frozenset[int]) -> bytes:
    """How each of the 256 kinds is handed on; one for all readers that are alike."""

    def sort(kind: int) -> int:
        if kind not in kinds:
            return 0
        if kind not in runs:
            return ALONE
        return PASSES if kind in passing else RUNS

    return bytes(map(sort, range(256)))


def each(data: bytes) -> Iterable[bytes]:
    """The messages of a run, one by one, whole."""
    at = 0
    while at < len(data):
        end = at + 1 + HEAD.unpack_from(data, at)[1]
        yield data[at:end]
        at = end


def message(kind: int, body: bytes) -> bytes:
    """One message."""
    return HEAD.pack(kind, len(body) + 4) + body


def string(body: bytes, at: int = 0) -> tuple[bytes, int]:
    """A C string, without its end, and where the next thing begins.

    Raises:
        ClientError: Code `pg-message`: it has no end.
    """
    end = body.find(b"\0", at)
    if end < 0:
        raise _wrong("a text without end", "a zero byte")
    return body[at:end], end + 1


class Parse(NamedTuple):
    """A client's Parse."""

    name: bytes
    query: bytes
    types: tuple[int, ...]


class Bind(NamedTuple):
    """A client's Bind.

    Attributes:
        portal: Name of what it makes.
        statement: Name of what it is made of.
        formats: Of the parameters: none, one for all, or one each; 0 text, 1 binary.
        values: The parameters; None for NULL.
        results: Formats wanted for the columns, likewise.
    """

    portal: bytes
    statement: bytes
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    results: tuple[int, ...]


def read_parse(body: bytes) -> Parse:
    """Read a Parse.

    Raises:
        ClientError: Code `pg-message`.
    """
    name, at = string(body)
    query, at = string(body, at)
    count, at = _int16(body, at)
    types = _numbers(body, at, count)
    if at + 4 * count != len(body):
        raise _wrong("bytes after its end", "none")
    return Parse(name, query, types)


def write_parse(parse: Parse) -> bytes:
    """A Parse as bytes."""
    types = b"".join(number.to_bytes(4, "big") for number in parse.types)
    return message(
        Front.PARSE, b"%b\0%b\0%b%b" % (parse.name, parse.query, _count(parse.types), types)
    )


def read_bind(body: bytes) -> Bind:
    """Read a Bind.

    Raises:
        ClientError: Code `pg-message`.
    """
    found = bound(body)
    if found is None:
        raise _wrong("a Bind that does not end where its parts do", "its parts")
    return Bind(*found)


def write_bind(bind: Bind) -> bytes:
    """A Bind as bytes."""
    parts = [bind.portal, b"\0", bind.statement, b"\0", _count(bind.formats)]
    parts += [number.to_bytes(2, "big") for number in bind.formats]
    parts.append(_count(bind.values))
    for value in bind.values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts += [len(value).to_bytes(4, "big"), value]
    parts.append(_count(bind.results))
    parts += [number.to_bytes(2, "big") for number in bind.results]
    return message(Front.BIND, b"".join(parts))


def read_named(body: bytes) -> tuple[int, bytes]:
    """What a Describe or a Close is about: `S` or `P`, and its name.

    Raises:
        ClientError: Code `pg-message`.
    """
    if body[:1] not in {b"S", b"P"}:
        raise _wrong("neither a statement nor a portal", "S or P")
    name, at = string(body, 1)
    if at != len(body):
        raise _wrong("bytes after its end", "none")
    return body[0], name


def write_named(kind: int, what: int, name: bytes) -> bytes:
    """A Describe or a Close."""
    return message(kind, b"%c%b\0" % (what, name))


def read_execute(body: bytes) -> tuple[bytes, int]:
    """The portal's name, and how many rows are wanted, 0 for all.

    Raises:
        ClientError: Code `pg-message`.
    """
    name, at = string(body)
    if at + 4 != len(body):
        raise _wrong(f"{len(body) - at} bytes after the name", "4")
    return name, _INT32.unpack_from(body, at)[0]


def write_execute(portal: bytes, rows: int = 0) -> bytes:
    """An Execute."""
    return message(Front.EXECUTE, portal + b"\0" + _INT32.pack(rows))


def read_row(body: bytes) -> list[bytes | None]:
    """The values of a DataRow; None for NULL.

    Raises:
        ClientError: Code `pg-message`.
    """
    values = row(body)
    if values is None:
        raise _wrong("a row of another length", "what its values add up to")
    return values


def _int16(body: bytes, at: int) -> tuple[int, int]:
    """Counts are unsigned in fact (libpq)."""
    if at + 2 > len(body):
        raise _wrong("a message that is cut off", "a number")
    return int.from_bytes(body[at : at + 2], "big"), at + 2


def _numbers(body: bytes, at: int, count: int) -> tuple[int, ...]:
    if at + 4 * count > len(body):
        raise _wrong("a message that is cut off", f"{count} numbers")
    return tuple(
        int.from_bytes(body[start : start + 4], "big") for start in range(at, at + 4 * count, 4)
    )


def _count(items: Sequence[object]) -> bytes:
    return len(items).to_bytes(2, "big")


def _wrong(got: str, expected: str) -> ClientError:
    return ClientError(
        "pg-message",
        "This is no message of PostgreSQL's protocol that can be taken here",
        got=got,
        expected=expected,
    )
