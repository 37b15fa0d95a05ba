"""A worker as its gateway sees it: a process, what it is told, what it says."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from proctor.config import Config
from proctor.postgres import control
from proctor.runtime.tasks import spawn, stop
from proctor.scrub import scrub
from proctor.stdio.assembly import variables_of
from proctor.stdio.child import visible
from proctor.stdio.lines import Lines, TooLong

logger = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "proctor.postgres.worker")

_CHUNK: Final = 64 * 1024
_LAST_WORDS: Final = 0.5  # seconds
_LINE: Final = 64 * 1024
_LEVELS: Final = logging.getLevelNamesMapping()
# What a line of the log says by itself; a LogRecord has its own names for these.
_SAID: Final = frozenset({"ts", "level", "logger", "message", "asctime", "name", "args"})


class Child:
    """One process, in a session of its own, since what a terminal signals is for the gateway."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("a process without pipes")
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._said = spawn(_pass_on(process.stderr), name="worker's log")

    @classmethod
    async def start(
        cls, number: int, file: Path, config: Config, handles: Mapping[str, int]
    ) -> Self:
        """Start it.

        Args:
            number: Which of the gateway's workers it is.
            file: Of the configuration, for what it says.
            config: As loaded.
            handles: The sockets it takes clients from, by listener.
        """
        given = [f"--listener={name}={handle}" for name, handle in handles.items()]
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *("--config", str(file)),
            *("--number", str(number)),
            *given,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment_of(os.environ, config, handles),
            pass_fds=tuple(handles.values()),
            start_new_session=True,
        )
        return cls(process)

    def write(self, line: bytes) -> None:
        """Tell it something; what comes once it has gone is lost."""
        if not self._input.is_closing():
            self._input.write(line)

    def close_input(self) -> None:
        """Have it end."""
        with contextlib.suppress(OSError):
            self._input.close()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def messages(self) -> AsyncIterator[control.Message]:
        """What it says, until it has ended.

        Raises:
            InternalError: `worker-channel`.
        """
        reader = control.Reader()
        while data := await self._output.read(_CHUNK):
            for message in reader.feed(data):
                yield message

    async def ended(self) -> int:
        """Its exit status, once it has ended."""
        status = await self._process.wait()
        await asyncio.wait({self._said}, timeout=_LAST_WORDS)
        await stop(self._said)
        return status


def environment_of(
    given: Mapping[str, str], config: Config, listeners: Iterable[str]
) -> dict[str, str]:
    """What a worker gets of an environment: no secret that is not for its listeners.

    Args:
        given: All of it.
        config: As loaded.
        listeners: Names of the worker's.
    """
    names = set(listeners)
    meant = {
        name for each in config.postgres if each.name in names for name in each.credential_names
    }
    own = [item for item in config.credentials if item.name in meant]
    needed = {name for item in own for name in variables_of(item)}
    needed |= set(variables_of(config.identity))
    withheld = set(variables_of(config)) - needed
    return {name: value for name, value in given.items() if name not in withheld}


async def _pass_on(stream: asyncio.StreamReader) -> None:
    """Its log becomes part of ours."""
    lines = Lines(_LINE)
    while data := await stream.read(_CHUNK):
        log_lines(lines.feed(data))
    log_lines(lines.finish())


def log_lines(lines: Iterable[bytes | TooLong]) -> None:
    """Log what it said: lines of its own log, or what Python says when all fails."""
    other: list[str] = []
    for line in lines:
        found: Any = None
        if not isinstance(line, TooLong):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
        if isinstance(found, dict):
            _log(found)
        else:
            text = b"(a long line)" if isinstance(line, TooLong) else line
            other.append(visible(scrub(text.decode("utf-8", "replace"))))
    if other:
        logger.error("%s", "\n".join(other), extra={"event": "postgres.worker"})


def _log(found: dict[str, Any]) -> None:
    level = _LEVELS.get(str(found.get("level", "")).upper(), logging.ERROR)
    # What a record has of its own must not be written over.
    own = logging.makeLogRecord({}).__dict__
    extra = {key: each for key, each in found.items() if key not in _SAID and key not in own}
    logging.getLogger(str(found.get("logger") or __name__)).log(
        level, "%s", str(found.get("message", "")), extra=extra
    )
