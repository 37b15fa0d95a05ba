"""Where the browser comes back to after a sign-in: a listener on this machine, for one answer.

RFC 8252, 7.3 (a loopback address, any port) and RFC 7636 (PKCE): what the browser brings is worth
nothing to whoever else sees it.
"""

import base64
import hmac
import queue
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self, override
from urllib.parse import parse_qs, urlencode, urlsplit

from proctor.errors import ClientError

_HOST: Final = "127.0.0.1"
_READ: Final = 5.0
_LONGEST: Final = 512
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>proctor</title>
<body><h1>{}</h1><p>You can close this page and go back to the terminal.</p></body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What ties the browser's answer to this very process."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    def address(self, console: str, port: int) -> str:
        """Where the browser is sent."""
        digest = sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()  # RFC 7636, 4.2
        query = urlencode({"cli": port, "challenge": challenge, "state": self.state})
        return f"{console}/login?{query}"


class Loopback:
    """Listens for the browser; a context manager.

    Args:
        challenge: Only an answer with its state counts.
        port: Where; 0 lets the system choose.
    """

    def __init__(self, challenge: Challenge, port: int = 0) -> None:
        found: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._found = found

        class Handler(_Handler):
            @override
            def taken(self, query: dict[str, list[str]]) -> bool:
                states = query.get("state", [])
                if len(states) != 1 or not hmac.compare_digest(
                    states[0].encode(), challenge.state.encode()
                ):
                    return False
                codes = query.get("code", [])
                fine = len(codes) == 1 and 0 < len(codes[0]) <= _LONGEST and "error" not in query
                found.put(codes[0] if fine else None)
                return True

        try:
            self._server = _Server((_HOST, port), Handler)
        except OSError as error:
            raise ClientError(
                "login-port",
                "The browser's answer cannot be listened for",
                got=f"port {port}: {error.strerror or type(error).__name__}",
                hint="Leave --port out, and the system chooses one.",
            ) from None
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def code(self, patience: float) -> str:
        """The code that the browser brings.

        Args:
            patience: Seconds to wait for it.

        Raises:
            ClientError: `login-timeout`, or `login-refused` where the person said no.
        """
        code = None
        try:
            code = self._found.get(timeout=patience)
        except queue.Empty:
            raise ClientError(
                "login-timeout",
                "Nobody signed in in time",
                hint="Run `proctor login` again.",
            ) from None
        if code is None:
            raise ClientError(
                "login-refused",
                "The sign-in was not completed",
                hint="Run `proctor login` again, and say yes in the browser.",
            )
        return code


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is nobody's error."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _READ

    def taken(self, query: dict[str, list[str]]) -> bool:
        """Whether this is the answer that is waited for."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Take the browser's answer."""
        parts = urlsplit(self.path)
        server: Any = self.server
        # A page elsewhere whose name was made to lead here (DNS rebinding) is sent away.
        here = self.headers.get("host") == f"{_HOST}:{server.server_address[1]}"
        query: dict[str, list[str]] = {}
        with suppress(ValueError):
            query = parse_qs(parts.query, max_num_fields=10)
        fine = here and parts.path == "/" and self.taken(query)
        page = _PAGE.format("Back to the terminal" if fine else "This is not what was waited for")
        body = page.encode()
        self.send_response(200 if fine else 404)
        for name, value in (
            ("content-type", "text/html; charset=utf-8"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @override
    def version_string(self) -> str:
        return "proctor"

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """What was asked holds the code, and is told nobody."""
