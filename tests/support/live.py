"""A real mitmproxy with our listeners, in a thread with a loop of its own."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from mitmproxy import options
from mitmproxy.addons import core, proxyserver
from mitmproxy.master import Master

from proctor.arriving.patterns import warm
from proctor.redaction.compiled import usable
from proctor.runtime.addon import listening
from proctor.runtime.door import Door
from proctor.runtime.modes import open_door
from proctor.testing.ports import free_ports
from tests.support.installation import CACHE


class Live:
    """A running master.

    Attributes:
        master: For tests that add addons.
        ports: Listener → port.
    """

    def __init__(self) -> None:
        self.master: Master
        self.ports: dict[str, int] = {}
        self.loop: asyncio.AbstractEventLoop
        self._up = threading.Event()
        self._error: BaseException | None = None

    def do[T](self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run something in the master's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(30)

    def request(self, listener: str, data: bytes, *, timeout: float = 30) -> bytes:
        """Send bytes and read until the other side closes or has answered whole."""
        with socket.create_connection(("127.0.0.1", self.ports[listener]), timeout) as connection:
            connection.sendall(data)
            return read_answer(connection)


def read_answer(connection: socket.socket, data: bytes = b"") -> bytes:
    """One HTTP/1 answer of known length, or whatever came before the connection closed.

    Args:
        connection: With a timeout.
        data: What was read of it before.
    """
    while True:
        head, mark, body = data.partition(b"\r\n\r\n")
        if mark:
            if head.startswith(b"HTTP/1.1 200 Connection established"):
                return data  # to a CONNECT: without a body (RFC 9110, 9.3.6)
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length" and len(body) >= int(value):
                    return data
            if b"transfer-encoding: chunked" in head.lower() and body.endswith(b"0\r\n\r\n"):
                return data
        try:
            more = connection.recv(65536)
        except OSError:
            return data
        if not more:
            return data
        data += more


@contextlib.contextmanager
def live(doors: dict[str, Door], *extra: object, **settings: Any) -> Iterator[Live]:
    """A master with a listener for each door, on free ports of loopback."""
    running = Live()

    async def main() -> None:
        running.loop = asyncio.get_running_loop()
        running.master = master = Master(options.Options())
        master.addons.add(core.Core(), proxyserver.Proxyserver(), *extra)
        for name, door in doors.items():
            open_door(name, door)
        master.options.update(
            mode=[
                f"proctor:{name}@127.0.0.1:{port}"
                for name, port in zip(doors, free_ports(len(doors)), strict=True)
            ],
            connection_strategy="lazy",
            rawtcp=False,
            websocket=False,
            **settings,
        )

        async def tell() -> None:
            while len(running.ports) < len(doors):
                await asyncio.sleep(0)
                running.ports = {
                    name: int(address.rpartition(":")[2]) for name, address in listening().items()
                }
            running._up.set()

        telling = asyncio.ensure_future(tell())
        await master.run()
        await telling
        server: Any = master.addons.get("proxyserver")
        await server.servers.update([])

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - told to the test
            running._error = error
        finally:
            running._up.set()

    warm(usable(CACHE))  # seconds, once for a process: no request of a test waits for it
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    running._up.wait(30)
    if running._error:
        raise running._error
    try:
        yield running
    finally:
        running.master.shutdown()
        thread.join(10)
