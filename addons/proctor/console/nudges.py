"""Telling open pages that something has changed, so that they ask for what they show anew.

What a page is sent says nothing of what changed: that, it asks for, as whoever looks at it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from proctor.approval.desk import Desk
from proctor.approval.model import Reviewer
from proctor.console.house import House
from proctor.console.rendering import person
from proctor.console.stream import Room
from proctor.runtime.tasks import spawn, stop

HEARTBEAT = 15.0
GAP = 0.2
"""Seconds between two nudges: a thousand changes at once are one look."""
LIFE = 300.0
"""Seconds after which a page has to ask again, and prove again who it is."""
NUDGE = b"event: changed\ndata: now\n\n"
STILL = b": still here\n\n"


def routes(house: House) -> list[BaseRoute]:
    """`/events`, for the pages' own script."""
    room = Room()

    async def events(request: Request) -> Response:
        reviewer = person(request)
        room.check(reviewer)
        return StreamingResponse(
            _counted(room, reviewer, nudges(house.desk, request.state.still)),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return [Route("/events", events)]


async def _counted(
    room: Room, reviewer: Reviewer, lines: AsyncGenerator[bytes]
) -> AsyncGenerator[bytes]:
    with room.taken(reviewer):
        async with aclosing(lines):
            async for line in lines:
                yield line


async def nudges(
    desk: Desk,
    still: Callable[[], Awaitable[bool]],
    *,
    heartbeat: float = HEARTBEAT,
    gap: float = GAP,
    life: float = LIFE,
) -> AsyncGenerator[bytes]:
    """Server-sent events (WHATWG HTML, 9.2): one at once, then one for each burst of changes.

    Args:
        desk: Whose changes.
        still: Whether whoever listens is signed in still; it ends where they are not.
        heartbeat: Seconds of silence after which a comment is sent.
        gap: Seconds between two nudges.
        life: Seconds after which it ends; a browser then asks again.
    """
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    end = loop.time() + life
    async with desk.follow() as changes:

        async def watch() -> None:
            async for _ in changes:
                changed.set()

        watcher = spawn(watch(), name="console nudges")
        watcher.add_done_callback(lambda _: changed.set())
        try:
            yield NUDGE
            while loop.time() < end and not watcher.done():
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(heartbeat, end - loop.time()))
                if not await still():
                    return
                if changed.is_set():
                    changed.clear()
                    yield NUDGE
                    await asyncio.sleep(gap)
                else:
                    yield STILL
        finally:
            await stop(watcher)
