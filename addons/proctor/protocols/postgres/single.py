"""Messages one by one, before a session has begun: nothing is read ahead of what was asked for."""

from collections.abc import Callable
from typing import Final

from proctor.errors import ClientError
from proctor.protocols.postgres.messages import BEGIN, HEAD

MAX_SIGN_IN: Final = 64 * 1024
"""Bytes of the longest message of a sign-in; PostgreSQL's own limit is 65,535 (PG_MAX_AUTH_…)."""


class Single:
    """Gives messages out one at a time, so that what follows a change of state is not yet read.

    Args:
        limit: The greatest length that a message may say.
        allowed: Whether a message of this kind may come next.
    """

    def __init__(self, limit: int, allowed: Callable[[int], bool]) -> None:
        self._limit = limit
        self._allowed = allowed
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes that have not been given out."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._held += data

    def take(self) -> tuple[int, bytes] | None:
        """Kind and body of the next message, or None before it is there.

        Raises:
            ClientError: Code `pg-message`: it may not come here, or is too long.
        """
        if not self._held:
            return None
        if not self._allowed(self._held[0]):
            raise _wrong(f"one of kind {self._held[0]:#04x}", "another")
        if len(self._held) < BEGIN:
            return None
        kind, length = HEAD.unpack_from(self._held)
        if not BEGIN - 1 <= length <= self._limit:
            raise _wrong(f"one of {length} bytes", f"4 to {self._limit}")
        if len(self._held) <= length:
            return None
        body = bytes(self._held[BEGIN : length + 1])
        del self._held[: length + 1]
        return kind, body

    def rest(self) -> bytes:
        """All that was not given out; nothing is left."""
        left = bytes(self._held)
        self._held.clear()
        return left


def _wrong(got: str, expected: str) -> ClientError:
    return ClientError(
        "pg-message",
        "This message of PostgreSQL's protocol cannot come before a session has begun",
        got=got,
        expected=expected,
    )
