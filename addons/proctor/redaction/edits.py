"""A text with some of its characters read differently, and the way back to where they stood.

Only the surroundings of what changed are shown again: a text with one escape in it does not cost
twice. Several readings of one place can stand side by side, each in a window of its own.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from proctor.redaction.model import RedactionError

_MARGIN: Final = 160  # characters of context on each side, up to the next white space
SEPARATOR: Final = "\n\x1e\n"
"""Stands between things that have nothing to do with each other."""


class Edit(NamedTuple):
    """Characters `start` to `end` read as `text`. A weak edit alone is no reason for a window."""

    start: int
    end: int
    text: str
    strong: bool = True


class Allowance:
    """Characters that decoding may still make; a bomb uses it up.

    Args:
        left: Characters or bytes.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int) -> None:
        """RedactionError `redaction-size` where there is more than may be made."""
        self.left -= size
        if self.left < 0:
            raise RedactionError(
                "redaction-size",
                "Something encoded grows too much when it is decoded, so nothing was let through",
                hint="Send it decoded, or leave it out.",
            )


@dataclass(frozen=True, slots=True)
class View:
    """Windows of a text, decoded.

    The lists run in parallel: piece i of the view begins at `at[i]` and stands for `begin[i]` to
    `end[i]` of the text below; where it is `plain`, character by character.
    """

    text: str = field(repr=False)
    level: int
    at: Sequence[int]
    begin: Sequence[int]
    end: Sequence[int]
    plain: Sequence[bool]
    windows: Sequence[int]
    below: "View | None" = None

    def origins(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where characters `start` to `end` of the view stand in the first text of all.

        More than one place only where they reach over several windows.
        """
        for left, right in self._apart(start, end):
            first = bisect_right(self.at, left) - 1
            last = bisect_left(self.at, right) - 1
            origin = self.begin[first] + (left - self.at[first] if self.plain[first] else 0)
            until = self.begin[last] + right - self.at[last] if self.plain[last] else self.end[last]
            if self.below is None:
                yield origin, until
            else:
                yield from self.below.origins(origin, until)

    def decoded(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """As `origins`, but only what is read differently from how it stands."""
        first = max(0, bisect_right(self.at, start) - 1)
        for i in range(first, bisect_left(self.at, end)):
            if self.plain[i]:
                continue
            if self.below is None:
                yield self.begin[i], self.end[i]
            else:
                yield from self.below.origins(self.begin[i], self.end[i])

    def _apart(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        window = bisect_right(self.windows, start)
        while window < len(self.windows) and self.windows[window] - len(SEPARATOR) < end:
            cut = self.windows[window] - len(SEPARATOR)
            if start < cut:
                yield start, cut
            start = max(start, self.windows[window])
            window += 1
        if start < end:
            yield start, end

    def changes(self) -> Callable[[int, int], bool]:
        """Tells whether a stretch of the view touches something that was decoded."""
        ends = [*self.at[1:], len(self.text)]
        places = [i for i, plain in enumerate(self.plain) if not plain]
        starts = [self.at[i] for i in places]

        def touches(start: int, end: int) -> bool:
            last = bisect_right(starts, end) - 1
            return last >= 0 and ends[places[last]] >= start

        return touches


def render(
    text: str, layers: Sequence[Sequence[Edit]], allowance: Allowance, below: View | None = None
) -> View | None:
    """The view that shows each layer's edits in their surroundings; None where no edit is strong.

    Args:
        text: What the edits count in.
        layers: Readings; the edits of each are sorted and do not overlap.
        allowance: How much may be made.
        below: The view whose text this is.

    Raises:
        RedactionError: More would be made than is allowed.
    """
    parts: list[str] = []
    at: list[int] = []
    begin: list[int] = []
    end: list[int] = []
    plain: list[bool] = []
    windows: list[int] = []
    size = 0

    def add(part: str, low: int, high: int, *, same: bool) -> None:
        nonlocal size
        allowance.take(len(part))
        parts.append(part)
        at.append(size)
        begin.append(low)
        end.append(high)
        plain.append(same)
        size += len(part)

    for edits in layers:
        index = 0
        for low, high in _windows(text, edits):
            if windows:
                add(SEPARATOR, low, low, same=True)
            windows.append(size)
            position = low
            while index < len(edits) and edits[index].start < low:
                index += 1
            while index < len(edits) and edits[index].end <= high:
                edit = edits[index]
                if edit.start > position:
                    add(text[position : edit.start], position, edit.start, same=True)
                add(edit.text, edit.start, edit.end, same=False)
                position = edit.end
                index += 1
            if position < high:
                add(text[position:high], position, high, same=True)
    if not windows:
        return None
    level = 1 if below is None else below.level + 1
    return View("".join(parts), level, at, begin, end, plain, windows, below)


def _windows(text: str, edits: Sequence[Edit]) -> list[tuple[int, int]]:
    """The strong edits with their context. They end at white space, so that no token is cut."""
    windows: list[tuple[int, int]] = []
    for edit in edits:
        if not edit.strong:
            continue
        floor = windows[-1][1] if windows else 0
        if edit.end + _MARGIN <= floor:
            continue
        high = _right(text, edit.end + _MARGIN)
        if windows and edit.start - _MARGIN <= floor:
            windows[-1] = (windows[-1][0], high)
        else:
            windows.append((_left(text, floor, edit.start - _MARGIN), high))
    return windows


def _left(text: str, floor: int, at: int) -> int:
    if at <= floor:
        return floor
    found = text.rfind("\n", floor, at)
    return max(text.rfind(" ", max(found, floor), at), found, floor - 1) + 1


def _right(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    line = text.find("\n", at)
    line = len(text) if line < 0 else line
    space = text.find(" ", at, line)
    return line if space < 0 else space
