"""A stand-in of the console's API, over real HTTP: it says what a test has it say."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, override

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from proctor.console.problems import problem_json
from proctor.errors import ProctorError

TOKEN = "pct_the-token-of-a-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(slots=True, kw_only=True)
class ConsoleStandIn:
    """What it says, and what it was asked.

    Attributes:
        answers: By `GET approvals`: JSON, an error, or a response as it is.
        events: What GET events streams before it ends.
        asked: In order.
    """

    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[bytes] = field(default_factory=list[bytes])
    asked: list[Asked] = field(default_factory=list[Asked])
    url: str = ""

    def reset(self) -> None:
        """Forget everything."""
        self.answers.clear()
        self.events.clear()
        self.asked.clear()

    async def answer(self, request: Request) -> Response:
        """The answer to one request."""
        raw = await request.body()
        path = request.url.path.removeprefix("/api/v1/")
        self.asked.append(
            Asked(
                method=request.method,
                path=path,
                query=dict(request.query_params),
                headers=dict(request.headers),
                body=json.loads(raw) if raw else None,
            )
        )
        if path == "events" and f"GET {path}" not in self.answers:
            return StreamingResponse(iter(list(self.events)), media_type="text/event-stream")
        found = self.answers.get(f"{request.method} {path}")
        if isinstance(found, ProctorError):
            return problem_json(found)
        if isinstance(found, Response):
            return found
        return JSONResponse(found, status_code=404 if found is None else 200)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextmanager
def console_stand_in(**tls: str) -> Iterator[ConsoleStandIn]:
    """A stand-in on loopback; `ssl_certfile` and `ssl_keyfile` have it speak TLS."""
    stand = ConsoleStandIn()
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", stand.answer, methods=methods)])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", **tls)  # type: ignore[arg-type]  # text for each
    server = _Server(config)
    opened = config.bind_socket()
    stand.url = f"{'https' if tls else 'http'}://127.0.0.1:{opened.getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    assert server.up.wait(30)
    try:
        yield stand
    finally:
        server.should_exit = True
        thread.join(10)
        opened.close()
    assert not thread.is_alive()
