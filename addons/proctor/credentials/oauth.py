"""Asking an authorization server for a token, in proctor's own name or on behalf of a caller.

RFC 6749, 4.4 (client credentials) and RFC 8693 (token exchange). Authlib words
the request. What is not wanted of an answer is not believed: tokens of another type, with no sane
end, or that no header can carry.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]  # no types
    prepare_token_request,
)
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proctor.credentials.settings import ACCESS_TOKEN, Grant, OAuthSettings
from proctor.errors import ConfigurationError, UpstreamError
from proctor.fields import SecretSource
from proctor.identity.fetch import Fetch, FetchError, Form, Reply
from proctor.identity.jose import MAX_TOKEN, strict_object
from proctor.runtime.permissions import check_private

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT = "urn:ietf:params:oauth:token-type:jwt"

UNSAID = 300.0
"""Seconds a token is believed to live whose answer does not say (RFC 6749, 5.1)."""

LONGEST = 86400.0
"""Seconds a token is kept at most."""

_MAX_ANSWER = 64 * 1024
_MAX_KEY = 64 * 1024
_ASSERTION_SECONDS = 60
_OK = 200
_SLACK = 0.1  # of a token's life, before its end …
_MAX_SLACK = 30.0  # … but no more seconds than this

_KNOWN_ERRORS = frozenset(
    (
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",  # RFC 8693, 2.2.2
        "unauthorized_client",
        "unsupported_grant_type",
    )
)

type Secret = Callable[[SecretSource, str], Awaitable[str]]
"""Reads a secret, named for messages; raises ConfigurationError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token.

    Attributes:
        value: In no repr.
        expires_at: When it is used no longer, some time before its end; seconds since the epoch.
        got_at: When it came.
    """

    value: str = field(repr=False)
    expires_at: float
    got_at: float


class TokenEndpoint:
    """Asks one authorization server for the tokens of one credential."""

    def __init__(
        self,
        name: str,
        settings: OAuthSettings,
        *,
        fetch: Fetch,
        secret: Secret,
        clock: Callable[[], float],
    ) -> None:
        """Nothing is asked yet.

        Args:
            name: The credential's.
            settings: Whom to ask, and for what.
            fetch: Asks.
            secret: Reads the client's secret.
            clock: Seconds since the epoch.
        """
        self.name = name
        self.settings = settings
        self._fetch = fetch
        self._secret = secret
        self._clock = clock

    async def ask(self, subject_token: str | None = None) -> Token:
        """A new token.

        Args:
            subject_token: The caller's own, for an exchange.

        Raises:
            UpstreamError: `token-refused` or `token-unavailable`.
            ConfigurationError: Proctor has nothing to prove itself with.
        """
        settings = self.settings
        form = await self._form(subject_token)
        asked_at = self._clock()
        try:
            reply = await self._fetch(
                settings.token_endpoint, limit=_MAX_ANSWER, ca=settings.ca, form=form
            )
        except FetchError as error:
            raise self._unavailable(str(error)) from None
        return self._read(reply, asked_at)

    async def _form(self, subject_token: str | None) -> Form:
        settings = self.settings
        fields = dict(parse_qsl(_asked(settings, subject_token)))
        secret: str | None = None
        if settings.client_secret is not None:
            secret = await self._secret(
                settings.client_secret, f"the client secret of the credential {self.name!r}"
            )
        if settings.private_key is not None:
            key, algorithm = await asyncio.to_thread(read_key, settings.private_key, self.name)
            fields |= self._assertion(key, algorithm)
        if secret is None or settings.client_auth == "post":  # RFC 6749, 2.3.1 and 3.2.1
            fields["client_id"] = settings.client_id
        if secret is not None and settings.client_auth == "post":
            fields["client_secret"], secret = secret, None
        return Form(fields=fields, client_id=settings.client_id, client_secret=secret)

    def _assertion(self, key: Any, algorithm: str) -> dict[str, str]:
        """Proof by a signature (RFC 7523, 2.2 and 3)."""
        now = int(self._clock())
        claims = {
            "iss": self.settings.client_id,
            "sub": self.settings.client_id,
            "aud": self.settings.token_endpoint,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        headers = {"kid": self.settings.key_id} if self.settings.key_id else None
        return {
            "client_assertion_type": ASSERTION,
            "client_assertion": jwt.encode(claims, key, algorithm=algorithm, headers=headers),
        }

    def _read(self, reply: Reply, asked_at: float) -> Token:
        try:
            answer = strict_object(reply.body)
        except ValueError as error:
            if reply.status == _OK:
                raise self._unusable(f"an answer with {error}", "JSON") from None
            answer = {}
        if reply.status != _OK:
            raise self._refused(reply.status, answer.get("error"))
        kind = answer.get("token_type")  # RFC 6749, 7.1: letter case does not matter
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise self._unusable("a token of another type", "token_type Bearer")
        if not self._wanted(answer.get("issued_token_type")):
            raise self._unusable("another issued_token_type", "the one asked for")
        value = answer.get("access_token")
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN:
            raise self._unusable("no access_token", "one of at most 16 KiB")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise self._unusable("an access_token that no header can carry", "RFC 6750, 2.1")
        lives = _seconds(answer.get("expires_in"))
        if lives is None:
            raise self._unusable("an expires_in that is no time", "a number of seconds above 0")
        return Token(
            value=value,
            expires_at=asked_at + lives - min(lives * _SLACK, _MAX_SLACK),
            got_at=asked_at,
        )

    def _wanted(self, issued: object) -> bool:
        """RFC 8693, 2.2.1; some servers leave it out."""
        if issued is None or self.settings.grant is not Grant.TOKEN_EXCHANGE:
            return True
        asked = self.settings.requested_token_type
        return issued == asked if asked else issued in {ACCESS_TOKEN, JWT}

    def _refused(self, status: int, said: object) -> UpstreamError:
        if status not in {400, 401, 403}:  # RFC 6749, 5.2
            return self._unavailable(f"status {status}")
        # The server's own words may repeat what it was sent.
        known = said if isinstance(said, str) and said in _KNOWN_ERRORS else "another error"
        return UpstreamError(
            code="token-refused",
            message=f"{self.settings.token_endpoint} gives no token for the credential"
            f" {self.name!r}",
            got=f"status {status}, {known}",
            expected="an access token",
            hint="The operator checks `oauth` of this credential, and what the server allows this"
            " client; `proctor doctor` asks it.",
        )

    def _unavailable(self, got: str) -> UpstreamError:
        return UpstreamError(
            code="token-unavailable",
            message=f"{self.settings.token_endpoint} does not answer, so there is no token for the"
            f" credential {self.name!r}",
            got=got,
            hint="Try again later; `proctor doctor` says what is wrong with the connection.",
            status=503,
        )

    def _unusable(self, got: str, expected: str) -> UpstreamError:
        return UpstreamError(
            code="token-unusable",
            message=f"{self.settings.token_endpoint} answers with what is no token for the"
            f" credential {self.name!r}",
            got=got,
            expected=expected,
            hint="The operator looks at the server; a standard one answers as RFC 6749, 5.1 says.",
        )


def read_key(path: Path, name: str) -> tuple[Any, str]:
    """A private key, and the algorithm it signs with (RFC 7518, 3.1; RFC 8037).

    Raises:
        ConfigurationError: It cannot be read or used, or others can read it.
    """
    check_private(path, f"the key of the credential {name!r}")
    try:
        with path.open("rb") as file:
            key = load_pem_private_key(file.read(_MAX_KEY), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "RS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key, "ES256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key, "EdDSA"
    raise ConfigurationError(
        code="key-unusable",
        message=f"The key of the credential {name!r} cannot be used",
        got=str(path),
        expected="a PEM file with an RSA, P-256 or Ed25519 private key and no password",
    )


def _asked(settings: OAuthSettings, subject_token: str | None) -> str:
    more: dict[str, str | None] = {
        "scope": " ".join(settings.scopes),
        "audience": settings.audience,
        "resource": settings.resource,
    }
    if settings.grant is Grant.CLIENT_CREDENTIALS:
        asked: str = prepare_token_request("client_credentials", **more)
    else:
        asked = prepare_token_request(  # RFC 8693, 2.1
            EXCHANGE,
            subject_token=subject_token,
            subject_token_type=settings.subject_token_type,
            requested_token_type=settings.requested_token_type,
            **more,
        )
    return asked


def _seconds(value: object) -> float | None:
    """`expires_in`; a number, which some servers write as text."""
    if value is None:
        return UNSAID
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:  # noqa: PLR2004 - 3000 years
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return float(min(value, LONGEST))
