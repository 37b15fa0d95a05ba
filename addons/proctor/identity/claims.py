"""What the claims of a verified token must say (RFC 7519, RFC 8725, RFC 9068)."""

import math
from collections.abc import Mapping
from typing import Any

from proctor.errors import AuthenticationError
from proctor.identity.groups import groups, human
from proctor.identity.jose import Jws
from proctor.identity.refusals import refuse, shown
from proctor.model import Principal
from proctor.settings import IssuerSettings

MAX_SUBJECT = 255
"""Characters of the longest `sub` (OIDC Core 2)."""

_OTHER_KINDS = ("ID", "Refresh", "Offline", "Logout")
_USES = ("access", "access_token")
_LATEST = 2**53  # beyond this, seconds are no longer exact in JSON (RFC 8259, 6)


def check_header(jws: Jws, settings: IssuerSettings) -> None:
    """Refuse a token of another kind than the issuer's access tokens.

    Raises:
        AuthenticationError: `token-algorithm` or `token-type`.
    """
    if jws.algorithm not in settings.algorithms:
        raise refuse(
            "token-algorithm",
            "The token is signed by an algorithm that is not taken from this issuer",
            got=shown(jws.algorithm),
            expected=" or ".join(settings.algorithms),
            hint="Add it to `algorithms` of the issuer in proctor.yaml if it is meant.",
        )
    # RFC 7519, 5.2: cty is for nested tokens, and we take none.
    if "cty" in jws.header:
        raise _kind(f"cty {shown(jws.header['cty'])}", "no cty: a token in a token is not taken")
    # RFC 8725, 3.11; RFC 7515, 4.1.9: letter case does not matter.
    typ = jws.header.get("typ")
    accepted = {name.lower() for name in settings.typ}
    if typ is None and "jwt" in accepted:
        return
    if not isinstance(typ, str) or typ.lower() not in accepted:
        raise _kind(f"typ {shown(typ)}", " or ".join(settings.typ))


def check_claims(claims: Mapping[str, Any], settings: IssuerSettings, now: float) -> Principal:
    """Turn the claims of a verified token into a principal.

    Args:
        claims: The token's payload, its signature verified and its issuer matched.
        settings: Of that issuer.
        now: Seconds since the epoch.

    Raises:
        AuthenticationError: They do not prove who is asking, to us, now.
    """
    check_bearer(claims)
    check_audience(claims.get("aud"), settings.audience)
    subject = read_subject(claims.get("sub"))
    issued_at = read_time(claims, "iat")
    expires_at = read_time(claims, "exp")
    check_times(claims, settings, now, issued_at=issued_at, expires_at=expires_at)
    return Principal(
        issuer=settings.issuer,
        subject=subject,
        human=human(claims, settings.human),
        groups=groups(claims, settings.groups),
        issued_at=issued_at,
        expires_at=expires_at,
    )


def check_bearer(claims: Mapping[str, Any]) -> None:
    """Refuse what is bound to a key that nobody has proved, and what is no access token.

    Raises:
        AuthenticationError: `token-bound` or `token-type`.
    """
    # RFC 7800, 3.1 (DPoP: RFC 9449, 6; mTLS: RFC 8705, 3.1).
    if "cnf" in claims:
        raise refuse(
            "token-bound",
            "The token is bound to a key, and proctor cannot check who holds it",
            got="the claim cnf",
            expected="a bearer token",
            hint="Ask the issuer for a token without DPoP or certificate binding.",
        )
    # RFC 8417, 2.2; OIDC Back-Channel Logout 2.4: a token with events tells what happened.
    if "events" in claims:
        raise _kind("the claim events", "an access token")
    # Not in any RFC, but it is how Keycloak and Cognito tell their ID tokens from the others.
    if claims.get("typ") in _OTHER_KINDS or claims.get("token_use", "access") not in _USES:
        raise _kind("the claim typ or token_use of another kind", "an access token")


def check_audience(audience: object, expected: str) -> None:
    """Refuse a token that is not for us alone.

    RFC 7519, 4.1.3: a list with one name says the same as the name. One for several could be used
    by each of them against the others.

    Raises:
        AuthenticationError: `token-audience`.
    """
    names = audience if isinstance(audience, list) else [audience]
    if names == [expected]:
        return
    got = ", ".join(shown(name) for name in names[:3]) + (", …" if len(names) > 3 else "")  # noqa: PLR2004 - enough to see what is wrong
    raise refuse(
        "token-audience",
        "The token is not for proctor" if expected not in names else "The token is for others too",
        got=got or "an empty list",
        expected=f"{shown(expected)} alone",
        hint="Ask the issuer for a token with this audience, or mend `audience` in proctor.yaml.",
    )


def read_subject(subject: object) -> str:
    """The `sub` claim.

    Raises:
        AuthenticationError: `token-subject`.
    """
    if (
        isinstance(subject, str)
        and subject.strip()
        and len(subject) <= MAX_SUBJECT
        and subject.isprintable()
    ):
        return subject
    raise refuse(
        "token-subject",
        "The token does not say whose it is",
        got="nothing" if subject is None else f"a sub that cannot be used ({_type(subject)})",
        expected=f"sub, a text of 1 to {MAX_SUBJECT} printable characters",
    )


def read_time(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519, 2): seconds since the epoch, a number and no text.

    Raises:
        AuthenticationError: `token-claims`.
    """
    value = claims.get(name)
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= _LATEST
    ):
        return float(value)
    raise refuse(
        "token-claims",
        f"The token's {name} is missing or no time",
        got=f"{name} {shown(value)}",
        expected=f"{name} as a number of seconds since 1970",
    )


def check_times(
    claims: Mapping[str, Any],
    settings: IssuerSettings,
    now: float,
    *,
    issued_at: float,
    expires_at: float,
) -> None:
    """Refuse a token outside its time, or whose time is too long.

    Raises:
        AuthenticationError: `token-expired`, `token-not-yet-valid`, `token-lifetime`,
            `token-claims`.
    """
    if now >= expires_at + settings.leeway:
        raise expired(now - expires_at)
    not_before = read_time(claims, "nbf") if "nbf" in claims else issued_at
    ahead = max(issued_at, not_before) - now
    if ahead > settings.leeway:
        raise refuse(
            "token-not-yet-valid",
            "The token is not valid yet",
            got=f"iat or nbf {ahead:.0f} s in the future",
            expected=f"at most {settings.leeway:g} s",
            hint="Check the clocks of the issuer and of proctor.",
        )
    lifetime = expires_at - issued_at
    if not 0 < lifetime <= settings.max_lifetime:
        raise refuse(
            "token-lifetime",
            "The token lives too long" if lifetime > 0 else "The token ends before it begins",
            got=f"{lifetime:.0f} s from iat to exp",
            expected=f"at most {settings.max_lifetime:g} s",
            hint="Let the issuer make shorter tokens, or raise `max_lifetime` in proctor.yaml.",
        )


def expired(ago: float) -> AuthenticationError:
    """The refusal of a token that was good: a fresh one will be too, so the client may retry."""
    return refuse(
        "token-expired",
        "The token has expired",
        got=f"exp {ago:.0f} s ago",
        expected="a token that is still valid",
        hint="Get a fresh token; apiKeyHelper in Claude Code does so by itself.",
        retry=True,
    )


def _kind(got: str, expected: str) -> AuthenticationError:
    return refuse(
        "token-type",
        "The token is of another kind",
        got=got,
        expected=expected,
        hint="Pass the access token, not an ID, logout or refresh token.",
    )


def _type(value: object) -> str:
    return f"{len(value)} characters" if isinstance(value, str) else shown(value)
