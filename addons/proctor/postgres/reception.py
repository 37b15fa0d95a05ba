"""Who is here: clients that have not signed in, those that have, and where a cancel belongs."""

import asyncio
import hmac
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Protocol

from proctor.errors import ClientError, InternalError
from proctor.stages.bucket import Bucket

UNSIGNED: Final = 256
"""Connections that may be open without having signed in, beside those that have."""

STRANGERS: Final = 20
"""Cancels a second, of nobody here, that are handed on to other processes."""


class Guest(Protocol):
    """A connection, as far as the reception is concerned."""

    def evict(self) -> None:
        """Make room: it has not signed in, and has been here the longest."""
        ...

    async def drain(self) -> None:
        """End once what runs has ended."""
        ...

    async def cancel(self) -> None:
        """Cancel what runs."""
        ...


class Reception[G: Guest]:
    """One for all connections of a process.

    Args:
        connections: That may be signed in at once, on all listeners of the process.
        unsigned: UNSIGNED, but for tests.

    Attributes:
        accepting: Whether newcomers are let in.
    """

    def __init__(self, connections: int, unsigned: int = UNSIGNED) -> None:
        self.accepting = True
        self._connections = connections
        self._unsigned_limit = unsigned
        self._unsigned: dict[G, None] = {}
        self._signed: set[G] = set()
        self._keys: defaultdict[int, list[tuple[bytes, G]]] = defaultdict(list)
        self._strangers = Bucket(STRANGERS)

    @property
    def signed(self) -> int:
        """How many have signed in."""
        return len(self._signed)

    @property
    def unsigned(self) -> int:
        """How many have not."""
        return len(self._unsigned)

    def came(self, guest: G) -> None:
        """A connection was accepted; where there are too many, the oldest goes.

        Signing in takes milliseconds, so that who holds places only to hold them loses them first.
        """
        self._unsigned[guest] = None
        if len(self._unsigned) > self._unsigned_limit:
            oldest = next(iter(self._unsigned))
            del self._unsigned[oldest]
            oldest.evict()

    def check(self) -> None:
        """See whether somebody may sign in.

        Raises:
            InternalError: Code `pg-cannot-connect`.
            ClientError: Code `pg-too-many`.
        """
        if not self.accepting:
            raise InternalError(
                "pg-cannot-connect",
                "proctor is starting or stopping",
                hint="Try again in a moment.",
            )
        if len(self._signed) >= self._connections:
            raise ClientError(
                "pg-too-many",
                "Too many clients are connected already",
                expected=f"at most {self._connections}, by `limits.connections`",
            )

    def signed_in(self, guest: G) -> None:
        """It has proved who it is."""
        self._unsigned.pop(guest, None)
        self._signed.add(guest)

    def left(self, guest: G) -> None:
        """It is gone."""
        self._unsigned.pop(guest, None)
        self._signed.discard(guest)

    def register(self, pid: int, secret: bytes, guest: G) -> None:
        """Remember by what a cancel will name it. Two servers may have the same PIDs."""
        self._keys[pid].append((secret, guest))

    def unregister(self, pid: int, guest: G) -> None:
        """Forget it."""
        left = [item for item in self._keys[pid] if item[1] is not guest]
        if left:
            self._keys[pid] = left
        else:
            del self._keys[pid]

    async def cancel(self, pid: int, secret: bytes) -> bool:
        """Cancel what runs where this PID and secret were given out; whether that was here."""
        found: G | None = None
        for known, guest in self._keys.get(pid, ()):
            if hmac.compare_digest(known, secret):
                found = guest
        if found is None:
            return False
        await found.cancel()
        return True

    def stranger(self) -> bool:
        """Whether a cancel of nobody here may be handed on."""
        return self._strangers.take()

    async def drain(self) -> None:
        """Take nobody any more, and end all who are here once what they run has ended."""
        self.accepting = False
        guests: Iterable[G] = (*self._unsigned, *self._signed)
        await asyncio.gather(*(guest.drain() for guest in guests))
