"""TLS on both sides, from the listener's own files instead of mitmproxy's."""

import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.tls import ClientHelloData, TlsData

from proctor.egress.hosts import parse_host
from proctor.errors import ClientError
from proctor.runtime import tls
from proctor.stages.aiming import authority

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

logger = logging.getLogger(__name__)


class Transport:
    """Before every stage: it only says how bytes are protected, never whether they may pass."""

    name = "proctor_transport"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._contexts = tls.Contexts()
        self._through: WeakKeyDictionary[http.HTTPFlow, tuple[str, int]] = WeakKeyDictionary()

    def tls_clienthello(self, data: ClientHelloData) -> Awaitable[None] | None:
        """Shut mitmproxy's way around its own hooks, and fronting: one name outside, one inside."""
        data.ignore_connection = False
        data.establish_server_tls_first = False
        tunnel = self._suite.tunnel(data.context.client)
        named = data.client_hello.sni
        if tunnel and named and _canonical(named) != tunnel.address[0]:
            return self._misled(data, tunnel.address[0])
        return None

    async def _misled(self, data: ClientHelloData, host: str) -> None:
        error = ClientError(
            "host-mismatch",
            "The TLS inside a tunnel names another host than the tunnel",
            expected=host,
        )
        await self._suite.record_misled(data.context.client, error)
        raise error

    def tls_start_client(self, data: TlsData) -> None:
        """Show the listener's certificate, or inside a tunnel one of our own for its host."""
        if not isinstance(data.conn, Client):
            return
        listener = self._suite.listener_of(data.conn)
        if tunnel := self._suite.tunnel(data.conn):
            data.ssl_conn = tls.accept(self._suite.authority.context_for(tunnel.address[0]))
            return
        if listener is None or listener.tls is None:
            return
        files = tls.Served(
            cert=listener.tls.cert,
            key=listener.tls.key,
            client_ca=listener.tls.client_ca,
            h2=listener.kind == "reverse",  # in a proxy's HTTP/2 each stream could be a tunnel
        )
        data.ssl_conn = tls.accept(self._contexts.served(files))

    def tls_failed_client(self, data: TlsData) -> None:
        """Say so where a client does not trust our authority, which it can be taught to."""
        if tunnel := self._suite.tunnel(data.context.client):
            host = tunnel.address[0]
            logger.warning(
                "a client would not speak TLS with us inside its tunnel to %s: it has to trust the "
                "authority that `proctor ca export` prints, or the host is pinned there",
                host,
                extra={"event": "tunnel.tls", "host": host, "principal": tunnel.principal.key},
            )

    def early_http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Note where the company's own proxy is asked to lead."""
        self._through[flow] = flow.request.host, flow.request.port

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Ask it for that, whatever another addon has made of it, and an address in brackets."""
        host, port = self._through.pop(flow)
        named = authority("", host, port)
        data = flow.request.data
        data.host, data.port, data.method = host, port, b"CONNECT"
        data.authority = named.encode()
        flow.request.headers["host"] = named

    def tls_start_server(self, data: TlsData) -> None:
        """Verify the upstream's name against the target's authorities."""
        server, client = data.conn, data.context.client
        listener = self._suite.listener_of(client)
        if listener is None or not isinstance(server, Server) or server.address is None:
            return
        target = self._suite.going_to(client, server.address)
        files = self._suite.files(target) if target else tls.Trusted()
        both = client.alpn == b"h2" and target is not None and target.speaks != "git"
        protocols = (b"h2", b"http/1.1") if both else (b"http/1.1",)
        server.sni = server.address[0]
        server.alpn_offers = protocols
        data.ssl_conn = tls.connect(self._contexts.trusted(files), server.address[0], protocols)


def _canonical(named: str) -> str:
    """A host as a tunnel's is written, or "" for what is none."""
    try:
        return parse_host(named)
    except ClientError:
        return ""
