"""Credentials of ours that the server repeats: the client gets asterisks.

A password may stand in a table of settings, in a view of connections or users, in a notice. It is
put out before anything else is done with what the server says, and whether or not rows are looked
at or masked. No value reaches beyond its message, and as many bytes take its place: so messages
stay as they are cut.
"""

from collections.abc import Callable, Sequence
from typing import Final

from proctor.credentials.echo import Echo, Values
from proctor.model import Finding
from proctor.protocols.postgres.messages import Back, Piece

_ROWS: Final = frozenset({Back.DATA_ROW, Back.COPY_DATA})


class Echoing:
    """Of one connection.

    Args:
        known: Credentials, as they are now.
        found: Told what was put out, and how often.
    """

    def __init__(
        self,
        known: Callable[[], tuple[Values, ...]],
        found: Callable[[Sequence[tuple[Finding, int]]], None],
    ) -> None:
        self._known = known
        self._found = found
        self._parts: Echo | None = None  # of a message that comes in parts

    def clean(self, data: bytes) -> bool:
        """Whether there is none in some whole messages."""
        for values in self._known():  # noqa: SIM110 - this is done for every answer
            if values.find(data):
                return False
        return True

    def put_out(self, piece: Piece) -> Piece:
        """The piece with none in it; the end of a part may come with the next one."""
        echo = self._parts or Echo(self._known())
        place = "rows" if piece.kind in _ROWS else "message"
        if piece.starts and piece.count:
            data = echo.whole(piece.data, place)
        else:
            data = echo.feed(piece.data, place)
            if piece.count:
                data += echo.finish()
            self._parts = None if piece.count else echo
        found = echo.since()
        if found:
            self._found(found)
        return piece if data is piece.data else piece._replace(data=data)
