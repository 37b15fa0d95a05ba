"""Every stage stamped, nothing changed? The last stage, asked again at the wire."""

from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.net.http import url
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from proctor.errors import InternalError
from proctor.stages.exchange import Exchange, Leaving, Stamp, judged

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Exit:
    """Lets nothing out that lacks a stamp, has changed since, or goes elsewhere."""

    name = "proctor_exit"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Dial nothing but what the client's listener names, whatever protocol asks."""
        site = self._suite.site_of(data.client)
        via = data.server.via[1] if data.server.via else None
        allowed = {site.upstream, site.via[1] if site.via else site.upstream} if site else set()
        if data.server.address not in allowed or (via and via not in allowed):
            data.server.error = "proctor: this address is not this listener's upstream"

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
        site = self._suite.site(exchange.listener)
        return (
            exchange.stamps == Stamp.ALL
            and not exchange.sent
            and exchange.refused is None
            and exchange.killed is None
            and exchange.what == judged(flow.request)
            and (flow.request.host, flow.request.port) == site.upstream
            and (flow.request.scheme == "https") == site.upstream_tls
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
        for name, value in exchange.credential:
            headers.set_all(name, [value])
        # The body is at hand. HTTP/2 need not give its length, and an edit may leave one that
        # no longer holds: the upstream would read the rest as a second request (RFC 9112 6.3).
        chunked = headers.pop("transfer-encoding", None) is not None
        if content or chunked or "content-length" in headers:
            headers["content-length"] = str(len(content or b""))
        return http.Request(
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


def authority(scheme: str, address: tuple[str, int]) -> str:
    """`Host` as an upstream expects it, without the scheme's own port (RFC 9110 7.2)."""
    return url.hostport(scheme, *address)
