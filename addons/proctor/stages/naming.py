"""Does the name of a host say something that must not leave? Whoever looks it up has said it."""

from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.errors import RefusedError
from proctor.leaving.watch import host_place
from proctor.redaction.redactor import Look
from proctor.stages.exchange import Exchange
from proctor.stages.tracing import tell, unsay

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


def look_at_name(suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> bool:
    """Look at a host's name before anybody is asked where it is; refused, it is not shown.

    Only at one that a client has thought of: what the operator names says nothing.

    Args:
        suite: All the stages.
        flow: Admitted.
        exchange: The same.

    Returns:
        Whether it may be looked up.

    Raises:
        RedactionError: It could not be looked at.
    """
    screen, host, principal = suite.screen(exchange.listener), exchange.at[0], exchange.principal
    if exchange.to.host.exact or screen is None or principal is None:
        return True
    parts = screen.parts
    hits = suite.leaving.trace(
        principal.key, host, host_place(host), parts.redactor.detector, parts.budget()
    )
    try:
        if hits:
            tell(exchange, Look(()), screen, hits)
    except RefusedError as error:
        suite.refuse(flow, error)
        unsay(flow, exchange)
        return False
    return True
