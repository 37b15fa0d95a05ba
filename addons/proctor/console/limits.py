"""How often somebody may try, by address, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable

from proctor.console.problems import refused

_MAX_ADDRESSES = 4096


class Limiter:
    """A bucket for each address, that fills up again with time."""

    def __init__(
        self, *, burst: int, per_minute: float, monotonic: Callable[[], float], what: str
    ) -> None:
        """All buckets are full.

        Args:
            burst: Tries in a full bucket.
            per_minute: How fast it fills.
            monotonic: Seconds that never step.
            what: What is tried, for the message.
        """
        self._burst = float(burst)
        self._rate = per_minute / 60
        self._monotonic = monotonic
        self._what = what
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Pass if there is a try left.

        Raises:
            ClientError: `too-many-tries` (429).
        """
        if self._left(address) < 1:
            raise refused(
                429,
                "too-many-tries",
                f"Too many {self._what} from this address",
                hint="Wait a minute, then try again.",
            )

    def count(self, address: str) -> None:
        """One try less."""
        left = max(0.0, self._left(address) - 1)
        self._buckets[address] = (left, self._monotonic())
        self._buckets.move_to_end(address)
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)

    def take(self, address: str) -> None:
        """`check` and `count`."""
        self.check(address)
        self.count(address)

    def _left(self, address: str) -> float:
        left, then = self._buckets.get(address, (self._burst, 0.0))
        return min(self._burst, left + (self._monotonic() - then) * self._rate)
