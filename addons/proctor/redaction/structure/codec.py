"""How a text is written, and how changes to what it says become changes to how it is written."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from proctor.redaction.model import Change, RedactionError

type Codec = Callable[[str, Sequence[Change]], list[Change]]
"""Takes a text as it is written and changes to what it says; returns changes to how it is written.

Both are sorted and do not overlap.
"""


class Unit(NamedTuple):
    """Characters `start` to `end` as written, which say `width` characters."""

    start: int
    end: int
    width: int


def verbatim(_raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of text that is written as it reads."""
    return list(changes)


def mapped(
    changes: Sequence[Change], units: Iterable[Unit], escape: Callable[[str], str]
) -> list[Change]:
    """Changes to a written text whose escapes are known; all between them reads as it is written.

    Args:
        changes: To what it says.
        units: Its escapes, in order.
        escape: How a new text is written.
    """
    remaining = iter(units)
    unit = next(remaining, None)
    ahead = 0  # written characters more than said ones, before `unit`

    def written(at: int, *, up: bool) -> int:
        nonlocal unit, ahead
        while unit is not None and unit.start - ahead + unit.width <= at:
            ahead += unit.end - unit.start - unit.width
            unit = next(remaining, None)
        if unit is not None and unit.start - ahead < at:  # in the midst of an escape
            return unit.end if up else unit.start
        return at + ahead

    edits: list[Change] = []
    done = 0
    for change in changes:
        start = max(done, written(change.start, up=False))
        done = max(start, written(change.end, up=True))
        edits.append(Change(start, done, escape(change.text)))
    return edits


def applied(text: str, changes: Sequence[Change]) -> str:
    """The text with the changes made."""
    pieces: list[str] = []
    at = 0
    for change in changes:
        pieces += (text[at : change.start], change.text)
        at = change.end
    pieces.append(text[at:])
    return "".join(pieces)


def shifted(changes: Iterable[Change], by: int) -> list[Change]:
    """The changes, so many characters further on."""
    return [Change(change.start + by, change.end + by, change.text) for change in changes]


def check(changes: Sequence[Change], size: int) -> None:
    """RedactionError `redaction-decoder` unless they are sorted, apart, and within this size."""
    at = 0
    for change in changes:
        if not at <= change.start <= change.end <= size:
            raise RedactionError(
                "redaction-decoder",
                "Changes to a text overlap or lie outside it",
                expected="sorted changes within the text",
                hint="This is a defect of proctor; please report it.",
            )
        at = change.end
