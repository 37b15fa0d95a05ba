"""What is allowed in rules and yet probably not meant."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from proctor.model import ActionKind
from proctor.policy.expression import Expression
from proctor.policy.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing worth knowing about the rules.

    Attributes:
        severity: `warning`, or `note` for what may well be meant.
        where: `file:line`, empty where it is about all rules.
        message: What it is.
    """

    severity: str
    where: str
    message: str


def review(
    rules: Sequence[Rule], kinds: Iterable[ActionKind], *, observe: bool = False
) -> list[Remark]:
    """Look for rules that never matter.

    Args:
        rules: The rules in force.
        kinds: Actions that the listeners make, which some rule should allow.
        observe: Global observe.
    """
    remarks = [remark for rule in rules for remark in _of_rule(rule, rules)]
    for kind in sorted(kinds):
        if not any(
            rule.then != "deny" and not rule.observe and rule.possible(kind) for rule in rules
        ):
            text = f"No rule allows any {kind}: all are denied."
            remarks.append(Remark(severity="warning", where="", message=text))
    if observe:
        text = "`observe` is set: nothing is denied, rules only record what they would have done."
        remarks.append(Remark(severity="warning", where="", message=text))
    return remarks


def _of_rule(rule: Rule, rules: Sequence[Rule]) -> Iterator[Remark]:
    for kind in sorted(rule.on):
        if not rule.possible(kind):
            yield _warning(rule, f"The rule {rule.id} can never match any {kind}.")
    if _always(rule.when, rule, value=True):
        yield _warning(rule, f"`when` of {rule.id} is always true: it asks for nothing.")
    if _always(rule.unless, rule, value=False):
        yield _warning(rule, f"`unless` of {rule.id} is always false: it exempts nobody.")
    for other in rules:
        if (
            other.then == "deny"
            and not (other.conditional or other.observe or rule.observe)
            and rule.then != "deny"
            and rule.on <= other.on
        ):
            yield _warning(rule, f"The rule {rule.id} never matters: {other.id} denies it all.")
    if rule.observe:
        text = f"The rule {rule.id} only observes: it records what it would have done."
        yield Remark(severity="note", where=rule.where, message=text)


def _always(condition: Expression | None, rule: Rule, *, value: bool) -> bool:
    return condition is not None and all(condition.constant(kind) is value for kind in rule.on)


def _warning(rule: Rule, message: str) -> Remark:
    return Remark(severity="warning", where=rule.where, message=message)
