"""The words around a hit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proctor.search.words import Place, folded

AROUND = 90
"""Characters on each side of the first hit."""
_MAX_MARKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A part of a text.

    Attributes:
        text: The part, as it was recorded.
        marks: Where in it what was looked for stands: from, to.
        before: Something stands before it.
        after: Something stands after it.
    """

    text: str
    marks: tuple[tuple[int, int], ...]
    before: bool
    after: bool

    def pieces(self) -> list[tuple[str, bool]]:
        """The text in pieces, each marked or not."""
        found: list[tuple[str, bool]] = []
        at = 0
        for start, end in self.marks:
            found += [(self.text[at:start], False), (self.text[start:end], True)]
            at = end
        found.append((self.text[at:], False))
        return [piece for piece in found if piece[0]]


def snippet(text: str, places: Sequence[Place]) -> Snippet:
    """The part of `text` where most of what was looked for stands close together.

    Args:
        text: All of it.
        places: `Query.places`.
    """
    plain = folded(text)
    spans = _apart(span for place in places for span in place.spans(plain, _MAX_SPANS))
    start, end = _window(plain, spans)
    inside = [(max(a, start), min(b, end)) for a, b in spans if a < end and b > start]
    return Snippet(
        text=text[start:end],
        marks=tuple((a - start, b - start) for a, b in inside[:_MAX_MARKS]),
        before=start > 0,
        after=end < len(text),
    )


_MAX_SPANS = 500


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, without those that lie in others."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


def _window(plain: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    best, most = (spans[0] if spans else (0, 0)), 0
    first = 0
    inside: dict[str, int] = {}
    # A window moves along the spans; how many different words are in it is kept up.
    for start, end in spans:
        word = plain[start:end]
        inside[word] = inside.get(word, 0) + 1
        while start - spans[first][1] > AROUND:
            gone = plain[slice(*spans[first])]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        if len(inside) > most:
            best, most = spans[first], len(inside)
    begin = max(0, best[0] - AROUND)
    finish = min(len(plain), max(begin, best[1]) + AROUND)
    return _word(plain, begin, best[0], -1), _word(plain, finish, best[1], 1)


def _word(plain: str, at: int, stop: int, way: int) -> int:
    """A word's edge near `at`, towards `stop`; `at` where words are long."""
    if at in (0, len(plain)):
        return at
    for place in range(at, max(stop, at - _EDGE) if way > 0 else min(stop, at + _EDGE), -way):
        if plain[place - 1 if way < 0 else place].isspace():
            return place
    return at


_EDGE = 15
