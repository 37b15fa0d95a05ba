"""Reads packs in processes of their own: what the gateway asks, and what it is told.

A process is kept as long as it answers, since what finds secrets takes seconds to load. It is given
no environment of the gateway's, and ends with it. One that answers too late is ended at once.
"""

import asyncio
import contextlib
import json
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from proctor.errors import InternalError
from proctor.git.packjob import HEAD, Setup, length_of, order_json, packed
from proctor.git.packreading import Order
from proctor.git.packreport import PackError, PackReport
from proctor.redaction.settings import RedactionSettings

COMMAND: Final = (sys.executable, "-m", "proctor.git.packjob")
GRACE: Final = 90.0
"""Seconds that a process has beyond a pack's own, to load what it needs."""
PROCESSES: Final = 2

_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")


class Packs:
    """Reads packs for one gateway.

    Args:
        settings: What is looked for in blobs; None: nobody looks at them.
        cache: Where compiled rules are kept.
        key: For digests of what is found.
        canaries: Their file.
        processes: At once, at most; what comes then waits.
        command: What is run.
        grace: Seconds that a process has beyond a pack's own.
    """

    def __init__(  # noqa: PLR0913 - what a process is given
        self,
        settings: RedactionSettings | None,
        *,
        cache: Path | None = None,
        key: bytes = b"",
        canaries: Path | None = None,
        processes: int = PROCESSES,
        command: Sequence[str] = COMMAND,
        grace: float = GRACE,
    ) -> None:
        self._setup = b""
        if settings:
            only = settings.model_copy(update={"profile": "secrets", "ner": None})
            self._setup = pickle.dumps(Setup(only, cache, key, canaries))
        self._command = tuple(command)
        self._grace = grace
        self._free = asyncio.Semaphore(processes)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._closed = False

    @property
    def detects(self) -> bool:
        """Whether blobs can be looked at."""
        return bool(self._setup)

    async def read(self, order: Order) -> PackReport:
        """What is in a pack.

        Args:
            order: Which pack, and what is asked of it.

        Raises:
            PackError: It cannot be read, or is more than may be.
            InternalError: `git-worker`: nobody can tell, so nothing of it may pass.
        """
        async with self._free:
            if self._closed:
                raise _failed("the gateway stops")
            process = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(order.limits.seconds + self._grace):
                    said = await _ask(process, order_json(order))
            except TimeoutError:
                raise _failed("no answer in time") from None
            except (OSError, ValueError, asyncio.IncompleteReadError):
                raise _failed("its end") from None
            else:
                self._idle.append(process)
            finally:
                if process not in self._idle:
                    await self._end(process)
        return _told(said)

    async def warm(self) -> None:
        """Start a process, so that the first pack need not wait for it."""
        async with self._free:
            if not self._idle and not self._closed:
                self._idle.append(await self._start())

    async def close(self) -> None:
        """End all processes at once."""
        self._closed = True
        for process in list(self._all):
            await self._end(process)
        self._idle.clear()

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # a traceback could hold what is in a pack
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,  # Ctrl-C is for the gateway, which then ends this
            )
        except OSError as error:
            raise _failed(type(error).__name__) from None
        self._all.add(process)
        if process.stdin:
            process.stdin.write(packed(self._setup))
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if process in self._all:
            self._all.discard(process)
            with contextlib.suppress(OSError):
                await process.communicate()  # reads to the end, so that nothing stays open


async def _ask(process: asyncio.subprocess.Process, message: bytes) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("it cannot be asked")
    process.stdin.write(packed(message))
    await process.stdin.drain()
    length = length_of(await process.stdout.readexactly(HEAD))
    said: dict[str, Any] = json.loads(await process.stdout.readexactly(length))
    return said


def _told(said: dict[str, Any]) -> PackReport:
    if failed := said.get("failed"):
        if str(failed["code"]).startswith("git-pack-"):
            raise PackError(**failed)
        raise InternalError(**failed)
    if "report" not in said:
        raise _failed(str(said.get("broken", "")))
    return PackReport.from_json(said["report"])


def _failed(got: str) -> InternalError:
    return InternalError(
        "git-worker",
        "The process that reads packs failed, so nothing was passed on",
        got=got,
        hint="Where it is memory that it lacks, send or fetch less at once.",
    )
