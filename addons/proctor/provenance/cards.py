"""What a reviewer is told of where an action's arguments came from."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from proctor.approval.model import Card, Part
from proctor.arriving.signs import EXPLANATIONS
from proctor.provenance.memory import Origin, in_words

ORIGIN: Final = "where it came from"
"""Name of the part of a card."""

_EXCHANGE: Final = re.compile(r"\(exchange ([0-9a-f-]{36})\)$", re.MULTILINE)
_MANY: Final = 5


def exchanges(text: str) -> list[str]:
    """The exchanges that such a part names, each once."""
    return list(dict.fromkeys(_EXCHANGE.findall(text)))[:_MANY]


def with_origins(card: Card, origins: Sequence[Origin], now: datetime) -> Card:
    """The card, and where what is in it came from.

    Args:
        card: Of an action.
        origins: Of its arguments.
        now: When it is shown, UTC.
    """
    if not origins:
        return card
    # Of an address and its host, found in one argument, the address says more.
    told: dict[str, Origin] = {}
    for each in origins:
        told.setdefault(each.argument, each)
    lines = [f"{in_words(each, now)} (exchange {each.source.flow_id})" for each in told.values()]
    worst = max((each.source for each in origins), key=lambda source: source.score)
    if worst.score > 0:
        lines.append(f"That shows signs of prompt injection, {worst.score:.2f} of 1:")
        lines += [f"  {name}: {EXPLANATIONS[name]}" for name in worst.signs if name in EXPLANATIONS]
    part = Part(name=ORIGIN, kind="text", text="\n".join(lines))
    return dataclasses.replace(card, parts=(part, *card.parts))
