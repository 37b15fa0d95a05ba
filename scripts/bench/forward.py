"""The forward listener side by side with stock mitmdump as a forward proxy.

Clients ask an API of the origin's that needs a credential; they have shown who they are with the
CONNECT, or with each plain request. Stock asks nobody for a token and puts nothing in.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from clients import Target
from cpu import Case, side_by_side
from figures import Figure, added, percentile
from lab import Lab

REQUESTS = 300  # in one burst
PROFILES = ("none", "default")
_KEPT = "CPU, forward, TLS kept alive"

CASES = (
    Case(what=f"{_KEPT}, HTTP/1.1, 16 clients", goal=0.8, kind="tls"),
    Case(what=f"{_KEPT}, HTTP/2, 16 clients", goal=0.8, kind="tls", http2=True),
    Case(what=f"{_KEPT}, HTTP/1.1, one client", goal=None, kind="tls", clients=1, requests=300),
    Case(what="CPU, forward, plain, 16 clients", goal=None),
    Case(
        what="CPU, forward, CONNECT and TLS anew each time",
        goal=None,
        kind="tls",
        clients=4,
        requests=60,
        fresh=True,
    ),
)
SCREENED = (
    Case(what=f"{_KEPT}, HTTP/1.1, with redaction", goal=None, kind="tls"),
    Case(what=f"{_KEPT}, HTTP/2, with redaction", goal=None, kind="tls", http2=True),
)


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """CPU against stock, then what is added to the time of an answer."""
    with ExitStack() as stack:
        stock = stack.enter_context(lab.stock_forward())
        targets = [lab.beyond(None), lab.beyond(stock)]
        for profile, cases in zip(PROFILES, (CASES, SCREENED), strict=True):
            made = lab.proctor_forward(f"forward-{profile}", f"redaction: {{profile: {profile}}}\n")
            ours = stack.enter_context(made)
            targets.append(lab.beyond(ours))  # with the token just made
            for case in cases:
                each = replace(case, forward=True, requests=min(case.requests, REQUESTS))
                yield side_by_side(lab, each, stock, ours, rounds, scale)
        yield from _latency(lab, targets, max(20, int(60 * rounds * scale)))


def _latency(lab: Lab, targets: list[Target], count: int) -> Iterator[Figure]:
    """One client, TLS kept alive: the same request directly and through each."""
    job = {"do": "pairs", "kind": "json", "targets": targets}
    lab.run({**job, "count": 20})
    direct, by_stock, *through = lab.run({**job, "count": count})["whole"]
    for profile, times in zip(PROFILES, through, strict=True):
        for percent in (50, 99):
            more, theirs = added(direct, times), added(direct, by_stock)
            yield Figure(
                what=f"forward, TLS kept alive, added, redaction {profile}, p{percent}",
                value=percentile(more, percent),
                unit="ms",
                note=f"direct {percentile(direct, percent):.2f}, stock adds "
                f"{percentile(theirs, percent):.2f} ms; "
                f"{count} requests",
                details={"direct": direct, "stock": by_stock, "through": times},
            )
