"""proctor as the server: how a client hands over its token.

    password      AuthenticationCleartextPassword, and the token is the password
    oauthbearer   AuthenticationSASL with OAUTHBEARER (RFC 7628; PostgreSQL 18, 55.3.2)

A client of OAUTHBEARER may come without a token, to be told where to get one; it then comes again.
"""

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from proctor.errors import AuthenticationError, ClientError
from proctor.protocols.postgres.messages import message

MECHANISM: Final = b"OAUTHBEARER"
_AUTHENTICATION: Final = ord("R")
_SEPARATOR: Final = b"\x01"
_NO_RESPONSE: Final = 0xFFFFFFFF
_BEARER: Final = b"bearer "

OK: Final = message(_AUTHENTICATION, bytes(4))
"""AuthenticationOk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Where a client gets a token (RFC 7628, 3.2.2).

    Attributes:
        configuration: URL of the issuer's OpenID configuration (or RFC 8414's).
        scope: What to ask for, separated by spaces.
    """

    configuration: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """The client's token, not proved."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Say:
    """Something is to be said to the client, which then answers."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """The sign-in has failed."""

    error: AuthenticationError


type Step = Token | Say | Reject


class Password:
    """The token as password."""

    def begin(self) -> bytes:
        """What is said first."""
        return message(_AUTHENTICATION, (3).to_bytes(4, "big"))

    def take(self, body: bytes) -> Step:
        """Take the body of the client's message.

        Raises:
            ClientError: Code `pg-message`.
        """
        if not body or body.find(b"\0") != len(body) - 1:
            raise _wrong("a password that does not end where its message does")
        if len(body) == 1:
            return Reject(_missing("Give it as the password, such as in PGPASSWORD."))
        return Token(_text(body[:-1]))

    def reject(self, error: AuthenticationError) -> Step:
        """The token proves nothing."""
        return Reject(error)


class _State(Enum):
    FIRST = auto()
    SECOND = auto()
    GIVEN = auto()
    FAILED = auto()


class Bearer:
    """OAUTHBEARER."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._state = _State.FIRST
        self._why = _missing("Its client needs oauth_issuer and oauth_client_id.")

    def begin(self) -> bytes:
        """What is said first."""
        return message(_AUTHENTICATION, (10).to_bytes(4, "big") + MECHANISM + b"\0\0")

    def take(self, body: bytes) -> Step:
        """Take the body of the client's message.

        Raises:
            ClientError: Code `pg-message`.
        """
        match self._state:
            case _State.FIRST:
                return self._first(body)
            case _State.SECOND:
                return self._response(body)
            case _State.FAILED if body == _SEPARATOR:  # RFC 7628, 3.2.3
                return Reject(self._why)
            case _:
                raise _wrong("an answer that nobody waits for")

    def reject(self, error: AuthenticationError) -> Step:
        """The token proves nothing: the client is told where to get another."""
        self._why = error
        return self._failed()

    def _first(self, body: bytes) -> Step:
        name, found, rest = body.partition(b"\0")
        if not found or len(rest) < 4:  # noqa: PLR2004 - an Int32
            raise _wrong("a SASLInitialResponse that is cut off")
        if name != MECHANISM:
            raise _wrong("another SASL mechanism than the one offered")
        size, data = int.from_bytes(rest[:4], "big"), rest[4:]
        if size == _NO_RESPONSE and not data:
            self._state = _State.SECOND
            return Say(_continue(b""))
        if size != len(data):
            raise _wrong("a SASLInitialResponse of another length")
        return self._response(data)

    def _response(self, data: bytes) -> Step:
        """client-resp (RFC 7628, 3.1): gs2-header kvsep *kvpair kvsep."""
        header, found, rest = data.partition(_SEPARATOR)
        if not found or header not in {b"n,,", b"y,,"}:
            raise _wrong("a response without the header n,, of GS2")
        if not rest.endswith(_SEPARATOR * 2):
            raise _wrong("a response that does not end with two separators")
        pairs = [pair.partition(b"=") for pair in rest[:-2].split(_SEPARATOR)]
        values = [value for key, equals, value in pairs if key == b"auth" and equals]
        if len(values) != 1:
            raise _wrong("a response without one `auth`")
        given = values[0]
        if not given:
            return self._failed()
        if given[: len(_BEARER)].lower() != _BEARER:
            raise _wrong("another scheme than Bearer")
        self._state = _State.GIVEN
        return Token(_text(given[len(_BEARER) :].strip(b" ")))

    def _failed(self) -> Say:
        self._state = _State.FAILED
        said = {
            "status": "invalid_token",
            "openid-configuration": self._discovery.configuration,
            "scope": self._discovery.scope,
        }
        return Say(_continue(json.dumps(said).encode()))


type SignIn = Password | Bearer


def _continue(data: bytes) -> bytes:
    return message(_AUTHENTICATION, (11).to_bytes(4, "big") + data)


def _text(raw: bytes) -> str:
    # What is not ASCII is refused with the token's own reasons.
    return raw.decode("utf-8", "replace")


def _missing(hint: str) -> AuthenticationError:
    return AuthenticationError(
        "token-missing",
        "No token came",
        expected="the agent's token",
        hint=hint,
    )


def _wrong(got: str) -> ClientError:
    return ClientError("pg-message", "This is no answer to the sign-in", got=got)
