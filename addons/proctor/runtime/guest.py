"""Uvicorn as a guest in a loop of ours: the console's server, and a witness's."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from proctor.errors import ConfigurationError
from proctor.runtime.prompt import PromptProtocol
from proctor.settings import ServerTlsSettings

_MAX_HEAD: Final = 16 * 1024


class Guest(uvicorn.Server):
    """It says when it is up, and leaves signals to its host."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self.up.set()


def guest(  # noqa: PLR0913 - what a server has
    app: ASGIApp,
    *,
    what: str,
    tls: ServerTlsSettings | None,
    clients: int,
    grace: int,
    protocol: type[PromptProtocol] = PromptProtocol,
) -> Guest:
    """A server with our limits; nothing is opened yet.

    Args:
        app: What answers.
        what: Whose it is, as messages call it.
        tls: Certificate and key; None in the clear.
        clients: Connections at once.
        grace: Seconds that answers under way have at the end.
        protocol: How a connection is spoken to.

    Raises:
        ConfigurationError: `tls-files`.
    """
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=clients,
        h11_max_incomplete_event_size=_MAX_HEAD,
        timeout_graceful_shutdown=grace,
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            "tls-files",
            f"The {what}'s TLS files cannot be used",
            got=type(error).__name__,
            expected="readable PEM files, the key fitting the certificate",
        ) from None
    return Guest(config)
