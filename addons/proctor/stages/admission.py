"""Who? Takes the token out of the request before anyone else sees it, and proves it."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from mitmproxy import http, tcp, udp

from proctor.errors import AuthenticationError, ClientError, InternalError, ProctorError
from proctor.identity.bearer import bearer_token
from proctor.protocols.anthropic.routes import RouteKind
from proctor.stages.exchange import Exchange, Stamp, asked

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"proxy-authorization", b"cookie"})
"""Headers by which a client could identify itself to the upstream."""

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"te", b"upgrade", b"http2-settings", b"proxy-connection"}
)
"""Headers that end at the next hop (RFC 9110 7.6.1)."""

DROPPED = CREDENTIALS | HOP_BY_HOP

KEPT = frozenset({b"content-length", b"transfer-encoding", b"host"})
"""What `Connection` cannot take out: it would change where a message ends or goes."""


class Admission:
    """First of the stages."""

    name = "proctor_admission"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """A reverse listener is no proxy."""
        self._suite.refuse(
            flow,
            ClientError(
                "connect-refused",
                "This listener is no forward proxy",
                got="CONNECT",
                expected="a request for a path",
                status=400,
            ),
        )

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """Nothing passes that is not understood."""
        raise InternalError("raw-stream", f"Raw TCP on a listener of ours ({flow.id})")

    def udp_start(self, flow: udp.UDPFlow) -> None:
        """The same over UDP."""
        raise InternalError("raw-stream", f"Raw UDP on a listener of ours ({flow.id})")

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Prove who asks; the body has not been read yet."""
        exchange = self._suite.open(flow)
        authorization, api_key = take_credentials(flow.request)
        if flow.error:
            return None  # already refused as malformed; `error` records it
        if not self._suite.accepting:
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
            return None
        listener = self._suite.listener(exchange.listener)
        if listener.speaks == "anthropic" and asked(flow.request) is RouteKind.PROBE:
            # Older Claude Code asks whether anyone is there before it has a token.
            exchange.ended = True
            flow.response = http.Response.make(200)
            return None
        try:
            token = bearer_token(authorization, api_key)
        except AuthenticationError as error:
            self._suite.refuse(flow, error)
            return None
        exchange.principal = self._suite.gate.recall(token)
        if exchange.principal is None:
            return self._prove(flow, exchange, token)
        exchange.stamps |= Stamp.ADMITTED
        return None

    async def _prove(self, flow: http.HTTPFlow, exchange: Exchange, token: str) -> None:
        try:
            exchange.principal = await self._suite.gate.admit(token)
        except ProctorError as error:
            self._suite.refuse(flow, error)
        else:
            exchange.stamps |= Stamp.ADMITTED


def take_credentials(request: http.Request) -> tuple[str | None, str | None]:
    """Take out what identifies the client and what ends at this hop, in one pass.

    Returns:
        Authorization and x-api-key, None where absent. Two of a kind prove nothing: both are then
        empty, which is refused.
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
    authorization, api_key = taken.get(b"authorization", []), taken.get(b"x-api-key", [])
    if len(authorization) > 1 or len(api_key) > 1:
        return "", ""
    return (
        authorization[0].decode("latin-1") if authorization else None,
        api_key[0].decode("latin-1") if api_key else None,
    )
