"""What takes seconds to compile, kept in files; whatever is not whole is made anew."""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from proctor.errors import ConfigurationError
from proctor.redaction.settings import RedactionSettings
from proctor.runtime.permissions import check_private, make_folder

COMPILED: Final = "compiled"
"""The folder in `state`, unless `redaction.cache` names another."""

_DIGEST: Final = 32  # bytes
_PATIENCE: Final = 60.0  # seconds for which one process waits for what another makes
_LOOK: Final = 0.05


def folder_of(settings: RedactionSettings, state: Path) -> Path:
    """Where it is kept.

    Args:
        settings: `redaction` in proctor.yaml.
        state: Proctor's own folder.
    """
    return settings.cache or state / COMPILED


def kept(path: Path) -> bytes | None:
    """What was kept under a name; None where it is not there, or not whole.

    Args:
        path: In a folder that nobody else may write to: what is in it is believed.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:_DIGEST], data[_DIGEST:]
    return content if hashlib.blake2b(content, digest_size=_DIGEST).digest() == digest else None


def keep(path: Path, content: bytes) -> None:
    """Keep something, if there is room; several processes may at once."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.blake2b(content, digest_size=_DIGEST).digest() + content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # it is made anew the next time


def once[T](folder: Path, load: Callable[[], T | None], make: Callable[[], T]) -> T:
    """What is kept, or else what one process makes of it while others wait.

    Args:
        folder: Where it is kept.
        load: Gets it; None where it is not there.
        make: Makes it, and keeps it.
    """
    found = load()
    if found is None:
        with one_at_a_time(folder):
            found = load()
            if found is None:
                found = make()
    return found


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """While one process makes something others wait, since a gateway's processes start together.

    They do not wait for ever, nor where nothing can be kept: then each makes its own.

    Args:
        folder: Where it will be kept.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, lock)  # which lets go of it
            _wait_for(lock)
        yield


def _wait_for(lock: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Event().wait(_LOOK)
        else:
            return


def usable(folder: Path) -> Path | None:
    """A folder to keep it in, made if it is missing; None where others can get at it."""
    try:
        make_folder(folder)
        check_private(folder, "compiled rules")
    except ConfigurationError:
        return None
    return folder
