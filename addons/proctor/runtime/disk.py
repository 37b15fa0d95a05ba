"""Watches the room that is left for the record, and raises an alarm well before it runs out.

Free space lies in one of five bands; the thresholds are the operator's, and a level is left only
with a tenth more than it takes to enter it, so that a file system at the edge does not flap.

    band        free space                              from OK    from WARNING  from CRITICAL
    ample       above warn + 10 %                       OK         OK            OK
    near warn   down to warn                            OK         WARNING       WARNING
    low         down to critical + 10 %                 WARNING    WARNING       WARNING
    near crit   down to critical                        WARNING    WARNING       CRITICAL
    scarce      below critical, or it cannot be asked   CRITICAL   CRITICAL      CRITICAL
"""

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from proctor.settings import DiskSettings, Threshold
from proctor.units import format_size

log = logging.getLogger(__name__)

INTERVAL = 10.0
"""Seconds between two looks."""

_MARGIN = 1.1


class DiskState(IntEnum):
    """How much room is left."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


class Usage(Protocol):
    """What `shutil.disk_usage` returns; bytes."""

    @property
    def total(self) -> int:
        """Size of the file system."""
        ...

    @property
    def free(self) -> int:
        """What our user may still write."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskReading:
    """One look at the file system.

    Attributes:
        state: The level.
        free: Bytes left; -1 if it could not be asked.
        total: Bytes altogether; -1 if it could not be asked.
    """

    state: DiskState
    free: int
    total: int

    def __str__(self) -> str:
        if self.total <= 0:
            return "the file system cannot be asked"
        return f"{format_size(self.free)} free ({self.free / self.total:.1%})"


_OK, _WARNING, _CRITICAL = DiskState
# Columns as in the text above: from OK, WARNING, CRITICAL.
_NEXT: tuple[tuple[DiskState, DiskState, DiskState], ...] = (
    (_OK, _OK, _OK),
    (_OK, _WARNING, _WARNING),
    (_WARNING, _WARNING, _WARNING),
    (_WARNING, _WARNING, _CRITICAL),
    (_CRITICAL, _CRITICAL, _CRITICAL),
)


class DiskWatch:
    """The level of one file system, and who is told when it changes."""

    def __init__(
        self,
        path: Path,
        settings: DiskSettings,
        *,
        report: Callable[[str, int], None],
        usage: Callable[[Path], Usage] = shutil.disk_usage,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            path: Anything on the file system.
            settings: The thresholds.
            report: Told of every change of level, up and down: `ok`, `warning` or `critical`,
                and the bytes left, -1 if that cannot be asked.
            usage: Asks the file system; OSError if it cannot.
        """
        self._path = path
        self._settings = settings
        self._report = report
        self._usage = usage
        self.reading = DiskReading(state=DiskState.OK, free=-1, total=-1)

    def look(self) -> DiskReading:
        """Ask the file system, and tell of a change; may block as a system call does."""
        return self._take(self._ask())

    async def run(self, interval: float = INTERVAL) -> None:
        """Look for ever; cancel to end. A file system that hangs hangs a thread, not the loop."""
        while True:
            self._take(await asyncio.to_thread(self._ask))
            await asyncio.sleep(interval)

    def _ask(self) -> Usage | None:
        try:
            return self._usage(self._path)
        except OSError:
            return None

    def _take(self, usage: Usage | None) -> DiskReading:
        before = self.reading.state
        free, total = (usage.free, usage.total) if usage else (-1, -1)
        state = _NEXT[_band(self._settings, free, total)][before]
        self.reading = DiskReading(state=state, free=free, total=total)
        if state is not before:
            self._tell(before)
        return self.reading

    def _tell(self, before: DiskState) -> None:
        worse = self.reading.state > before
        log.log(
            logging.INFO if not worse else logging.WARNING + 10 * (self.reading.state - 1),
            "Room for the record: %s, %s",
            self.reading.state.name.lower(),
            self.reading,
            extra={
                "event": "disk.alarm" if worse else "disk.recovered",
                "path": str(self._path),
                "state": self.reading.state.name.lower(),
                "free_bytes": self.reading.free,
                "total_bytes": self.reading.total,
            },
        )
        self._report(self.reading.state.name.lower(), self.reading.free)


def _band(settings: DiskSettings, free: int, total: int) -> int:
    if total <= 0 or free < _bytes(settings.critical, total):
        return 4
    if free < _bytes(settings.critical, total) * _MARGIN:
        return 3
    if free < _bytes(settings.warn, total):
        return 2
    return 1 if free < _bytes(settings.warn, total) * _MARGIN else 0


def _bytes(threshold: Threshold, total: int) -> float:
    """Either criterion is enough, so the larger one counts."""
    return max(threshold.fraction * total, threshold.size)
