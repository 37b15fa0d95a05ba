"""One end of a connection: bytes in and out of a socket, TLS or not, under uvloop and asyncio.

What is sent in one turn of the loop is gathered and written once. Nobody is read from whose other
end does not take what was read: at most HIGH bytes wait for either.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

from proctor.postgres.tls import Tls

HIGH: Final = 256 * 1024
"""Bytes that may wait for an end before the other is read no more."""

PRESSURE: Final = 1
"""Not read since the other end does not keep up."""

AHEAD: Final = 2
"""Not read since nobody takes what has been read."""

LOOKED: Final = 4
"""Not read since what has been read is being looked at."""

_LOW: Final = HIGH // 4
_IDLE, _EVERY, _TIMES = 60, 10, 6  # seconds, seconds and probes: a dead peer is known in 2 minutes


class End(asyncio.Protocol):
    """What both ends have in common.

    Attributes:
        received: Takes what came; its owner puts another in where the stage changes.
        tls: Where it is spoken.
    """

    __slots__ = ("_held", "_out", "received", "tls", "transport")

    received: Callable[[bytes], None]

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.tls: Tls | None = None
        self._out: list[bytes] = []
        self._held = 0

    # To be had by subclasses.

    def secured(self) -> None:
        """The handshake is over."""

    def insecure(self, error: ssl.SSLError) -> None:
        """TLS failed."""
        raise NotImplementedError

    def over(self) -> None:
        """The other side says nothing more."""
        raise NotImplementedError

    def pressed(self, *, high: bool) -> None:
        """The other side does, or no longer does, take what is sent slower than it comes."""

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports are of no class of asyncio's.
        self.transport = stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(HIGH, _LOW)
        _tune(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Take what came over the wire."""
        tls = self.tls
        if tls is None:
            self.received(data)
            return
        before = tls.ready
        try:
            plain = tls.receive(data)
        except ssl.SSLError as error:
            self._write(tls.outgoing())  # the alert
            self.insecure(error)
            return
        self._write(tls.outgoing())
        if tls.ready and not before:
            self.secured()
        if plain:
            self.received(plain)
        if tls.over:
            self.over()

    def eof_received(self) -> None:
        """The other side has shut its half: the transport closes once all is written."""
        self.over()

    def pause_writing(self) -> None:
        """More than HIGH waits."""
        self.pressed(high=True)

    def resume_writing(self) -> None:
        """It has been taken."""
        self.pressed(high=False)

    # The owner's side.

    def secure(self, tls: Tls) -> None:
        """From here on, TLS."""
        self.tls = tls
        tls.shake()
        self._write(tls.outgoing())

    def send(self, data: bytes) -> None:
        """Gather this; `flush` writes it."""
        self._out.append(data)

    def flush(self) -> None:
        """Write what was gathered."""
        out = self._out
        if not out:
            return
        # Not `writelines`: asyncio's does not stop who writes too much (CVE-2024-12254).
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        if self.tls is not None:
            try:
                self.tls.encrypt(data)
            except ssl.SSLError as error:  # in the middle of the handshake, or after the end
                self.insecure(error)
                return
            data = self.tls.outgoing()
        self._write(data)

    def forget(self) -> None:
        """Write nothing of what was gathered."""
        self._out = []

    def hold(self, why: int) -> None:
        """Read no more, for one more reason."""
        if not self._held and self.transport is not None:
            self.transport.pause_reading()
        self._held |= why

    def release(self, why: int) -> None:
        """One reason less."""
        if self._held & why:
            self._held &= ~why
            if not self._held and self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def close(self) -> None:
        """Write what is left, and close."""
        self.flush()
        if self.transport is None or self.transport.is_closing():
            return
        if self.tls is not None and self.tls.ready:
            self.tls.close()
            self._write(self.tls.outgoing())
        self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def _write(self, data: bytes) -> None:
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)


def _tune(found: socket.socket | None) -> None:
    """Small messages leave at once; who has gone without a word is noticed."""
    if found is None or found.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with contextlib.suppress(OSError):  # it may have gone already
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _EVERY)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _TIMES)
        if hasattr(socket, "TCP_KEEPIDLE"):  # macOS has it under another name
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
