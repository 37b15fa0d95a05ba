"""Passes for what the gateway sends itself: admission as everybody's, for one replay.

What is sent again goes through a listener like any client's request: it is judged, redacted,
recorded and given its credential there. Whoever asked for the replay is whom it is sent for. A pass
lives in memory alone, and no longer than its replay.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from proctor.model import Principal

_PREFIX = "proctor-replay."


class Authenticator(Protocol):
    """Who a token proves."""

    def recall(self, token: str) -> Principal | None:
        """Of a token that was proved before."""
        ...

    async def authenticate(self, token: str) -> Principal:
        """Of any token."""
        ...


class Passes:
    """An authenticator that knows passes, and leaves all else to another."""

    def __init__(self, other: Authenticator) -> None:
        self._other = other
        self._known: dict[str, Principal] = {}

    @contextmanager
    def issued(self, principal: Principal) -> Iterator[str]:
        """A pass for this principal while the block runs."""
        token = _PREFIX + secrets.token_urlsafe(32)
        self._known[token] = principal
        try:
            yield token
        finally:
            del self._known[token]

    def recall(self, token: str) -> Principal | None:
        """Who a token proves, where that is known already."""
        return self._known.get(token) or self._other.recall(token)

    async def authenticate(self, token: str) -> Principal:
        """Who a token proves.

        Raises:
            AuthenticationError: It proves nothing.
            UpstreamError: Its issuer cannot be asked.
        """
        return self._known.get(token) or await self._other.authenticate(token)
