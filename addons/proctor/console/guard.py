"""Who asks the console, decided before any page or answer is reached.

What is behind it finds, in `request.state`:

    reviewer: Reviewer | None   who is signed in; None only under the PUBLIC paths
    csrf: str                   what unsafe requests of theirs must bring along, as the header
                                `X-CSRF-Token` or the form's field `csrf`; "" where no cookie signs
                                them in
    ends_at: datetime           when the sign-in ends; only where there is a reviewer
    still: () -> Awaitable[bool]  whether it still holds; for answers that take long

A browser that is not signed in is sent to `/login`; a program gets a 401. Bodies have at most
64 KiB and are read before anything else is done; forms are urlencoded only.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor.approval.model import Reviewer, Via
from proctor.console.bearers import Bearers
from proctor.console.cookies import Cookies, csrf_token, is_csrf_token
from proctor.console.limits import Limiter
from proctor.console.problems import API, for_program, refused
from proctor.console.sessions import PREFIX, Sessions
from proctor.errors import AuthenticationError, UpstreamError
from proctor.identity.bearer import bearer_token
from proctor.identity.refusals import refuse

PUBLIC = ("/login/start", "/login/callback", "/login/token", "/static/", "/hooks/")
"""What begins like this looks after itself, and so do `/login` and POST to `/api/v1/token`."""

OPEN_API = "/api/v1/grants/requests"
"""Also takes an agent's token, since asking decides nothing."""

TOKEN = "/api/v1/token"  # noqa: S105 - a path

MAX_BODY = 64 * 1024

_BODY_SECONDS = 15.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_UI = "proctor-ui/"
"""How `User-Agent` begins where mitmproxy's commands ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody who is signed in.

    Attributes:
        reviewer: Who.
        ends_at: Until when.
        csrf: "" where no cookie says so.
        still: Whether it still holds.
    """

    reviewer: Reviewer
    ends_at: datetime
    csrf: str
    still: Callable[[], Awaitable[bool]]


