"""Numbers of payment cards (ISO/IEC 7812-1): a network's prefix, its lengths, and Luhn's digit.

Presidio's own recognizer misses the 2-series of Mastercard, dots between groups, and numbers of
12, 15 and 19 digits.
"""

import re
from typing import Final, override

from proctor.redaction.prefilter import Trigger
from proctor.redaction.recognizers.gated import Gated, Match

_SIZES: Final = range(12, 20)  # ISO/IEC 7812-1, section 4.1: up to 19 digits

_NETWORKS: Final = tuple(
    (int(f"{low:0<4}"), int(f"{high:9<4}"), frozenset(sizes))
    for low, high, sizes in (
        ("4", "4", (13, 16, 19)),  # Visa
        ("51", "55", (16,)),  # Mastercard
        ("2221", "2720", (16,)),  # Mastercard, 2-series
        ("34", "34", (15,)),  # American Express
        ("37", "37", (15,)),
        ("300", "305", (14, 16)),  # Diners Club
        ("3095", "3095", (14, 16)),
        ("36", "36", (14, 16, 19)),
        ("38", "39", (14, 16, 19)),
        ("6011", "6011", (16, 19)),  # Discover
        ("644", "649", (16, 19)),
        ("65", "65", (16, 19)),
        ("3528", "3589", (16, 17, 18, 19)),  # JCB
        ("1800", "1800", (15,)),
        ("2131", "2131", (15,)),
        ("62", "62", (16, 17, 18, 19)),  # UnionPay
        ("81", "81", (16, 17, 18, 19)),
        ("2200", "2204", (16, 17, 18, 19)),  # Mir
        ("60", "60", (16,)),  # RuPay
        ("82", "82", (16,)),
        ("508", "508", (16,)),
        ("9792", "9792", (16,)),  # Troy
        ("5018", "5018", tuple(_SIZES)),  # Maestro
        ("5020", "5020", tuple(_SIZES)),
        ("5038", "5038", tuple(_SIZES)),
        ("5893", "5893", tuple(_SIZES)),
        ("56", "58", tuple(_SIZES)),
        ("6304", "6304", tuple(_SIZES)),
        ("639", "639", tuple(_SIZES)),
        ("6759", "6759", tuple(_SIZES)),
        ("6761", "6763", tuple(_SIZES)),
    )
)
"""First and last four digits, and the lengths, by network."""

_LENGTHS: Final = tuple(
    frozenset(size for low, high, sizes in _NETWORKS if low <= prefix <= high for size in sizes)
    for prefix in range(10_000)
)
"""Lengths of the numbers that start with these four digits."""

# In one piece, or as cards are printed: in fours with what is left, as American Express, Diners
# Club and UATP do, or in two. Not inside a word, a longer number or the fraction of one.
_SHAPE: Final = re.compile(
    r"(?<![0-9A-Za-z+])(?<![0-9]\.)(?:[0-9]{12,19}"
    r"|[0-9]{4}([ .-])(?:[0-9]{4}\1[0-9]{4}(?:\1[0-9]{4})?(?:\1[0-9]{1,3})?"
    r"|[0-9]{4}\1[0-9]{5,7}|[0-9]{6}\1[0-9]{4,5}|[0-9]{5}\1[0-9]{6}"
    r"|[0-9]{3}\1[0-9]{3}\1[0-9]{3})"
    r"|[0-9]{6}[ .-][0-9]{13}|[0-9]{8}[ .-][0-9]{8})(?![0-9A-Za-z])(?!\.[0-9])"
)
_VALUES: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED: Final = bytes.maketrans(bytes(range(10)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_LONGEST: Final = 24  # 19 digits and four separators, and one


class Cards(Gated):
    """Card numbers, whole or in groups."""

    def __init__(self) -> None:
        super().__init__(
            "Cards",
            entity="CREDIT_CARD",
            detector="proctor:card",
            triggers=(
                Trigger(
                    expression=r"(?:^|[^0-9A-Za-z])[1-9](?:[0-9]{11}"
                    r"|[0-9]{3}[ .-][0-9]{4}[ .-][0-9]{4}|[0-9]{3}[ .-][0-9]{5,6}[ .-][0-9]{4}"
                    r"|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{3}[ .-]|[0-9]{5}[ .-][0-9]{13}"
                    r"|[0-9]{7}[ .-][0-9]{8})",
                    before=_LONGEST,
                    after=_LONGEST,
                ),
            ),
        )

    @override
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """Card numbers that lie in the window."""
        found: list[Match] = []
        while shape := _SHAPE.search(text, start, end):
            first, after = shape.span()
            size = _card(shape.group())
            if size:
                found.append((first, first + size, self.MAX_SCORE))
                start = first + size
            else:
                # A year may stand before the card as if it were a part of it.
                start = first + 4 if shape[1] else after
        return found


def _card(written: str) -> int:
    """Characters of the card number that this starts with; 0 where there is none."""
    digits = _compact(written)
    if _valid(digits):
        return len(written)
    # A check number or a year may stand behind the card as if it were a part of it.
    shorter = written.rstrip("0123456789")[:-1]
    return len(shorter) if _valid(_compact(shorter)) else 0


def _compact(written: str) -> str:
    """Without its separators."""
    return written.replace(" ", "").replace(".", "").replace("-", "")


def _valid(digits: str) -> bool:
    return (
        len(digits) in _SIZES
        and len(digits) in _LENGTHS[int(digits[:4])]
        and luhn(digits)
        and len(set(digits)) > 1
    )


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    data = digits.encode().translate(_VALUES)
    return (sum(data[-1::-2]) + sum(data[-2::-2].translate(_DOUBLED))) % 10 == 0
