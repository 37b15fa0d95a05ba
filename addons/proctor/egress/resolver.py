"""Names become addresses here, once, and the addresses that were checked are those dialled.

Between a check and a connection that looks the name up again, the answer may change (DNS
rebinding). So a name is looked up by us, every address of the answer is checked, and the caller
dials one of them and never the name.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from proctor.egress.addresses import Network, entries, permitted, unmapped
from proctor.egress.hosts import HostPattern, is_address
from proctor.errors import RefusedError, UpstreamError
from proctor.runtime.tasks import spawn

type Lookup = Callable[[str, int], Sequence[str]]
"""Blocking: the addresses of a canonical name, in order to try; OSError where there are none."""

_MAX_ADDRESSES = 32
_MAX_KEPT = 1024
_FOUND_TTL = 5.0
_MISSING_TTL = 1.0


def system_lookup(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver, /etc/hosts and search domains included.

    Raises:
        OSError: It knows no address.
    """
    # As bytes: Python would put a str through its own, older IDNA.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return tuple(str(sockaddr[0]) for *_, sockaddr in found)


@dataclass(frozen=True, slots=True)
class _Kept:
    addresses: tuple[str, ...]
    until: float


class Resolver:
    """Looks names up without holding the event loop; for one loop."""

    def __init__(
        self,
        *,
        lookup: Lookup = system_lookup,
        clock: Callable[[], float] = time.monotonic,
        threads: int = 8,
        waiting: int = 64,
        timeout: float = 5.0,
    ) -> None:
        """Nothing is looked up yet.

        Args:
            lookup: How.
            clock: Seconds, for what is kept.
            threads: Names looked up at once. One that hangs keeps its thread.
            waiting: Names that may wait for a thread; above that, new ones are refused.
            timeout: Seconds until a caller gets no for an answer.
        """
        self._lookup = lookup
        self._clock = clock
        self._most = threads + waiting
        self._timeout = timeout
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolver")
        self._running: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._kept: dict[str, _Kept] = {}

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a canonical host, in order to try; at least one, at most 32.

        An address is its own answer. A name's answer is kept for 5 seconds, that there is none
        for 1.

        Raises:
            UpstreamError: `name-unresolved`.
        """
        if is_address(host):
            return (host,)
        kept = self._kept.get(host)
        if kept is not None and self._clock() < kept.until:
            return self._answer(host, kept.addresses)
        task = self._running.get(host)
        if task is None:
            if len(self._running) >= self._most:
                raise _unresolved(host, "too many names that are being looked up", status=503)
            task = self._running[host] = spawn(self._ask(host, port), name="resolver.lookup")
        # Not wait_for: others may wait for the same answer, and a thread cannot be stopped.
        done, _ = await asyncio.wait((task,), timeout=self._timeout)
        if not done or task.cancelled():  # cancelled: closed meanwhile
            raise _unresolved(host, "no answer in time", status=504)
        return self._answer(host, task.result())

    def known(
        self, host: str, pattern: HostPattern, networks: Sequence[Network]
    ) -> tuple[str, ...] | None:
        """The same as `pinned` where nothing has to be waited for; else None. Errors as there."""
        kept = self._kept.get(host)
        if is_address(host):
            return _permitted(host, (host,), pattern, tuple(networks))
        if kept is None or self._clock() >= kept.until or not kept.addresses:
            return None
        return _permitted(host, kept.addresses, pattern, tuple(networks))

    async def pinned(
        self, host: str, port: int, pattern: HostPattern, networks: Sequence[Network]
    ) -> tuple[str, ...]:
        """The addresses of a canonical host, if the destination may lead to every one of them.

        One forbidden address refuses the whole answer: nobody mixes them by accident.

        Args:
            host: As the client asks for it.
            port: The port it asks for.
            pattern: The destination's host.
            networks: The destination's `addresses`.

        Returns:
            What to dial, in order to try; the name itself must not be looked up again.

        Raises:
            UpstreamError: `name-unresolved`.
            RefusedError: `address-refused`.
        """
        return _permitted(host, await self.resolve(host, port), pattern, tuple(networks))

    def close(self) -> None:
        """Take no more names. A lookup that runs goes on in its thread until it ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, host: str, port: int) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, self._lookup, host, port)
        except OSError:
            found = ()
        finally:
            del self._running[host]
        # ip_address refuses what is no address, in an answer of whoever looks up.
        addresses = tuple(
            dict.fromkeys(str(unmapped(ip_address(text))) for text in found[:_MAX_ADDRESSES])
        )
        self._kept.pop(host, None)  # so that it goes to the end, as the youngest
        while len(self._kept) >= _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        ttl = _FOUND_TTL if addresses else _MISSING_TTL
        self._kept[host] = _Kept(addresses, self._clock() + ttl)
        return addresses

    @staticmethod
    def _answer(host: str, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if not addresses:
            raise _unresolved(host, "no address")
        return addresses


@lru_cache(maxsize=1024)
def _permitted(
    host: str, addresses: tuple[str, ...], pattern: HostPattern, networks: tuple[Network, ...]
) -> tuple[str, ...]:
    """The addresses, if every one of them may be dialled."""
    for text in addresses:
        address = ip_address(text)
        refused = permitted(address, pattern, networks)
        if refused:
            raise RefusedError(
                code="address-refused",
                message=f"{host} leads to an address that its destination does not name",
                got=refused,
                expected="a public address",
                hint=f"If it is meant, the destination has `addresses: [{entries(address)}]`.",
            )
    return addresses


def _unresolved(host: str, got: str, *, status: int = 502) -> UpstreamError:
    return UpstreamError(
        code="name-unresolved",
        message=f"{host} cannot be resolved",
        got=got,
        hint="See whether the name is right, and known to the resolver of proctor's machine.",
        status=status,
    )
