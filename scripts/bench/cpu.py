"""CPU per request, proctor against stock mitmdump, burst by burst in shuffled order."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from figures import Figure, median, spread
from lab import Lab, Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of asking.

    Attributes:
        what: In the table.
        goal: The most it may cost, as a multiple of stock.
        clients: At once.
        kind: `plain` or `tls`.
        http2: Spoken by the clients.
        requests: In one burst.
        forward: Through a forward proxy.
        fresh: Each request over a connection of its own.
    """

    what: str
    goal: float | None
    clients: int = 16
    kind: str = "plain"
    http2: bool = False
    requests: int = 500
    forward: bool = False
    fresh: bool = False


CASES = (
    Case(what="CPU a request, HTTP/1.1, 16 clients", goal=0.6, requests=800),
    Case(what="CPU a request, HTTP/1.1, one client", goal=0.8),
    Case(what="CPU a request, TLS both sides, 16 clients", goal=0.65, kind="tls"),
    Case(what="CPU a request, HTTP/2, 16 clients", goal=0.8, kind="tls", http2=True),
)
SUITE = Case(what="CPU a request, HTTP/1.1, 16 clients, mitmdump -s addons/suite.py", goal=None)


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """All the cases, one after the other, each side by side with stock."""
    with lab.stock() as stock:
        with lab.proctor("cpu") as ours:
            for case in CASES:
                yield side_by_side(lab, case, stock, ours, rounds, scale)
        with lab.suite() as ours:
            yield side_by_side(lab, SUITE, stock, ours, rounds, scale)


def side_by_side(  # noqa: PLR0913, PLR0917 - what a case is measured with
    lab: Lab, case: Case, stock: Proxy, ours: Proxy, rounds: int, scale: float
) -> Figure:
    """CPU a request through both, in turn."""
    requests = max(case.clients, int(case.requests * scale))
    both = [stock, ours]
    for proxy in both:  # connections, caches and code paths are warm afterwards
        _burst(lab, case, proxy, max(case.clients, requests // 2))
    begun = [proxy.cpu() for proxy in both]
    runs: list[dict[str, Any]] = []
    for _ in range(rounds):
        order = random.sample((0, 1), 2)
        run: dict[str, Any] = {}
        for index in order:
            cost, rate = _burst(lab, case, both[index], requests)
            run[("stock", "ours")[index]] = {"ms": cost, "per_second": rate}
        run["ratio"] = run["ours"]["ms"] / max(run["stock"]["ms"], 1e-9)
        runs.append(run)
    # What was put off from one burst to the next counts here.
    whole = [proxy.cpu() - before for proxy, before in zip(both, begun, strict=True)]
    ratios = [run["ratio"] for run in runs]
    costs = {name: median([run[name]["ms"] for run in runs]) for name in ("stock", "ours")}
    overall = whole[1] / max(whole[0], 1e-9)
    return Figure(
        what=case.what,
        value=median(ratios),
        unit="x stock",
        goal=case.goal,
        note=f"{spread(ratios)}; {costs['ours']:.2f} / {costs['stock']:.2f} ms; all {overall:.2f}",
        details={"runs": runs, "requests": requests, "overall": overall, "median_ms": costs},
    )


def _burst(lab: Lab, case: Case, proxy: Proxy, requests: int) -> tuple[float, float]:
    """CPU milliseconds a request, and requests a second."""
    way = lab.beyond if case.forward else lab.target
    before = proxy.cpu()
    said = lab.run(
        {
            "do": "burst",
            "kind": "json",
            "target": way(proxy, case.kind, http2=case.http2),
            "clients": case.clients,
            "fresh": case.fresh,
            "requests": requests,
        }
    )
    return (proxy.cpu() - before) * 1e3 / requests, requests / said["seconds"]
