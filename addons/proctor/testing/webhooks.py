"""For tests of receivers: what a signed webhook has to be (Standard Webhooks 1.0.0).

event = webhooks.verify(request.headers, request.body, SECRET, now=time.time())
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

WINDOW = 300
"""Seconds that a timestamp may lie in the past or future ("Verifying webhook authenticity")."""


class WebhookError(Exception):
    """It is not from whoever has the secret, or not of this moment."""


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> dict[str, Any]:
    """Check a webhook.

    Args:
        headers: Of the request; names in any case.
        body: Its bytes, as they came.
        secret: `whsec_…`, as in the notifier's settings.
        now: Seconds since the epoch.

    Returns:
        The body, parsed.

    Raises:
        WebhookError: It is not to be believed.
    """
    known = {name.lower(): value for name, value in headers.items()}
    try:
        name, at, signatures = (
            known[f"webhook-{part}"] for part in ("id", "timestamp", "signature")
        )
    except KeyError as error:
        raise WebhookError(f"the header {error.args[0]} is missing") from None
    if not (at.isascii() and at.isdigit()) or abs(now - int(at)) > WINDOW:
        raise WebhookError("the timestamp is not of the last five minutes")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(mac)
    # Several while a secret is being changed, with a space between.
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise WebhookError("no signature is right")
    event: dict[str, Any] = json.loads(body)
    return event
