"""The console's address, served in the gateway's own loop: /healthz, /readyz, /metrics, pages."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import exposition
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from proctor import __version__
from proctor.errors import ConfigurationError
from proctor.runtime.guest import Guest, guest
from proctor.runtime.metrics import Metrics
from proctor.runtime.tasks import spawn
from proctor.settings import ConsoleSettings, ServerTlsSettings
from proctor.units import Address

__all__ = ["Health", "Metrics", "make_app"]

_MAX_CLIENTS = 1000
_GRACE = 2  # seconds
_NO_STORE = {"cache-control": "no-store"}


def make_app(
    metrics: Metrics, lacking: Callable[[], Sequence[str]], console: ASGIApp | None = None
) -> Starlette:
    """The application behind the console's address.

    Args:
        metrics: What /metrics shows.
        lacking: What keeps the gateway from taking traffic; empty once it does.
        console: Pages and API, behind what monitoring asks for.
    """

    def healthz(_: Request) -> Response:
        found = {"status": "ok", "service": "proctor", "version": __version__}
        return JSONResponse(found, headers=_NO_STORE)

    def readyz(_: Request) -> Response:
        missing = list(lacking())
        return JSONResponse(
            {"ready": not missing, "missing": missing},
            status_code=503 if missing else 200,
            headers=_NO_STORE,
        )

    def figures(request: Request) -> Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(metrics.registry), headers={"content-type": content_type, **_NO_STORE}
        )

    return Starlette(
        routes=[
            Route("/healthz", _quick(healthz)),
            Route("/readyz", _quick(readyz)),
            Route("/metrics", _quick(figures)),
            *([Mount("/", console)] if console else []),
        ]
    )


def _quick(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """In the loop: Starlette would start a thread for a plain function."""

    async def endpoint(request: Request) -> Response:
        return answer(request)

    return endpoint


class Health:
    """The server on the console's address."""

    def __init__(
        self,
        settings: ConsoleSettings,
        metrics: Metrics,
        *,
        lacking: Callable[[], Sequence[str]],
        console: Callable[[str], ASGIApp] | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: Where.
            metrics: What /metrics shows.
            lacking: As for `make_app`.
            console: Makes pages and API, given the address at which people reach them.
        """
        self._settings = settings
        self._make: Callable[[str], Starlette] = lambda address: make_app(
            metrics, lacking, console(address) if console else None
        )
        self._server: Guest | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Open the address.

        Returns:
            `host:port` as it really is.

        Raises:
            ConfigurationError: It is taken, or the TLS files do not fit.
        """
        tls = self._settings.tls
        opened = listen(self._settings.listen)
        host, port = opened.getsockname()[:2]
        place = str(Address(host=host, port=port))
        try:
            return await self._serve(opened, place, tls)
        except BaseException:
            opened.close()
            raise

    async def _serve(self, opened: socket.socket, place: str, tls: ServerTlsSettings | None) -> str:
        address = self._settings.url or f"{'https' if tls else 'http'}://{place}"
        self._server = server = guest(
            self._make(address.rstrip("/")),
            what="console",
            tls=tls,
            clients=_MAX_CLIENTS,
            grace=_GRACE,
        )
        self._task = spawn(server.serve(sockets=[opened]), name="console")
        up = spawn(server.up.wait(), name="console start")
        await asyncio.wait({up, self._task}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            await self._task
        return place

    async def stop(self) -> None:
        """Close the address; answers under way have two seconds."""
        if self._server and self._task:
            self._server.should_exit = True
            await self._task
            self._task = None


def listen(address: Address, *, backlog: int = 128) -> socket.socket:
    """A listening socket.

    Args:
        address: Where.
        backlog: Clients that may wait to be taken.

    Raises:
        ConfigurationError: The address is taken, or not ours.
    """
    try:
        # No resolver decides where we listen but for a name, and then its first answer.
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind(place)
            opened.listen(backlog)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            code="address-unusable",
            message=f"proctor cannot listen on {address}",
            got=error.strerror or type(error).__name__,
            expected="a free port on an address of this machine",
            hint="`proctor doctor` says who holds it.",
        ) from None
    return opened
