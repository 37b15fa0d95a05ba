"""What a git server says beside packs: progress, errors, and the report of a push.

git prints the second and third band after `remote: `, so that whoever runs it, or a model that
reads its output, reads that (gitprotocol-common, side-band). Of a push the first band holds lines
of its own: `unpack ok`, and a line for each ref (gitprotocol-pack, Report Status).
"""

from typing import Final

from proctor.errors import ClientError
from proctor.protocols.git.pktline import Lines, Mark

MOST: Final = 32 * 1024
"""Bytes that are kept; what comes after is counted."""

_REPORT: Final = b"\x01"
_SPOKEN: Final = frozenset({b"\x02", b"\x03"})


class Said:
    """Text that comes in pieces.

    Attributes:
        size: Bytes of it.
    """

    def __init__(self) -> None:
        self.size = 0
        self._text = bytearray()
        self._new = bytearray()

    def add(self, data: bytes) -> None:
        """Take the next piece."""
        self.size += len(data)
        self._text += data[: MOST - len(self._text)]
        self._new += data

    def take(self) -> bytes:
        """What is new since it was last asked."""
        new = bytes(self._new)
        self._new.clear()
        return new

    @property
    def text(self) -> str:
        """What was kept."""
        return self._text.decode("utf-8", "backslashreplace")


class PushSaid:
    """The answer to a push, read while it passes.

    Args:
        side_band: It comes in bands; else it is the report alone.

    Attributes:
        said: All that it says, in the order in which it comes.
    """

    def __init__(self, *, side_band: bool) -> None:
        self.said = Said()
        self._side_band = side_band
        self._lines = Lines()
        self._report = Lines()
        self._broken = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; what is no line is text all the same."""
        if self._broken:
            self.said.add(data)
            return
        self._lines.feed(data)
        try:
            while (line := self._lines.next()) is not None:
                if line.mark is Mark.DATA:
                    self._line(line.data)
        except ClientError:
            self._broken = True
            self.finish()

    def finish(self) -> None:
        """No more bytes come: what is left is text, too."""
        self.said.add(self._report.rest() + self._lines.rest())

    def _line(self, data: bytes) -> None:
        band = data[:1]
        if not self._side_band or (band != _REPORT and band not in _SPOKEN):
            self.said.add(data)
        elif band in _SPOKEN:
            self.said.add(data[1:])
        else:
            self._report.feed(data[1:])
            while (line := self._report.next()) is not None:
                self.said.add(line.data)
