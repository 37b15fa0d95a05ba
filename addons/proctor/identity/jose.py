"""Signed tokens as bytes: JWS compact serialization (RFC 7515, 7.1) and strict JSON.

Stricter than PyJWT where a token could be read in two ways: base64url has one spelling only, names
in an object stand once, a number is a number, and no critical extension is known to us.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from proctor.errors import AuthenticationError
from proctor.identity.refusals import refuse, shown

MAX_TOKEN = 16 * 1024
"""Bytes of the longest token that is read."""

_MAX_KID = 512
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_PARTS = 3
_ENCRYPTED_PARTS = 5  # JWE, RFC 7516, 7.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Jws:
    """A token taken apart; nothing in it is verified.

    Attributes:
        header: The JOSE header.
        algorithm: Its `alg`.
        kid: Its `kid`, or None.
        payload: Bytes that were signed, decoded.
        signing_input: Bytes that the signature is over (RFC 7515, 5.2).
        signature: The signature's bytes.
    """

    header: Mapping[str, Any]
    algorithm: str
    kid: str | None
    payload: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def is_jws(token: str) -> bool:
    """Whether the token has the shape of a signed JWT; other tokens are opaque to us."""
    return token.count(".") == _PARTS - 1


def check_size(token: str) -> None:
    """Refuse, before anything is read, what is too long or no token at all.

    Raises:
        AuthenticationError: `token-too-large` or `token-malformed`.
    """
    if len(token) > MAX_TOKEN:
        raise refuse(
            "token-too-large",
            "The token is too long",
            got=f"{len(token)} characters",
            expected=f"at most {MAX_TOKEN}",
            hint="Let the issuer put fewer claims into it, such as only the groups needed.",
        )
    # RFC 6750, 2.1: b64token; visible ASCII is what may stand in a header at all.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise _malformed("characters that no token holds")


def parse_jws(token: str) -> Jws:
    """Take a signed token apart.

    Raises:
        AuthenticationError: `token-malformed`, `token-too-large`, `token-algorithm` (no `alg`),
            `token-critical`.
    """
    check_size(token)
    parts = token.split(".")
    if len(parts) == _ENCRYPTED_PARTS:
        raise _malformed("an encrypted token", "Ask the issuer for a signed access token (JWS).")
    if len(parts) != _PARTS:
        raise _malformed(f"{len(parts)} parts", "Pass the access token itself.")
    header = load_object(_decode(parts[0], "header"), "header")
    payload = _decode(parts[1], "payload")
    signature = _decode(parts[2], "signature")
    # RFC 7515, 4.1.11: what is critical must be understood, and we understand none. b64 (RFC 7797)
    # changes what was signed, so it is refused even where it is not marked.
    for name in ("crit", "b64"):
        if name in header:
            raise refuse(
                "token-critical",
                "The token needs an extension that proctor does not know",
                got=f"the header {name}",
                expected="none",
            )
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise refuse(
            "token-algorithm",
            "The token names no algorithm",
            got=shown(algorithm),
            expected="alg in its header",
        )
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _MAX_KID):
        raise _malformed("a kid that is no short text")
    return Jws(
        header=header,
        algorithm=algorithm,
        kid=kid,
        payload=payload,
        signing_input=f"{parts[0]}.{parts[1]}".encode(),
        signature=signature,
    )


def load_object(raw: bytes, what: str) -> dict[str, Any]:
    """Read one JSON object in which every name stands once.

    Args:
        raw: UTF-8.
        what: What it is, for the message.

    Raises:
        AuthenticationError: `token-malformed`.
    """
    try:
        return strict_object(raw)
    except ValueError as error:
        raise _malformed(f"a {what} with {error}") from None


def strict_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object (RFC 8259) in which every name stands once (RFC 7519, 4).

    Raises:
        ValueError: It is none; the text says why and shows nothing of it.
    """
    try:
        value = json.loads(
            raw.decode(), object_pairs_hook=_unique_names, parse_constant=_no_constant
        )
    except _StrictError:
        raise
    except (ValueError, RecursionError):
        raise ValueError("no valid JSON") from None
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the caller catches one kind
    return value


def base64url(text: object) -> bytes:
    """Decode base64url without padding (RFC 7515, 2), in its one canonical spelling.

    Raises:
        ValueError: It is not that.
    """
    if not isinstance(text, str) or _BASE64URL.fullmatch(text) is None:
        raise ValueError("no base64url")
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("no base64url") from None
    if to_base64url(decoded) != text:
        raise ValueError("base64url with stray bits")
    return decoded


def to_base64url(raw: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class _StrictError(ValueError):
    """JSON that other readers would take."""


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _StrictError("a name that stands twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise _StrictError("a number that is none")


def _decode(part: str, what: str) -> bytes:
    try:
        return base64url(part)
    except ValueError as error:
        raise _malformed(f"a {what} that is {error}") from None


def _malformed(got: str, hint: str = "") -> AuthenticationError:
    return refuse(
        "token-malformed",
        "The token cannot be read",
        got=got,
        expected="a signed JWT: three parts in base64url, joined by dots",
        hint=hint,
    )
