"""Who? Takes the token out of the request before anyone else sees it, and proves it."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from mitmproxy import http, tcp, udp
from mitmproxy.connection import Client

from proctor.egress.carried import HEADERS as CREDENTIALS
from proctor.egress.hosts import parse_host
from proctor.errors import AuthenticationError, ClientError, InternalError, ProctorError
from proctor.identity.bearer import bearer_token, proxy_token
from proctor.protocols.anthropic.routes import RouteKind
from proctor.protocols.websocket.upgrade import asked as upgrade_asked
from proctor.runtime.modes import linger
from proctor.stages.aiming import Tunnel, reachable
from proctor.stages.exchange import Exchange, Stamp, asked

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"te", b"upgrade", b"http2-settings", b"proxy-connection"}
)
"""Headers that end at the next hop (RFC 9110 7.6.1)."""

DROPPED = CREDENTIALS | HOP_BY_HOP | {b"proxy-authorization"}

KEPT = frozenset({b"content-length", b"transfer-encoding", b"host"})
"""What `Connection` cannot take out: it would change where a message ends or goes."""


class Admission:
    """First of the stages."""

    name = "proctor_admission"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def http_connect(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Prove who asks for a tunnel, and whether there is one to where they want to go."""
        suite = self._suite
        exchange = suite.open(flow)
        taken = take_credentials(flow.request)
        site = suite.site_of(flow.client_conn)
        if site is None or not site.forward or suite.tunnel(flow.client_conn):
            suite.refuse(
                flow,
                ClientError(
                    "connect-refused",
                    "This listener is no forward proxy",
                    got="CONNECT",
                    expected="a request for a path",
                ),
            )
            return None
        if self._shut(flow):
            return None
        try:
            exchange.token = proxy_token(taken.get(b"proxy-authorization", []))
        except AuthenticationError as error:
            suite.refuse(flow, error)
            return None
        return self._let_in(flow, exchange)

    async def _let_in(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        suite = self._suite
        try:
            principal = suite.gate.recall(exchange.token) or await suite.gate.admit(exchange.token)
            exchange.principal = principal
            exchange.stamps |= Stamp.ADMITTED
            host, port = parse_host(flow.request.host), flow.request.port
            target = reachable(suite.targets(exchange.listener), host, port)[0]
            if kill := suite.gate.killed(principal, None):
                raise suite.ended(kill)
        except ProctorError as error:
            suite.refuse(flow, error)
            return
        flow.request.host = host
        opaque = target.speaks == "tunnel"
        tunnel = Tunnel(
            principal=principal,
            token=exchange.token,
            address=(host, port),
            opaque=opaque,
            via=target.via,
        )
        suite.let_in(flow, tunnel)
        if opaque:
            exchange.target, exchange.at = target, (host, port)
            flow.request.raw_content = b""  # a CONNECT has none (RFC 9110 9.3.6)
            await suite.ask(flow)
        else:
            # What is said inside is asked about by itself.
            exchange.ended = True
            suite.close(flow)

    def http_connect_error(self, flow: http.HTTPFlow) -> None:
        """A tunnel that did not come about has nobody in it; its client may ask for another."""
        if self._suite.leads(flow):
            self._suite.left(flow.client_conn)

    def client_disconnected(self, client: Client) -> None:
        """What was let in has left."""
        self._suite.left(client)

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """Nothing passes that is not understood."""
        raise InternalError("raw-stream", f"Raw TCP on a listener of ours ({flow.id})")

    def udp_start(self, flow: udp.UDPFlow) -> None:
        """The same over UDP."""
        raise InternalError("raw-stream", f"Raw UDP on a listener of ours ({flow.id})")

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Prove who asks; the body has not been read yet."""
        suite = self._suite
        exchange = suite.open(flow)
        taken = take_credentials(flow.request)
        if flow.error:
            return None  # already refused as malformed; `error` records it
        if self._shut(flow):
            return None
        if self._open_to_all(flow, exchange):
            return None
        if b"websocket" in b",".join(taken.get(b"upgrade", [])).lower():
            self._upgraded(flow, exchange, taken[b"upgrade"])
        tunnel, site = suite.tunnel(flow.client_conn), suite.site(exchange.listener)
        try:
            if tunnel:
                exchange.token = tunnel.token
            elif site.forward:
                exchange.token = proxy_token(taken.get(b"proxy-authorization", []))
            else:
                own = taken.pop(b"authorization", []), taken.pop(b"x-api-key", [])
                taken.pop(b"cookie", None)
                if exchange.target and exchange.target.speaks == "git":
                    # git asks its user for a password, and sends it as Basic.
                    exchange.token = proxy_token(own[0])
                else:
                    exchange.token = bearer_token(*map(_once, own))
        except AuthenticationError as error:
            suite.refuse(flow, error)
            return None
        exchange.own = tuple(
            (name, value)
            for name, values in taken.items()
            if name in CREDENTIALS
            for value in values
        )
        exchange.principal = suite.gate.recall(exchange.token)
        if exchange.principal is None:
            return self._prove(flow, exchange)
        self._admitted(flow, exchange)
        return None

    @staticmethod
    def _upgraded(flow: http.HTTPFlow, exchange: Exchange, upgrade: list[bytes]) -> None:
        """Note that a WebSocket is asked for; without that it would be another request."""
        if exchange.target is None or not exchange.target.websocket:
            exchange.astray = exchange.astray or ClientError(
                "websocket",
                "WebSockets do not pass here",
                got="Upgrade: websocket",
                expected="requests and answers",
                hint="Where they may, the listener or the destination says `websocket: true`.",
                status=501,
            )
            return
        data = flow.request.data
        try:
            exchange.upgrade = upgrade_asked(
                data.method, data.http_version, data.headers.fields, upgrade
            )
        except ClientError as error:
            exchange.astray = error

    def _open_to_all(self, flow: http.HTTPFlow, exchange: Exchange) -> bool:
        """Whether it was something that needs no token, and is answered."""
        target = exchange.target
        proxy = self._suite.site(exchange.listener).forward
        if proxy and not self._suite.tunnel(flow.client_conn):
            return False
        if target and target.speaks == "anthropic" and asked(flow.request) is RouteKind.PROBE:
            # Older Claude Code asks whether anyone is there before it has a token.
            flow.response = http.Response.make(200)
        elif document := self._suite.told(flow):
            flow.response = document
        else:
            return False
        exchange.ended = True
        return True

    async def _prove(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        try:
            exchange.principal = await self._suite.gate.admit(exchange.token)
        except ProctorError as error:
            self._suite.refuse(flow, error)
            if flow.response and self._suite.tunnel(flow.client_conn):
                # Its next CONNECT brings another token.
                if not flow.request.is_http2:
                    flow.response.headers["connection"] = "close"
                linger(flow.client_conn)
        else:
            self._admitted(flow, exchange)

    def _admitted(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.astray:
            self._suite.refuse(flow, exchange.astray)
            return
        exchange.stamps |= Stamp.ADMITTED

    def _shut(self, flow: http.HTTPFlow) -> bool:
        """Whether nothing is taken at the moment, which the client is told."""
        if self._suite.accepting:
            return False
        self._suite.refuse(
            flow,
            InternalError(
                "not-accepting",
                "proctor is starting or stopping",
                hint="Try again in a moment.",
            ),
        )
        if flow.response and not flow.request.is_http2:
            # The next attempt finds whoever listens then (RFC 9112 9.6).
            flow.response.headers["connection"] = "close"
        return True


def take_credentials(request: http.Request) -> dict[bytes, list[bytes]]:
    """Take out what identifies the client and what ends at this hop, in one pass.

    Returns:
        What was taken out, by lower-case name.
    """
    kept: list[tuple[bytes, bytes]] = []
    taken: dict[bytes, list[bytes]] = {}
    for field in request.headers.fields:
        name = field[0].lower()
        if name in DROPPED:
            taken.setdefault(name, []).append(field[1])
        else:
            kept.append(field)
    if b"connection" in taken:
        named = {part.strip().lower() for part in b",".join(taken[b"connection"]).split(b",")}
        named -= KEPT
        kept = [field for field in kept if field[0].lower() not in named]
    request.headers.fields = tuple(kept)
    return taken


def _once(values: list[bytes]) -> str | None:
    """A header's value, None where it is absent. Two of a kind prove nothing: refused as empty."""
    if not values:
        return None
    return values[0].decode("latin-1") if len(values) == 1 else ""
