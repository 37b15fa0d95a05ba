"""Takes an answer's bytes while they pass, and has long ones looked at before they end.

A stream of events may never end, and the agent acts on its first words. So what has come is looked
at a moment later, beside the way it passes, and again as long as something comes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from proctor.arriving.bodies import MAX_BODY
from proctor.errors import InternalError
from proctor.model import Finding
from proctor.runtime.tasks import spawn

PAUSE: Final = 0.25
"""Seconds from the first bytes, and between two looks."""

WINDOW: Final = 64 * 1024
"""Bytes of one look on the way; of what comes faster, the latest."""

MAX_FINDINGS: Final = 200

type Look = Callable[[bytes], Awaitable[tuple[Finding, ...]]]
type Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class Watch:
    """Of one answer.

    Args:
        content_type: Of the answer.
        look: Looks at a part of it on the way; None: it is looked at in the end alone.
        later: Calls back after seconds; None for the event loop's.

    Attributes:
        findings: Signs of prompt injection in it.
    """

    def __init__(
        self, content_type: str, look: Look | None = None, later: Later | None = None
    ) -> None:
        self.content_type = content_type
        self.findings: tuple[Finding, ...] = ()
        self._look = look
        self._later = later
        self._parts: list[bytes] = []
        self._size = 0
        self._new = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes, decoded.

        Raises:
            InternalError: `stage-failed`: what came before could not be looked at.
        """
        if self._failed:
            raise _failed()
        if not data:
            return
        if self._size < MAX_BODY:
            self._parts.append(bytes(data[: MAX_BODY - self._size]))
        self._size += len(data)
        if self._look:
            self._new += data
            del self._new[:-WINDOW]
            self._wait()

    @property
    def body(self) -> bytes:
        """What came, as far as it was kept."""
        return b"".join(self._parts)

    async def end(self) -> None:
        """Nothing more comes: look at what `body` has not.

        Raises:
            InternalError: `stage-failed`: some of it could not be looked at.
        """
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._task:
            await asyncio.wait({self._task})
        if self._look and self._new and self._size > MAX_BODY and not self._failed:
            await self._midway(self._look, self._taken())
        self._look = None
        if self._failed:
            raise _failed()

    def add(self, found: tuple[Finding, ...]) -> None:
        """Signs that were found, and those of other kinds that were found before."""
        kinds = {each.detector for each in found}
        before = [each for each in self.findings if each.detector not in kinds]
        self.findings = (*found, *before)[:MAX_FINDINGS]

    def _wait(self) -> None:
        if self._timer is None and self._task is None:
            later = self._later or asyncio.get_running_loop().call_later
            self._timer = later(PAUSE, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._look:
            self._task = spawn(self._midway(self._look, self._taken()), name="arriving")
            self._task.add_done_callback(self._looked)

    def _looked(self, _task: asyncio.Task[None]) -> None:
        self._task = None
        if self._new and self._look:
            self._wait()

    def _taken(self) -> bytes:
        taken = bytes(self._new)
        self._new.clear()
        return taken

    async def _midway(self, look: Look, part: bytes) -> None:
        try:
            self.add(await look(part))
        except BaseException:
            self._failed = True
            raise


def _failed() -> InternalError:
    return InternalError("stage-failed", "What came in could not be looked at")
