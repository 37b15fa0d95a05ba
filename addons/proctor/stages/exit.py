"""Every stage stamped, nothing changed? The last stage, asked again at the wire."""

from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from proctor.errors import InternalError
from proctor.protocols.websocket.upgrade import leaving as handshake
from proctor.runtime import dialling
from proctor.stages.exchange import Exchange, Leaving, Stamp, judged

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Exit:
    """Lets nothing out that lacks a stamp, has changed since, or goes elsewhere."""

    name = "proctor_exit"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Dial nothing but what an exchange that may leave goes to, whatever protocol asks."""
        address = data.server.address
        for flow, exchange in self._suite.open_of(data.client):
            target = exchange.target
            if target is None or not self.cleared(flow, exchange):
                continue
            if address != (target.via[1] if target.via else exchange.at):
                continue
            hosts = (address[0],) if target.via or target.named else exchange.addresses
            if hosts:
                dialling.ways[data.server] = hosts, address[1]
                return
        data.server.error = "proctor: nothing that may leave goes to this address"

    def request(self, flow: http.HTTPFlow) -> None:
        """Refuse now, in the protocol's shape, what the wire would refuse later."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return
        if exchange.killed:
            self._suite.refuse(flow, exchange.killed)
            return
        if not self.cleared(flow, exchange):
            raise InternalError(
                "not-cleared",
                "A stage is missing, or the request changed after it was judged",
                got=f"stamps {exchange.stamps!r}",
                expected="all stamps and the request as judged",
            )

    def cleared(self, flow: http.HTTPFlow, exchange: Exchange) -> bool:
        """Whether this flow may leave as it stands now."""
        request, target = flow.request, exchange.target
        return (
            exchange.stamps == Stamp.ALL
            and target is not None
            and not exchange.sent
            and exchange.refused is None
            and exchange.killed is None
            and exchange.what == judged(request)
            and (request.host, request.port) == exchange.at
            and (request.scheme == target.scheme or target.speaks == "tunnel")
        )

    def outbound(self, flow: http.HTTPFlow, exchange: Exchange) -> http.Request | None:
        """The request as it leaves: a copy with the credential in it; None if it may not."""
        if not self.cleared(flow, exchange) or exchange.credential is None:
            return None
        exchange.sent = True
        data = flow.request.data
        leaving = exchange.leaving or Leaving(data.path, data.headers.fields, data.content)
        content = leaving.content
        headers = http.Headers(leaving.headers)
        # The body is at hand. HTTP/2 need not give its length, and an edit may leave one that
        # no longer holds: the upstream would read the rest as a second request (RFC 9112 6.3).
        chunked = headers.pop("transfer-encoding", None) is not None
        if content or chunked or "content-length" in headers:
            behind = sum(each.behind for each in (exchange.git, exchange.lfs) if each)
            headers["content-length"] = str(len(content or b"") + behind)
        request = http.Request(
            host=data.host,
            port=data.port,
            method=data.method,
            scheme=data.scheme,
            authority=data.authority,
            path=leaving.path,
            http_version=data.http_version,
            headers=headers,
            content=content,
            trailers=None,
            timestamp_start=data.timestamp_start,
            timestamp_end=data.timestamp_end,
        )
        if exchange.upgrade:
            request.headers.fields = handshake(request.headers.fields, exchange.upgrade)
        exchange.credential.apply(request)
        return request
