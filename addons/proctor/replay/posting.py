"""One request of a replay on the wire, within limits of time and size."""

import asyncio
from time import monotonic
from typing import Final

import httpx

from proctor.model import ActionKind
from proctor.replay.outcome import Outcome, outcome, plain_outcome

TIMEOUT: Final = httpx.Timeout(600.0, connect=5.0)
"""Seconds without a byte; as long as Claude Code waits."""

UNREACHED: Final = frozenset({"ConnectError", "ConnectTimeout"})
"""`Outcome.error` where nothing has left yet."""

_LONGEST: Final = 1800.0
"""Seconds for a whole answer: one that trickles in would otherwise last for ever."""
_MAX_ANSWER: Final = 64 * 2**20


async def posted(client: httpx.AsyncClient, request: httpx.Request, kind: ActionKind) -> Outcome:
    """Send it, and read what comes back; no redirect is followed.

    Args:
        client: With time-outs of its own.
        request: What leaves.
        kind: What it is, which says how the answer is read.
    """
    began = monotonic()
    status = 0

    def failed(problem: str) -> Outcome:
        return Outcome(status=status, error=problem, seconds=monotonic() - began)

    try:
        async with asyncio.timeout(_LONGEST):
            answer = await client.send(request, stream=True)
            try:
                status = answer.status_code
                coding = answer.headers.get("content-encoding", "identity")
                if coding.lower() != "identity":
                    return failed("the answer is compressed, though nothing asked for it")
                body = bytearray()
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > _MAX_ANSWER:
                        return failed(f"the answer is larger than {_MAX_ANSWER} bytes")
            finally:
                await answer.aclose()
                client.cookies.clear()  # only what was approved is sent
    except TimeoutError:
        return failed(f"the answer took longer than {_LONGEST:.0f} s")
    except httpx.HTTPError as error:
        # Its text may hold what was sent; only its kind is told.
        return failed(type(error).__name__)
    read = outcome if kind is ActionKind.LLM_REQUEST else plain_outcome
    return read(status, bytes(body), monotonic() - began)
