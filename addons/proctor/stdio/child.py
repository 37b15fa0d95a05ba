"""The MCP server's own process: started, spoken to, ended."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Self

from proctor.errors import ConfigurationError
from proctor.runtime.tasks import spawn, stop
from proctor.scrub import GONE, scrub
from proctor.stdio.lines import Lines, TooLong

GRACE: Final = 1.5
"""Seconds for the server to end once its input has; clients wait two for us (2026-07-28, stdio)."""

_PERSUASION: Final = 0.3  # seconds between SIGTERM and SIGKILL
_LOOK: Final = 0.02  # seconds
_CHUNK: Final = 64 * 1024
_MAX_SAID: Final = 8 * 1024  # bytes of a line on standard error
_SIGNALLED: Final = 128  # as shells count


class Child:
    """One process, in a group of its own. Made by `start`.

    Attributes:
        output: What it writes to standard output.
    """

    def __init__(self, process: asyncio.subprocess.Process, secrets: Collection[str]) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("a process without pipes")
        self.output = process.stdout
        self._process = process
        self._input = process.stdin
        self._secrets = sorted((each for each in secrets if each), key=len, reverse=True)
        self._said = spawn(self._pass_on(process.stderr), name="server's standard error")

    @classmethod
    async def start(
        cls, argv: Sequence[str], environment: Mapping[str, str], secrets: Collection[str] = ()
    ) -> Self:
        """Start it.

        Args:
            argv: The command and its arguments.
            environment: All that it gets.
            secrets: What is taken out of what it says on standard error.

        Raises:
            ConfigurationError: `stdio-command`: it cannot be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "stdio-command",
                "The MCP server cannot be started",
                got=f"{argv[0]}: {getattr(error, 'strerror', None) or type(error).__name__}",
                expected="a command and its arguments behind `--`",
            ) from None
        return cls(process, secrets)

    def write(self, line: bytes) -> None:
        """Hand it a line; what comes once it has gone is lost."""
        if not self._input.is_closing():
            self._input.write(line)

    async def drain(self) -> None:
        """Wait until it has taken enough of what was written."""
        with contextlib.suppress(ConnectionError):
            await self._input.drain()

    def close_input(self) -> None:
        """Tell it that nothing more comes."""
        with contextlib.suppress(OSError):
            self._input.close()

    async def ended(self) -> int:
        """Its exit status once it has ended; of a signal, 128 and its number."""
        # Not `wait`, which waits for its pipes, too, and what it started may hold them.
        while (status := self._process.returncode) is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(_LOOK)
        return status if status >= 0 else _SIGNALLED - status

    async def stop(self, grace: float = GRACE) -> int:
        """Have it end: its input does, then SIGTERM, then SIGKILL; returns its exit status.

        Args:
            grace: Seconds before the first signal.
        """
        self.close_input()
        for seconds, number in ((grace, signal.SIGTERM), (_PERSUASION, signal.SIGKILL)):
            try:
                async with asyncio.timeout(seconds):
                    await self.ended()
            except TimeoutError:
                self._signal(number)
        status = await self.ended()
        self._signal(signal.SIGKILL)  # what it started, and left behind in its group
        await asyncio.wait({self._said}, timeout=_PERSUASION)  # its last words
        await stop(self._said)
        return status

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _pass_on(self, stream: asyncio.StreamReader) -> None:
        """Its standard error is for people; it is bounded, and without what looks like a secret."""
        lines = Lines(_MAX_SAID)
        while data := await stream.read(_CHUNK):
            for line in lines.feed(data):
                self._say(line)
        for line in lines.finish():
            self._say(line)

    def _say(self, line: bytes | TooLong) -> None:
        if isinstance(line, TooLong):
            text = f"(a line of more than {_MAX_SAID} bytes)"
        else:
            text = line.decode("utf-8", "replace")
            for secret in self._secrets:
                text = text.replace(secret, GONE)
            text = scrub(text)
        sys.stderr.write(visible(text) + "\n")
        sys.stderr.flush()


def visible(text: str) -> str:
    """A line with controls written out: in a terminal they could rewrite what was shown before."""
    return "".join(
        char if char == "\t" or char.isprintable() else ascii(char)[1:-1] for char in text
    )


def environment_of(
    given: Mapping[str, str], *, withheld: Collection[str], values: Collection[str]
) -> dict[str, str]:
    """What the server gets of an environment: nothing that is proctor's or proves who asks.

    Args:
        given: All of it.
        withheld: Names of variables that proctor reads secrets from.
        values: Secrets, under whatever name.
    """
    return {
        name: value
        for name, value in given.items()
        if name not in withheld
        and not (name.startswith("PROCTOR_") and "TOKEN" in name)
        and not (value.strip() and value.strip() in values)
    }
