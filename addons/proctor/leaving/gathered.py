"""Many texts read as one, and the way back to each of them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import add
from typing import Final, NamedTuple

from proctor.redaction.model import Leaf

BETWEEN: Final = "\n\x1e\n"
PACKED: Final = -2
"""The leaf of what was read in bytes that are no text."""

_MOST: Final = 2**16  # characters of one gathering
_OVERLAP: Final = 2**12


class Place(NamedTuple):
    """A leaf of a request.

    Attributes:
        document: Which of its parts.
        leaf: Which of that part's leaves; -1 where it is no part of the message's own, `PACKED`
            where it was read in bytes that are no text.
        text: What it says.
        location: Where it stands.
        key: The nearest name before it.
    """

    document: int
    leaf: int
    text: str
    location: str
    key: str

    def __repr__(self) -> str:
        return f"Place({self.location!r})"


def places_of(documents: Iterable[tuple[int, Sequence[Leaf]]]) -> list[Place]:
    """The leaves of a message's parts."""
    return [
        _place(Place, (number, index, text, location, key))
        for number, leaves in documents
        for index, (text, location, key) in enumerate(leaves)
        if text
    ]


_place: Final = tuple.__new__  # its own takes twice the time


class Part(NamedTuple):
    """Characters `start` to `end` of one text of several."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """Several texts in one.

    Attributes:
        text: All of them.
        starts: Where each begins in it.
        ends: Where each ends.
        sources: Which text that is, and where in it.
    """

    text: str = field(repr=False)
    starts: Sequence[int]
    ends: Sequence[int]
    sources: Sequence[tuple[int, int]]

    def parts(self, start: int, end: int) -> list[Part]:
        """The texts that characters `start` to `end` lie in."""
        found = []
        first = max(0, bisect_right(self.starts, start) - 1)
        for at in range(first, len(self.starts)):
            begin = self.starts[at]
            if begin >= end:
                break
            last = self.ends[at]
            low, high = max(start, begin), min(end, last)
            if low < high:
                index, offset = self.sources[at]
                found.append(Part(index, offset + low - begin, offset + high - begin))
        return found


def gather(texts: Sequence[str], between: str = BETWEEN) -> Iterator[Gathered]:
    """The texts in as few as may be; a long one is cut, and its pieces overlap.

    Args:
        texts: In order.
        between: What stands between two.
    """
    if texts and sum(map(len, texts)) + len(between) * len(texts) <= _MOST:
        yield _gathered(texts, [(index, 0) for index in range(len(texts))], between)
        return
    pieces: list[str] = []
    sources: list[tuple[int, int]] = []
    size = 0
    for index, text in enumerate(texts):
        for offset, piece in ((0, text),) if len(text) <= _MOST else _cut(text):
            if size and size + len(piece) > _MOST:
                yield _gathered(pieces, sources, between)
                pieces, sources, size = [], [], 0
            pieces.append(piece)
            sources.append((index, offset))
            size += len(piece) + len(between)
    if pieces:
        yield _gathered(pieces, sources, between)


def _cut(text: str) -> Iterator[tuple[int, str]]:
    for offset in range(0, len(text) - _OVERLAP, _MOST - _OVERLAP):
        yield offset, text[offset : offset + _MOST]


def _gathered(pieces: Sequence[str], sources: list[tuple[int, int]], between: str) -> Gathered:
    sizes = list(map(len, pieces))
    step = len(between)
    starts = list(accumulate((size + step for size in sizes[:-1]), initial=0))
    return Gathered(between.join(pieces), starts, list(map(add, starts, sizes)), sources)
