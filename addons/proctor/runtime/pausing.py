"""Connections that are not read for a while: part of the reach into mitmproxy (see mitm.py).

What a connection has said may have to wait for a human. Its buffers fill up then, and its sender
has to wait, too, instead of memory growing. The same holds for an answer that an HTTP/2 client does
not take: mitmproxy keeps what its windows leave no room for (RFC 9113 5.2), however much it is.
"""

import asyncio
from typing import Any, Final

from mitmproxy.connection import Connection
from mitmproxy.proxy.layers.http._http2 import Http2Server

from proctor.runtime.dialling import DiallingHandler

KEPT_BACK: Final = 4 * 2**20
"""Bytes that a client's windows may keep back; until they are less, no more is read for it."""
_SOON: Final = 0.02
"""Seconds between two looks at them: of a window that opens, nobody is told."""


class PausingHandler(DiallingHandler):
    """A client's connection, as far as it and those to upstreams may be left unread."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)  # type: ignore[no-untyped-call]  # theirs
        self._stopped: dict[Connection, asyncio.Event] = {}
        self._speakers: list[Http2Server] = []

    def speaks(self, speaker: Http2Server) -> None:
        """Mind what this keeps back of answers: that of the connection, or inside a tunnel."""
        self._speakers.append(speaker)

    async def room(self) -> None:
        """Wait until the client's windows keep back no more than they may, or it is gone."""
        while self._kept_back() > KEPT_BACK and self.client in self.transports:  # noqa: ASYNC110
            await asyncio.sleep(_SOON)

    def _kept_back(self) -> int:
        return sum(
            len(chunk.data)
            for speaker in self._speakers
            for chunks in speaker.h2_conn.stream_buffers.values()
            for chunk in chunks
        )

    def stop_reading(self, connection: Connection) -> None:
        """Read nothing more of a connection."""
        self._stopped.setdefault(connection, asyncio.Event())

    def read_on(self, connection: Connection) -> None:
        """Read on."""
        if stopped := self._stopped.pop(connection, None):
            stopped.set()

    async def drain_writers(self) -> None:
        """Wait, between two reads of a connection, until there is room for more."""
        await super().drain_writers()  # type: ignore[no-untyped-call]  # theirs
        if not self._stopped and not self._speakers:
            return
        task = asyncio.current_task()
        for connection, stopped in list(self._stopped.items()):
            transport = self.transports.get(connection)
            if transport and transport.handler is task:
                await stopped.wait()
        own = self.transports.get(self.client)
        if self._speakers and own and own.handler is not task:
            await self.room()
