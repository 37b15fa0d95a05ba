"""One secret, read from where it is kept: the environment, a file, or a command's output.

A secret is never in a repr, a log, an exception or a command's arguments. Nothing is kept here;
see `credentials.fresh`.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from proctor.errors import ConfigurationError
from proctor.fields import SecretSource
from proctor.runtime.permissions import check_private

MAX_BYTES = 16 * 1024
COMMAND_SECONDS = 30.0

_MAX_OUTPUT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret as it was read.

    Attributes:
        value: Visible ASCII, spaces within; in no repr.
        expires_at: Seconds since the epoch, or None if it does not say.
        version: Of the file it came from; differs when the file has changed.
    """

    value: str = field(repr=False)
    expires_at: float | None = None
    version: tuple[int, ...] = ()


async def read_secret(
    source: SecretSource,
    name: str,
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = COMMAND_SECONDS,
    clock: Callable[[], float] = time.time,
) -> Secret:
    """Read a secret.

    Args:
        source: Where it is kept.
        name: What it is, for messages: `the credential 'anthropic'`.
        environment: Instead of the process's own.
        seconds: How long a command may take.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: There is none, it has expired, others can read it, or it cannot be put
            in a header.
    """
    if source.env is not None:
        value = (os.environ if environment is None else environment).get(source.env)
        if value is None:
            raise _missing(
                name, f"no environment variable {source.env}", f"Set {source.env}, and start again."
            )
        return Secret(value=_checked(value, name))
    if source.file is not None:
        return await asyncio.to_thread(_read_file, source.file, name)
    if source.command is None:
        raise ValueError("a source without a place")
    secret = _from_output(await _run(source.command, name, environment, seconds), name)
    if secret.expires_at is not None and secret.expires_at <= clock():
        raise _missing(
            name,
            f"{source.command[0]}: a value that has already expired",
            "Look at what the command prints, and at this machine's clock.",
        )
    return secret


def file_version(path: Path) -> tuple[int, ...]:
    """What differs when a file was changed or replaced; empty if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read_file(path: Path, name: str) -> Secret:
    check_private(path, name)
    version = file_version(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 2)
    except OSError as error:
        raise _missing(name, f"{path}: {error.strerror}", "Make the file readable.") from None
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise _malformed(name) from None
    return Secret(value=_checked(text, name), version=version)


async def _run(
    command: tuple[str, ...], name: str, environment: Mapping[str, str] | None, seconds: float
) -> bytes:
    try:
        # Its standard error is not shown to anyone: some tools write secrets there.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise _missing(
            name, f"{command[0]}: {error.strerror}", "The command could not be started."
        ) from None
    stdout = process.stdout
    output, status = b"", None
    try:
        async with asyncio.timeout(seconds):
            while stdout is not None and len(output) <= _MAX_OUTPUT:
                chunk = await stdout.read(_MAX_OUTPUT)
                if not chunk:
                    status = await process.wait()
                    break
                output += chunk
    except TimeoutError:
        raise _missing(
            name, f"{command[0]} took longer than {seconds:g} s", "It must answer without asking."
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if status != 0:
        got = "too much output" if status is None else f"exit status {status}"
        raise _missing(name, f"{command[0]}: {got}", "Run the command yourself to see why.")
    return output


def _from_output(output: bytes, name: str) -> Secret:
    """Plain text, or `{"value": …, "expires_at": …}` with RFC 3339 time or seconds."""
    try:
        text = output.decode("ascii").strip()
    except UnicodeDecodeError:
        raise _malformed(name) from None
    if not text.startswith("{"):
        return Secret(value=_checked(text, name))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed(name) from None
    if not isinstance(data, dict) or not isinstance(data.get("value"), str):
        raise _malformed(name)
    return Secret(value=_checked(data["value"], name), expires_at=_time(data, name))


def _time(data: Mapping[str, object], name: str) -> float | None:
    value = data.get("expires_at")
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        when = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise _malformed(name) from None
    if when.tzinfo is None:
        raise _malformed(name)
    return when.timestamp()


def _checked(text: str, name: str) -> str:
    """What may stand in a header (RFC 9110, 5.5); space around it is not the value's."""
    value = text.strip()
    if not value:
        raise _missing(name, "an empty value", "Give it a value.")
    if len(value) > MAX_BYTES or not value.isascii() or not value.isprintable():
        raise _malformed(name)
    return value


def _missing(name: str, got: str, hint: str) -> ConfigurationError:
    return ConfigurationError(
        code="secret-missing", message=f"There is no value for {name}", got=got, hint=hint
    )


def _malformed(name: str) -> ConfigurationError:
    return ConfigurationError(
        code="secret-malformed",
        message=f"The value for {name} cannot be used",
        got="something else",
        expected=f"one line of visible ASCII, at most {MAX_BYTES // 1024} KiB; a command may also"
        ' print {"value": "…", "expires_at": "2030-01-01T00:00:00Z"}',
    )
