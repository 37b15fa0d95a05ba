"""One run of `proctor mcp`: the server's process, the door, and what ends them."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable

from proctor.approval.holder import Why
from proctor.errors import AuthenticationError, ProctorError, RefusedError, UpstreamError
from proctor.runtime.tasks import spawn, stop
from proctor.stdio.assembly import Rooms, Wanted, check_ours, variables_of
from proctor.stdio.child import GRACE, Child, environment_of
from proctor.stdio.door import Door
from proctor.stdio.lines import Lines, TooLong
from proctor.stdio.streams import CHUNK, Client

logger = logging.getLogger(__name__)

STOPPED = 1
"""Exit status where it was stopped by hand."""


async def serve(wanted: Wanted, given: int, taken: int) -> int:
    """Stand between a client and a server until one of them goes.

    Args:
        wanted: What was asked for.
        given: Handle of the client's input to us.
        taken: Handle of our output to the client.

    Returns:
        The server's exit status.

    Raises:
        ConfigurationError: Something is missing, wrong or open to others.
    """
    check_ours(wanted)
    rooms = Rooms(wanted)
    try:
        child = await _start(wanted, rooms)
        try:
            client = await Client.open(given, taken)
            house = await rooms.open()  # what the client says meanwhile waits in its pipe
            door = Door(house, client.write, child.write)
            rooms.on_kill.append(door.kill)
            # What is there by now stays; to look through it time and again, and at the end, costs.
            gc.collect()
            gc.freeze()
            logger.info(
                "proctor stands before the MCP server",
                extra={"event": "ready", "server": wanted.server},
            )
            return await Run(door, client, child).run()
        finally:
            await child.stop(0)
    finally:
        await rooms.close()


async def _start(wanted: Wanted, rooms: Rooms) -> Child:
    """Start the server with what is for it in its environment, and nothing that is ours."""
    own = await rooms.secrets()
    hidden = set(own.values())
    withheld = set(variables_of(wanted.config))
    hidden |= {os.environ[name].strip() for name in withheld if name in os.environ}
    try:
        hidden.add(await wanted.tokens.read())
    except AuthenticationError:
        logger.warning("there is no token yet", extra={"event": "token.missing"})
    environment = environment_of(os.environ, withheld=withheld, values=hidden) | own
    return await Child.start(wanted.argv, environment, hidden)


class Run:
    """The lines of both sides, and what ends them.

    Args:
        door: Judges them.
        client: The client's side.
        child: The server's.
    """

    def __init__(self, door: Door, client: Client, child: Child) -> None:
        self._door = door
        self._client = client
        self._child = child
        self._stopped = asyncio.Event()

    async def run(self) -> int:
        """Until somebody goes; the exit status."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, self._stopped.set)
        heard = spawn(self._from_client(), name="client")
        said = spawn(self._from_server(), name="server")
        ended = spawn(self._child.ended(), name="server's end")
        over = spawn(self._door.over.wait(), name="over")
        stopped = spawn(self._stopped.wait(), name="stopped")
        try:
            await asyncio.wait(
                {heard, said, ended, over, stopped}, return_when=asyncio.FIRST_COMPLETED
            )
            return await self._end(heard, said)
        finally:
            await stop(heard, said, ended, over, stopped)
            for number in signals:
                loop.remove_signal_handler(number)

    async def _end(self, heard: asyncio.Task[None], said: asyncio.Task[None]) -> int:
        door, child = self._door, self._child
        error: ProctorError = UpstreamError("mcp-server-ended", "The MCP server has ended")
        if door.over.is_set():
            error = RefusedError("killed", "It was stopped by an administrator")
            await stop(heard, said)
            await child.stop(0)
            status = STOPPED
        else:
            # What has come is answered for; what waits for a human waits no more.
            door.stop_waiting(Why.STOPPING if self._stopped.is_set() else Why.GONE)
            await stop(heard)
            child.close_input()
            if not said.done():
                await asyncio.wait({said}, timeout=GRACE)
            status = await child.stop(0 if not said.done() else GRACE)
            await asyncio.wait({said}, timeout=GRACE)
        await door.close(error)
        await self._flushed()
        return status

    async def _from_client(self) -> None:
        await _lines(self._client.read, self._door.client, self._both)

    async def _from_server(self) -> None:
        async def read() -> bytes:
            return await self._child.output.read(CHUNK)

        await _lines(read, self._door.server, self._both)

    async def _both(self) -> None:
        await self._child.drain()
        await self._flushed()

    async def _flushed(self) -> None:
        try:
            await self._client.drain()
        except ConnectionError:
            self._stopped.set()  # the client has gone


async def _lines(
    read: Callable[[], Awaitable[bytes]],
    take: Callable[[bytes | TooLong], Awaitable[None]],
    drain: Callable[[], Awaitable[None]],
) -> None:
    lines = Lines()
    while data := await read():
        for line in lines.feed(data):
            await take(line)
            await drain()
    for line in lines.finish():
        await take(line)
        await drain()
