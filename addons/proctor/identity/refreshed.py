"""A value from outside that is kept fresh, with bounds on every way in which that can go wrong.

          nothing ──attempt ok──▶ good ──older than refresh──▶ due ──older than stale──▶ nothing
             │                     ▲                           │
             └──attempt failed     └──────attempt ok───────────┘   (failed: stays due)

`good` and `due` are handed out at once; `due` also starts an attempt in the background. Only who
finds `nothing` waits, and all who wait do so for the same attempt. After an attempt, whatever came
of it, none is made for the cool-down.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from proctor.errors import UpstreamError
from proctor.identity.refusals import unreachable
from proctor.runtime.tasks import spawn, stop

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a value from an issuer is asked for again; seconds.

    Attributes:
        refresh: Age at which it is asked for again.
        stale: How much longer it is believed while the issuer does not answer.
        cooldown: Between the end of one attempt and the next.
        unknown: How long a key that was not in the set is believed not to exist.
    """

    refresh: float = 300.0
    stale: float = 3600.0
    cooldown: float = 10.0
    unknown: float = 60.0


class Refreshed[T]:
    """One value, such as an issuer's key set.

    Attributes:
        generation: Grows whenever the value is another one.
        failures: Attempts that failed since the last that did not.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        *,
        name: str,
        monotonic: Callable[[], float],
        timing: Timing,
    ) -> None:
        """Nothing is asked for yet.

        Args:
            load: Asks for the value; raises UpstreamError.
            name: The issuer, for messages and logs.
            monotonic: A clock that never steps, in seconds.
            timing: When to ask.
        """
        self.generation = 0
        self.failures = 0
        self._load = load
        self._name = name
        self._monotonic = monotonic
        self._timing = timing
        self._value: T | None = None
        self._loaded_at = 0.0
        self._next_attempt = float("-inf")
        self._error: UpstreamError | None = None
        self._attempt: asyncio.Task[None] | None = None

    @property
    def age(self) -> float | None:
        """Seconds since the value was last confirmed; None if there is none."""
        return None if self._value is None else self._monotonic() - self._loaded_at

    def current(self) -> T | None:
        """The value, or None if there is none to be believed. Never waits."""
        age = self.age
        if age is None:
            return None
        if age >= self._timing.refresh:
            self._start()
            if age >= self._timing.refresh + self._timing.stale:
                return None
        return self._value

    async def get(self) -> T:
        """The value; waits for one attempt if there is none to be believed.

        Raises:
            UpstreamError: There is still none; the last attempt's error.
        """
        value = self.current()
        if value is None:
            await self.renew()
            value = self.current()
        if value is None:
            raise self._failure()
        return value

    async def renew(self) -> bool:
        """Wait for an attempt, one under way or a new one.

        Returns:
            Whether there was one; False during the cool-down.
        """
        attempt = self._start()
        if attempt is None:
            return False
        await asyncio.wait([attempt])
        return True

    def check(self) -> None:
        """Pass if the last attempt did not fail.

        Raises:
            UpstreamError: It did.
        """
        if self._error is not None:
            raise self._failure()

    async def close(self) -> None:
        """Stop an attempt that is under way."""
        await stop(self._attempt)

    def _start(self) -> asyncio.Task[None] | None:
        if self._attempt is not None and not self._attempt.done():
            return self._attempt
        if self._monotonic() < self._next_attempt:
            return None
        self._attempt = spawn(self._renewed(), name=f"issuer {self._name}")
        return self._attempt

    async def _renewed(self) -> None:
        try:
            value = await self._load()
        except UpstreamError as error:
            self.failures += 1
            self._error = error
            log.warning(
                "An issuer's answer is missing: %s",
                error,
                extra={"event": "issuer.failed", "issuer": self._name, "failures": self.failures},
            )
        else:
            if value != self._value:
                self.generation += 1
            self._value, self._loaded_at = value, self._monotonic()
            self._error, self.failures = None, 0
        finally:
            # The end counts, not the start, so that one who answers late is not asked all the time.
            self._next_attempt = self._monotonic() + self._timing.cooldown

    def _failure(self) -> UpstreamError:
        if self._error is None:
            return unreachable(self._name, got="no answer yet")
        # A new one each time: an exception carries the traceback of where it was raised.
        return replace(self._error)
