"""What redaction adds to a gateway, side by side with one that looks at nothing."""

from collections.abc import Iterator
from contextlib import ExitStack

from figures import Figure, added, median, percentile
from lab import Lab
from turns import TURNS

SIZE = 100_000
_PROFILE = "redaction: {{profile: {}}}\n"


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """A conversation of 100 KB, turn by turn, through both gateways."""
    conversations = max(2, int(3 * rounds * scale))
    job = {"do": "pairs", "kind": "turn", "size": SIZE}
    with ExitStack() as stack:
        proxies, targets = [], []
        for profile in ("none", "default"):
            made = lab.proctor(f"redaction-{profile}", _PROFILE.format(profile))
            proxies.append(stack.enter_context(made))
            targets.append(lab.target(proxies[-1]))  # with the token just made
        lab.run({**job, "targets": targets, "from": 900, "count": 1, "turns": TURNS})
        said = lab.run(
            {**job, "targets": targets, "from": 0, "count": conversations, "turns": TURNS}
        )
        memory = [proxy.rss() for proxy in proxies]
    bare, through = said["whole"]
    more = added(bare, through)
    both = f"p50 without {median(bare):.2f}, with {median(through):.2f} ms; {len(more)} turns"
    yield Figure(
        what="100 KB turn, 98 % seen, added by redaction, p50",
        value=median(more),
        unit="ms",
        goal=1.5,
        note=both,
        details={"without": bare, "with": through},
    )
    yield Figure(
        what="100 KB turn, 98 % seen, added by redaction, p99",
        value=percentile(more, 99),
        unit="ms",
        goal=8,
        note=f"p99 without {percentile(bare, 99):.2f}, with {percentile(through, 99):.2f} ms",
    )
    first = added(*said["first"])
    yield Figure(
        what="100 KB turn, first text, added by redaction, p50",
        value=median(first),
        unit="ms",
        note=f"p99 {percentile(first, 99):.2f} ms",
    )
    yield Figure(
        what="memory of a gateway, added by redaction",
        value=memory[1] - memory[0],
        unit="MB",
        goal=220,
        note=f"{memory[1]:.0f} MB with, {memory[0]:.0f} without",
    )
