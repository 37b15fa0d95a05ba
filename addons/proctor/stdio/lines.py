r"""Messages on a byte stream, one a line (MCP 2026-07-28 and 2025-11-25, Transports, "stdio").

What one reader takes for a line end and another does not could hide a message in a message: Python
reads lines at `\r`, Node at U+2028 and U+2029, `str.splitlines` at U+0085. JSON knows the first as
white space, the others only inside of strings, so the one is refused and the others are escaped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 16 * 2**20
"""Bytes of one line."""

# In valid JSON these stand in strings only, so each may be written as its escape.
_ESCAPED: Final = (
    ("\u0085".encode(), b"\\u0085"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


@dataclass(frozen=True, slots=True)
class TooLong:
    """Stands for a line that was longer than may be; none of it is kept."""


class Lines:
    """Cuts a stream into lines; blank ones are passed over.

    Args:
        max_line: Bytes of one line, without its end.
    """

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max = max_line
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes | TooLong]:
        """Take the next bytes; gives the lines that they end, without their ends."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            yield from self._line()
        self._add(rest)

    def finish(self) -> Iterator[bytes | TooLong]:
        """The stream's end: what stands behind the last line end, where a writer left it out."""
        yield from self._line()

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _line(self) -> Iterator[bytes | TooLong]:
        line, size = b"".join(self._parts), self._size
        self._parts, self._size = [], 0
        if size > self._max:
            yield TooLong()
        elif line.strip():
            yield line.removesuffix(b"\r")


def framed(message: bytes) -> bytes:
    """A message, JSON, as a line that is one to every reader.

    Raises:
        ValueError: It has a line end in it.
    """
    if b"\n" in message or b"\r" in message:
        raise ValueError("a message with a line end in it")
    for raw, escape in _ESCAPED:
        message = message.replace(raw, escape)
    return message + b"\n"
