"""Why a case is decided as it is: what each rule said, by the same path as `decide`."""

from collections.abc import Mapping
from dataclasses import dataclass

from proctor.model import Action, Case, Decision
from proctor.policy.calls import call_of
from proctor.policy.engine import Outcome, Policy
from proctor.policy.rules import Rule
from proctor.protocols.shell.reader import read_command

_SHOWN = 5
"""Patterns of a rule that an explanation lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one rule said.

    Attributes:
        rule: The rule.
        outcome: Whether it speaks about the case, and if not, what kept it.
        why: The same for people.
    """

    rule: Rule
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the rules say of a case, and why.

    Attributes:
        action: What was asked about.
        decision: What follows from the rules that could be asked.
        steps: Every rule, in the order of the files.
        open: Ids of rules that ask for something that is not known, and could change the decision.
    """

    action: Action
    decision: Decision
    steps: tuple[Step, ...]
    open: tuple[str, ...]


def explain(policy: Policy, case: Case, hidden: Mapping[str, str] | None = None) -> Explanation:
    """Ask every rule, and say why each speaks or does not.

    Args:
        policy: The rules.
        case: The case.
        hidden: Fields that are not known, such as `llm.tools`, and why.
    """
    answers = policy.ask(case, hidden)
    asked = {rule.id: (outcome, detail) for rule, outcome, detail in answers}
    steps = tuple(
        Step(rule=rule, outcome=outcome, why=_why(rule, outcome, detail, case))
        for rule in policy.rules
        for outcome, detail in (asked.get(rule.id, (Outcome.KIND, "")),)
    )
    return Explanation(
        action=case.action,
        decision=policy.weigh(case, answers),
        steps=steps,
        open=tuple(step.rule.id for step in steps if step.outcome is Outcome.UNKNOWN),
    )


def _runs(rule: Rule, case: Case) -> str:
    """The programs that a command line was read to run; never their arguments."""
    tool = call_of(case.action)
    if tool is None or not any(each.command and each.fits(tool) for each in rule.match):
        return ""
    commands = read_command(tool.command).commands
    return f", which runs {', '.join(each.program for each in commands) or 'nothing'}"


def _why(rule: Rule, outcome: Outcome, detail: str, case: Case) -> str:
    match outcome:
        case Outcome.MATCHED:
            return "everything it asks for is so"
        case Outcome.KIND:
            return f"it is about {', '.join(sorted(rule.on))}"
        case Outcome.MATCH:
            tool = call_of(case.action)
            name = f"the tool {tool.name!r}" if tool else "what is no call of a tool"
            patterns = ", ".join(pattern.source for pattern in rule.match[:_SHOWN])
            if (more := len(rule.match) - _SHOWN) > 0:
                patterns += f" and {more} more"
            return f"no pattern of {patterns} fits {name}{_runs(rule, case)}"
        case Outcome.WHEN:
            return f"`when` is false: {rule.when.source if rule.when else ''}"
        case Outcome.UNLESS:
            return f"`unless` is true: {rule.unless.source if rule.unless else ''}"
        case Outcome.FAILED | Outcome.UNKNOWN:
            return detail
