"""The answer to a fetch as it comes: lines, which say what is coming, and a pack, which is kept.

In protocol 2 the lines stand in sections, the last of which is `packfile`; in the older ones they
are ACK and NAK (gitprotocol-pack). The pack comes in the first of three bands, progress in the
second, a fatal error in the third; without a side band it follows the lines as it is.

Nothing of the answer goes on until the pack was looked at, so that a refusal can stand in the place
of its first line, where git shows it as `fatal: remote error: …`. Where that takes long the lines
and the progress go on, and a refusal has the third band.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from proctor.errors import ClientError, UpstreamError
from proctor.protocols.git.pktline import DELIM, END, FLUSH, Line, Lines, Mark, pkt
from proctor.protocols.git.said import Said

PACK: Final = 1
PROGRESS: Final = 2
FATAL: Final = 3
BAND: Final = 65_515
"""Bytes of a pack in one packet (gitprotocol-common)."""
MAX_LEAD: Final = 64 * 2**20
"""Bytes of lines before the pack."""
KEEPALIVE: Final = b"0005\x01"
"""An empty piece of the pack, as git-upload-pack itself sends it."""

_MARKS: Final = {Mark.FLUSH: FLUSH, Mark.DELIM: DELIM, Mark.END: END}
_SECTIONS: Final = frozenset({b"acknowledgments", b"shallow-info", b"wanted-refs", b"packfile"})
_WORDS: Final = 3000


class State(Enum):
    """What comes next."""

    LINES = auto()
    BANDS = auto()
    RAW = auto()
    OVER = auto()


class FetchAnswer:
    """Takes an answer apart.

    Args:
        keep: Gets the pack, piece by piece.
        version: 2, or 0 for the older protocols.

    Attributes:
        state: What comes next.
        packed: There is a pack in it.
        refs: What `wanted-refs` told: names and ids.
        error: The server's own words where it says no; "" where it does not.
        said: All that it says: progress and errors.
    """

    def __init__(self, keep: Callable[[bytes], None], *, version: int) -> None:
        self.state = State.LINES
        self.packed = False
        self.refs: dict[str, str] = {}
        self.error = ""
        self.said = Said()
        self._keep = keep
        self._v2 = version == 2  # noqa: PLR2004 - the protocol's number
        self._lines = Lines()
        self._lead = bytearray()
        self._section = b""
        self._begin = True

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            UpstreamError: `git-answer`: they are no answer to a fetch.
        """
        if self.state is State.RAW:
            self._keep(data)
            return
        self._lines.feed(data)
        try:
            while (line := self._lines.next()) is not None:
                self._line(line)
        except ClientError as error:
            rest = self._lines.rest()
            if self._v2 or self.state is not State.LINES or not rest.startswith(b"PACK"):
                raise _unreadable(error.got) from None
            self.state, self.packed = State.RAW, True
            self._keep(rest)
        if len(self._lead) > MAX_LEAD:
            raise _unreadable("more lines than there can be")

    def finish(self) -> None:
        """No more bytes come.

        Raises:
            UpstreamError: `git-answer`: it is cut off.
        """
        if self.state is State.BANDS or self._lines.rest():
            raise _unreadable("an answer that is cut off")

    def lead(self) -> bytes:
        """Lines and progress that have come and were not asked for before."""
        found = bytes(self._lead)
        self._lead.clear()
        return found

    def _line(self, line: Line) -> None:
        if self.state is State.OVER:
            raise _unreadable("more after the pack")
        if self.state is State.BANDS:
            self._band(line)
        elif line.mark is not Mark.DATA:
            self._lead += _MARKS[line.mark]
            self._begin = True
        elif not self._v2 and line.data[:1] in {b"\1", b"\2", b"\3"}:
            self.state, self.packed = State.BANDS, True
            self._band(line)
        else:
            self._said(line)

    def _said(self, line: Line) -> None:
        text = line.text
        if text.startswith(b"ERR "):
            self.error = text[4:_WORDS].decode("utf-8", "backslashreplace")
            self.said.add(text[4:])
        elif self._v2 and self._begin:
            if text not in _SECTIONS:
                raise _unreadable("a section that is not known")
            self._section, self._begin = text, False
            if text == b"packfile":
                self.state, self.packed = State.BANDS, True
        elif self._section == b"wanted-refs":
            name, _, ref = text.partition(b" ")
            self.refs[ref.decode("utf-8", "backslashreplace")] = name.decode("latin-1")
        self._lead += pkt(line.data)

    def _band(self, line: Line) -> None:
        if line.mark is Mark.FLUSH:
            self.state = State.OVER
            return
        if line.mark is not Mark.DATA:
            raise _unreadable("a mark in the midst of a pack")
        band = line.data[0]
        if band == PACK:
            self._keep(line.data[1:])
        elif band == PROGRESS:
            self.said.add(line.data[1:])
            self._lead += pkt(line.data)
        elif band == FATAL:
            self.said.add(line.data[1:])
            self.error = line.data[1:_WORDS].decode("utf-8", "backslashreplace")
            self._lead += pkt(line.data)
        else:
            raise _unreadable("a band that is none")


def refusal(words: str, *, begun: bool) -> bytes:
    """How a client is told.

    Args:
        words: One line.
        begun: The lines before the pack have gone on.
    """
    said = words.replace("\n", " ").encode()[:_WORDS]
    return pkt(bytes([FATAL]) + said + b"\n") + FLUSH if begun else pkt(b"ERR " + said)


def banded(piece: bytes) -> bytes:
    """A piece of a pack in the first band."""
    return b"".join(
        pkt(bytes([PACK]) + piece[start : start + BAND]) for start in range(0, len(piece), BAND)
    )


def _unreadable(got: str) -> UpstreamError:
    return UpstreamError(
        "git-answer",
        "The git server's answer cannot be read",
        got=got,
        expected="an answer to a fetch (gitprotocol-v2, gitprotocol-pack)",
    )
