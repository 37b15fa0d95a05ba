"""The real credential: made ready here, put in at the wire, on a copy that nobody sees."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from mitmproxy import http

from proctor.credentials.injection import Injection as Credential
from proctor.credentials.injection import Nothing
from proctor.errors import InternalError, ProctorError
from proctor.stages.exchange import Exchange, Stamp

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Own:
    """What the client itself brought, where it may."""

    __slots__ = ("_fields",)
    secrets: Final[tuple[str, ...]] = ()

    def __init__(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        self._fields = fields

    def apply(self, request: http.Request) -> None:
        """Put it back."""
        request.headers.fields = (*request.headers.fields, *self._fields)


class Injection:
    """After recording."""

    name = "proctor_injection"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Fetch the credential; refused where there is none."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return None
        if exchange.principal is None:
            raise InternalError("not-decided", "A stage before injection is missing")
        target = exchange.to
        if target.credential is None:
            ready: Credential | None = Own(exchange.own) if target.own else Nothing()
        else:
            ready = self._suite.credentials.ready(
                target.credential, exchange.principal.key, exchange.token
            )
            if ready is None:
                return self._fetch(flow, exchange, target.credential)
        exchange.credential = ready
        exchange.stamps |= Stamp.INJECTED
        return None

    async def _fetch(self, flow: http.HTTPFlow, exchange: Exchange, name: str) -> None:
        principal = exchange.principal
        if principal is None:
            raise InternalError("not-decided", "A stage before injection is missing")
        try:
            exchange.credential = await self._suite.credentials.fetch(
                name, principal.key, exchange.token, principal.expires_at
            )
        except ProctorError as error:
            self._suite.refuse(flow, error)
            return
        exchange.stamps |= Stamp.INJECTED

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """What the upstream does not take is fetched anew for the next request."""
        exchange, response = self._suite.exchange(flow), flow.response
        target, principal = exchange.target, exchange.principal
        if response is None or response.status_code != http.status_codes.UNAUTHORIZED:
            return
        if exchange.sent and principal and target and target.credential:
            self._suite.credentials.rejected(target.credential, principal.key, exchange.token)
