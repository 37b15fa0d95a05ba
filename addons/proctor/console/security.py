"""What holds for every answer: whose host it is, what browsers may do with it, how errors look.

DNS rebinding: a page elsewhere can make its own name lead to this address, so `Host` has to be a
name under which the console is known. An IP address is never the outcome of that.
"""

import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor.console.problems import refused, unexpected
from proctor.errors import ProctorError
from proctor.units import Address

log = logging.getLogger(__name__)

_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_MAX_NEXT = 2000
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound

type Show = Callable[[Request, ProctorError], Awaitable[Response]]
"""Makes the answer that tells of an error."""


def csp(*form_action: str) -> str:
    """The Content-Security-Policy (CSP 3) of a page.

    Args:
        form_action: Where its forms may lead in the end, besides the console: browsers look at
            redirects, too.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            " ".join(("form-action 'self'", *form_action)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


def local_path(path: str | None) -> str:
    r"""Where to go after a sign-in: a path of this console, or `/` if it is anything else.

    Browsers take `//host`, `/\host` and what has tabs or line ends in it for other hosts (WHATWG
    URL, 4.4); a path is visible ASCII without a backslash, and does not begin with two slashes.
    """
    if path is None or len(path) > _MAX_NEXT or not _LOCAL.fullmatch(path):
        return "/"
    return path


class Shell:
    """ASGI middleware: the outermost one."""

    def __init__(self, app: ASGIApp, *, address: str, listen: Address, show: Show) -> None:
        """Around `app`.

        Args:
            app: The console.
            address: Where people reach it.
            listen: Where it listens.
            show: Tells of errors.
        """
        self._app = app
        self._show = show
        own = urlsplit(address)
        self._secure = own.scheme == "https"
        self._names = {(own.hostname or "").lower(), listen.host.lower()} - {""}
        if listen.loopback:
            self._names |= {"localhost", "127.0.0.1", "::1"}
        self._numbers = listen.host in _ANY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return  # nothing here speaks WebSocket; uvicorn refuses what is not accepted
        request = Request(scope, receive)
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add(MutableHeaders(scope=message), request.url.path)
            await send(message)

        try:
            self._check_host(request)
            await self._app(scope, receive, guarded)
        except ProctorError as error:
            if started:
                # The answer is under way; it ends here, and its reader sees that it is not whole.
                log.error(  # noqa: TRY400 - it says all; a traceback would say no more
                    "An answer was cut off: %s", error, extra={"event": "console.failed"}
                )
                return
            await self._tell(request, error, receive, guarded)
        except Exception as error:  # noqa: BLE001 - the boundary: nobody is shown what it was
            found = unexpected(error)
            if not started:
                await self._tell(request, found, receive, guarded)

    async def _tell(
        self, request: Request, error: ProctorError, receive: Receive, send: Send
    ) -> None:
        response = await self._show(request, error)
        await response(request.scope, receive, send)

    def _check_host(self, request: Request) -> None:
        hosts = request.headers.getlist("host")
        name = _name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not (name in self._names or (self._numbers and _is_number(name))):
            raise refused(
                421,  # RFC 9110, 15.5.20
                "host-unknown",
                "The console is not known by this name",
                got="another Host",
                expected=" or ".join(sorted(self._names)),
                hint="Name the address by which people reach it as `console: url`.",
            )

    def _add(self, headers: MutableHeaders, path: str) -> None:
        headers.setdefault("content-security-policy", csp())
        headers["x-frame-options"] = "DENY"
        headers["x-content-type-options"] = "nosniff"
        # Not `no-referrer`: with it, browsers send `Origin: null` with our own forms (Fetch, 3.2).
        headers["referrer-policy"] = "same-origin"
        headers["cross-origin-opener-policy"] = "same-origin"
        headers["cross-origin-resource-policy"] = "same-origin"
        if not path.startswith("/static/"):
            headers["cache-control"] = "no-store"
        if self._secure:
            headers["strict-transport-security"] = "max-age=31536000"


def _name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return name.rstrip(".").lower() if name and parts.netloc == host and "@" not in host else None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
