"""What is known of each principal's run, in this process alone, and for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proctor.leaving.known import Known
from proctor.leaving.shingles import Shingles
from proctor.leaving.streams import Streams

IDLE: Final = 30 * 60.0
"""Seconds without a request after which a run is forgotten."""

LONGEST: Final = 24 * 3600.0
"""Seconds after which it is forgotten in any case."""

PRINCIPALS: Final = 500
"""Runs remembered at once; the one idle for longest is forgotten first."""


@dataclass(slots=True, eq=False)
class Run:
    """What one principal's run has seen and sent."""

    known: Known
    streams: Streams
    begun: float
    met: float


class Memory:
    """All runs of one process.

    Args:
        clock: Monotonic, seconds.
        shingles: Makes digests; by default under a new key.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, shingles: Shingles | None = None
    ) -> None:
        self._clock = clock
        self.shingles = shingles or Shingles()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def run(self, principal: str) -> Run:
        """The run of a principal, a new one where there is none.

        Args:
            principal: `Principal.key`. A session's name is the client's own word, so it is no part.
        """
        now = self._clock()
        found = self._runs.get(principal)
        if found is None or now - found.met > IDLE or now - found.begun > LONGEST:
            found = Run(Known(self.shingles), Streams(), now, now)
            self._runs[principal] = found
            self._forget(now)
        found.met = now
        self._runs.move_to_end(principal)
        return found

    def _forget(self, now: float) -> None:
        while self._runs:
            oldest = next(iter(self._runs))
            if len(self._runs) <= PRINCIPALS and now - self._runs[oldest].met <= IDLE:
                return
            del self._runs[oldest]
