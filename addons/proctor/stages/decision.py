"""May it? Asks the Gate, and answers for it where it may not."""

from typing import TYPE_CHECKING, assert_never

from mitmproxy import http

from proctor.errors import RefusedError
from proctor.model import Allow, Deny, Hold
from proctor.stages.exchange import Stamp
from proctor.stages.pinning import pinned

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Decision:
    """After inspection."""

    name = "proctor_decision"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> None:
        """Let the exchange on, or refuse it with the rule's own words.

        What a rule holds goes on as far as holding.
        """
        exchange = self._suite.exchange(flow)
        if exchange.done or exchange.principal is None:
            return
        if kill := self._suite.gate.killed(exchange.principal, exchange.session):
            self._suite.refuse(flow, self._suite.ended(kill))
            return
        ruling = self._suite.gate.decide(
            exchange.principal, exchange.session, exchange.actions, exchange.findings
        )
        if exchange.mcp:
            ruling = pinned(self._suite, ruling)
        exchange.ruling = ruling
        match ruling.verdict:
            case Allow() | Hold():
                exchange.stamps |= Stamp.DECIDED
            case Deny(appeal=()) as deny:
                error = RefusedError(
                    "policy-denied", deny.reason, got=exchange.told, rule_id=deny.rule_id
                )
                self._suite.refuse(flow, error)
            case Deny():
                exchange.stamps |= Stamp.DECIDED  # holding asks whether it was appealed
            case never:
                assert_never(never)
