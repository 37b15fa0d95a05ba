"""To dial an upstream: what was looked at, in order, and not for ever.

Belongs to mitm.py: another reach into mitmproxy's insides, with tests that fail on an upgrade.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events, mode_servers, server_hooks
from mitmproxy.proxy.server import ConnectionIO

from proctor.runtime.wording import told

PATIENCE: Final = 10.0
"""Seconds until the next address is tried; the system itself waits for two minutes."""

type Way = tuple[tuple[str, ...], int]
"""Hosts in the order to try, and a port."""

ways: Final[WeakKeyDictionary[Server, Way]] = WeakKeyDictionary()
"""Where a connection leads, as it was permitted: another addon may change its address later."""


async def dial(
    hosts: Sequence[str], port: int, patience: float = PATIENCE
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The first connection that comes about.

    Args:
        hosts: To be tried in this order.
        port: Of all of them.
        patience: Seconds for each.

    Raises:
        OSError: None did; of the last one. TimeoutError where it did not answer.
    """
    *first, last = hosts
    for host in first:
        try:
            async with asyncio.timeout(patience):
                return await asyncio.open_connection(host, port)
        except OSError:
            continue
    async with asyncio.timeout(patience):
        return await asyncio.open_connection(last, port)


class DiallingHandler(mode_servers.ProxyConnectionHandler):
    """A client's connection, as far as it dials upstreams."""

    async def open_connection(self, command: commands.OpenConnection) -> None:
        """Dial what the door lets us dial: the addresses that it has looked at, not their name."""
        server = command.connection
        data = server_hooks.ServerConnectionHookData(client=self.client, server=server)
        await self.handle_hook(server_hooks.ServerConnectHook(data))
        error = server.error
        if not server.address or error:
            await self._undialled(data, command, error or "no address")
            return
        async with self.max_conns[server.address]:
            try:
                server.timestamp_start = time.time()
                hosts, port = ways.pop(server, ((server.address[0],), server.address[1]))
                reader, writer = await dial(hosts, port)
            except OSError as failed:
                await self._undialled(data, command, str(failed) or "no answer in time")
            except asyncio.CancelledError:
                await self._undialled(data, command, "connection cancelled")
                raise
            else:
                await self._dialled(data, command, reader, writer)

    async def _undialled(
        self,
        data: server_hooks.ServerConnectionHookData,
        command: commands.OpenConnection,
        error: str,
    ) -> None:
        data.server.error = error
        self.log(f"error establishing server connection: {told(error)}")
        await self.handle_hook(server_hooks.ServerConnectErrorHook(data))
        await self.server_event(events.OpenConnectionCompleted(command, error))

    async def _dialled(
        self,
        data: server_hooks.ServerConnectionHookData,
        command: commands.OpenConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        server = data.server
        server.timestamp_tcp_setup = time.time()
        server.state = ConnectionState.OPEN
        server.peername = writer.get_extra_info("peername")
        server.sockname = writer.get_extra_info("sockname")
        task = asyncio.current_task()
        self.transports[server] = ConnectionIO(handler=task, reader=reader, writer=writer)
        await self.handle_hook(server_hooks.ServerConnectedHook(data))
        await self.server_event(events.OpenConnectionCompleted(command, None))
        try:
            await self.handle_connection(server)
        finally:
            server.timestamp_end = time.time()
            await self.handle_hook(server_hooks.ServerDisconnectedHook(data))
