"""Texts in characters that nobody sees: bits in two of them, or bytes in variation selectors.

Two characters of no width stand for 0 and 1, and a third, where there is one, between letters.
Variation selectors number 256, one for each byte (Unicode 23.4).
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from typing import Final

LEAST: Final = 56
"""Characters without width that eight letters take."""

_MOST: Final = 2**13
_PART: Final = re.compile("[^\x1e]+")  # of what was gathered
_BITS: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_BYTES: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,4096}")
_FIRST: Final = 0xFE00
_REST: Final = 0xE0100
_FEW: Final = 16


def unseen(text: str) -> Iterator[tuple[int, int, bytes]]:
    """Where something is written so, and what that may be: most of it is noise."""
    for run in _BYTES.finditer(text):
        codes = map(ord, run[0])
        yield (
            *run.span(),
            bytes(code - _FIRST if code < _REST else code - _REST + _FEW for code in codes),
        )
    for part in _PART.finditer(text):
        found = [match.start() for match in _BITS.finditer(part[0])][:_MOST]
        if len(found) >= LEAST:
            signs = "".join(part[0][at] for at in found)
            for said in _said(signs):
                yield part.start() + found[0], part.start() + found[-1] + 1, said


def _said(signs: str) -> Iterator[bytes]:
    kinds = [sign for sign, _ in Counter(signs).most_common(3)]
    for zero, one in permutations(kinds, 2):
        digits = signs.translate({ord(zero): "0", ord(one): "1"})
        for apart in kinds:
            if apart not in {zero, one}:
                numbers = (int(each, 2) for each in re.findall("[01]{1,8}", digits))
                yield bytes(numbers)
        digits = re.sub("[^01]", "", digits)
        for size in (8, 7):
            yield bytes(int(digits[at : at + size], 2) for at in range(0, len(digits), size))
