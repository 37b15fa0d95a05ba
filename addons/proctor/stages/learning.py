"""Secrets that answers hand to the agent: from then on they are known, should they leave."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from proctor.redaction.message import Looked
from proctor.redaction.model import SECRETS, Direction, Spot
from proctor.redaction.screen import Screen
from proctor.redaction.treatment import passes
from proctor.stages.exchange import Exchange

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

MOST: Final = 4
"""Secrets of one answer; a list of keys is learned in part."""


def learner(
    suite: "Suite", exchange: Exchange, screen: Screen
) -> Callable[[Spot, str], None] | None:
    """What learns the secrets of an answer; None for the model's own, whose words are requests'.

    It may be called in any thread. What may leave as it is, is no secret here.
    """
    principal = exchange.principal
    if principal is None or exchange.message is not None:
        return None
    loop, thread = asyncio.get_running_loop(), threading.get_ident()
    host, seen = exchange.at[0], set[str]()
    origin = f"an answer of {host}"

    def learn(spot: Spot, digest: str) -> None:
        if digest not in seen and len(seen) < MOST and not screen.lets_pass(spot.type, {}):
            seen.add(digest)
            work = partial(suite.leaving.learn, principal.key, spot, digest, origin, host)
            if threading.get_ident() == thread:
                work()
            else:
                loop.call_soon_threadsafe(work)

    return learn


def learn_message(suite: "Suite", exchange: Exchange, looked: Looked) -> None:
    """Learn the secrets of a WebSocket's message that has reached the agent."""
    screen = looked.screen
    learn = learner(suite, exchange, screen)
    methods = screen.methods(Direction.RESPONSE, {})
    types = {
        found.type
        for found in looked.look.sights[0].found
        if found.type in SECRETS and ((method := methods(found)) is None or passes(method))
    }
    redactor = screen.parts.redactor
    for spot in redactor.values(looked.look, 0, screen.parts.budget()) if learn and types else ():
        if learn and spot.type in types:
            learn(spot, redactor.digest(spot.type, spot.value))
