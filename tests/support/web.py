"""An internal API on loopback that keeps every request as it arrived; others build upon it."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from proctor.testing.http1 import Received, read_request, response_head
from proctor.testing.service import Answer

type Site = Callable[[Received], Answer]
"""What answers; called in a thread of its own, so it may wait."""


def answer(status: int, body: bytes, content_type: str) -> Answer:
    """An answer of known length."""
    return Answer(status=status, headers={"content-type": content_type}, body=body)


def answer_json(value: object, status: int = 200, content_type: str = "application/json") -> Answer:
    """The same, in JSON."""
    return answer(status, json.dumps(value).encode(), content_type)


def echo(request: Received) -> Answer:
    """Tell what arrived."""
    return answer_json(
        {
            "method": request.method,
            "target": request.target,
            "headers": [list(each) for each in request.headers],
            "body": request.body.decode("latin-1"),
        }
    )


class Web:
    """HTTP/1.1, with or without TLS, from a thread of its own until the block ends.

    Attributes:
        requests: As they arrived, in that order.
        port: Set once it listens.
    """

    def __init__(self, site: Site = echo, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.port = 0
        self._site = site
        self._tls = tls
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    @property
    def url(self) -> str:
        """Scheme, host and port; the host is `localhost`, as the certificate names it."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await read_request(reader, id(writer))) is not None:
                self.requests.append(request)
                found = await asyncio.to_thread(self._site, request)
                assert isinstance(found.body, bytes)
                head = {**found.headers, "content-length": str(len(found.body))}
                body = b"" if request.method == "HEAD" else found.body
                writer.write(response_head(found.status, head) + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side is gone
        finally:
            self._open.discard(writer)
            writer.close()
