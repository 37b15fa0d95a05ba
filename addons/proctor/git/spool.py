"""A push on its way, kept on disk: its commands in memory, its pack in a file of ours.

A pack can be larger than the memory of the machine. It is taken in as it comes, looked at where it
lies, and sent from there, so that what was looked at is what leaves. The file has no other reader
than proctor's own user, and is gone when the exchange is over.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from proctor.errors import ClientError
from proctor.git.room import PIECE, pieces, unkept
from proctor.protocols.git.pktline import malformed
from proctor.protocols.git.push import Push, PushReader

_GZIP: Final = 31  # a window of 32 KiB, with gzip's head and checksum (zlib's manual)


class Spool:
    """One push.

    Args:
        make: Makes the file.
        limit: Bytes that may come, decoded.
        encoding: `Content-Encoding` of the request; `gzip` or nothing.

    Attributes:
        size: Bytes of the pack.
        head: Everything before the pack, as it leaves.
    """

    def __init__(
        self, make: Callable[[], tuple[int, Path]], limit: int, encoding: str = ""
    ) -> None:
        self.size = 0
        self.head = b""
        self._limit = limit
        self._reader = PushReader()
        self._head = bytearray()
        self._inflate = None
        if encoding.strip().lower() in {"gzip", "x-gzip"}:
            self._inflate = zlib.decompressobj(_GZIP)
        elif encoding:
            raise ClientError(
                "git-encoded",
                "A push comes as it is, or compressed by gzip",
                got=f"content-encoding {encoding[:40]}",
                status=415,
            )
        handle, self.path = make()
        self._file = os.fdopen(handle, "wb", buffering=PIECE)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            ClientError: `git-malformed`, `git-push-size`, `git-push-cert`.
            InternalError: `git-spool`: they cannot be written.
        """
        if self._inflate is None:
            self._take(data)
            return
        while data:
            try:
                plain = self._inflate.decompress(data, PIECE)
            except zlib.error:
                raise malformed("a body that is no gzip") from None
            data = self._inflate.unconsumed_tail
            if self._inflate.unused_data:
                raise malformed("more behind its gzip")
            self._take(plain)

    def _take(self, data: bytes) -> None:
        fresh = self._reader.push is None
        rest = self._reader.feed(data)
        if fresh:
            self._head += data[: len(data) - len(rest)]
        if not rest:
            return
        self.size += len(rest)
        if self.size + len(self._head) > self._limit:
            raise ClientError(
                "git-push-size",
                "The push is larger than limits.pack in proctor.yaml allows",
                expected=f"at most {self._limit} bytes",
                status=413,
            )
        try:
            self._file.write(rest)
        except OSError as error:
            raise unkept(error) from None

    def finish(self) -> Push:
        """No more bytes come; what they are.

        Raises:
            ClientError: `git-malformed`: it ended too early.
            InternalError: `git-spool`.
        """
        try:
            self._file.close()
        except OSError as error:
            raise unkept(error) from None
        push = self._reader.push
        if push is None or (self._inflate is not None and not self._inflate.eof):
            raise malformed("an end in the midst of it")
        if bool(self.size) is not push.packed:
            raise malformed("a pack where none belongs, or none where one does")
        self.head = bytes(self._head)
        return push

    @property
    def push(self) -> Push | None:
        """Its commands, once they have come."""
        return self._reader.push

    def pieces(self) -> Iterator[bytes]:
        """The pack, in order.

        Raises:
            InternalError: `git-spool`: it is not there as a whole.
        """
        return pieces(self.path, self.size) if self.size else iter(())

    def close(self) -> None:
        """Take the file away; again is harmless."""
        self._file.close()
        self.path.unlink(missing_ok=True)
