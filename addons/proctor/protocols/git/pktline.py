"""pkt-lines: a length in four hex digits, itself counted, and as many bytes (gitprotocol-common).

`0000` ends a list (flush), `0001` a part of a request (delim), `0002` an answer (response-end).
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from proctor.errors import ClientError

HEAD: Final = 4
MAX_LINE: Final = 65520
"""Bytes of a pkt-line with its length (gitprotocol-common)."""

MAX_DATA: Final = MAX_LINE - HEAD
FLUSH: Final = b"0000"
DELIM: Final = b"0001"
END: Final = b"0002"

_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


class Mark(IntEnum):
    """What a line is, by its length."""

    FLUSH = 0
    DELIM = 1
    END = 2
    DATA = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One pkt-line.

    Attributes:
        mark: What it is.
        data: What it says; empty unless `mark` is DATA.
    """

    mark: Mark
    data: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> bytes:
        """Without the newline at its end, which says nothing."""
        return self.data.removesuffix(b"\n")


class Lines:
    """Takes bytes, gives lines."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data

    def next(self) -> Line | None:
        """The next line, or None where it has not come whole.

        Raises:
            ClientError: `git-malformed`: the length is none.
        """
        if len(self._buffer) < HEAD:
            return None
        head = bytes(self._buffer[:HEAD])
        if not _HEX.issuperset(head):
            raise malformed("a line whose length is not four hex digits")
        length = int(head, 16)
        if length <= Mark.END:
            del self._buffer[:HEAD]
            return Line(Mark(length))
        if not HEAD <= length <= MAX_LINE:
            raise malformed(f"a line of {length} bytes")
        if len(self._buffer) < length:
            return None
        data = bytes(self._buffer[HEAD:length])
        del self._buffer[:length]
        return Line(Mark.DATA, data)

    def rest(self) -> bytes:
        """What has come and is no line yet; it is taken out."""
        found = bytes(self._buffer)
        self._buffer.clear()
        return found


def pkt(data: bytes) -> bytes:
    """One line.

    Args:
        data: 1 to MAX_DATA bytes.
    """
    if not 0 < len(data) <= MAX_DATA:
        raise ValueError("a pkt-line holds 1 to 65516 bytes")
    return b"%04x%s" % (len(data) + HEAD, data)


def malformed(got: str) -> ClientError:
    """What is said of bytes that are not git's protocol."""
    return ClientError(
        "git-malformed",
        "This is not git's protocol as gitprotocol-common has it",
        got=got,
    )
