"""The console's cookies, and what is derived from them."""

import hmac
import re
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


class Cookies:
    """Cookies of one console.

    The prefix `__Host-` (RFC 6265bis, 4.1.3.2) keeps other hosts from setting them, where there is
    TLS. Ports share their cookies (RFC 6265, 8.5), so the port is part of the name.

    Attributes:
        secure: Whether the console is reached by https.
        session: The name of the one that signs in.
        login: The name of the one that a sign-in under way is bound to.
    """

    def __init__(self, address: str) -> None:
        """For the console at `address`."""
        parts = urlsplit(address)
        self.secure = parts.scheme == "https"
        stem = f"proctor-{parts.port or (443 if self.secure else 80)}"
        prefix = "__Host-" if self.secure else ""
        self.session = f"{prefix}{stem}"
        self.login = f"{prefix}{stem}-login"

    def read(self, request: HTTPConnection, name: str) -> str | None:
        """The value of a cookie, if it can be one of ours."""
        value = request.cookies.get(name, "")
        return value if _VALUE.fullmatch(value) else None

    def put(self, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
        """Set a cookie; it goes with the browser, or after some seconds."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",  # strict would not come back from the issuer
        )

    def drop(self, response: Response, name: str) -> None:
        """Take a cookie back."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")


def csrf_token(cookie: str) -> str:
    """What a form has to bring along, so that it is a form of ours.

    A page elsewhere can have the cookie sent, but reads neither it nor what follows from it.
    """
    return hmac.new(cookie.encode(), b"proctor csrf", sha256).hexdigest()


def is_csrf_token(cookie: str, given: str) -> bool:
    """Whether that is the one."""
    return hmac.compare_digest(csrf_token(cookie).encode(), given.encode(errors="replace"))
