"""What is put into a request at the wire, on a copy that nobody sees.

Nothing here shows in a repr, and nothing keeps the request. What a client brought under the same
name is taken out, whatever its spelling.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote, unquote_to_bytes

from mitmproxy import http

from proctor.credentials.sigv4 import Keys, Outgoing, Scope, sign
from proctor.errors import InternalError

_SEPARATORS = re.compile(rb"([&;])")


class Injection(Protocol):
    """A credential, ready to be put in."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of it gives access, as it is put in; for those who look for it in answers."""
        ...

    def apply(self, request: http.Request) -> None:
        """Put it in; the last thing that is done to the request.

        Raises:
            ClientError: The request cannot carry it.
            InternalError: It is not whole.
        """
        ...


class Nothing:
    """For a credential that is shown elsewhere, such as a certificate in TLS."""

    __slots__ = ()
    secrets: Final[tuple[str, ...]] = ()

    def apply(self, request: http.Request) -> None:
        """Leave the request as it is."""


class PutHeader:
    """A header."""

    __slots__ = ("_like", "field", "secrets")

    def __init__(self, name: str, value: str, secrets: tuple[str, ...] = ()) -> None:
        """Name and value are visible ASCII, spaces within."""
        self.field = (name.encode("ascii"), value.encode("ascii"))
        self.secrets = secrets or (value,)
        self._like = _folded(self.field[0])

    def apply(self, request: http.Request) -> None:
        """Put it in, and take others of its name out; CGI and WSGI read `_` as `-`."""
        kept = (item for item in request.headers.fields if _folded(item[0]) != self._like)
        request.headers.fields = (*kept, self.field)


class PutQuery:
    """A query parameter."""

    __slots__ = ("_like", "_piece", "secrets")

    def __init__(self, name: str, value: str) -> None:
        """The name needs no encoding."""
        self.secrets = (value,)
        self._like = name.lower().encode("ascii")
        self._piece = f"{name}={quote(value, safe='')}".encode("ascii")

    def apply(self, request: http.Request) -> None:
        """Put it last, and take others of its name out; the rest stays byte for byte.

        Some servers take `;` for `&` (HTML 4.01, B.2.2), and some names in any case.
        """
        path, _, query = request.data.path.partition(b"?")
        kept: list[bytes] = []
        separator = b""
        for index, part in enumerate(_SEPARATORS.split(query)):
            if index % 2:
                separator = part
            elif self._differs(part):
                kept += [separator, part] if kept else [part]
        query = b"".join(kept)
        request.data.path = b"%b?%b%b%b" % (path, query, b"&" if query else b"", self._piece)

    def _differs(self, piece: bytes) -> bool:
        name = piece.partition(b"=")[0].replace(b"+", b" ")
        return unquote_to_bytes(name).strip().lower() != self._like


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PutSignature:
    """A signature by AWS's rules, made for the very request.

    Attributes:
        keys: Who signs.
        scope: For what.
        clock: Seconds since the epoch.
    """

    keys: Keys
    scope: Scope
    clock: Callable[[], float]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys; a signature is for one request alone."""
        return tuple(filter(None, (self.keys.secret_key, self.keys.session_token)))

    def apply(self, request: http.Request) -> None:
        """Sign it as it stands."""
        data = request.data
        if data.content is None:
            raise InternalError(
                "credential-needs-body",
                "The request's body is not at hand, so it cannot be signed",
                hint="Requests that are signed for AWS are never streamed.",
            )
        host = data.authority or request.headers.get("host", "").encode("utf-8", "surrogateescape")
        outgoing = Outgoing(
            method=data.method,
            host=host,
            target=data.path,
            headers=data.headers.fields,
            content=data.content,
        )
        target, fields = sign(outgoing, self.keys, self.scope, self.clock())
        data.path = target
        data.headers.fields = tuple(fields)


def basic(user: str, password: str) -> PutHeader:
    """HTTP's Basic (RFC 7617, 2)."""
    code = b64encode(f"{user}:{password}".encode()).decode()
    return PutHeader("authorization", f"Basic {code}", (password, code))


def bearer(token: str) -> PutHeader:
    """An access token (RFC 6750, 2.1)."""
    return PutHeader("authorization", f"Bearer {token}", (token,))


def _folded(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")
