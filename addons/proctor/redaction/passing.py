"""Answers that are not redacted: nothing is looked at and nothing changes."""

from collections.abc import Mapping
from typing import Final

from proctor.model import Finding
from proctor.redaction.handling import Path, Rewritten, Text
from proctor.redaction.model import Document
from proctor.redaction.stream import Piece, Taken


class Passing:
    """Implements `Handling` where redaction is off, so that tool calls are judged all the same.

    Attributes:
        findings: None.
        looked: Nothing.
        skipped: Nothing is left out of what is not looked at.
    """

    def __init__(self) -> None:
        self.findings: dict[tuple[str, str, str], Finding] = {}
        self.skipped: dict[str, int] = {}
        self.looked = 0

    def stream(self) -> "_Through":
        """Lets all go at once."""
        return _THROUGH

    def swap(self, taken: Taken, location: str, *, signed: bool) -> Text:  # noqa: ARG002 - of Handling
        """Nothing is found, so nothing is swapped; a text is what it was."""
        return Text(taken.text, taken.text)

    def restore(self, text: str) -> str:
        """The text; where nothing is taken out, nothing is turned back."""
        return text

    def document(
        self,
        raw: bytes,
        location: str,  # noqa: ARG002 - of Handling
        *,
        exempt: Mapping[Path, str],  # noqa: ARG002 - of Handling
        signed: bool = False,  # noqa: ARG002 - of Handling
        restore: frozenset[str] | None = None,  # noqa: ARG002 - of Handling
    ) -> Rewritten:
        """The same bytes, whatever they are."""
        return Rewritten(raw, raw)

    def body(self, document: Document) -> Rewritten:
        """The same body."""
        raw = document.splice({})
        return Rewritten(raw, raw)


class _Through:
    """Lets every text go as it comes. It has no state, so one does for all."""

    held = 0

    def pieces(self, text: str) -> list[Piece]:
        """The text."""
        return [text]

    def rest(self) -> list[Piece]:
        """Nothing is held back."""
        return []


_THROUGH: Final = _Through()
