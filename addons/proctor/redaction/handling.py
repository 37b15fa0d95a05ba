"""What those who take an answer apart need done with its texts and documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from proctor.redaction.stream import Piece, Taken

type Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Bytes of an answer as the client gets them, and as they are recorded."""

    client: bytes = field(default=b"", repr=False)
    record: bytes = field(default=b"", repr=False)

    def __add__(self, other: "Rewritten") -> "Rewritten":
        return Rewritten(self.client + other.client, self.record + other.record)


@dataclass(frozen=True, slots=True)
class Text:
    """Characters of an answer as the client gets them, and as they are recorded."""

    client: str = field(default="", repr=False)
    record: str = field(default="", repr=False)


def joined(parts: Sequence[Rewritten]) -> Rewritten:
    """All of them, one after another."""
    return Rewritten(
        b"".join(part.client for part in parts), b"".join(part.record for part in parts)
    )


class Texts(Protocol):
    """One text, taken apart while it comes; `stream.TextStream` looks at it."""

    @property
    def held(self) -> int:
        """Characters that came and were not let go."""
        ...

    def pieces(self, text: str) -> list[Piece]:
        """Take the next text; returns what may go on, and what was found in it."""
        ...

    def rest(self) -> list[Piece]:
        """The rest, at the text's end."""
        ...


class Handling(Protocol):
    """Looks, decides and remembers for one answer. All may raise RedactionError or RefusedError."""

    def stream(self) -> Texts:
        """A stream for one more text."""
        ...

    def swap(self, taken: Taken, location: str, *, signed: bool) -> Text:
        """What takes the place of something found, and remember that it was found.

        Args:
            taken: What was found. Where its detector is HELD_TOO_LONG, its text and value may not
                be all of it, so it can only be masked.
            location: Where, such as `content[0].text`.
            signed: The client gets the text as it is, since it is signed.
        """
        ...

    def restore(self, text: str) -> str:
        """A text without spots, surrogates turned back as the client may see them."""
        ...

    def document(
        self,
        raw: bytes,
        location: str,
        *,
        exempt: Mapping[Path, str],
        signed: bool = False,
        restore: frozenset[str] | None = None,
    ) -> Rewritten:
        """One JSON value, redacted; the same bytes where nothing is found in it.

        Args:
            raw: UTF-8.
            location: What its leaves' locations begin with; "" for the body itself.
            exempt: Strings that are not looked at, and why.
            signed: The client gets the bytes as they are.
            restore: Entity types whose surrogates the client sees turned back; None for those
                that are turned back in text.

        Raises:
            ClientError: `body-not-json`.
        """
        ...


class Words:
    """One text on its way through a TextStream.

    Args:
        handling: Does the work.
        location: Where the text stands.
        signed: The client has got it as it is.
    """

    def __init__(self, handling: Handling, location: str, *, signed: bool = False) -> None:
        self._handling = handling
        self._stream = handling.stream()
        self._location = location
        self._signed = signed

    @property
    def held(self) -> int:
        """Characters held back."""
        return self._stream.held

    def feed(self, text: str) -> Text:
        """Take the next text; returns what may go on."""
        return self._text(self._stream.pieces(text))

    def finish(self) -> Text:
        """The rest, at the text's end."""
        return self._text(self._stream.rest())

    def _text(self, pieces: list[Piece]) -> Text:
        client: list[str] = []
        record: list[str] = []
        for piece in pieces:
            if isinstance(piece, str):
                client.append(self._handling.restore(piece))
                record.append(piece)
            else:
                text = self._handling.swap(piece, self._location, signed=self._signed)
                client.append(text.client)
                record.append(text.record)
        return Text("".join(client), "".join(record))


def whole_text(handling: Handling, text: str, location: str) -> Text:
    """A text that is there as a whole."""
    words = Words(handling, location)
    first, last = words.feed(text), words.finish()
    return Text(first.client + last.client, first.record + last.record)
