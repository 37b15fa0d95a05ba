"""What a message of a WebSocket has to do with what was before, as tracing does for requests."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.arriving.watching import Watch
from proctor.leaving.gathered import places_of
from proctor.leaving.watch import Hit
from proctor.model import Action, Principal
from proctor.provenance.memory import Origin
from proctor.redaction.message import Looked
from proctor.redaction.model import SECRETS, Direction, Spot
from proctor.stages.exchange import Exchange
from proctor.stages.learning import learn_message

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

_PASSED = frozenset({"detect", "pass"})


def traced(
    suite: "Suite", principal: Principal, action: Action
) -> tuple[Action, tuple[Origin, ...]]:
    """The action, and what in it came from an answer that nobody vouches for."""
    if action.ws is None or action.ws.direction != "client":
        return action, ()
    return suite.arrivals.marked(principal, action)


async def trace(suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, looked: Looked) -> None:
    """Add what only the memory of the run can tell.

    Raises:
        RedactionError: It could not be looked at whole.
    """
    principal = exchange.principal
    if principal is None:
        return
    if looked.direction is Direction.RESPONSE:
        watch = Watch("application/json" if looked.text else "text/plain")
        watch.feed(looked.data)
        alone = dataclasses.replace(exchange, arriving=watch, answering=None)
        await suite.arrivals.answered(flow.id, alone)
        looked.arriving = watch.findings
        return
    spots = _spots(looked, await _hits(suite, exchange.at[0], principal, looked))
    if spots:
        redactor, budget = looked.screen.parts.redactor, looked.screen.parts.budget()
        redactor.add(looked.look, 0, spots, budget)


def met(
    suite: "Suite",
    exchange: Exchange,
    principal: Principal,
    looked: Looked,
    redact: Mapping[str, str],
) -> None:
    """Remember what has reached the agent."""
    if looked.direction is Direction.RESPONSE:
        learn_message(suite, exchange, looked)
        found = looked.findings(redact)
        types = [each.type for each in found if each.action in _PASSED]
        if types:
            suite.gate.runs.meet(principal, types)


async def _hits(suite: "Suite", host: str, principal: Principal, looked: Looked) -> list[Hit]:
    parts = looked.screen.parts
    places = places_of([(0, looked.document.leaves)])

    def work() -> list[Hit]:
        detector, budget = parts.redactor.detector, parts.budget()
        return suite.leaving.trace(principal.key, host, places, detector, budget)

    if len(looked.data) <= parts.inline:
        return work()
    return await asyncio.get_running_loop().run_in_executor(parts.pool, work)


def _spots(looked: Looked, hits: list[Hit]) -> dict[int, list[Spot]]:
    """What is to be taken out beyond what search has found, by leaf."""
    redactor = looked.screen.parts.redactor
    treatment = looked.screen.parts.treatments.on(looked.screen.listener, {})
    opened = looked.look.opened.get(0)
    found: dict[int, list[Spot]] = {}
    for hit in hits:
        spots = opened.spots.get(hit.place.leaf, ()) if opened else ()
        if any(s.type in SECRETS and s.start < hit.end and hit.start < s.end for s in spots):
            continue
        digest = hit.digest or redactor.digest(hit.type, hit.value)
        harmless = redactor.allowed(hit.detector, digest, hit.place.location)
        if harmless or treatment.method(hit.type, looked.direction) is None:
            continue
        spot = Spot(hit.start, hit.end, hit.type, hit.detector, hit.score, hit.value)
        found.setdefault(hit.place.leaf, []).append(spot)
    return found
