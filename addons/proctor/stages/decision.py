"""May it? Asks the Gate, and answers for it where it may not."""

from typing import TYPE_CHECKING, assert_never

from mitmproxy import http

from proctor.errors import RefusedError
from proctor.model import Allow, Deny, Hold
from proctor.stages.exchange import Stamp

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Decision:
    """After inspection."""

    name = "proctor_decision"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> None:
        """Let the exchange on, or refuse it with the rule's own words."""
        exchange = self._suite.exchange(flow)
        if exchange.done or exchange.principal is None:
            return
        ruling = self._suite.gate.decide(
            exchange.principal, exchange.session, exchange.actions, exchange.findings
        )
        exchange.ruling = ruling
        match ruling.verdict:
            case Allow():
                exchange.stamps |= Stamp.DECIDED
            case Deny(rule_id=rule_id, reason=reason):
                self._suite.refuse(flow, _refused(rule_id, reason))
            case Hold(rule_id=rule_id):
                # The rules' loader lets no holding rule in; should one come, nothing may pass.
                self._suite.refuse(flow, _refused(rule_id, "Approvals are not available yet."))
            case never:
                assert_never(never)


def _refused(rule_id: str, reason: str) -> RefusedError:
    return RefusedError("policy-denied", reason, rule_id=rule_id)
