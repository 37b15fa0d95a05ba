"""What is in it that must not pass? Looks before the rules are asked, so that they can tell."""

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.errors import ClientError
from proctor.model import Finding, Session
from proctor.redaction.cutting import Message, cut_http, cut_model
from proctor.redaction.model import RedactionError
from proctor.redaction.negotiation import negotiable
from proctor.redaction.screen import Screen
from proctor.stages.exchange import Exchange, Stamp
from proctor.stages.git import SUMMARY

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


ORDINARY = frozenset(
    {
        *("host", "user-agent", "range", "cache-control", "pragma", "date", "origin", "priority"),
        *("dnt", "from", "referer", "expect", "max-forwards", "prefer", "via", "forwarded"),
        *("x-requested-with", "x-request-id", "x-correlation-id", "last-event-id", "git-protocol"),
        *("traceparent", "tracestate", "baggage", "idempotency-key", "transfer-encoding"),
    }
)
"""Headers that hold no credential; `redaction.headers` may name them all the same."""

_SPOKEN = "sec-websocket-protocol"  # some clients put their token there

_ORDINARY = ("accept", "content-", "if-", "sec-", "mcp-", "anthropic-", "x-stainless-", "npm-")


class Search:
    """After inspection, before decision."""

    name = "proctor_search"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Look at the request."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return None
        screen = self._suite.screen(exchange.listener)
        if screen is None:
            # What goes to a git server is looked at as its own settings have it.
            exchange.traced = exchange.findings = _pushed(exchange)
            exchange.stamps |= Stamp.SEARCHED
            return None
        return self._search(flow, exchange, screen)

    async def _search(self, flow: http.HTTPFlow, exchange: Exchange, screen: Screen) -> None:
        data, headers = flow.request.data, flow.request.headers
        fields = negotiable(data.headers.fields)
        pushed = exchange.git.summary if exchange.git else b""
        message = Message(data.path, fields, pushed or data.content or b"")
        try:
            self._look_at_names(flow, exchange, screen)
            exchange.cut = (
                cut_model(message, screen.headers, exchange.message)
                if exchange.message
                else cut_http(
                    message,
                    screen.headers | unusual(exchange, message.fields),
                    SUMMARY if pushed else headers.get("content-type", ""),
                    headers.get("content-encoding", ""),
                )
            )
            exchange.look = await screen.look(exchange.cut.pieces, keep=exchange.message is None)
        except ClientError as error:
            self._suite.refuse(flow, error)
            return
        except RedactionError as error:
            exchange.receipt = screen.receipt(None, error)
            self._suite.refuse(flow, error)
            return
        exchange.receipt = screen.receipt(exchange.look)
        exchange.traced = (*exchange.traced, *_pushed(exchange))
        exchange.findings = (*screen.findings(exchange.look, {}), *exchange.traced)
        exchange.stamps |= Stamp.SEARCHED

    @staticmethod
    def _look_at_names(flow: http.HTTPFlow, exchange: Exchange, screen: Screen) -> None:
        """What is recorded and cannot be changed: a method is refused, a session has no name."""
        session, exchange.session = exchange.session, None
        if screen.finds("method", flow.request.data.method):
            raise ClientError("method-unknown", "The method is none that can be passed on")
        if session and not screen.finds("session", f"{session.id} {session.client}".encode()):
            exchange.session = session


def _pushed(exchange: Exchange) -> tuple[Finding, ...]:
    """What was found in the blobs of a push."""
    if exchange.lfs:
        return exchange.lfs.findings
    return exchange.git.pushed.findings if exchange.git and exchange.git.pushed else ()


def unusual(exchange: Exchange, fields: Iterable[tuple[bytes, bytes]]) -> frozenset[str]:
    """Headers in which a client could carry a key under a name that nobody knows."""
    if exchange.target and exchange.target.own:
        return frozenset()
    names = {name.decode("latin-1").lower() for name, _ in fields}
    return frozenset(name for name in names if not ordinary(name))


def ordinary(name: str) -> bool:
    """Whether a header, by lower-case name, is one that holds no credential."""
    return name != _SPOKEN and (name in ORDINARY or name.startswith(_ORDINARY))


def nameable(run: Session | None, screen: Screen | None) -> Session | None:
    """The run of what was refused before it was looked at; None where its name holds more."""
    if run is None or screen is None:
        return run
    try:
        found = screen.finds("session", f"{run.id} {run.client}".encode())
    except RedactionError:
        return None
    return None if found else run
