"""TLS on both sides, from the listener's own files instead of mitmproxy's."""

from typing import TYPE_CHECKING

from mitmproxy.connection import Client, Server
from mitmproxy.tls import ClientHelloData, TlsData

from proctor.runtime import tls

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Transport:
    """Before every stage: it only says how bytes are protected, never whether they may pass."""

    name = "proctor_transport"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._contexts = tls.Contexts()

    def tls_clienthello(self, data: ClientHelloData) -> None:
        """Shut mitmproxy's way around its own hooks."""
        data.ignore_connection = False
        data.establish_server_tls_first = False

    def tls_start_client(self, data: TlsData) -> None:
        """Show the listener's certificate, and ask for the client's where one is wanted."""
        if not isinstance(data.conn, Client):
            return
        listener = self._suite.listener_of(data.conn)
        if listener is None or listener.tls is None:
            return
        files = tls.Served(
            cert=listener.tls.cert, key=listener.tls.key, client_ca=listener.tls.client_ca
        )
        data.ssl_conn = tls.accept(self._contexts.served(files))

    def tls_start_server(self, data: TlsData) -> None:
        """Verify the upstream's name against the listener's authorities."""
        listener = self._suite.listener_of(data.context.client)
        server = data.conn
        if listener is None or not isinstance(server, Server) or server.address is None:
            return
        host = server.address[0]
        own = listener.upstream_tls if host == listener.upstream.host else None
        files = (
            tls.Trusted(ca=own.ca, cert=own.cert, key=own.key) if own is not None else tls.Trusted()
        )
        both = data.context.client.alpn == b"h2" and server.address == (
            listener.upstream.host,
            listener.upstream.port,
        )
        protocols = (b"h2", b"http/1.1") if both else (b"http/1.1",)
        server.sni = host
        server.alpn_offers = protocols
        data.ssl_conn = tls.connect(self._contexts.trusted(files), host, protocols)
