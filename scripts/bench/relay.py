"""Passes bytes on between clients and one server, and does nothing else: a base to compare with.

    relay.py HOST PORT

Prints the port it listens on.
"""

import asyncio
import sys
from typing import cast, override

import uvloop

_READ = 256 * 1024


class _Side(asyncio.BufferedProtocol):
    """One of two connections; what comes is written to the other, once there is one."""

    __slots__ = ("_buffer", "_early", "_opening", "other", "transport")

    def __init__(self, other: "_Side | None" = None) -> None:
        self._buffer = bytearray(_READ)
        self._early = b""
        self.other = other
        self.transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        if self.other is None:
            self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, other = await loop.create_connection(lambda: _Side(self), *_SERVER)
        self.other = other
        other.transport.write(self._early)

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(memoryview(self._buffer)[:nbytes])
        if self.other is None:
            self._early += data
        else:
            self.other.transport.write(data)

    @override
    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    @override
    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()


async def _main() -> None:
    listening = await asyncio.get_running_loop().create_server(_Side, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


_SERVER = (sys.argv[1], int(sys.argv[2]))

if __name__ == "__main__":
    uvloop.run(_main())
