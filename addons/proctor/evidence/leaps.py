"""A clock that leaps forward would make everything old at once, and nothing brings back what went.

So after a leap nothing is dropped for a day, in which somebody can set it right. Time in which the
machine slept counts as time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

log = logging.getLogger(__name__)

LEAP: Final = 3600.0
WAIT: Final = 86400.0


def uptime() -> float:
    """Seconds since the machine began, those that it slept included where the system tells."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(slots=True, kw_only=True)
class Leaps:
    """Compares the clock with the time that went by.

    Attributes:
        clock: The time, UTC.
        uptime: Seconds, never set.
    """

    clock: Callable[[], datetime]
    uptime: Callable[[], float] = uptime
    _last: tuple[float, float] | None = field(default=None, init=False)
    _leapt: float | None = field(default=None, init=False)

    def believed(self) -> bool:
        """Whether the clock has gone as time has, for a day or since this was asked first."""
        now, passed = self.clock().timestamp(), self.uptime()
        before = self._last or (now, passed)
        self._last = now, passed
        leap = (now - before[0]) - (passed - before[1])
        if leap > LEAP:
            self._leapt = passed
            log.warning(
                "the clock leapt forward by %.0f s: nothing of the record is dropped for a day",
                leap,
                extra={"event": "clock.leapt", "seconds": leap},
            )
        elif leap < -LEAP:
            self._leapt = None  # it was set right
        return self._leapt is None or passed - self._leapt >= WAIT
