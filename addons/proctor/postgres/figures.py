"""What is counted: in a worker by plain adding, in the gateway for /metrics."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

VERDICTS: Final = ("allow", "hold", "deny")

BOUNDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0)
"""Upper bounds of the buckets, seconds."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """Of one listener, in one process.

    Attributes:
        connections: Clients connected now.
        waiting: Statements that wait for a human now.
        connected: Clients that came since the last `take`.
        statements: By verdict, those that ended since then.
        buckets: How many of them took how long; the last is for what is longer than `BOUNDS`.
        seconds: How long they took together.
    """

    connections: int = 0
    waiting: int = 0
    connected: int = 0
    statements: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def came(self) -> None:
        """A client has connected."""
        self.connections += 1
        self.connected += 1

    def went(self) -> None:
        """A client has gone."""
        self.connections -= 1

    def waits(self, change: int) -> None:
        """One statement more, or less, waits for a human."""
        self.waiting += change

    def statement(self, verdict: str, seconds: float) -> None:
        """One statement has ended.

        Args:
            verdict: One of `VERDICTS`.
            seconds: From its coming to its end.
        """
        self.statements[verdict] += 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def take(self) -> dict[str, Any]:
        """What is to be told; what is counted since the last time begins anew."""
        told = {
            "connections": self.connections,
            "waiting": self.waiting,
            "connected": self.connected,
            "statements": self.statements,
            "buckets": self.buckets,
            "seconds": self.seconds,
        }
        self.connected = 0
        self.statements = dict.fromkeys(VERDICTS, 0)
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        return told


class Totals(Collector):
    """What all the workers of a gateway have told, for /metrics.

    Args:
        listeners: Their names.
    """

    def __init__(self, listeners: Sequence[str]) -> None:
        self._sums = {name: Figures() for name in listeners}
        self._now: dict[tuple[int, str], tuple[int, int]] = {}
        self._restarts = 0

    def add(self, worker: int, told: Mapping[str, Any]) -> None:
        """Add what a worker has told.

        Raises:
            ValueError: It is nothing that `Figures.take` makes.
        """
        for name, each in told.items():
            try:
                total = self._sums[name]
                now = (int(each["connections"]), int(each["waiting"]))
                total.connected += int(each["connected"])
                for verdict in VERDICTS:
                    total.statements[verdict] += int(each["statements"][verdict])
                total.buckets = [
                    old + int(new) for old, new in zip(total.buckets, each["buckets"], strict=True)
                ]
                total.seconds += float(each["seconds"])
            except (KeyError, TypeError) as error:
                raise ValueError("no figures") from error
            self._now[worker, name] = now

    def gone(self, worker: int) -> None:
        """A worker has ended, and its connections with it."""
        self._now = {key: now for key, now in self._now.items() if key[0] != worker}

    def restarted(self) -> None:
        """A worker was started again."""
        self._restarts += 1

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return sum(connections for connections, _ in self._now.values())

    def describe(self) -> Iterable[Metric]:
        """Names only."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks for them."""
        open_ = GaugeMetricFamily(
            "proctor_postgres_connections", "Clients connected.", labels=["listener"]
        )
        waiting = GaugeMetricFamily(
            "proctor_postgres_waiting", "Statements that wait for a human.", labels=["listener"]
        )
        came = CounterMetricFamily(
            "proctor_postgres_connected", "Clients that have connected.", labels=["listener"]
        )
        statements = CounterMetricFamily(
            "proctor_postgres_statements", "Statements ended.", labels=["listener", "verdict"]
        )
        seconds = HistogramMetricFamily(
            "proctor_postgres_statement_seconds",
            "From a statement's coming to the end of its answer.",
            labels=["listener"],
        )
        for name, total in self._sums.items():
            here = [now for (_, listener), now in self._now.items() if listener == name]
            open_.add_metric([name], sum(connections for connections, _ in here))
            waiting.add_metric([name], sum(each for _, each in here))
            came.add_metric([name], total.connected)
            for verdict, count in total.statements.items():
                statements.add_metric([name, verdict], count)
            seconds.add_metric([name], list(_cumulated(total.buckets)), total.seconds)
        restarts = CounterMetricFamily(
            "proctor_postgres_worker_restarts", "Workers started again.", value=self._restarts
        )
        return [open_, waiting, came, statements, seconds, restarts]


def _cumulated(buckets: Sequence[int]) -> Iterable[tuple[str, float]]:
    count = 0
    for bound, each in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
        count += each
        yield bound, count
