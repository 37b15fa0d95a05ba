"""Long texts looked at in pieces, so that time can be checked in between.

Pieces overlap, end at a line where there is one, and never part a PEM block.
"""

from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import Analyzer, Budget, Spot

PIECE: Final = 256 * 1024
OVERLAP: Final = 8 * 1024
_LINE: Final = 64 * 1024  # characters to go back for the end of a line
_PEM: Final = 64 * 1024  # characters to go back for the beginning of a block
_UNBROKEN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.~%"


def analyze(analyzer: Analyzer, text: str, budget: Budget) -> list[Spot]:
    """Everything the analyzer finds in a text of any length.

    Raises:
        RedactionError: The time is up, or the analyzer could not look at all of it.
    """
    if len(text) <= PIECE:
        return analyzer.analyze(text, budget)
    found: list[Spot] = []
    for start, end in _pieces(text):
        budget.check()
        found += (
            _whole(text, spot._replace(start=spot.start + start, end=spot.end + start), end)
            for spot in analyzer.analyze(text[start:end], budget)
        )
    return found


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > PIECE:
        end = _cut(text, start + PIECE)
        yield start, end
        following = end - OVERLAP
        block = text.rfind("-----BEGIN", max(start + 1, end - _PEM), end)
        if block > 0 and text.find("-----END", block, end) < 0:
            following = min(following, block)
        start = following
    yield start, len(text)


def _cut(text: str, end: int) -> int:
    for sign in ("\n", " "):
        found = text.rfind(sign, end - _LINE, end)
        if found > 0:
            return found + 1
    return end


def _whole(text: str, spot: Spot, cut: int) -> Spot:
    """The spot up to the end of its token, where that goes on after the piece."""
    if spot.end < cut or cut == len(text):
        return spot
    end = spot.end
    while end < len(text) and text[end] in _UNBROKEN:
        end += 1
    return spot._replace(end=end, value=text[spot.start : end])
