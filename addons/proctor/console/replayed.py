"""A session played back in the browser: the page, and its events with their times.

Whoever may see the session may watch it. The browser asks for the events part by part, so that
neither side holds more of a long session than it needs at once.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.audit import find
from proctor.audit.conversation import conversation
from proctor.audit.find import Target
from proctor.audit.reader import Reader
from proctor.console.house import House
from proctor.console.legible import plain
from proctor.console.readings import Readings
from proctor.console.rendering import page
from proctor.console.timeline import chosen, number, permitted
from proctor.errors import ClientError
from proctor.replay.film import STATEMENTS, arranged

TURNS = 120
"""Turns in one part."""
_TEXT = 10_000


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """`/sessions/replay`, and `/sessions/replay/events` for its script."""

    async def watched(request: Request) -> Response:
        target = await permitted(request, house)
        found = await readings.ask(lambda reader: _totals(reader, target), None)
        if found is None:
            raise find.empty()
        started, subject = found
        given = {"target": target, "chosen": chosen(target), "started": started, "subject": subject}
        return await page(request, house, "replay.html", given)

    async def events(request: Request) -> Response:
        target = await permitted(request, house)
        first = number(request.query_params.get("from", "1"))
        found = await readings.ask(lambda reader: part(reader, target, first), None)
        if found is None:
            raise find.empty()
        return JSONResponse(found)

    return [Route("/sessions/replay", watched), Route("/sessions/replay/events", events)]


def _totals(reader: Reader, target: Target) -> tuple[datetime, str | None]:
    totals = conversation(reader, target).totals
    return totals.started_at, totals.subject


def part(reader: Reader, target: Target, first: int) -> dict[str, Any]:
    """Events of some turns, their texts made legible.

    Args:
        reader: The record.
        target: The session.
        first: Number of the first turn, from 1.

    Returns:
        `events` with times from the part's beginning, its `seconds`, and the `next` part's first
        turn or None.

    Raises:
        ClientError: `session-unknown`, `turn-unknown`.
    """
    talk = conversation(reader, target)
    if not 0 < first <= len(talk):
        raise ClientError(
            code="turn-unknown",
            message="The session has no such turn",
            expected=f"1 to {len(talk)}",
            status=404,
        )
    last = min(len(talk), first + TURNS - 1)
    turns = list(talk.turns(limit=_TEXT, only=first, last=last, statements=STATEMENTS))
    found = arranged(turns, turns[0].exchange.started_at, limit=_TEXT)
    return {
        "events": [
            {**asdict(event), "label": plain(event.label), "text": plain(event.text)}
            for event in found
        ],
        "seconds": max(event.until for event in found),
        "next": last + 1 if last < len(talk) else None,
    }
