"""The agent's token: from a file, a command or the environment, and read again when it runs out."""

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from proctor.errors import AuthenticationError, ConfigurationError

VARIABLE: Final = "PROCTOR_AGENT_TOKEN"
"""Where the token is looked for if nothing else is said."""

_MAX_TOKEN: Final = 64 * 1024  # bytes
_PATIENCE: Final = 15.0  # seconds for a command


class Tokens(Protocol):
    """Where the token comes from."""

    async def read(self) -> str:
        """The token as it is now.

        Raises:
            AuthenticationError: `token-unread`: there is none.
        """
        ...


class FixedToken:
    """One that never changes.

    Raises:
        ConfigurationError: `token-missing`: there is none.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._token = environment.get(VARIABLE, "").strip()
        if not self._token:
            raise ConfigurationError(
                "token-missing",
                "There is no token that says who the agent is",
                expected=f"--token-file, --token-from, or {VARIABLE} in the environment",
            )

    async def read(self) -> str:
        """The token."""
        return self._token


class TokenFile:
    """A file that somebody keeps fresh."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> str:
        """What stands in the file now."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                regular = stat.S_ISREG(os.fstat(handle).st_mode)
                raw = file.read(_MAX_TOKEN + 1) if regular else b""
        except OSError as error:
            raise _unread(f"{self._path}: {error.strerror or type(error).__name__}") from None
        return _token(raw, str(self._path))


class TokenCommand:
    """A command that prints one."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)

    async def read(self) -> str:
        """What the command prints now."""
        name = self._argv[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise _unread(f"{name}: {error.strerror or type(error).__name__}") from None
        try:
            async with asyncio.timeout(_PATIENCE):
                assert process.stdout is not None  # noqa: S101 - it was asked for
                raw = b""
                while len(raw) <= _MAX_TOKEN and (data := await process.stdout.read(_MAX_TOKEN)):
                    raw += data
                status = 0 if len(raw) > _MAX_TOKEN else await process.wait()
        except TimeoutError:
            raise _unread(f"{name} did not end in {_PATIENCE:.0f} seconds") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if status:
            raise _unread(f"{name} ended with status {status}")
        return _token(raw, name)


def _token(raw: bytes, where: str) -> str:
    try:
        token = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or len(raw) > _MAX_TOKEN:
        raise _unread(f"{where} gives no token")
    return token


def _unread(got: str) -> AuthenticationError:
    return AuthenticationError(
        "token-unread", "The token that says who the agent is cannot be read", got=got
    )
