"""Text for a reviewer's eyes: nothing in it may hide, move or pretend to be something else.

What is shown was written by a model, or by whoever wrote what it read. HTML is escaped by the
templates; here is made visible what a browser would lay out unseen: control characters, those that
turn the direction of writing (Unicode UAX 9), characters without width, blanks that push the rest
out of sight, and letters that look like others (Unicode UTS 39).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

ODD, ALIKE, HIDDEN, NOTE = "odd", "alike", "hidden", "note"

_WIDE = 12
"""Blanks in a row, inside a line, from which on they are counted instead of shown."""
_DEEP = 80
"""The same, at a line's beginning."""
_TALL = 4
"""Line ends in a row, the same."""
_MARKS = 2000
"""Marks in one text."""
_STACK = 2
"""Marks on top of one letter; more cover the lines around it."""

_ASCII = re.compile(
    r"(?P<odd>[\x00-\x08\x0b-\x1f\x7f])"
    rf"|(?P<wide>(?<=[^\n \t])[ \t]{{{_WIDE},}}|[ \t]{{{_DEEP},}})"
    rf"|(?P<tall>\n{{{_TALL},}})"
)
_WORD = re.compile(r"\w+")
_LATIN = re.compile(r"[A-Za-z]")
# Drawn as nothing, or as a blank, though their category is that of letters and marks (Unicode's
# Default_Ignorable_Code_Point, and the Braille blank).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
_SCRIPTS_ALIKE = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is shown in one way.

    Attributes:
        text: What is shown.
        kind: "" as it is; `odd` for a character's name in its place; `alike` for a letter that
            looks like another; `hidden` for what stands in the place of a value; `note` for what
            is no part of it.
        title: What it is, in words.
    """

    text: str
    kind: str = ""
    title: str = ""


def pieces(text: str, hidden: Mapping[str, str] | None = None) -> list[Piece]:
    """`text` in pieces; put together they show every character of it.

    Args:
        text: What to show.
        hidden: What stands in place of values that are not seen → what it is, in words.
    """
    found: list[Piece] = []
    names = sorted((name for name in hidden or {} if name), key=len, reverse=True)
    if not hidden or not names:
        return _joined(_plain(text))
    at = 0
    for match in re.finditer("|".join(map(re.escape, names)), text):
        found += _plain(text[at : match.start()])
        found.append(Piece(match[0], HIDDEN, hidden[match[0]]))
        at = match.end()
    found += _plain(text[at:])
    return _joined(found)


def line(text: str, limit: int = 180) -> list[Piece]:
    """`text` in one line; what is left out is left out of its middle, so that its end is seen."""
    text = text.strip()
    if len(text) > limit:
        tail = limit // 3
        left_out = len(text) - limit
        parts = [text[: limit - tail], text[-tail:]]
        note = Piece(f"… {left_out:,} more …", NOTE, f"{left_out:,} characters are left out here")
        return [*line(parts[0], limit), note, *line(parts[1], limit)]
    found: list[Piece] = []
    for index, part in enumerate(re.split(r"(\n+)", text)):
        if index % 2:
            found.append(Piece("↵", NOTE, "end of line"))
        else:
            found += pieces(part)
    return found


def plain(text: str) -> str:
    """`text` where there can be no marks, as in a window's title: names stand in brackets."""
    return "".join(f"[{piece.text}]" if piece.kind == ODD else piece.text for piece in pieces(text))


def suspicious(text: str) -> bool:
    """Whether something in it would not be seen as what it is."""
    return any(piece.kind in {ODD, ALIKE} for piece in pieces(text))


def _plain(text: str) -> Iterator[Piece]:
    at = 0
    for match in _ASCII.finditer(text):
        yield from _letters(text[at : match.start()])
        yield _counted(match)
        at = match.end()
    yield from _letters(text[at:])


def _counted(match: re.Match[str]) -> Piece:
    found = match[0]
    if match["wide"]:
        return Piece(f" {len(found)} blanks ", ODD, f"{len(found)} blanks in a row")
    if match["tall"]:
        return Piece(f"\n{len(found) - 1} empty lines\n", ODD, f"{len(found) - 1} empty lines")
    return _named(found)


def _letters(text: str) -> Iterator[Piece]:
    if text.isascii():
        if text:
            yield Piece(text)
        return
    mixed = {
        place
        for word in _WORD.finditer(text)
        if _LATIN.search(word[0])
        for place in range(word.start(), word.end())
    }
    marks = 0
    for place, letter in enumerate(text):
        kind = _kind(letter)
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if kind == ODD or marks > _STACK:
            yield _named(letter)
        elif kind == ALIKE or (place in mixed and _foreign(letter)):
            yield Piece(letter, ALIKE, f"not what it looks like: {_name(letter)}")
        else:
            yield Piece(letter)


@lru_cache(maxsize=4096)
def _kind(letter: str) -> str:
    if letter.isascii():
        return ""
    category = unicodedata.category(letter)
    if category in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"} or _UNSEEN.match(letter):
        return ODD
    folded = unicodedata.normalize("NFKC", letter)
    # Full-width, mathematical and circled letters are taken for plain ones, by shells' users too.
    return ALIKE if category[0] in "LNPS" and folded.isascii() and len(folded) == 1 else ""


@lru_cache(maxsize=4096)
def _foreign(letter: str) -> bool:
    return not letter.isascii() and _name(letter).startswith(_SCRIPTS_ALIKE)


def _named(letter: str) -> Piece:
    name = _name(letter)
    short = _SHORT.get(letter) or f"U+{ord(letter):04X}"
    return Piece(short, ODD, f"{name} (U+{ord(letter):04X}), made visible")


def _name(letter: str) -> str:
    return unicodedata.name(letter, "") or _CONTROLS.get(letter, "a character without a name")


def _joined(found: Iterable[Piece]) -> list[Piece]:
    """Neighbours in one piece; what is repeated is counted.

    From a certain number of marks on, the rest is one piece with the names in brackets: a page of a
    million marks would tell nobody more.
    """
    joined: list[Piece] = []
    run: list[str] = []
    marks = 0
    for piece, same in groupby(found):
        number = sum(1 for _ in same)
        if not piece.kind:
            run.append(piece.text * number)
            continue
        marks += 1
        text = piece.text * number
        if piece.kind == ODD and number > 1:
            text = f"{number:,} {piece.text}"
        if marks > _MARKS:
            run.append(f"[{text}]" if piece.kind == ODD else text)
            continue
        if run:
            joined.append(Piece("".join(run)))
            run = []
        joined.append(Piece(text, piece.kind, piece.title))
    if run:
        rest = "".join(run)
        many = Piece(rest, ODD, "too much of it would not be seen: the names stand in brackets")
        joined.append(many if marks > _MARKS else Piece(rest))
    return joined


_CONTROLS = {chr(code): "CONTROL CHARACTER" for code in (*range(32), *range(127, 160))}
_SHORT = {
    "\x00": "NUL",
    "\x07": "BEL",
    "\x08": "BS",
    "\r": "CR",
    "\x1b": "ESC",
    "\x7f": "DEL",
    "\xa0": "NBSP",
    "\xad": "SHY",
    "\u200b": "ZWSP",
    "\u200c": "ZWNJ",
    "\u200d": "ZWJ",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
}
