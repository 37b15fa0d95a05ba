"""Leaves of a body made into texts that an analyzer reads well.

A short leaf stands behind its name, as an assignment, and next to its neighbours: a password is
known by its column, an AWS secret by the id before it. Many short leaves are read at once. A long
text stands for itself, so that it is remembered wherever it comes again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from proctor.redaction.edits import SEPARATOR
from proctor.redaction.model import Leaf, Spot

_LEAST: Final = 4  # characters that anything sensitive has
_SHORT: Final = 5  # characters of "false"
_LONG: Final = 512  # characters
_TOKEN: Final = 8192  # characters up to which a long text without any space is a value
_BATCH: Final = 8192  # characters
_NEIGHBOURS: Final = 2  # leaves of the batch before that are shown again
_NAME: Final = 96  # characters
_PLAIN_WORDS: Final = frozenset({"true", "false", "null", "none"})
# Names that say nothing of what is in them; a line of text begins where it begins.
_TELLS_NOTHING: Final = frozenset(
    {"text", "content", "input", "output", "stdout", "stderr", "message", "body", "command", "line"}
)
# {"name": "DB_PASSWORD", "value": "…"}, as Kubernetes and others write what is in an environment.
_NAMES: Final = frozenset({"name", "key", "variable", "parameter", "field", "header", "setting"})
_VALUES: Final = frozenset({"value", "val", "default", "defaultvalue", "default_value"})


class _Place(NamedTuple):
    """Where a leaf's text stands in a batch, from `start` to `end`."""

    leaf: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Leaves in one text."""

    text: str = field(repr=False)
    places: Sequence[_Place]

    def sort(self, spots: Sequence[Spot]) -> dict[int, tuple[Spot, ...]]:
        """The spots by leaf, counted in the leaf's own text; what lies in a name is dropped.

        Args:
            spots: Sorted, not overlapping.
        """
        found: dict[int, list[Spot]] = {}
        first = 0
        for spot in spots:
            while first < len(self.places) and self.places[first].end <= spot.start:
                first += 1
            for place in self.places[first:]:
                if place.start >= spot.end:
                    break
                found.setdefault(place.leaf, []).append(self._cut(spot, place))
        return {index: tuple(spots) for index, spots in found.items()}

    def _cut(self, spot: Spot, place: _Place) -> Spot:
        start = max(spot.start, place.start)
        end = min(spot.end, place.end)
        whole = (start, end) == (spot.start, spot.end)
        return spot._replace(
            start=start - place.start,
            end=end - place.start,
            value=spot.value if whole else self.text[start:end],
        )


def batches(leaves: Sequence[Leaf]) -> Iterator[Batch]:
    """Texts that hold every leaf worth looking at, in order.

    A leaf can stand in two of them, the second time as a neighbour.
    """
    short: list[int] = []
    size = 0
    for index, leaf in enumerate(leaves):
        length = len(leaf.text)
        if length < _LEAST or (length <= _SHORT and _says_nothing(leaf.text)):
            continue
        if length >= _LONG:
            if short:
                yield _batch(leaves, short)
                short, size = [], 0
            yield _batch(leaves, [index])
            continue
        short.append(index)
        size += length
        if size >= _BATCH:
            yield _batch(leaves, short)
            short, size = short[-_NEIGHBOURS:], 0
    if short:
        yield _batch(leaves, short)


def _says_nothing(text: str) -> bool:
    return text.isdecimal() or text.lower() in _PLAIN_WORDS


def _batch(leaves: Sequence[Leaf], indices: Sequence[int]) -> Batch:
    parts: list[str] = []
    places: list[_Place] = []
    size = 0
    ordinary: dict[str, bool] = {}
    for index in indices:
        text, _, key = leaves[index]
        length = len(text)
        if key and key not in ordinary:
            ordinary[key] = len(key) <= _NAME and key.lower() not in _SPECIAL
        if not key:
            before = after = ""
        elif ordinary[key] and length < _LONG and '"' not in text:  # as nearly all are
            before, after = f'"{key}": "', '"'
        else:
            before, after = _frame(text, _key(leaves, index))
        parts += (before, text, after, SEPARATOR)
        start = size + len(before)
        end = start + length
        places.append(_place(_Place, (index, start, end)))
        size = end + len(after) + len(SEPARATOR)
    return Batch("".join(parts[:-1]), places)


_SPECIAL: Final = _VALUES | _TELLS_NOTHING
_place: Final = tuple.__new__  # its own takes twice the time


def _key(leaves: Sequence[Leaf], index: int) -> str:
    """The name of a leaf; where that is `value`, what stands as `name` next to it."""
    leaf = leaves[index]
    if leaf.key.lower() in _VALUES:
        parent = leaf.location.rpartition(".")[0]
        for other in (*leaves[max(0, index - 1) : index], *leaves[index + 1 : index + 2]):
            if other.key.lower() in _NAMES and other.location.rpartition(".")[0] == parent:
                return other.text
    return leaf.key


def _frame(text: str, key: str) -> tuple[str, str]:
    """What stands before and after a leaf's text: its name, as far as it can tell anything."""
    if not key or len(key) > _NAME or key.lower() in _TELLS_NOTHING:
        return "", ""
    if len(text) >= _LONG and (len(text) > _TOKEN or any(map(str.isspace, text))):
        return "", ""
    # A quote inside would end the value for whoever reads it.
    quote = '"' if '"' not in text else next((each for each in "'`" if each not in text), "")
    return f'"{key}": {quote}', quote
