"""Whether and where a text holds a run of base64 or hex that decodes to text, in one fast pass.

The bytes of ASCII text leave marks. In base64 the high bit of each of three bytes is clear, which
halves the letters that can stand at three of four places; in hex the first digit of a printable
byte is 2 to 7. Ordinary words rarely keep to that for long, so what is tried is mostly right.
"""

import threading
from contextlib import suppress
from enum import IntEnum
from typing import Final

import hyperscan

from proctor.redaction.database import compiled

# RFC 4648 sections 4 and 5, both alphabets at once.
_ANY: Final = "[A-Za-z0-9+/_-]"
_QUAD: Final = f"[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589]{_ANY}"
_HEX: Final = "[0-9A-Fa-f]"
_BYTE: Final = f"[2-7]{_HEX}"
QUADS: Final = 3
"""Groups of four characters, all ASCII when decoded, that make a run worth trying."""

ENOUGH: Final = 16
"""Matches that are told at once: within a long run, each of its characters may end one."""


class Kind(IntEnum):
    """What a pattern looks for."""

    BASE64 = 0
    HEX = 1
    LIST = 2
    CONTROL = 3


_PATTERNS: Final = (
    (f"(?:{_QUAD}){{{QUADS}}}", Kind.BASE64),
    # Short, yet padded, so that it can hardly be a word.
    (f"(?:{_QUAD}){{2}}{_ANY}{{2}}(?:==|{_ANY}=)", Kind.BASE64),
    # gzip (RFC 1952 section 2.3.1) and zlib (RFC 1950 section 2.2) begin like this.
    (f"(?:^|[^A-Za-z0-9+/_-])(?:H4sI|eAE|eF[4-7]|eJ[w-z]|eN[o-r]){_ANY}{{10}}", Kind.BASE64),
    (f"(?:{_BYTE}){{7}}", Kind.HEX),
    (f"(?:{_BYTE}00|00{_BYTE}){{4}}", Kind.HEX),
    (f"1[fF]8[bB]08{_HEX}{{20}}", Kind.HEX),
    (f"(?:{_BYTE}[\\s,:;-]{{1,24}}(?:0[xX])?){{6}}{_BYTE}", Kind.LIST),
    (r"[\x00-\x08\x0e-\x1b\x7f]", Kind.CONTROL),
)


def _compile(kinds: frozenset[Kind], flags: int) -> "hyperscan.Database":
    chosen = [(pattern, kind) for pattern, kind in _PATTERNS if kind in kinds]
    return compiled([(pattern, flags) for pattern, _ in chosen], [int(kind) for _, kind in chosen])


_PRESENT: Final = _compile(frozenset(Kind), hyperscan.HS_FLAG_SINGLEMATCH)
_PLACES: Final = {
    kind: _compile(frozenset({kind}), 0) for kind in (Kind.BASE64, Kind.HEX, Kind.LIST)
}


class _Scratch(threading.local):
    """Hyperscan's working memory, one for each thread: two scans may not share it."""

    def __init__(self) -> None:
        self.present = hyperscan.Scratch(_PRESENT)
        self.places = {kind: hyperscan.Scratch(database) for kind, database in _PLACES.items()}


_scratch: Final = _Scratch()


def present(data: bytes) -> frozenset[Kind]:
    """What there is in the text.

    Args:
        data: The text, one byte a character.
    """
    found: set[int] = set()

    def hit(kind: int, *_rest: object) -> None:
        found.add(kind)

    _PRESENT.scan(data, match_event_handler=hit, scratch=_scratch.present)
    return frozenset(map(Kind, found)) if found else _NONE


_NONE: Final[frozenset[Kind]] = frozenset()


def ends(kind: Kind, data: bytes, start: int) -> list[int]:
    """Where the next matches after `start` end, in order; fewer than `ENOUGH` if these are all.

    Args:
        kind: What to look for.
        data: The text, one byte a character.
        start: Where to begin.
    """
    found: list[int] = []

    def hit(_kind: int, _start: int, end: int, *_rest: object) -> bool:
        if not found or start + end > found[-1]:
            found.append(start + end)
        return len(found) == ENOUGH

    with suppress(hyperscan.ScanTerminated):
        _PLACES[kind].scan(
            memoryview(data)[start:],  # type: ignore[type-var]  # takes any buffer
            match_event_handler=hit,
            scratch=_scratch.places[kind],
        )
    return found
