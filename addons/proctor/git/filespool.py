"""A file on its way to a server of Git LFS, kept on disk until it was looked at."""

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from proctor.errors import ClientError
from proctor.git.room import PIECE, pieces, unkept


class FileSpool:
    """One upload. What leaves is what was said by the batch API, or nothing.

    Args:
        make: Makes the file.
        oid: SHA-256 of what has to come, hex.
        size: Its bytes.
        limit: Bytes that may come.

    Attributes:
        head: What stands in the flow: nothing.
        size: As given.
        path: Where it lies.
    """

    def __init__(
        self, make: Callable[[], tuple[int, Path]], oid: str, size: int, limit: int
    ) -> None:
        self.head = b""
        self.size = size
        if size > limit:
            raise ClientError(
                "git-push-size",
                "The object is larger than limits.pack in proctor.yaml allows",
                expected=f"at most {limit} bytes",
                status=413,
            )
        self._oid = oid
        self._came = 0
        self._hash = sha256()
        handle, self.path = make()
        self._file = os.fdopen(handle, "wb", buffering=PIECE)

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ClientError: `git-lfs-object`: they are too many.
            InternalError: `git-spool`.
        """
        self._came += len(data)
        if self._came > self.size:
            raise another("more bytes")
        self._hash.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise unkept(error) from None

    def finish(self) -> None:
        """No more bytes come.

        Raises:
            ClientError: `git-lfs-object`: it is not what was announced.
            InternalError: `git-spool`.
        """
        try:
            self._file.close()
        except OSError as error:
            raise unkept(error) from None
        if self._came != self.size or self._hash.hexdigest() != self._oid:
            raise another("something else")

    def pieces(self) -> Iterator[bytes]:
        """The file, in order.

        Raises:
            InternalError: `git-spool`: it is not there as a whole.
        """
        return pieces(self.path, self.size)

    def close(self) -> None:
        """Take the file away; again is harmless."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def another(got: str) -> ClientError:
    """An object that is not the one that was asked about."""
    return ClientError(
        "git-lfs-object",
        "The object is not the one that the batch API was asked about",
        got=got,
        expected="its SHA-256 and size (git-lfs, docs/api/basic-transfers.md)",
        status=422,
    )
