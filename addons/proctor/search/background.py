"""Keeps the index up while the gateway runs, in a process that comes and goes.

A process of its own, at low priority: what indexing takes in memory and time is not the gateway's.
None is started while nothing is recorded, and one at a time works for all gateways of a record. It
is given neither secrets nor the gateway's environment, and ends with the gateway.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from proctor.runtime.tasks import spawn
from proctor.search.job import order

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between looking for what is new."""
SECONDS = 600.0
"""For which one process works; what is left is for the next."""
GRACE = 120.0
"""Seconds for a last step, after which the process hangs."""
COMMAND: Final = (sys.executable, "-m", "proctor.search.job")

_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
_MAX_LINE: Final = 65_536

type _Stamp = tuple[tuple[str, int, int], ...]


class Background:
    """Indexes until it is closed; a failure is logged once, and tried again after a pause.

    Args:
        recordings: The record's folder.
        pause: Seconds between looking for what is new.
        command: The process.
        seconds: For which one works.
        grace: Seconds that it has longer.
    """

    def __init__(
        self,
        recordings: Path,
        *,
        pause: float = PAUSE,
        command: Sequence[str] = COMMAND,
        seconds: float = SECONDS,
        grace: float = GRACE,
    ) -> None:
        self._recordings = recordings
        self._pause = pause
        self._command = command
        self._seconds = seconds
        self._grace = grace
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._closing = asyncio.Event()
        self._seen: _Stamp | None = None
        self._failing = ""

    def start(self) -> None:
        """Begins, in the running loop."""
        self._task = spawn(self._run(), name="search")

    async def close(self) -> None:
        """Ends the process at once; what is not done is done later."""
        # Not cancelled: a process that is being started at that moment would stay.
        self._closing.set()
        self._end()
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)

    def _end(self) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._pause)
            if self._closing.is_set():
                return
            stamp = await asyncio.to_thread(_stamp, self._recordings)
            if stamp == self._seen:
                continue
            code, whole = await self._once()
            self._seen = stamp if whole else None
            if code and code != self._failing and not self._closing.is_set():
                log.warning(
                    "the search index cannot be kept up: %s",
                    code,
                    extra={"event": "search.failed", "code": code},
                )
            self._failing = code

    async def _once(self) -> tuple[str, bool]:
        """Runs a process: what went wrong, and whether there is nothing left to do."""
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,  # open as long as it shall live
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # a traceback could hold a text
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,  # Ctrl-C is for the gateway, which then ends this
                limit=_MAX_LINE,
            )
        except OSError as error:
            return type(error).__name__, False
        if self._closing.is_set():
            self._end()
        try:
            async with asyncio.timeout(self._seconds + self._grace):
                return await self._listen(process)
        except TimeoutError:
            return "search-hangs", False
        except (OSError, ValueError, LookupError, TypeError):  # it is gone, or talks nonsense
            return "search-ended", False
        finally:
            self._end()
            await process.communicate()  # reads to the end, so that nothing stays open

    async def _listen(self, process: asyncio.subprocess.Process) -> tuple[str, bool]:
        if process.stdin is None or process.stdout is None:
            return "search-ended", False
        process.stdin.write(order(self._recordings, self._seconds))
        await process.stdin.drain()
        async for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "failed" in said:
                return str(said["failed"]), False
            if "done" in said:
                return "", not said["done"]["more"] and not said["done"]["busy"]
            extra = {"event": said["event"], "writer": said["writer"]}
            log.warning("%s", said["log"], extra=extra)
        return "search-ended", False


def _stamp(recordings: Path) -> _Stamp:
    """What differs once somebody has recorded something."""
    found: list[tuple[str, int, int]] = []
    for path in sorted((recordings / "writers").glob("*/[0-9]*.jsonl")):
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            found.append((f"{path.parent.name}/{path.name}", state.st_size, state.st_mtime_ns))
    return tuple(found)
