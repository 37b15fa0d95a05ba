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
    r"|(?:aws|google)accessid|awsaccesskeyid|authorization|bearer[-_]?token"
    r"|(?:personal|bot|user|session|security|refresh|id|app|jwt|sas)[-_]?token|client[-_]?assertion"
    r"|(?:sub|subscription|account|service|license|licence|master|admin|secret)[-_]?key|appkey"
    r"|passw(?:or)?d|pass|pwd|secret|hapikey|x-goog-api-key|x-amz-signature|jwt",
    re.IGNORECASE,
)
"""Names in a query that are; RFC 6750 2.3, and signed URLs of object stores."""

_SHARED_ACCESS = frozenset({"sig", "se", "sp"})
"""A shared access signature has all three."""


_WEBHOOKS = re.compile(
    r"/services/T[A-Z0-9]{6,16}/B[A-Z0-9]{6,16}/\w{16,}"  # Slack's
    r"|/api(?:/v\d{1,2})?/webhooks/\d{10,25}/[\w-]{30,}"  # Discord's
    r"|/bot\d{6,12}:[\w-]{30,}/"  # Telegram's
    r"|/webhookb2?/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/"  # Teams'
    r"|/hooks/catch/\d{4,12}/\w{5,}"  # Zapier's
    r"|/trigger/[\w-]{1,64}/(?:json/)?with/key/[\w-]{16,}"  # IFTTT's
)
"""Addresses that are a credential themselves: whoever knows one may write there."""

_GRANT = re.compile(
    rb"(?:^|&)(?:client_secret|client_assertion|refresh_token|password|assertion)=[^&]",
    re.IGNORECASE,
)
_TOKEN_PATH = re.compile(r"(?i)/(?:oauth2?(?:/v\d[\d.]*)?/)?(?:access_)?token/?$")


def spoken(path: str, body: bytes) -> str:
    """Where a request's address or a grant in its body is a credential; "" where none is.

    Args:
        path: Of the target, without its query.
        body: As sent; a grant is a form that is posted to a token endpoint (RFC 6749 section 4).
    """
    if _WEBHOOKS.search(path):
        return "the path, which is a webhook's"
    if _TOKEN_PATH.search(path) and len(body) < _FORM and _GRANT.search(body):
        return "a grant in the body"
    return ""


_FORM = 64 * 1024


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