class Guard:
    """ASGI middleware: finds out who asks, and refuses what nobody may ask."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        sessions: Sessions,
        bearers: Bearers,
        cookies: Cookies,
        failures: Limiter,
    ) -> None:
        """Guard `app`.

        Args:
            app: What is behind it.
            sessions: Who is signed in.
            bearers: Reads the tokens of an issuer.
            cookies: Of this console.
            failures: How many wrong tokens an address may show.
        """
        self._app = app
        self._sessions = sessions
        self._bearers = bearers
        self._cookies = cookies
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.reviewer = None
        request.state.csrf = ""
        body = b""
        if request.method not in _SAFE:
            body = await read_body(request)
            receive = replay(body, receive)
        path = request.url.path
        if not _is_public(request.method, path):
            known = await self._known(request)
            if known is None and path != OPEN_API:
                await _stranger(request)(scope, receive, send)
                return
            if known is not None:
                if known.csrf and request.method not in _SAFE:
                    check_form(request, body, self._cookies, self._cookies.session)
                request.state.reviewer = known.reviewer
                request.state.csrf = known.csrf
                request.state.ends_at = known.ends_at
                request.state.still = known.still
        await self._app(scope, receive, send)

    async def _known(self, request: Request) -> Known | None:
        if "authorization" in request.headers and for_program(request):
            token = bearer_token(request.headers["authorization"], None)
            known = await self._bearer(request, token)
            if known is not None and request.headers.get("user-agent", "").startswith(_UI):
                # A label in the record, which anybody may claim; it gives no right.
                known = replace(known, reviewer=replace(known.reviewer, via=Via.UI))
            return known
        raw = self._cookies.read(request, self._cookies.session)
        if raw is None:
            return None
        # What a page asks by itself keeps nobody signed in.
        click = request.method not in _SAFE or _is_navigation(request)
        return await self._session(raw, Via.CONSOLE, csrf_token(raw), click=click)

    async def _session(self, raw: str, via: Via, csrf: str, *, click: bool) -> Known | None:
        found = await asyncio.to_thread(self._sessions.find, raw, via, click=click)
        if found is None:
            return None

        async def still() -> bool:
            return await asyncio.to_thread(self._sessions.find, raw, via, click=False) is not None

        return Known(reviewer=found.reviewer, ends_at=found.ends_at, csrf=csrf, still=still)

    async def _bearer(self, request: Request, token: str) -> Known | None:
        if token.startswith(PREFIX):
            known = await self._session(token, Via.CLI, "", click=True)
            if known is None and request.url.path != OPEN_API:
                raise refuse(
                    "signin-ended",
                    "This sign-in has ended",
                    got="a token that is not signed in (any more)",
                    expected="the token of a sign-in that still holds",
                    hint="Run `proctor login`.",
                )
            return known
        address = request.client.host if request.client else ""
        self._failures.check(address)
        try:
            signed = await self._bearers.reviewer(token)
        except AuthenticationError:
            if request.url.path == OPEN_API:
                return None
            self._failures.count(address)
            raise
        except UpstreamError:
            if request.url.path == OPEN_API:
                return None
            raise

        async def still() -> bool:
            return self._bearers.holds(signed)

        return Known(reviewer=signed.reviewer, ends_at=signed.ends_at, csrf="", still=still)


def check_form(request: Request, body: bytes, cookies: Cookies, name: str) -> None:
    """Refuse an unsafe request that does not come from a page of ours.

    Args:
        request: What came.
        body: Its body.
        cookies: Of this console.
        name: Of the cookie it is bound to.

    Raises:
        ClientError: `csrf`.
    """
    check_origin(request)
    given = request.headers.get("x-csrf-token", "")
    if not given and _content_type(request) == _FORM:
        given = field(body, "csrf")
    cookie = cookies.read(request, name)
    if cookie is None or not is_csrf_token(cookie, given):
        raise refused(
            403,
            "csrf",
            "The request does not come from a page of this console",
            got="no token of its session" if not given else "another session's token",
            expected="the page's own X-CSRF-Token, or field csrf",
            hint="Load the page again, and try once more.",
        )


def check_origin(request: Request) -> None:
    """Refuse what another site sends: `Origin` (RFC 6454, 7) and `Sec-Fetch-Site` (Fetch Metadata).

    `Host` has been checked, so the origin has to be this host's. A browser sends at least one of
    them with every unsafe request; what sends neither is none, and still needs the token.

    Raises:
        ClientError: `csrf`.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = request.headers.get("host", "").lower()
    fits = origin is None or (
        urlsplit(origin).scheme in {"http", "https"} and urlsplit(origin).netloc.lower() == own
    )
    if not fits or site not in {"same-origin", "none"}:
        raise refused(
            403,
            "csrf",
            "Another site sent this request",
            got="an origin that is not this console's",
            expected="a request of one of its own pages",
        )


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        ClientError: `body-too-large`, `body-type` (neither JSON nor a urlencoded form), or
            `body-slow`.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:10]) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise _too_large()
    except TimeoutError:
        raise refused(
            408, "body-slow", "The request's body did not come in time", expected="15 s at most"
        ) from None
    program = for_program(request)
    wanted = {_JSON} if program else {_JSON, _FORM}
    if body and _content_type(request) not in wanted:
        raise refused(
            415,
            "body-type",
            "The request's body is of a type that is not taken",
            expected=" or ".join(sorted(wanted)),
        )
    return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """`receive` for the next, with the body that was read already."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _stranger(request: Request) -> Response:
    path = request.url.path
    moved = "hx-request" in request.headers
    if path.startswith(API) or not (moved or _is_navigation(request)):
        raise refuse(
            "signin-missing",
            "You are not signed in",
            got="neither a session of the console nor a token for it",
            expected="a sign-in that still holds",
            hint="Sign in to the console, or run `proctor login`.",
        )
    if moved:
        # htmx follows a redirect inside the page; this makes the page itself go.
        return Response(status_code=401, headers={"hx-redirect": "/login"})
    asked = path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login/start?{urlencode({'next': asked})}", status_code=303)


def _is_public(method: str, path: str) -> bool:
    return path == "/login" or path.startswith(PUBLIC) or (method, path) == ("POST", TOKEN)


def _is_navigation(request: Request) -> bool:
    """Whether a person went to a page; not htmx, a script or an event stream on one."""
    wanted = "text/html" in request.headers.get("accept", "")
    return request.method in _SAFE and wanted and "hx-request" not in request.headers


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def field(body: bytes, name: str) -> str:
    """A field of a urlencoded form that stands in it once; else empty."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=200)
    except (UnicodeDecodeError, ValueError):
        return ""
    values = fields.get(name, [])
    return values[0] if len(values) == 1 else ""


def _too_large() -> Exception:
    return refused(
        413,
        "body-too-large",
        "The request's body is too large",
        expected=f"at most {MAX_BODY // 1024} KiB",
    )
