"""The logs of a witness that runs: its file is read again when it changes, all or nothing."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from proctor.errors import ConfigurationError
from proctor.tlog.note import VerifierKey
from proctor.witness.settings import WitnessSettings, load

log = logging.getLogger(__name__)

INTERVAL: Final = 1.0
"""Seconds between two looks at the file."""

type _Signature = tuple[int, int, int] | str


class LogsWatch:
    """Keeps `logs` up to date with witness.yaml; what else it says takes a restart.

    Attributes:
        current: What is in force.
    """

    def __init__(self, path: Path, *, interval: float = INTERVAL) -> None:
        """Read the file.

        Args:
            path: witness.yaml.
            interval: Seconds between two looks at it.

        Raises:
            ConfigurationError: It cannot be read, or is wrong.
        """
        self._path = path
        self._interval = interval
        self._seen = _signature(path)
        self.current: WitnessSettings = load(path)

    def keys_for(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys that may sign this origin now."""
        return self.current.keys_for(origin)

    async def run(self) -> None:
        """Look at the file for ever; cancel to end."""
        while True:
            await asyncio.sleep(self._interval)
            await self.look()

    async def look(self) -> None:
        """Read it again if it has changed since the last look."""
        # From before it is read: what changes meanwhile is seen at the next look.
        seen = await asyncio.to_thread(_signature, self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = await asyncio.to_thread(load, self._path)
        except ConfigurationError as error:
            log.error(  # noqa: TRY400 - it says what and where; a traceback says nothing more
                "witness.yaml is broken, the logs of before stay: %s",
                error,
                extra={"event": "witness.broken"},
            )
            return
        before, self.current = self.current, found
        if found.model_copy(update={"logs": before.logs}) != before:
            log.warning(
                "witness.yaml says more than other logs: that takes a restart",
                extra={"event": "witness.restart"},
            )
        if found.logs != before.logs:
            log.info(
                "the witness's logs are in force",
                extra={"event": "witness.logs", "logs": len(found.logs)},
            )


def _signature(path: Path) -> _Signature:
    """What tells that a file has changed."""
    try:
        found = path.stat()
    except OSError as error:
        return error.strerror or type(error).__name__
    return found.st_mtime_ns, found.st_size, found.st_ino
