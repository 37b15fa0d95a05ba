"""Changes as server-sent events (WHATWG HTML, 9.2), to whoever may see them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from proctor.approval.desk import Desk
from proctor.approval.model import ApprovalError, Change, Reviewer
from proctor.approval.views import change_json
from proctor.console.problems import refused
from proctor.runtime.tasks import spawn, stop

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, and the sign-in is looked at again."""

_MAX = 500
_EACH = 20
_HIDDEN = frozenset({"approval-role", "approval-group", "approval-unknown"})


@dataclass(slots=True)
class Room:
    """How many streams are open, and whose; there is a bound on both."""

    _open: Counter[str] = field(default_factory=Counter[str])

    def check(self, reviewer: Reviewer) -> None:
        """Refuse a stream for which there is no room.

        Raises:
            ClientError: `too-many-streams`.
        """
        if self._open[reviewer.key] >= _EACH or self._open.total() >= _MAX:
            raise refused(
                429,
                "too-many-streams",
                "Too many pages or programs follow the changes",
                expected=f"at most {_EACH} of one person, {_MAX} of all",
                hint="Close some of them.",
            )

    @contextmanager
    def taken(self, reviewer: Reviewer) -> Iterator[None]:
        """While one more is open."""
        self._open[reviewer.key] += 1
        try:
            yield
        finally:
            self._open[reviewer.key] -= 1
            self._open += Counter()  # drops those at 0


@dataclass(slots=True, kw_only=True)
class Streams:
    """The streams of changes.

    Attributes:
        desk: Whose changes.
        heartbeat: Seconds.
        room: For how many.
    """

    desk: Desk
    heartbeat: float = HEARTBEAT
    room: Room = field(default_factory=Room)

    def open(self, reviewer: Reviewer, still: Callable[[], Awaitable[bool]]) -> Response:
        """A stream for one person.

        Args:
            reviewer: Who.
            still: Whether they are signed in still.

        Raises:
            ClientError: `too-many-streams`.
        """
        self.room.check(reviewer)
        return _Stream(self, reviewer, still)

    async def run(
        self,
        reviewer: Reviewer,
        still: Callable[[], Awaitable[bool]],
        tell: Callable[[bytes], Awaitable[None]],
        gone: asyncio.Task[None],
    ) -> None:
        """Tell of changes until the client is gone, signed out, or too slow."""
        coming: asyncio.Task[Change | None] | None = None
        with self.room.taken(reviewer):
            try:
                async with self.desk.follow() as changes:
                    await tell(b": proctor\n\n")
                    while True:
                        coming = coming or spawn(_next(changes), name="console events")
                        await asyncio.wait(
                            {coming, gone},
                            timeout=self.heartbeat,
                            return_when=asyncio.FIRST_COMPLETED,
                        )
                        if gone.done() or not await still():
                            return
                        if not coming.done():
                            await tell(b":\n\n")
                            continue
                        change, coming = coming.result(), None
                        if change is None:
                            return
                        if await may_see(self.desk, change, reviewer):
                            await tell(_event(change))
            finally:
                await stop(coming)


class _Stream(Response):
    """An answer that goes on; its end is always noticed, so that nothing is left behind."""

    media_type = "text/event-stream"

    def __init__(
        self, streams: Streams, reviewer: Reviewer, still: Callable[[], Awaitable[bool]]
    ) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        self._reviewer = reviewer
        self._still = still

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def tell(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        gone = spawn(_gone(receive), name="console events end")
        try:
            await self._streams.run(self._reviewer, self._still, tell, gone)
        finally:
            await stop(gone)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def may_see(desk: Desk, change: Change, reviewer: Reviewer) -> bool:
    """Whether a person is told of a change.

    Raises:
        ApprovalError: The store cannot be read.
    """
    match change.subject:
        case "approval":
            try:
                await desk.approval(change.id, reviewer)
            except ApprovalError as error:
                if error.code not in _HIDDEN:
                    raise
                return False
            return True
        case "grant":
            known = await desk.grants(reviewer, open_only=False)
            return any(grant.id == change.id for grant in known)
        case "kill":
            return bool(reviewer.roles)
        case _:
            return False


def _event(change: Change) -> bytes:
    data = json.dumps(change_json(change)).encode()  # one line: JSON has no line ends of its own
    return b"event: change\nid: %d\ndata: %b\n\n" % (change.seq, data)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _next(changes: AsyncIterator[Change]) -> Change | None:
    return await anext(changes, None)
