"""What every way of telling somebody has in common."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import httpx

from proctor.approval.notify.message import Message
from proctor.approval.notify.wire import checked_url
from proctor.approval.settings import NotifierSettings
from proctor.errors import ConfigurationError
from proctor.fields import SecretSource

type Look = Callable[[SecretSource, str], Awaitable[str]]
"""Reads a secret; `Credentials.secret` is one."""


class Channel(Protocol):
    """One notifier."""

    async def check(self) -> None:
        """Read what it needs, and see that it can be used.

        Raises:
            ConfigurationError: Something is missing or malformed.
        """
        ...

    async def deliver(self, message: Message, ticket: str) -> str:
        """Send one message; the same one may come again.

        Args:
            message: What to tell.
            ticket: What the last message about the same thing returned; "" for none.

        Returns:
            What the other side calls it; "" for nothing new.

        Raises:
            DeliveryError: It was not taken.
            ConfigurationError: A secret cannot be read just now.
        """
        ...


async def url_of(settings: NotifierSettings, look: Look) -> httpx.URL:
    """Where a notifier's messages go.

    Raises:
        ConfigurationError: It cannot be read, or is none.
    """
    text = await look(settings.url, f"the url of the notification {settings.name!r}")
    return checked_url(text, settings.name)


async def text_of(source: SecretSource | None, name: str, look: Look) -> str:
    """A notifier's secret.

    Raises:
        ConfigurationError: It cannot be read, or there is none.
    """
    if source is None:
        raise ConfigurationError(
            code="missing-key",
            message=f"The notification {name!r} has no `secret`",
            expected="a `secret` in proctor.yaml",
        )
    return await look(source, f"the secret of the notification {name!r}")
