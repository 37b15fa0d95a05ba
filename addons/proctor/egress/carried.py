"""Whose credential does a request carry? The names by which clients identify themselves upstream.

An attacker's key on an allowed host is the classic way out: what it sends there is the attacker's.
"""

import re
from collections.abc import Iterable

HEADERS = frozenset(
    {
        b"authorization",
        b"cookie",
        b"x-api-key",
        b"api-key",
        b"apikey",
        b"x-apikey",
        b"x-access-token",
        b"x-auth-key",
        b"x-auth-token",
        b"x-amz-security-token",
        b"x-functions-key",
        b"x-gitlab-token",
        b"x-goog-api-key",
        b"x-goog-iam-authorization-token",
        b"x-ms-authorization-auxiliary",
        b"x-subscription-token",
        b"x-token",
        b"x-vault-token",
        b"dd-api-key",
        b"dd-application-key",
        b"deploy-token",
        b"job-token",
        b"ocp-apim-subscription-key",
        b"private-token",
    }
)
"""Headers, lower case, that are nothing but a credential."""

_QUERY = re.compile(
    r"(?:x[-_])?(?:api|access|auth|private|subscription)[-_]?(?:key|token)"
    r"|client[-_]?secret|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)"
    r"|(?:aws|google)accessid|awsaccesskeyid|authorization|bearer[-_]?token",
    re.IGNORECASE,
)
"""Names in a query that are; RFC 6750 2.3, and signed URLs of object stores."""

_SHARED_ACCESS = frozenset({"sig", "se", "sp"})
"""A shared access signature has all three."""


def carried(fields: Iterable[tuple[bytes, bytes]], query: Iterable[tuple[str, str]]) -> str:
    """Where a request carries a credential of its client's: a header's or parameter's name, or "".

    Args:
        fields: Headers.
        query: Of its URL, decoded.
    """
    for header, value in fields:
        if header.lower() in HEADERS and value.strip():
            return header.lower().decode("latin-1")
    names = [name for name, text in query if text]
    for name in names:
        if _QUERY.fullmatch(name):
            return name
    return "sig" if set(names) >= _SHARED_ACCESS else ""
