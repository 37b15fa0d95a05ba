"""Checkpoints go to places outside this machine: witnesses, and folders that are written once.

Never in the way of traffic: the newest checkpoint waits until a place has taken it, older ones that
it overtook are not sent. A place that is down is tried again, later and later. One that has seen
more than there is, or another history, is an alarm: in the log, in the record, and in /metrics.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from proctor.errors import ProctorError, UpstreamError
from proctor.evidence.settings import AnchorSettings
from proctor.evidence.witnessing import HttpPost, WitnessAnchor
from proctor.evidence.worm import FolderAnchor
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import CosignerKey
from proctor.tlog.note import Note, parse_note

log = logging.getLogger(__name__)

EVERY: Final = 60.0
ALARMS: Final = frozenset({"anchor-ahead", "anchor-forked"})
_LONGEST = 300.0


class Anchor(Protocol):
    """A place that takes checkpoints."""

    @property
    def name(self) -> str:
        """What logs and metrics call it."""
        ...

    async def take(self, note: Note, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint there.

        Raises:
            ProctorError: It was not taken; codes in `ALARMS` mean another history.
            OSError, ValueError: It was not taken either.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorStatus:
    """How one place is.

    Attributes:
        name: Its address or path.
        size: Records that the last checkpoint it took covers; None if it took none yet.
        at: When that was.
        error: Code of what is wrong now; empty if nothing is.
        alarm: Whether it has seen another history.
    """

    name: str
    size: int | None = None
    at: datetime | None = None
    error: str = ""
    alarm: bool = False


@dataclass(slots=True, kw_only=True)
class _Place:
    anchor: Anchor
    status: AnchorStatus
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    taken: str = ""


class Anchors:
    """All the places of one writer."""

    def __init__(
        self,
        anchors: Sequence[Anchor],
        *,
        every: float,
        clock: Callable[[], datetime],
        report: Callable[[str, dict[str, Any]], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            anchors: The places.
            every: Seconds between two checkpoints to one place.
            clock: The time, UTC.
            report: Told of alarms and of their end, as an event for the record: kind and detail.
                Called in the event loop.
            pause: Waits for some seconds.
        """
        self._places = [
            _Place(anchor=anchor, status=AnchorStatus(name=anchor.name)) for anchor in anchors
        ]
        self._every = every
        self._clock = clock
        self._report = report
        self._pause = pause
        self._guard = threading.Lock()
        self._newest: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, origin: str, note: str) -> None:
        """Take a new checkpoint, from any thread; it is sent when its turn comes.

        Args:
            origin: Whose; one writer's, always the same.
            note: The checkpoint, signed.
        """
        del origin  # it stands in the note
        with self._guard:
            self._newest = note
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake)

    def status(self) -> list[AnchorStatus]:
        """How all places are."""
        return [place.status for place in self._places]

    async def run(self) -> None:
        """Send until cancelled."""
        with self._guard:
            self._loop = asyncio.get_running_loop()
            waiting = self._newest is not None
        if waiting:
            self._wake()
        try:
            async with asyncio.TaskGroup() as group:
                for place in self._places:
                    group.create_task(self._serve(place), name=f"anchor {place.anchor.name}")
        finally:
            with self._guard:
                self._loop = None

    async def finish(self, within: float) -> None:
        """After `run` has ended: send the newest checkpoint to whoever has not got it.

        Args:
            within: Seconds for all of it.
        """
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*map(self._try, self._places))
        except TimeoutError:
            log.warning(
                "The last checkpoint was not anchored everywhere",
                extra={"event": "anchor.unfinished"},
            )

    def _wake(self) -> None:
        for place in self._places:
            place.wake.set()

    async def _serve(self, place: _Place) -> None:
        failures = 0
        while True:
            await place.wake.wait()
            place.wake.clear()
            if await self._try(place):
                failures = 0
                await self._pause(self._every)
            else:
                place.wake.set()
                await self._pause(min(_LONGEST, 2.0**failures))
                failures = min(failures + 1, 10)

    async def _try(self, place: _Place) -> bool:
        async with place.turn:
            with self._guard:
                newest = self._newest
            if newest is None or newest == place.taken:
                return True
            try:
                note = parse_note(newest)
                checkpoint = Checkpoint.parse(note.text)
                await place.anchor.take(note, checkpoint)
            except ProctorError as error:
                self._failed(place, error)
                return False
            except Exception as error:  # noqa: BLE001 - it is told; the next try may go well
                what = getattr(error, "strerror", None) or type(error).__name__
                self._failed(
                    place,
                    UpstreamError("anchor-failed", "The checkpoint cannot be kept", got=what),
                )
                return False
            place.taken = newest
            self._done(place, checkpoint.size)
            return True

    def _done(self, place: _Place, size: int) -> None:
        before = place.status
        place.status = AnchorStatus(name=before.name, size=size, at=self._clock())
        if before.error:
            log.info(
                "An anchor takes checkpoints again: %s",
                before.name,
                extra={"event": "anchor.back", "anchor": before.name},
            )
        if before.alarm:
            self._report("anchor.back", {"anchor": before.name, "size": size})

    def _failed(self, place: _Place, error: ProctorError) -> None:
        before = place.status
        alarm = error.code in ALARMS
        place.status = AnchorStatus(
            name=before.name,
            size=before.size,
            at=before.at,
            error=error.code,
            alarm=alarm or before.alarm,
        )
        if before.error == error.code:
            return
        log.log(
            logging.ERROR if alarm else logging.WARNING,
            "A checkpoint is not anchored: %s",
            error,
            extra={"event": "anchor.alarm" if alarm else "anchor.failed", "anchor": before.name},
        )
        if alarm and not before.alarm:
            self._report(
                "anchor.alarm",
                {"anchor": before.name, "code": error.code, "got": error.got},
            )


class Wired:
    """The anchors of a configuration, and what they hold open."""

    def __init__(
        self,
        settings: Sequence[AnchorSettings],
        writers: Path,
        *,
        every: float,
        clock: Callable[[], datetime],
        report: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: `audit.anchors`.
            writers: The folder of all writers of the record.
            every: `audit.anchor_every`, seconds.
            clock: The time, UTC.
            report: As for `Anchors`.
        """
        self._posts: list[HttpPost] = []
        self.anchors = Anchors(
            [self._anchor(each, writers, clock) for each in settings],
            every=every,
            clock=clock,
            report=report,
        )

    async def close(self) -> None:
        """Close all connections."""
        for post in self._posts:
            await post.close()

    def _anchor(
        self, settings: AnchorSettings, writers: Path, clock: Callable[[], datetime]
    ) -> Anchor:
        if settings.folder is not None:
            return FolderAnchor(settings.folder, writers=writers)
        post = HttpPost(settings.ca)
        self._posts.append(post)
        return WitnessAnchor(
            settings.witness or "",
            CosignerKey.parse(settings.key or ""),
            writers=writers,
            post=post,
            clock=clock,
        )
