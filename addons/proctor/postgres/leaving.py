"""What a client has said on its way to the server: it leaves once its record is durable."""

from asyncio import Future
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

AHEAD: Final = 4 * 1024 * 1024
"""Bytes that may wait for the record before nothing more is read from the client."""


class _Wires(Protocol):
    def to_server(self, data: bytes) -> None: ...
    def pause_client(self) -> None: ...
    def resume_client(self) -> None: ...


class Leaving:
    """Of one connection; records become durable in the order in which they were written.

    Args:
        wires: Of the connection.
        failed: Told why a record could not be written; nothing leaves any more.
        free: Whether the client may be read again, as far as others are concerned.
    """

    def __init__(
        self,
        wires: _Wires,
        failed: Callable[[BaseException], None],
        free: Callable[[], bool],
    ) -> None:
        self._wires = wires
        self._failed = failed
        self._free = free
        self._waiting: deque[tuple[bytes, Future[None] | None]] = deque()
        self._size = 0
        self._over = False

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing more is to be read."""
        return self._size > AHEAD

    def put(self, data: bytes, durable: Future[None] | None) -> None:
        """Have this leave, after what waits, once the record is durable; None for no record."""
        self._waiting.append((data, durable))
        self._size += len(data)
        if durable is not None:
            durable.add_done_callback(self._go)
        self._go()
        if self.full:
            self._wires.pause_client()

    def stop(self) -> None:
        """Nothing leaves any more."""
        self._over = True

    def _go(self, _durable: Future[None] | None = None) -> None:
        full = self.full
        while self._waiting and not self._over:
            data, durable = self._waiting[0]
            if durable is not None:
                if not durable.done():
                    break
                error = durable.exception()
                if error is not None:
                    self._over = True
                    self._failed(error)
                    return
            self._waiting.popleft()
            self._size -= len(data)
            self._wires.to_server(data)
        if full and not self.full and self._free():
            self._wires.resume_client()
