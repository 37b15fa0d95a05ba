"""Resident memory: at the start, along 20,000 flows, and during and after a 200 MB stream."""

import threading
from collections.abc import Iterator
from typing import Any, Self

from figures import Figure
from lab import Lab, Proxy

FLOWS = 20_000
STREAM = 200  # MB
_STEPS = 10
_FLAT = 10.0  # MB that the second half of the flows may add


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """One gateway's life."""
    del rounds
    job: dict[str, Any] = {"do": "burst", "kind": "json", "clients": 16}
    step = max(16, int(FLOWS * scale) // _STEPS)
    with lab.proctor("memory") as proctor:
        target = lab.target(proctor)
        start = proctor.rss()
        along = []
        for _ in range(_STEPS):
            lab.run({**job, "target": target, "requests": step})
            along.append(proctor.rss())
        with _Watch(proctor) as watch:
            stream = max(1, int(STREAM * scale))
            huge = {**job, "kind": "huge", "number": stream, "clients": 1, "requests": 1}
            seconds = lab.run({**huge, "target": target})["seconds"]
        after = proctor.rss()
    details = {"start": start, "along": along, "peak": watch.peak, "after": after}
    flows = step * _STEPS
    yield Figure(
        what=f"memory over start, after {flows:,} flows",
        value=along[-1] - start,
        unit="MB",
        goal=120,
        note=f"start {start:.0f} MB, at most {max(along) - start:.0f} over it",
        details=details,
    )
    yield Figure(
        what=f"memory added by the last {flows // 2:,} of them",
        value=along[-1] - along[_STEPS // 2 - 1],
        unit="MB",
        goal=_FLAT,
        note=" ".join(f"{value - start:.0f}" for value in along),
    )
    yield Figure(
        what=f"memory over start, after a {stream} MB stream",
        value=after - start,
        unit="MB",
        goal=120,
        note=f"at most {watch.peak - start:.0f} during it; {stream / seconds:.0f} MB/s",
    )


class _Watch:
    """The greatest RSS while a block runs, looked at ten times a second."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peak = proxy.rss()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, self._proxy.rss())
