"""A witness on the network.

POST /add-checkpoint              a checkpoint and its proof for a cosignature (C2SP tlog-witness)
GET /<SHA-256 of origin>/checkpoint   the latest checkpoint of a log, cosigned (the same)
GET /checkpoints                  where all logs are, a JSON object a line
GET /checkpoints/<origin>         the latest of one log
GET /checkpoints/<origin>?history all that were ever signed, a JSON string a line: for an auditor
GET /healthz                      whether it runs
"""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from proctor.console.limits import Limiter
from proctor.errors import ClientError
from proctor.runtime.guest import guest
from proctor.runtime.health import listen
from proctor.runtime.prompt import PromptProtocol
from proctor.runtime.tasks import spawn, stop
from proctor.tlog.prooffile import MAX_CONSISTENCY
from proctor.witness.kept import name_of
from proctor.witness.watch import LogsWatch
from proctor.witness.witness import Witness

_PER_MINUTE: Final = 600
_SECONDS: Final = 10.0
_MAX_CLIENTS: Final = 200
_OF_ONE: Final = 50
_GRACE: Final = 5
_LINES = "application/jsonl"


def make_app(
    witness: Witness,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    seconds: float = _SECONDS,
    per_minute: int = _PER_MINUTE,
) -> Starlette:
    """The application.

    Args:
        witness: What answers.
        monotonic: Seconds that never step.
        seconds: How long a request's body may take.
        per_minute: Requests of one address.
    """
    limiter = Limiter(burst=per_minute, per_minute=per_minute, monotonic=monotonic, what="requests")
    pages = _Pages(witness=witness, seconds=seconds)

    def limited(endpoint: Callable[[Request], Awaitable[Response]]) -> Any:
        async def answer(request: Request) -> Response:
            try:
                limiter.take(request.client.host if request.client else "")
                found = await endpoint(request)
            except ClientError as error:
                return PlainTextResponse(f"[{error.code}] {error}\n", error.status)
            return found

        return answer

    return Starlette(
        routes=[
            Route("/add-checkpoint", limited(pages.add), methods=["POST"]),
            Route("/checkpoints", limited(pages.logs)),
            Route("/checkpoints/{origin:path}", limited(pages.checkpoints)),
            Route("/{name}/checkpoint", limited(pages.latest)),
            Route("/healthz", pages.healthz),
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pages:
    witness: Witness
    seconds: float

    async def add(self, request: Request) -> Response:
        body = await _body(request, self.seconds)
        # It waits for the disk.
        answer = await asyncio.to_thread(self.witness.add, body)
        return Response(answer.body, answer.status, headers={"content-type": answer.kind})

    async def latest(self, request: Request) -> Response:
        return _note(await asyncio.to_thread(self.witness.latest, request.path_params["name"]))

    async def logs(self, _: Request) -> Response:
        rows = (
            {"origin": head.checkpoint.origin, "size": head.checkpoint.size}
            for head in await asyncio.to_thread(self.witness.heads)
        )
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        return Response(lines, headers={"content-type": _LINES})

    async def checkpoints(self, request: Request) -> Response:
        origin = request.path_params["origin"]
        if "history" not in request.query_params:
            return _note(await asyncio.to_thread(self.witness.latest, name_of(origin)))
        found = await asyncio.to_thread(self.witness.history, origin)
        if found is None:
            return _note(None)
        return StreamingResponse(found, headers={"content-type": _LINES})

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")


class _Prompt(PromptProtocol):
    """Anybody may reach a witness: nobody takes all of its connections."""

    most = _OF_ONE


async def serve(watch: LogsWatch, witness: Witness, ready: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT.

    Args:
        watch: Where, and whose logs.
        witness: What answers.
        ready: Called with the address once it is open.

    Raises:
        ConfigurationError: The address is taken, or the TLS files do not fit.
    """
    settings = watch.current
    tls = settings.tls
    server = guest(
        make_app(witness),
        what="witness",
        tls=tls,
        clients=_MAX_CLIENTS,
        grace=_GRACE,
        protocol=_Prompt,
    )
    opened = listen(settings.listen)
    looking = spawn(watch.run(), name="witness.logs")

    def end() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        host, port = opened.getsockname()[:2]
        ready(f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}")
        await server.serve(sockets=[opened])
    finally:
        await stop(looking)
        opened.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _body(request: Request, seconds: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                body += part
                if len(body) > MAX_CONSISTENCY:
                    raise ClientError(
                        "body-too-large",
                        "The request is too large",
                        expected=f"at most {MAX_CONSISTENCY} bytes",
                        status=413,
                    )
    except TimeoutError:
        raise ClientError("body-slow", "The request took too long", status=408) from None
    except ClientDisconnect:
        raise ClientError("body-slow", "The request was cut off", status=408) from None
    return bytes(body)


def _note(found: str | None) -> Response:
    if found is None:
        return PlainTextResponse("Nothing of this log was ever signed.\n", 404)
    return PlainTextResponse(found)
