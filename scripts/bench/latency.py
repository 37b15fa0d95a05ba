"""What proctor adds to the time of an answer: each request once directly and once through it."""

from collections.abc import Iterator

from figures import Figure, added, median, percentile, spread
from lab import Lab
from store import converted
from turns import TURNS

CLIENTS = 64
RATE = 250  # requests a second, well below what one core can do: latency, not queueing


def first_token(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """The first SSE text, one client."""
    with lab.proctor("first-token") as proctor:
        job = {"do": "pairs", "kind": "sse", "targets": [lab.target(None), lab.target(proctor)]}
        lab.run({**job, "count": 20})
        said = lab.run({**job, "count": max(10, int(50 * rounds * scale))})
    direct, through = said["first"]
    more = added(direct, through)
    both = f"p50 direct {median(direct):.2f}, through {median(through):.2f} ms; {len(more)} pairs"
    yield Figure(
        what="first SSE token, added, p50",
        value=median(more),
        unit="ms",
        goal=2,
        note=both,
        details={"direct": direct, "through": through},
    )
    yield Figure(
        what="first SSE token, added, p99",
        value=percentile(more, 99),
        unit="ms",
        goal=10,
        note=f"p99 direct {percentile(direct, 99):.2f}, through {percentile(through, 99):.2f} ms",
    )


def turn(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """A growing conversation of Claude Code's, 300 KB in its middle, and what is kept of it."""
    conversations = max(2, int(rounds * scale))
    job = {"do": "pairs", "kind": "turn", "from": 0, "count": conversations}
    with lab.proctor("turn-begun") as proctor:
        lab.run({**job, "targets": [lab.target(proctor)], "turns": 0})
    short = converted(proctor)
    with lab.proctor("turn") as proctor:
        targets = [lab.target(None), lab.target(proctor)]
        said = lab.run({**job, "targets": targets, "turns": TURNS})
    stored = converted(proctor) - short
    direct, through = said["whole"]
    more = added(direct, through)
    yield Figure(
        what="300 KB turn, 98 % seen, added, p50",
        value=median(more),
        unit="ms",
        goal=5,
        note=f"p99 {percentile(more, 99):.1f}; direct {median(direct):.1f} ms; {len(more)} turns",
        details={"direct": direct, "through": through},
    )
    yield Figure(
        what="300 KB turn, stored",
        value=stored / len(more) / 1000,
        unit="KB",
        goal=6,
        note=f"first turn of a conversation: {short / conversations / 1000:.0f} KB",
        details={"stored": stored, "turns": len(more), "beginnings": short},
    )


def clients(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Many clients at a steady pace, through proctor and directly in turn."""
    job = {"do": "burst", "kind": "json", "clients": CLIENTS}
    requests = max(CLIENTS, int(2 * RATE * scale))
    found: dict[int, list[float]] = {50: [], 99: []}
    with lab.proctor("clients") as proctor:
        targets = [lab.target(None), lab.target(proctor)]
        for target in targets:
            lab.run({**job, "target": target, "requests": requests})
        for number in range(rounds):
            order = (0, 1) if number % 2 else (1, 0)
            whole = {}
            for index in order:
                said = lab.run(
                    {**job, "target": targets[index], "requests": requests, "rate": RATE}
                )
                (whole[index],) = said["whole"]
            for percent, differences in found.items():
                differences.append(percentile(whole[1], percent) - percentile(whole[0], percent))
    for percent, differences in found.items():
        yield Figure(
            what=f"{CLIENTS} clients at {RATE} requests/s, added, p{percent}",
            value=median(differences),
            unit="ms",
            note=spread(differences),
            details={"runs": differences},
        )
