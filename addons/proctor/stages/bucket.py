"""A token bucket, so that callers nobody knows cannot fill the disk with their refusals."""

import time
from collections.abc import Callable


class Bucket:
    """Lets `rate` things a second pass, and ten times as many in one go."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._size = rate * 10
        self._level = self._size
        self._clock = clock
        self._last = clock()

    def take(self) -> bool:
        """Whether one more may pass."""
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._last) * self._rate)
        self._last = now
        if self._level < 1:
            return False
        self._level -= 1
        return True
