"""A recorded session as a Messages API: its answers come from the record, and nothing else does.

ASGI, so that a test needs no socket. The recording is somebody's conversation, so whoever asks has
to bring the token that was made for this run, and pages in a browser get nothing.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from starlette.types import Receive, Scope, Send

from proctor.errors import AuthenticationError, ClientError, ProctorError
from proctor.protocols.anthropic.refusal import anthropic_refusal
from proctor.replay import framing
from proctor.replay.matching import Match, Recorded, Script
from proctor.replay.normal import Own, asked, own
from proctor.replay.recorded import MESSAGES, ROUTES, Recording
from proctor.replay.same import Redacted

MAX_BODY: Final = 64 * 2**20
_READING: Final = 60.0


class OnDivergence(StrEnum):
    """What a client gets that asks for something else than was recorded."""

    ANSWER = "answer"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one request.

    Attributes:
        number: Of the request, from 1.
        match: None where the recording has nothing of the kind.
        framed: "", `converted` or `as recorded`, as `framing.fitting` says.
    """

    number: int
    match: Match | None
    framed: str = ""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What a run came to.

    Attributes:
        first: Where the client first asked for something else.
        failed: Requests that could not be answered.
    """

    requests: int = 0
    diverged: int = 0
    failed: int = 0
    first: Told | None = None
    besides: set[str] = field(default_factory=set)


class Server:
    """The application.

    Args:
        recording: What is served.
        token: What a client has to bring.
        on_divergence: What one gets that goes another way.
        tell: Told of each answered request.

    Attributes:
        script: What has been used of the recording.
        figures: What it came to so far.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        token: str,
        on_divergence: OnDivergence = OnDivergence.ANSWER,
        tell: Callable[[Told], None] = lambda _told: None,
    ) -> None:
        self.script = Script(
            recording.turns,
            Redacted(recording.types),
            goes_on=on_divergence is OnDivergence.ANSWER,
        )
        self.figures = Figures()
        self._recording = recording
        self._token = token.encode()
        self._on_divergence = on_divergence
        self._tell = tell
        self._own = Own()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except ProctorError as error:
            self.figures.failed += 1
            refusal = anthropic_refusal(error)
            await _send(send, refusal.status, dict(refusal.headers), refusal.body)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if method == "HEAD" and path == "/":  # older clients ask so whether somebody is there
            await _send(send, 200, {}, b"")
            return
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        self._admit(headers)
        if method != "POST" or path not in ROUTES:
            raise ClientError(
                code="replay-path",
                message="A replayed session answers nothing here",
                expected=" or ".join(f"POST {route}" for route in ROUTES),
                status=404,
            )
        body = await _read(receive)
        recorded, answer, content_type = self._find(path, body)
        head = {"content-type": content_type, "request-id": f"replay-{recorded.turn}"}
        # An answer that broke off when it was recorded breaks off again.
        await _send(send, recorded.status, head, answer, whole=not recorded.cut)

    def _admit(self, headers: dict[str, bytes]) -> None:
        if "origin" in headers:  # Fetch: browsers send it with each POST from a page
            raise ClientError(
                code="replay-browser", message="A replayed session is not for web pages", status=403
            )
        scheme, _, bearer = headers.get("authorization", b"").partition(b" ")
        brought = bearer if scheme.lower() == b"bearer" else headers.get("x-api-key", b"")
        if not hmac.compare_digest(brought.strip(), self._token):
            raise AuthenticationError(
                code="replay-token",
                message="The token is not the one of this replay",
                expected="ANTHROPIC_AUTH_TOKEN as `proctor replay --serve` printed it",
            )

    def _find(self, path: str, body: bytes) -> tuple[Recorded, bytes, str]:
        found = own(body)
        # Side requests tell neither folder nor session; the last that did counts.
        self._own = Own(
            folder=found.folder or self._own.folder, session=found.session or self._own.session
        )
        wanted = asked(body, self._recording.own, self._own)
        figures = self.figures
        figures.requests += 1
        match = self.script.find(path, wanted)
        if match is None:
            self._tell(Told(number=figures.requests, match=None))
            raise ClientError(
                code="replay-unknown",
                message="The recorded session has no answer to a request of this kind",
                got=f"{path}, {'with' if wanted.tools else 'without'} tools",
                expected="a request of a kind that the session holds",
                status=451,
            )
        recorded = match.recorded
        answer, content_type, framed = recorded.answer, framing.JSON, ""
        if path == MESSAGES:
            answer, content_type, framed = framing.fitting(
                answer, stream=wanted.stream, status=recorded.status
            )
        told = Told(number=figures.requests, match=match, framed=framed)
        figures.besides |= set(match.besides)
        if match.divergence:
            figures.diverged += 1
            figures.first = figures.first or told
        self._tell(told)
        if match.divergence and self._on_divergence is OnDivergence.STOP:
            raise diverged(match)
        return recorded, answer, content_type


def diverged(match: Match) -> ClientError:
    """What a client is told that goes another way than the recorded one; nothing of the record."""
    found = match.divergence
    place = f"message {found.message} (recorded in turn {found.turn})" if found else ""
    return ClientError(
        code="replay-diverged",
        message="This is not the recorded conversation any more",
        got=f"something else in {place}",
        expected="the recorded request",
        hint="The terminal of `proctor replay --serve` shows both; `--on-divergence answer` goes"
        " on with the nearest recorded answer.",
        status=451,
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_READING):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientError(code="replay-gone", message="The client went away")
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise ClientError(
                        code="body-too-large",
                        message="The body is too large",
                        expected=f"at most {MAX_BODY} bytes",
                        status=413,
                    )
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise ClientError(
            code="replay-slow", message="The request did not come in time", status=408
        ) from None


async def _send(
    send: Send, status: int, headers: dict[str, str], body: bytes, *, whole: bool = True
) -> None:
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    if whole:
        fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    # Uvicorn drops the connection where the end of a body never comes.
    await send({"type": "http.response.body", "body": body, "more_body": not whole})
