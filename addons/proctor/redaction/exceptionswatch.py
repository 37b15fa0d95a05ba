"""Exceptions that reload by themselves; where the file breaks, the old ones stay in force."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proctor.errors import ConfigurationError
from proctor.redaction.exceptions import Allowance, Exceptions, load

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at the file."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a reload brought; one that was renewed is in both."""

    added: tuple[Allowance, ...]
    removed: tuple[Allowance, ...]


type Report = Callable[[Change | ConfigurationError], None]
type _Signature = tuple[int, int, int, int] | str


class ExceptionsWatch:
    """Keeps the exceptions in force up to date with their file.

    Attributes:
        current: The exceptions in force.
    """

    def __init__(self, path: Path, *, report: Report, interval: float = INTERVAL) -> None:
        """Load the exceptions.

        Args:
            path: The file; it need not be there.
            report: Called after each change, with what it was or with what is wrong.
            interval: Seconds between two looks at the file.

        Raises:
            ConfigurationError: The file is wrong.
        """
        self._path = path
        self._report = report
        self._interval = interval
        self._seen = _signature(path)
        self.current = load(path)

    async def run(self) -> None:
        """Look at the file for ever; cancel to end."""
        while True:
            await asyncio.sleep(self._interval)
            await self.look()

    async def look(self) -> None:
        """Reload if the file has changed since the last look."""
        # The signature is from before the load: what changes during it is seen at the next look.
        seen = await asyncio.to_thread(_signature, self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = await asyncio.to_thread(load, self._path)
        except ConfigurationError as error:
            log.error(  # noqa: TRY400 - the message says all; a traceback would say no more
                "exceptions are broken, the old ones stay in force: %s",
                error,
                extra={"event": "exceptions.broken"},
            )
            self._report(error)
            return
        change = _change(self.current, found)
        self.current = found
        if change.added or change.removed:
            log.info(
                "exceptions are in force",
                extra={"event": "exceptions.loaded", "count": len(found.items)},
            )
            self._report(change)


def _change(old: Exceptions, new: Exceptions) -> Change:
    return Change(
        added=tuple(item for item in new.items if item not in old.items),
        removed=tuple(item for item in old.items if item not in new.items),
    )


def _signature(path: Path) -> _Signature:
    """What tells that the file has changed; its mode and owner change with ctime."""
    try:
        found = path.lstat()
    except OSError as error:
        return error.strerror or type(error).__name__
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
