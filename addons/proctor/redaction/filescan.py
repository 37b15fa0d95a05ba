"""What would be found in a file, with the line and column where it stands."""

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import Final, Protocol

from proctor.redaction.fields import Fields
from proctor.redaction.model import (
    CONFIGURED_FIELD,
    SECRETS,
    Budget,
    Change,
    Detector,
    Document,
    Skipped,
    Spot,
)
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.structure.body import read_body
from proctor.redaction.surrogates import masked
from proctor.redaction.treatment import WIDER, Treatments

_TYPES: Final = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".xml": "application/xml",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".htm": "text/html",
    ".form": "application/x-www-form-urlencoded",
}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_AROUND: Final = 40
"""Characters of the line that are shown on either side."""

_EXACT: Final = 30_000_000
"""Characters that may be put together anew to find places in one body."""

SECONDS: Final = 60.0
"""Time that one file may take."""

HITS: Final = 100_000
"""Raw findings in one file."""


class Body(Document, Protocol):
    """A document that can be put together as text, and whose leaves have paths."""

    @property
    def paths(self) -> Sequence[tuple[str | int, ...]]:
        """The path of each leaf."""
        ...

    def spliced(self, changes: Mapping[int, Sequence[Change]]) -> str:
        """The body with these changes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something found in a file. Lines and columns count from 1, columns in characters.

    Attributes:
        line: Where it begins.
        column: The same.
        end_line: Where it ends.
        end_column: The character after its last.
        type: Entity type.
        detector: Who found it.
        score: 0 to 1.
        location: The place in the file's structure, such as `customers[2].mail`.
        before: What stands before it in its line, other findings masked.
        after: What stands after it, likewise.
        value: What was found.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    type: str
    detector: str
    score: float
    location: str
    before: str = field(repr=False)
    after: str = field(repr=False)
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a look at one file gave."""

    hits: tuple[Hit, ...]
    skipped: tuple[Skipped, ...]


class FileScanner:
    """Looks at files as a gateway with these settings looks at bodies.

    Args:
        detector: Finds things.
        settings: What is looked for.
        clock: Monotonic, seconds.
    """

    def __init__(
        self,
        detector: Detector,
        settings: RedactionSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detector = detector
        self._fields = Fields(settings.fields)
        known = SECRETS | WIDER | frozenset(settings.entities)
        self._off = known - Treatments(settings).types
        self._clock = clock

    def scan(self, name: str, body: bytes) -> Scanned:
        """What would be found.

        Args:
            name: Of the file; its ending says what it holds.
            body: All of it.

        Raises:
            RedactionError: It could not be looked at whole.
        """
        content_type = _TYPES.get(PurePath(name).suffix.lower(), "")
        if not content_type and body.startswith(_UTF_16):
            content_type = "text/plain"
        document = read_body(body, content_type)
        found = self._spots(document)
        return Scanned(_placed(document, found), tuple(document.skipped))

    def _spots(self, document: Body) -> dict[int, tuple[Spot, ...]]:
        leaves = document.leaves
        found = self._detector.examine(leaves, Budget(SECONDS, HITS, self._clock))
        spots = {
            index: tuple(spot for spot in here if spot.type not in self._off)
            for index, here in found.items()
        }
        if self._fields and CONFIGURED_FIELD not in self._off:
            for index, path in enumerate(document.paths):
                text = leaves[index].text
                if text and path and self._fields.matches(path):
                    whole = Spot(0, len(text), CONFIGURED_FIELD, "proctor:fields", 1.0, text)
                    spots[index] = (whole,)
        return {index: here for index, here in sorted(spots.items()) if here}


def _placed(document: Body, found: Mapping[int, tuple[Spot, ...]]) -> tuple[Hit, ...]:
    if not found:
        return ()
    places = _Places(document)
    hits: list[Hit] = []
    for index, spots in found.items():
        leaf = document.leaves[index]
        for number, spot in enumerate(spots):
            line, column, end_line, end_column = places.of(index, spot.start, spot.end)
            hits.append(
                Hit(
                    line=line,
                    column=column,
                    end_line=end_line,
                    end_column=end_column,
                    type=spot.type,
                    detector=spot.detector,
                    score=spot.score,
                    location=leaf.location,
                    before=_before(leaf.text, spots, number),
                    after=_after(leaf.text, spots, number),
                    value=spot.value,
                )
            )
    return tuple(sorted(hits, key=lambda hit: (hit.line, hit.column)))


class _Places:
    """Where pieces of leaves are written in the body.

    A character is put in the place of one, and where the body then differs is where that one
    stands: so every way of writing a text is right. That costs the whole body each time; past
    `_EXACT` the next place is taken at which the same is plainly written.
    """

    def __init__(self, document: Body) -> None:
        self._document = document
        self._text = document.spliced({})
        self._lines = [0, *(match.end() for match in re.finditer("\n", self._text))]
        self._left = _EXACT
        self._index = -1
        self._start = 0
        self._verbatim = False
        self._last = 0

    def of(self, index: int, start: int, end: int) -> tuple[int, int, int, int]:
        """Line and column at which a piece of a leaf begins, and at which it ends."""
        text = self._document.leaves[index].text
        if index != self._index and self._left > 0:
            self._index = index
            self._start = self._differs(index, 0)
            self._verbatim = self._text.startswith(text, self._start)
        if index == self._index and self._verbatim:
            first, self._last = self._start + start, self._start + end
        elif self._left > 0:
            first, self._last = self._differs(index, start), self._differs(index, end - 1) + 1
        else:
            first = max(self._last, self._text.find(text[start:end], self._last))
            self._last = min(len(self._text), first + end - start)
        return (*self._at(first), *self._at(self._last))

    def _at(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _differs(self, index: int, character: int) -> int:
        self._left -= len(self._text)
        old = self._document.leaves[index].text[character]
        change = Change(character, character + 1, "1" if old == "0" else "0")
        return _common(self._text, self._document.spliced({index: (change,)}))


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _before(text: str, spots: Sequence[Spot], number: int) -> str:
    """What stands in the line before a finding, other findings masked."""
    end = spots[number].start
    begin = max(text.rfind("\n", 0, end) + 1, end - _AROUND)
    parts: list[str] = []
    while number and spots[number - 1].end > begin:
        number -= 1
        parts += (text[spots[number].end : end], masked(spots[number].type))
        end = spots[number].start
    parts.append(text[begin:end] if begin < end else "")
    return "".join(reversed(parts))


def _after(text: str, spots: Sequence[Spot], number: int) -> str:
    """What stands in the line after a finding, likewise."""
    begin = spots[number].end
    line = text.find("\n", begin)
    end = min(len(text) if line < 0 else line, begin + _AROUND)
    parts: list[str] = []
    for other in islice(spots, number + 1, None):
        if other.start >= end:
            break
        parts += (text[begin : other.start], masked(other.type))
        begin = other.end
    parts.append(text[begin:end] if begin < end else "")
    return "".join(parts)
