"""Rules asked of what is known before a call: could any call of this tool pass?

A client that lists tools has called none yet, so arguments, time and findings are open. A condition
that reads none of these is true or false; of the others the parts are asked that can be, and the
rest could be either, in Kleene's logic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cel

from proctor.model import Case
from proctor.policy.calls import call_of
from proctor.policy.expression import Expression
from proctor.policy.nodes import Logic, Node, Unary
from proctor.policy.rules import Rule
from proctor.policy.typecheck import check
from proctor.policy.values import Plan, View

KNOWN: Final = frozenset(
    {
        "principal.issuer",
        "principal.subject",
        "principal.human",
        "principal.groups",
        "action.kind",
        "action.listener",
        "http.scheme",
        "http.host",
        "http.port",
        "http.path",
        "tool.name",
        "mcp.server",
        "mcp.method",
        "mcp.tool",
        "mcp.uri",
    }
)
"""Fields that are the same when a tool is listed and whenever it is called."""

MAX_REMEMBERED: Final = 4096
"""Answers kept until the rules change: some hundred tools for some people."""

MAX_KEY: Final = 1000
"""Characters and groups of a case up to which its answer is kept."""

type Context = cel.Context


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a condition; `program` is None where it reads what is not known."""

    program: cel.Program | None

    def ask(self, context: Context) -> bool | None:
        if self.program is None:
            return None
        try:
            result = self.program.execute(context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001 - a panic of the library is no Exception; then it is open
            return None
        return result if isinstance(result, bool) else None


@dataclass(frozen=True, slots=True)
class _Not:
    part: "_Condition"

    def ask(self, context: Context) -> bool | None:
        found = self.part.ask(context)
        return None if found is None else not found


@dataclass(frozen=True, slots=True)
class _Both:
    """Parts joined by `&&`, or by `||` where `decisive` is true."""

    decisive: bool
    parts: "tuple[_Condition, ...]"

    def ask(self, context: Context) -> bool | None:
        found = [part.ask(context) for part in self.parts]
        if self.decisive in found:
            return self.decisive
        return None if None in found else not self.decisive


type _Condition = _Part | _Not | _Both


def _taken_apart(node: Node, source: str) -> _Condition:
    match node:
        case Logic(op=op, operands=operands):
            return _Both(op == "||", tuple(_taken_apart(each, source) for each in operands))
        case Unary(op="!", operand=operand):
            return _Not(_taken_apart(operand, source))
        case _ if check(node).fields <= KNOWN:
            return _Part(cel.compile(source[node.start : node.end]))
        case _:
            return _Part(None)


def _condition(expression: Expression | None, *, otherwise: bool) -> _Condition:
    if expression is None:
        return _Both(not otherwise, ())
    return _taken_apart(expression.tree, expression.source)


class Foresight:
    """What the rules of one kind would let pass; answers are remembered.

    Rules in `mode: observe` decide nothing and are not asked.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [
            (rule, _condition(rule.when, otherwise=True), _condition(rule.unless, otherwise=False))
            for rule in rules
            if not rule.observe
        ]
        reads = frozenset[str]().union(*(rule.reads() for rule, _, _ in self._rules)) & KNOWN
        self._plan = Plan(reads, ())
        self._known: dict[tuple[Any, ...], bool] = {}

    def may(self, case: Case) -> bool:
        """Whether some action like this one could pass or be held.

        Args:
            case: What is known; its arguments, time and findings are not looked at.
        """
        tool = call_of(case.action)
        key = (tool and tool.name, *(get(case) for _, _, _, get, _ in self._plan.fields))
        if (known := self._known.get(key)) is None:
            known = self._ask(case, tool.name if tool else None)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            if sum(len(part) for part in key if isinstance(part, str | tuple)) <= MAX_KEY:
                self._known[key] = known
        return known

    def _ask(self, case: Case, tool: str | None) -> bool:
        context = View(case, self._plan).context
        passes = False
        for rule, when, unless in self._rules:
            denies = rule.then == "deny" and not rule.appeal
            if passes and not denies:
                continue  # it cannot change the answer
            speaks = _speaks(rule, tool, when, unless, context)
            if denies and speaks:
                return False
            passes = passes or (not denies and speaks is not False)
        return passes


def _speaks(
    rule: Rule,
    tool: str | None,
    when: _Condition,
    unless: _Condition,
    context: Context,
) -> bool | None:
    matches = _named(rule, tool)
    if matches is False:
        return False
    wanted, spared = when.ask(context), unless.ask(context)
    if wanted is False or spared is True:
        return False
    return True if matches and wanted and spared is False else None


def _named(rule: Rule, tool: str | None) -> bool | None:
    """Whether a rule's patterns mean this tool."""
    if not rule.match:
        return True
    if not tool:  # what cannot be named is no call, or one that every such rule denies
        return False
    found = {pattern.names(tool) for pattern in rule.match}
    return True if True in found else None if None in found else False
