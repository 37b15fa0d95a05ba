"""What is encoded is decoded before looking.

A view shows the decoded parts of a text in their surroundings, so that `password: aHVudGVyMg==` is
read as the assignment that it is. Views are read again for what was encoded twice, as far as
something decoded is part of it. Text without any escape costs one fast pass.
"""

from collections.abc import Callable, Iterator
from typing import Final

from proctor.redaction.edits import Allowance, Edit, View, render
from proctor.redaction.escapes import escapes, pluses
from proctor.redaction.model import Budget
from proctor.redaction.runs import encoded
from proctor.redaction.triggers import Kind, present

_LEVELS: Final = 3
_RATIO: Final = 4
_FREE: Final = 2**20  # characters that any text may grow by
_ESCAPES: Final = ("%", "\\", "&")
VERSION: Final = "views-1"
"""Changes with every change of what is decoded."""


def views(text: str, budget: Budget) -> Iterator[View]:
    """The text decoded once, twice and three times, as far as there is something to decode.

    Raises:
        RedactionError: The time is up, or what is encoded grows beyond four times the text.
    """
    below: View | None = None
    allowance: Allowance | None = None
    for _ in range(_LEVELS):
        data = text.encode("latin-1", "replace")
        kinds = present(data)
        if not kinds and text.isascii() and not any(sign in text for sign in _ESCAPES):
            return
        allowance = allowance or Allowance(_RATIO * len(text) * _LEVELS + _FREE)
        layers = _layers(text, data, kinds, allowance, budget)
        if below is not None:
            touches = below.changes()
            layers = [_only(edits, touches) for edits in layers]
        below = render(text, layers, allowance, below)
        if below is None:
            return
        yield below
        text = below.text


def _layers(
    text: str, data: bytes, kinds: frozenset[Kind], allowance: Allowance, budget: Budget
) -> list[list[Edit]]:
    """Readings that do not mix: a number may be hex to one and a card to the other."""
    characters = escapes(text, budget, control=Kind.CONTROL in kinds)
    layers = [characters]
    if "+" in text and "%" in text:
        layers.append(pluses(text, characters))
    for kind in (Kind.BASE64, Kind.HEX, Kind.LIST):
        if kind in kinds:
            layers += encoded(text, data, kind, allowance, budget)
    return layers


def _only(edits: list[Edit], touches: Callable[[int, int], bool]) -> list[Edit]:
    """What was seen one level below already is no reason to look again."""
    return [
        edit if not edit.strong or touches(edit.start, edit.end) else edit._replace(strong=False)
        for edit in edits
    ]
