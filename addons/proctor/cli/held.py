"""How it looks in a conversation that something was held, and who decided it."""

from collections.abc import Iterable, Iterator

from rich.console import Group
from rich.text import Text

from proctor.audit.held import Held, Step
from proctor.cli.screen import plain

_NOBODY = frozenset({"", "proctor"})


def rows(found: Iterable[Held]) -> Iterator[tuple[str, Group]]:
    """What was held, what became of it, and who said so in which words."""
    for each in found:
        head = plain(f"{each.id}  {each.state}  by rule {each.rule_id}")
        yield "held", Group(head, *map(_step, each.steps))


def _step(step: Step) -> Text:
    told = f"{step.at:%H:%M:%S} {'asked' if step.state == 'pending' else step.state}"
    if step.by not in _NOBODY:
        told += f" by {step.by}"
    if step.reason:
        told += f": “{step.reason}”"
    return plain(told, "dim")
