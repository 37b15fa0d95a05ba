"""Files that others read: made whole or not at all, or appended to and put aside when full."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from proctor.audit.store import sync_folder
from proctor.errors import ClientError

_NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC
_TAIL = 64 * 1024
_GROUP = 0o640


class Draft:
    """A file that gets its name by `publish`; without that it is as if it had never been."""

    def __init__(self, target: Path, *, force: bool = False) -> None:
        """Nothing is made yet.

        Args:
            target: The file's name.
            force: It may replace another.
        """
        self._target = target
        self._force = force
        self.path = target.parent / f".{target.name}.{os.getpid()}.part"

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The draft, 0600; gone after the block unless it was published.

        Raises:
            ClientError: `output-exists`, `output-unwritable`.
        """
        if not self._force and self._target.exists():
            raise _exists(self._target)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
        except OSError as error:
            raise unwritable(self._target, error) from None
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
        finally:
            self.path.unlink(missing_ok=True)

    def publish(self, file: BinaryIO) -> None:
        """Give it its name, durable.

        Raises:
            ClientError: `output-exists`, `output-unwritable`.
        """
        try:
            file.flush()
            os.fsync(file.fileno())
            if self._force:
                self.path.replace(self._target)
            else:
                os.link(self.path, self._target)  # unlike a rename, it replaces nothing
            sync_folder(self._target.parent)
        except FileExistsError:
            raise _exists(self._target) from None
        except OSError as error:
            raise unwritable(self._target, error) from None


def unwritable(target: Path, error: OSError) -> ClientError:
    """The output cannot be written."""
    return ClientError(
        "output-unwritable",
        "The export cannot be written",
        got=f"{target}: {error.strerror or type(error).__name__}",
        hint="Name a folder of your own with room in it; nothing was written.",
    )


def _exists(target: Path) -> ClientError:
    return ClientError(
        "output-exists",
        "There is such a file already",
        got=str(target),
        hint="Name another, or replace it with --force.",
    )


class Rotated:
    """A file of lines that is appended to; full, it becomes FILE.1, that FILE.2, and so on."""

    def __init__(self, path: Path, *, limit: int, keep: int) -> None:
        """Nothing is opened yet.

        Args:
            path: The file.
            limit: Bytes at which it is put aside.
            keep: So many of those are kept.
        """
        self._path = path
        self._limit = limit
        self._keep = keep

    def append(self, data: bytes) -> None:
        """Add whole lines, durable when this returns.

        A line that a crash left without its end is taken off first: the whole one comes again.

        Raises:
            OSError: The disk does not take it.
        """
        handle = self._open()
        try:
            size = _mended(handle)
            if size and size + len(data) > self._limit:
                mode = stat.S_IMODE(os.fstat(handle).st_mode)
                os.close(handle)
                handle = -1
                self._rotate()
                handle = self._open()
                os.fchmod(handle, mode & _GROUP)
                size = 0
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            if handle >= 0:
                os.close(handle)

    def _open(self) -> int:
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _NO_FOLLOW, 0o600)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(22, "not a regular file")
        return handle

    def _rotate(self) -> None:
        names = [self._path, *(Path(f"{self._path}.{n}") for n in range(1, self._keep + 1))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)
        sync_folder(self._path.parent)


def _mended(handle: int) -> int:
    """The file's size, once it ends with a whole line."""
    size = end = os.fstat(handle).st_size
    while end:
        start = max(0, end - _TAIL)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
    return end
