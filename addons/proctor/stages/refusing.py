"""A refusal: how it reads in the protocol that was spoken, and how it is put on record."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.errors import AuthenticationError, InternalError, ProctorError
from proctor.model import Deny
from proctor.protocols.anthropic.refusal import Refusal as Spoken
from proctor.protocols.anthropic.refusal import anthropic_refusal, http_refusal, proxy_refusal
from proctor.record import Closing
from proctor.runtime.door import Refusal
from proctor.stages.exchange import Exchange, Stamp, opening_of
from proctor.stages.git import refusal_of as git_refusal
from proctor.stages.inspection import run_of
from proctor.stages.mcp import call_of, refusal_of
from proctor.stages.recording import GIT
from proctor.stages.search import nameable

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

logger = logging.getLogger(__name__)


def shaped(
    suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, error: ProctorError, *, proxy: bool
) -> Refusal:
    """A refusal as the protocol has it.

    Args:
        suite: All the stages.
        flow: What is refused.
        exchange: The same.
        error: Why.
        proxy: It was for us as a proxy.
    """
    if proxy and isinstance(error, AuthenticationError):
        return as_sent(proxy_refusal(error, request_id=flow.id))
    speaks = exchange.target.speaks if exchange.target else "http"
    if speaks == "mcp":
        return as_sent(refusal_of(suite, flow, exchange, error))
    if speaks == "git":
        return as_sent(git_refusal(exchange, error, flow.id))
    shape = anthropic_refusal if speaks == "anthropic" else http_refusal
    return as_sent(shape(error, request_id=flow.id))


def as_sent(refusal: Spoken) -> Refusal:
    """The same in bytes."""
    return Refusal(
        status=refusal.status,
        headers=tuple((n.encode(), v.encode("latin-1")) for n, v in refusal.headers),
        body=refusal.body,
    )


async def put_on_record(
    suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, error: str | None
) -> None:
    """Record what was not let through. A refusal stands whether or not that succeeds."""
    opening = exchange.opening or opening_of(flow, exchange.listener)
    if exchange.git:
        opening = replace(opening, protocol=GIT)
    if exchange.principal and not exchange.stamps & Stamp.INSPECTED:
        # Later on nothing but search says whether the run's name may be recorded.
        run = run_of(suite.gate, exchange.principal, flow.request)
        exchange.session = nameable(run, suite.screen(exchange.listener))
    response = flow.response
    closing = Closing(
        status=response.status_code if response else None,
        response_bytes=len(response.raw_content or b"") if response else 0,
        error=error,
        tools=(call,) if (call := call_of(exchange, flow)) else (),
    )
    try:
        await suite.gate.refuse(
            opening,
            closing,
            principal=exchange.principal,
            session=exchange.session,
            verdict=exchange.refused or Deny(rule_id="protocol", reason=error or ""),
            ruling=exchange.ruling,
        )
    except InternalError:
        logger.exception("a refusal was not recorded", extra={"event": "record.failed"})
