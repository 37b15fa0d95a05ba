"""A Messages API on loopback, for the demo, tests with real clients, and benchmarks.

It counts exactly what reached it, connections, requests and bytes, so that a test of a gateway that
must let nothing through can ask the one who would know. `python -m proctor.testing.standin` serves
one by itself and prints a line of JSON with its address.
"""

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

from proctor.testing.conversation import Reply, converse
from proctor.testing.http1 import Received, chunk, read_request, response_head
from proctor.testing.service import Answer, Fault, Piece, Service, Step

KEY = "sk-ant-stand-in-key"
_KEPT = 2_000
_PATIENCE = 60.0  # seconds that a held answer waits before it gives up


class StandIn:
    """The server. Start it in a running loop, or use `serving()` from synchronous code.

    Attributes:
        service: What it answers.
        faults: Taken one for each request to `/v1/messages`, first in, first out.
        every: The fault of all others, or None.
        pace: Seconds between two events of a stream.
        requests: The last 2,000 requests.
        request_count: All requests.
        connections: Connections accepted.
        bytes_received: Heads and bodies, without TLS and chunk framing.
        broken: Connections that carried something other than HTTP/1.1 requests.
        aborted: Answers whose reader went away before their end.
    """

    def __init__(
        self,
        *,
        api_key: str = KEY,
        script: Callable[[Mapping[str, Any]], Reply] = converse,
        every: Fault | None = None,
        pace: float = 0.0,
    ) -> None:
        self.service = Service(api_key=api_key, script=script)
        self.faults: deque[Fault] = deque()
        self.every = every
        self.pace = pace
        self.requests: deque[Received] = deque(maxlen=_KEPT)
        self.request_count = 0
        self.connections = 0
        self.bytes_received = 0
        self.broken = 0
        self.aborted = 0
        self.url = ""
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._closing = asyncio.Event()
        self._released = asyncio.Event()
        self._waiting = threading.Event()

    @property
    def leaks(self) -> list[str]:
        """Credential headers that arrived and should not have."""
        return self.service.leaks

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> Self:
        """Listen; port 0 takes a free one. `url` is set afterwards."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls, limit=2**20)
        bound = self._server.sockets[0].getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{name}:{bound}"
        return self

    def close(self) -> None:
        """Stop, from any thread. `wait_closed()` returns once all is dropped."""
        self._started_loop().call_soon_threadsafe(self._closing.set)

    async def wait_closed(self) -> None:
        """Serve until `close()`, then drop what is open."""
        await self._closing.wait()
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    def release(self) -> None:
        """Let every held answer go on, from any thread."""
        self._started_loop().call_soon_threadsafe(self._released.set)

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the stand-in has not been started")
        return self._loop

    def wait_held(self, timeout: float = 10.0) -> bool:
        """Block until an answer is being held, at most `timeout` seconds; for other threads."""
        return self._waiting.wait(timeout)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        self._open.add(writer)
        try:
            while (request := await read_request(reader, connection)) is not None:
                self._count(request)
                await self._send(writer, self._answer(request), request.method)
        except (ValueError, asyncio.LimitOverrunError):
            self.broken += 1
        except (OSError, asyncio.IncompleteReadError):
            self.aborted += 1
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _count(self, request: Received) -> None:
        self.requests.append(request)
        self.request_count += 1
        self.bytes_received += request.head_bytes + len(request.body)

    def _answer(self, request: Received) -> Answer:
        fault = self.every
        if self.faults and request.target.partition("?")[0] == "/v1/messages":
            fault = self.faults.popleft()
        return self.service.answer(request, fault)

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer, method: str) -> None:
        headers = dict(answer.headers)
        if isinstance(answer.body, bytes):
            headers["content-length"] = str(len(answer.body))
            body = b"" if method == "HEAD" else answer.body
            writer.write(response_head(answer.status, headers) + body)
            await writer.drain()
            return
        headers["transfer-encoding"] = "chunked"
        await self._stream(writer, response_head(answer.status, headers), answer.body)

    async def _stream(
        self, writer: asyncio.StreamWriter, head: bytes, body: Iterable[Piece]
    ) -> None:
        for piece in body:
            if piece is Step.WAIT:
                await self._hold()
            elif piece is Step.DROP:
                await writer.drain()
                writer.transport.abort()
                raise ConnectionAbortedError
            else:
                writer.write(head + chunk(piece))
                head = b""
                await writer.drain()
                if self.pace:
                    await asyncio.sleep(self.pace)
        writer.write(head + chunk(b""))
        await writer.drain()

    async def _hold(self) -> None:
        self._waiting.set()
        async with asyncio.timeout(_PATIENCE):
            await self._released.wait()
        self._released.clear()
        self._waiting.clear()


@contextlib.contextmanager
def serving(standin: StandIn, *, tls: ssl.SSLContext | None = None) -> Iterator[StandIn]:
    """Serve from a thread of its own until the block ends."""
    ready = threading.Event()

    async def main() -> None:
        await standin.start(tls=tls)
        ready.set()
        await standin.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="stand-in", daemon=True)
    thread.start()
    if not ready.wait(10):
        raise TimeoutError("the stand-in did not start")
    try:
        yield standin
    finally:
        standin.close()
        thread.join(10)


async def _main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="standin", description="A stand-in Messages API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--api-key", default=KEY, help="the key it accepts")
    parser.add_argument("--fault", type=Fault, choices=list(Fault), help="of every answer")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds between two events")
    given = parser.parse_args(arguments)
    standin = StandIn(api_key=given.api_key, every=given.fault, pace=given.pace)
    await standin.start(given.host, given.port)
    sys.stdout.write(json.dumps({"event": "ready", "url": standin.url}) + "\n")
    sys.stdout.flush()
    await standin.wait_closed()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1:]))
