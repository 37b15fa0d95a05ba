"""The real credential: made ready here, put in at the wire, on a copy that nobody sees."""

from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.stages.exchange import Stamp

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Injection:
    """After recording."""

    name = "proctor_injection"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> None:
        """Fetch the credential's present value; InternalError where there is none."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return
        name = self._suite.listener(exchange.listener).credential
        exchange.credential = self._suite.credential(name) if name else ()
        exchange.stamps |= Stamp.INJECTED
