"""A connection that is left unread for a while; through sockets in tests/stages."""

import asyncio
from types import SimpleNamespace
from typing import Any

from h2.config import H2Configuration
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection, SendH2Data
from mitmproxy.proxy.server import ConnectionIO
from mitmproxy.test import tflow

from proctor.runtime.pausing import KEPT_BACK, PausingHandler


class Handler(PausingHandler):
    """Without a connection of its own."""

    def __init__(self) -> None:
        self._stopped = {}
        self._speakers = []
        self.transports = {}
        self.client = tflow.tclient_conn()
        self._drain_lock = asyncio.Lock()


def test_only_what_is_stopped_waits() -> None:
    async def main() -> None:
        handler = Handler()
        flow = tflow.tflow()
        one: Any = flow.client_conn
        other: Any = flow.server_conn
        reading = asyncio.ensure_future(_after(handler))
        handler.transports[one] = ConnectionIO(handler=reading)
        handler.transports[other] = ConnectionIO(handler=asyncio.current_task())
        handler.stop_reading(one)
        handler.stop_reading(one)
        await asyncio.wait_for(handler.drain_writers(), 30)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not reading.done()
        handler.read_on(one)
        handler.read_on(other)
        await asyncio.wait_for(reading, 30)

    asyncio.run(main())


async def _after(handler: Handler) -> None:
    await asyncio.sleep(0)
    await handler.drain_writers()


def test_what_a_client_does_not_take_is_read_no_further() -> None:
    async def main() -> None:
        handler = Handler()
        handler.transports[handler.client] = ConnectionIO(handler=asyncio.current_task())
        speaker: Any = SimpleNamespace(h2_conn=BufferedH2Connection(H2Configuration()))
        handler.speaks(speaker)
        await asyncio.wait_for(handler.room(), 30)
        kept = SendH2Data(b"x" * (KEPT_BACK // 2 + 1), end_stream=False)
        speaker.h2_conn.stream_buffers[1].append(kept)
        speaker.h2_conn.stream_buffers[3].append(kept)
        # The client itself is heard, since it may open its windows.
        await asyncio.wait_for(handler.drain_writers(), 30)
        upstream = asyncio.ensure_future(handler.drain_writers())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not upstream.done()
        del speaker.h2_conn.stream_buffers[3]
        await asyncio.wait_for(upstream, 30)

    asyncio.run(main())


def test_nobody_waits_for_a_client_that_is_gone() -> None:
    async def main() -> None:
        handler = Handler()
        handler.transports[handler.client] = ConnectionIO()
        kept = SendH2Data(b"x" * (KEPT_BACK + 1), end_stream=False)
        speaker: Any = SimpleNamespace(h2_conn=BufferedH2Connection(H2Configuration()))
        speaker.h2_conn.stream_buffers[1].append(kept)
        handler.speaks(speaker)
        upstream = asyncio.ensure_future(handler.drain_writers())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not upstream.done()
        del handler.transports[handler.client]
        await asyncio.wait_for(upstream, 30)

    asyncio.run(main())
