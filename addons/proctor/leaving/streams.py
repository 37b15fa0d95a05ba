"""Short values that went to one place, one after the other, read as one text.

Who cuts a secret in pieces sends them as a parameter, a segment of a path, a label of a host name,
a header; in one request or in many. Each such place has a stream, and so has the site as a whole.
Where a number stands beside a piece (`part=2`), the pieces are read in that order, too.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter
from typing import Final, NamedTuple

STREAMS: Final = 256
"""Places of one principal that are remembered at once."""

PIECES: Final = 96
"""Values of one place."""

LONGEST: Final = 96
"""Characters of a piece; what is longer is looked at by itself."""

_CHARACTERS: Final = 2048  # of one place
_INDEX: Final = re.compile(
    r"(?:chunk|part|piece|seq|sequence|index|idx|page|offset|order|num|number|no|pos|step|count"
    r"|id|frag|fragment|i|n|p|k|x|s)(?:[_-]?(?:id|no|num|number|index))?",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"0*(\d{1,4})(?:(?:/|-|_| ?of ?)\d{1,4})?")
_OWN: Final = re.compile(r"(\d{1,4})\D{0,3}$")
_FIRST: Final = re.compile(r"[.\[→]")
_TOKEN: Final = re.compile(r"[!-~]{1,96}")


class Value(NamedTuple):
    """One value of a request.

    Attributes:
        place: Where, by name: `query.d`, `path`, `host`.
        key: The nearest name before it.
        text: The value.
    """

    place: str
    key: str
    text: str

    def __repr__(self) -> str:
        return f"Value({self.place!r})"


class Joined(NamedTuple):
    """Values of one place in one order.

    Attributes:
        text: All of them, without anything between.
        starts: Where each begins.
        new: Which of them are of this request, by their index in it; -1 for earlier ones.
        sent: The number of the request that each came in.
    """

    text: str
    starts: Sequence[int]
    new: Sequence[int]
    sent: Sequence[int]

    def __repr__(self) -> str:
        return f"Joined({len(self.starts)} pieces)"

    def touched(self, start: int, end: int) -> list[int]:
        """The pieces that characters `start` to `end` lie in, by their place in the order."""
        ends = [*self.starts[1:], len(self.text)]
        return [i for i, at in enumerate(self.starts) if at < end and ends[i] > start]

    def window(self, before: int) -> tuple[int, int]:
        """The characters of this request's values, with some around them."""
        ends = [*self.starts[1:], len(self.text)]
        new = [i for i, of in enumerate(self.new) if of >= 0]
        if not new:
            return 0, 0
        return max(0, self.starts[new[0]] - before), min(len(self.text), ends[new[-1]] + before)


class _Piece(NamedTuple):
    text: str
    number: int
    request: int
    of: int


_NUMBER_OF: Final = attrgetter("number")
_TEXT: Final = attrgetter("text")


@dataclass(slots=True)
class _Stream:
    pieces: deque[_Piece] = field(default_factory=lambda: deque(maxlen=PIECES), repr=False)
    size: int = 0

    def add(self, piece: _Piece) -> None:
        if len(self.pieces) == PIECES:
            self.size -= len(self.pieces[0].text)
        self.pieces.append(piece)
        self.size += len(piece.text)
        while self.size > _CHARACTERS:
            self.size -= len(self.pieces.popleft().text)


class Streams:
    """The streams of one principal.

    Values stand here as they were sent, since a secret that nobody has seen whole is known only
    once it is put together; they are short, few, and forgotten with the run.
    """

    def __init__(self) -> None:
        self._streams: OrderedDict[tuple[str, str], _Stream] = OrderedDict()
        self.requests = 0
        """How many were taken."""

    def take(self, site: str, values: Sequence[Value]) -> Iterator[Joined]:
        """Add a request's values; what they make together with those before them.

        Args:
            site: Where it goes.
            values: In their order.
        """
        self.requests += 1
        number = _number(values)
        grown: dict[tuple[str, str], _Stream] = {}
        for index, value in enumerate(values):
            if not _TOKEN.fullmatch(value.text):
                continue
            own = self._streams.get((site, value.place))
            if own and len(value.text) > 1 and own.pieces and own.pieces[-1].text == value.text:
                continue  # the same as ever: a version, a kind
            piece = _Piece(value.text, number(index), self.requests, index)
            added: set[tuple[str, str]] = set()
            for place in (value.place, _FIRST.split(value.place, 1)[0], ""):
                if (site, place) in added:
                    continue
                added.add((site, place))
                stream = self._stream(site, place)
                stream.add(piece)
                grown[site, place] = stream
        seen: set[str] = set()
        for stream in grown.values():
            if len(stream.pieces) == 1:
                continue
            for pieces in _orders(stream.pieces):
                text = "".join(map(_TEXT, pieces))
                if not text.isdigit() and text not in seen:
                    seen.add(text)
                    yield self._joined(text, pieces)

    def _stream(self, site: str, place: str) -> _Stream:
        found = self._streams.get((site, place))
        if found is None:
            found = self._streams[site, place] = _Stream()
            if len(self._streams) > STREAMS:
                self._streams.popitem(last=False)
        self._streams.move_to_end((site, place))
        return found

    def _joined(self, text: str, pieces: Sequence[_Piece]) -> Joined:
        texts, _, requests, of = zip(*pieces, strict=True)
        starts = list(accumulate(map(len, texts), initial=0))
        now = self.requests
        new = [index if sent == now else -1 for index, sent in zip(of, requests, strict=True)]
        return Joined(text, starts[:-1], new, list(requests))


def _orders(pieces: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
    yield pieces
    numbers = list(map(_NUMBER_OF, pieces))
    if numbers != sorted(numbers):
        # Those without a number keep their place before the numbered ones.
        yield sorted(pieces, key=_NUMBER_OF)
    if pieces[0].request != pieces[-1].request:
        yield list(pieces)[::-1]


def _number(values: Sequence[Value]) -> Callable[[int], int]:
    """Which number a value has: the one beside it whose name says so, or that in its own name."""
    beside = -1
    for value in values:
        match = _NUMBER.fullmatch(value.text)
        if match and _INDEX.fullmatch(value.key):
            beside = int(match[1])
            break

    def number(index: int) -> int:
        own = _OWN.search(values[index].key) if beside < 0 else None
        return int(own[1]) if own else beside

    return number
