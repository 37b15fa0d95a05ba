"""The token of a request, out of the two headers that clients use."""

from base64 import b64decode
from collections.abc import Sequence
from hmac import compare_digest

from proctor.identity.refusals import refuse, shown

_HOW = "Set ANTHROPIC_AUTH_TOKEN, or apiKeyHelper in Claude Code, to a token for proctor."


def bearer_token(authorization: str | None, x_api_key: str | None) -> str:
    """The token that a request presents.

    Args:
        authorization: The Authorization header, `Bearer TOKEN` (RFC 6750, 2.1), or None.
        x_api_key: The x-api-key header, the bare token, or None.

    Returns:
        The token, unverified. Where both headers are present they hold the same one.

    Raises:
        AuthenticationError: `token-missing` or `token-conflict`.
    """
    tokens = []
    if authorization is not None:
        tokens.append(_credentials(authorization))
    if x_api_key is not None:
        tokens.append(x_api_key.strip(" \t"))
    if not tokens:
        raise refuse(
            "token-missing",
            "The request carries no token",
            got="neither Authorization nor x-api-key",
            expected="Authorization: Bearer TOKEN",
            hint=_HOW,
        )
    if not all(tokens):
        raise refuse(
            "token-missing",
            "The request carries an empty token",
            got="a header without a token in it",
            expected="Authorization: Bearer TOKEN",
            hint=_HOW,
        )
    first, *others = tokens
    for other in others:
        if not compare_digest(_comparable(first), _comparable(other)):
            raise refuse(
                "token-conflict",
                "Authorization and x-api-key hold different tokens",
                got="two tokens",
                expected="one, or the same in both",
                hint="Unset ANTHROPIC_API_KEY where ANTHROPIC_AUTH_TOKEN holds the token.",
            )
    return first


def proxy_token(values: Sequence[bytes]) -> str:
    """The token that a proxy's client presents.

    Args:
        values: All Proxy-Authorization headers (RFC 9110, 11.7.2): `Bearer TOKEN`, or Basic (RFC
            7617) with the token as password; the user's name is of no matter.

    Returns:
        The token, unverified.

    Raises:
        AuthenticationError: `token-missing` or `token-conflict`.
    """
    if len(values) > 1:
        raise refuse(
            "token-conflict",
            "The request has several Proxy-Authorization headers",
            got=f"{len(values)} of them",
            expected="one",
        )
    scheme, _, rest = (values[0] if values else b"").strip(b" \t").partition(b" ")
    token = ""
    if scheme.lower() == b"bearer":
        token = rest.strip(b" \t").decode("latin-1")
    elif scheme.lower() == b"basic":
        token = _password(rest.strip(b" \t"))
    if not token:
        raise refuse(
            "token-missing",
            "The request to the proxy carries no token",
            got=f"Proxy-Authorization of the {shown(scheme.decode('latin-1'))} scheme, without one"
            if scheme
            else "no Proxy-Authorization",
            expected="Basic with the token as password, or Bearer TOKEN",
            hint="`proctor connect` prints the settings for a client.",
        )
    return token


def _password(encoded: bytes) -> str:
    try:
        pair = b64decode(encoded, validate=True)
    except ValueError:
        return ""
    return pair.partition(b":")[2].decode("latin-1")


def _credentials(authorization: str) -> str:
    # RFC 9110, 11.1: the scheme is case-insensitive; 11.4: one or more spaces follow.
    scheme, _, credentials = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        raise refuse(
            "token-missing",
            "The Authorization header is not of the Bearer scheme",
            got="another scheme",
            expected="Authorization: Bearer TOKEN",
            hint=_HOW,
        )
    return credentials.strip(" \t")


def _comparable(token: str) -> bytes:
    # Header bytes that are not UTF-8 come as lone surrogates.
    return token.encode(errors="surrogatepass")
