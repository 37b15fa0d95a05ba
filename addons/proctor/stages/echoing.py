"""Answers that repeat a credential which proctor put in: the client gets asterisks.

This comes before everything else that is done with an answer, so that nobody sees what came back:
neither what reads it, nor the record, nor the client. It does not depend on redaction.
"""

from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.credentials.echo import Echo, Values, told
from proctor.redaction.cutting import decoded
from proctor.stages.exchange import Exchange

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


def listen(suite: "Suite", exchange: Exchange, response: http.Response) -> None:
    """Begin with an answer: put out what stands in its head."""
    values = _values(suite, exchange)
    if not values:
        return
    exchange.echo = echo = Echo(values)
    data = response.data
    data.reason = echo.whole(data.reason, "reason")
    data.headers.fields = echo.fields(data.headers.fields)


def put_out(exchange: Exchange, response: http.Response) -> None:
    """Put out what stands in trailers, and in a whole body that nobody else looks at."""
    echo, data = exchange.echo, response.data
    if echo is None or exchange.done:
        return
    if exchange.buffered and exchange.answering is None and data.content:
        data.content = echo.whole(data.content)
    if data.trailers:
        data.trailers.fields = echo.fields(data.trailers.fields)


def plain(exchange: Exchange, body: bytes, encoding: str) -> tuple[bytes, str]:
    """A whole body with nothing of the kind in it, and what coding it still has.

    Raises:
        RedactionError: It cannot be decoded, so that nobody can look.
    """
    if exchange.echo is None:
        return body, encoding
    return exchange.echo.whole(decoded(body, encoding)), ""


def message(suite: "Suite", exchange: Exchange, data: bytes) -> bytes:
    """A WebSocket's message from the server, with nothing of the kind in it."""
    if exchange.echo is None:
        exchange.echo = Echo(_values(suite, exchange))
    return exchange.echo.whole(data, "message")


def echoes(exchange: Exchange) -> list[dict[str, object]]:
    """What is told of the credentials that came back."""
    return told(
        exchange.echo.findings if exchange.echo else (),
        asked_by=exchange.principal.key if exchange.principal else "",
        session=exchange.session.id if exchange.session else "",
        listener=exchange.listener,
        host=exchange.at[0],
    )


def _values(suite: "Suite", exchange: Exchange) -> tuple[Values, ...]:
    name = exchange.target.credential if exchange.target else None
    return suite.credentials.known(name, exchange.credential)
