"""What was looked at in an exchange, and what was found: one line, and a table."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from proctor.audit.exchanges import Exchange
from proctor.cli.screen import plain, several, span
from proctor.explained import explained
from proctor.model import Finding
from proctor.units import format_size

_DONE = {
    "block": "blocked",
    "mask": "masked",
    "hash": "hashed",
    "surrogate": "replaced by surrogates",
    "detect": "reported only",
    "pass": "left alone, since signed",
    "": "noted",
}
_DIGEST = 12
_OWN_WORDS = "protocol"  # types and ids, by their shape: nobody misses them


def summary(exchange: Exchange) -> str:
    """Both directions in one line, empty if neither was looked at.

    Such as `looked at 102 KB, 3 findings masked, 12 KB not looked at (image), 4 ms`.
    """
    receipts = exchange.receipts.values()
    if not receipts:
        return ""
    parts = [f"looked at {format_size(sum(receipt.looked for receipt in receipts))}"]
    parts += _found(exchange.findings)
    skipped = Counter[str]()
    for receipt in receipts:
        skipped.update(dict(receipt.skipped))
    del skipped[_OWN_WORDS]
    for reason, count in sorted(skipped.items()):
        parts.append(f"{format_size(count)} not looked at ({reason})")
    parts.append(span(sum(receipt.seconds for receipt in receipts)))
    parts += [f"stopped by {receipt.failure}" for receipt in receipts if receipt.failure]
    return ", ".join(parts)


def failed(exchange: Exchange) -> bool:
    """Whether something was not looked at whole."""
    return any(receipt.failure for receipt in exchange.receipts.values())


def table(findings: Sequence[Finding]) -> RenderableType:
    """Every finding: what, where, who found it, what was done; of the digest the beginning."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in ("type", "place", "detector", "action", "digest"):
        grid.add_column(name, overflow="fold", no_wrap=name == "digest")
    for found in findings:
        place = f"{found.direction}: {found.location}"
        cells = (found.type, place, found.detector, found.action, found.digest[:_DIGEST])
        grid.add_row(*map(plain, cells))
    means = dict.fromkeys((found.detector, explained(found.detector)) for found in findings)
    told = [plain(f"{name}: {words}", style="dim") for name, words in means if words]
    return Group(grid, *told) if told else grid


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    actions = Counter(found.action for found in findings)
    if not actions:
        yield "nothing found"
    for action, count in actions.most_common():
        yield f"{several(count, 'finding')} {_DONE.get(action, f'treated by {action}')}"
