"""What a human is shown of a tool before they accept it."""

from dataclasses import replace
from typing import Final

from proctor.approval.model import Card, Part
from proctor.mcp.model import Pin
from proctor.protocols.mcp.definitions import changed

_MAX_LINES: Final = 1500  # of either side; more would take too long to compare


def difference(pin: Pin) -> str:
    """The newest definition as a unified diff; empty if it is not kept.

    It is against the accepted one where `is_compared` says so, else all of it is new. It takes a
    while: not for an event loop.
    """
    if not pin.kept:
        return ""
    return changed(pin.definition if is_compared(pin) else {}, pin.newest)


def with_definition(card: Card, pin: Pin) -> Card:
    """A call's card that shows first what would be accepted with the call."""
    return replace(
        card, parts=(Part(name="definition", kind="diff", text=difference(pin)), *card.parts)
    )


def is_compared(pin: Pin) -> bool:
    """Whether it waits, another one is accepted, and the two are short enough."""
    sizes = _lines(pin.accepted_text), _lines(pin.newest_text)
    return pin.open and pin.accepted is not None and max(sizes) <= _MAX_LINES


def is_cut(diff: str) -> bool:
    """Whether some of it is left out: every line of a whole one begins otherwise."""
    return diff.rpartition("\n")[2].startswith("…")


def _lines(text: str) -> int:
    """At least as many as it has when it is laid out."""
    return sum(text.count(each) * 2 for each in "{[") + text.count(",") + text.count("\\n")
