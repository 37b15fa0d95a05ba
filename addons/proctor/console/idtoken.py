"""What an ID token must say before anybody is signed in (OpenID Connect Core 1.0, 3.1.3.7)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor.errors import AuthenticationError
from proctor.identity.claims import (
    check_audience,
    check_header,
    check_times,
    read_subject,
    read_time,
)
from proctor.identity.jose import load_object, parse_jws
from proctor.identity.jwks import KeySource
from proctor.identity.refusals import refuse, shown
from proctor.settings import IssuerSettings

_OLDEST = 600.0
"""Seconds since `iat`: a token that was just asked for was just made (3.1.3.7, 10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a sign-in was asked with.

    Attributes:
        client_id: Who the console is to the issuer.
        nonce: Of this sign-in.
        max_age: Seconds since the person last proved who they are.
        acr: Classes of authentication that are good enough; empty for any.
    """

    client_id: str
    nonce: str = field(repr=False)
    max_age: float
    acr: tuple[str, ...] = ()


async def verify(
    token: str, settings: IssuerSettings, keys: KeySource, expected: Expected, now: float
) -> dict[str, Any]:
    """The claims of an ID token.

    Args:
        token: As the token endpoint gave it.
        settings: Of the issuer.
        keys: The issuer's.
        expected: What was asked for.
        now: Seconds since the epoch.

    Raises:
        AuthenticationError: It signs nobody in; `signin-too-old` where signing in once more helps.
        UpstreamError: The issuer's keys cannot be had.
    """
    jws = parse_jws(token)
    check_header(jws, settings.model_copy(update={"typ": ("JWT",)}))
    claims = load_object(jws.payload, "payload")
    if claims.get("iss") != settings.issuer:
        raise refuse(
            "token-issuer",
            "The ID token is another issuer's",
            got=f"iss {shown(claims.get('iss'))}",
            expected=shown(settings.issuer),
        )
    found = await keys.find(jws)
    if not any(key.verifies(jws) for key in found.keys):
        raise refuse(
            "token-signature",
            "The ID token's signature is not its issuer's",
            got=f"kid {shown(jws.kid)}, alg {shown(jws.algorithm)}",
            expected=f"a signature by a key of {settings.issuer}",
        )
    check(claims, settings, expected, now)
    return claims


def check(
    claims: Mapping[str, Any], settings: IssuerSettings, expected: Expected, now: float
) -> None:
    """Refuse claims that do not answer this very sign-in.

    Raises:
        AuthenticationError: As `verify`.
    """
    check_audience(claims.get("aud"), expected.client_id)
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise _wrong("azp", claims.get("azp"), shown(expected.client_id))
    # Cognito's way to tell its tokens apart, and Keycloak's; OIDC Back-Channel Logout 2.4.
    if claims.get("token_use", "id") != "id" or claims.get("typ", "ID") != "ID":
        raise _wrong("typ or token_use", "of another kind", "an ID token")
    if "events" in claims:
        raise _wrong("events", "there", "none, as in an ID token")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(errors="replace"), expected.nonce.encode()
    ):
        raise refuse(
            "signin-nonce",
            "The ID token answers another sign-in",
            got="another nonce" if nonce else "no nonce",
            expected="the nonce of this sign-in",
            hint="Sign in again.",
        )
    read_subject(claims.get("sub"))
    issued_at, expires_at = read_time(claims, "iat"), read_time(claims, "exp")
    check_times(claims, settings, now, issued_at=issued_at, expires_at=expires_at)
    if now - issued_at > _OLDEST + settings.leeway:
        raise _wrong("iat", f"{now - issued_at:.0f} s ago", f"at most {_OLDEST:.0f} s")
    read_acr(claims, expected.acr)
    read_auth_time(claims, now, max_age=expected.max_age, leeway=settings.leeway)


def read_auth_time(
    claims: Mapping[str, Any], now: float, *, max_age: float, leeway: float
) -> float:
    """When the person last proved who they are (Core 2), if that is recent.

    Raises:
        AuthenticationError: `signin-auth-time`: it is not said; `signin-too-old`.
    """
    if "auth_time" not in claims:
        raise refuse(
            "signin-auth-time",
            "The issuer does not say when this person last signed in",
            got="no auth_time",
            expected="auth_time, which has to be there where max_age was asked for",
            hint="Let the issuer put auth_time into the tokens of this client.",
        )
    auth_time = read_time(claims, "auth_time")
    if auth_time - now > leeway:
        raise _wrong("auth_time", "in the future", "a time that has been")
    if now - auth_time >= max_age:
        raise refuse(
            "signin-too-old",
            "This sign-in is too old to decide anything",
            got=f"auth_time {now - auth_time:.0f} s ago",
            expected=f"less than {max_age:g} s",
            hint="Sign in again.",
            retry=True,
        )
    return auth_time


def read_acr(claims: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    """Refuse a sign-in of a class that is not good enough (Core 2, `acr`).

    Raises:
        AuthenticationError: `signin-acr`.
    """
    if wanted and claims.get("acr") not in wanted:
        raise refuse(
            "signin-acr",
            "This way of signing in is not strong enough",
            got=f"acr {shown(claims.get('acr'))}",
            expected=" or ".join(shown(acr) for acr in wanted),
            hint="Sign in again with what your organisation asks for, such as a second factor.",
        )


def _wrong(claim: str, got: object, expected: str) -> AuthenticationError:
    return refuse(
        "signin-claims",
        f"The token's {claim} is not that of a sign-in to this console",
        got=shown(got),
        expected=expected,
    )
