"""Plain JSON, signed: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com/).

Receivers check it with any library for that; `proctor.testing.webhooks` has a plain one.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from proctor.approval.notify.channel import Channel, Look, text_of, url_of
from proctor.approval.notify.message import Message
from proctor.approval.notify.wire import Wire
from proctor.approval.settings import NotifierSettings
from proctor.errors import ConfigurationError

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)  # "Signature scheme": between 24 and 64 bytes


def body(message: Message) -> bytes:
    """What is posted: `type`, `timestamp` and `data` ("Payload structure")."""
    at = message.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = {**message.data, "url": message.link}
    return orjson.dumps({"type": message.type, "timestamp": at, "data": data})


def key_of(secret: str, name: str) -> bytes:
    """The key that a `whsec_…` stands for.

    Args:
        secret: As it was given; never in the error.
        name: The notifier's.

    Raises:
        ConfigurationError: `secret-malformed`.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:  # binascii.Error is one
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ConfigurationError(
            code="secret-malformed",
            message=f"The secret of the notification {name!r} cannot be used",
            got="something else",
            expected="whsec_ and 24 to 64 random bytes in base64 (Standard Webhooks)",
            hint='Make one with `echo "whsec_$(openssl rand -base64 32)"`.',
        )
    return key


def sign(key: bytes, name: str, at: int, content: bytes) -> str:
    """The value of `webhook-signature` ("Signature scheme").

    Args:
        key: Shared with the receiver.
        name: `webhook-id`.
        at: `webhook-timestamp`, seconds since the epoch.
        content: The body.
    """
    mac = hmac.digest(key, b"%s.%d.%s" % (name.encode(), at, content), hashlib.sha256)
    return f"v1,{base64.b64encode(mac).decode('ascii')}"


class Webhook(Channel):
    """Posts to one receiver."""

    def __init__(
        self, settings: NotifierSettings, look: Look, wire: Wire, clock: Callable[[], datetime]
    ) -> None:
        """Nothing is read yet.

        Args:
            settings: Where to, and what it is signed with.
            look: Reads secrets.
            wire: Sends.
            clock: The time, UTC.
        """
        self._settings = settings
        self._look = look
        self._wire = wire
        self._clock = clock

    async def check(self) -> None:
        """See Channel."""
        await url_of(self._settings, self._look)
        await self._key()

    async def deliver(self, message: Message, ticket: str) -> str:  # noqa: ARG002 - it has none
        """See Channel."""
        url, key = await url_of(self._settings, self._look), await self._key()
        content, at = body(message), int(self._clock().timestamp())
        headers = {
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(key, message.id, at, content),
        }
        await self._wire.send("POST", url, body=content, headers=headers)
        return ""

    async def _key(self) -> bytes:
        name = self._settings.name
        return key_of(await text_of(self._settings.secret, name, self._look), name)
