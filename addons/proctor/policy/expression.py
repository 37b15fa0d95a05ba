"""One condition of a rule: checked and compiled once, asked often."""

import re
from dataclasses import dataclass, field
from typing import Any

import cel

from proctor.model import ActionKind
from proctor.policy.cost import check_cost
from proctor.policy.fields import TABLE, empty, fills
from proctor.policy.nodes import (
    Binary,
    Call,
    Conditional,
    ExpressionError,
    ListOf,
    Literal,
    Logic,
    Name,
    Node,
    Select,
    Unary,
    walk,
)
from proctor.policy.syntax import parse
from proctor.policy.typecheck import check, check_condition
from proctor.policy.values import clock_name
from proctor.protocols.mcp.actions import CALL


class EvaluationError(Exception):
    """A condition could not be answered. Its text never holds a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled condition.

    Attributes:
        source: As the rule has it.
        fields: What it reads, such as `llm.model`, `findings` or `now.hour`.
        zone: Time zone of `now.hour` and `now.weekday`.
        tree: The same, parsed.
    """

    source: str
    fields: frozenset[str]
    zone: str
    tree: Node = field(repr=False, compare=False)
    _program: cel.Program = field(repr=False, compare=False)

    def evaluate(self, context: cel.Context) -> bool:
        """Whether it holds.

        Raises:
            EvaluationError: It failed, or is neither true nor false.
        """
        try:
            result = self._program.execute(context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
            raise EvaluationError(_why(error)) from None
        if result is True or result is False:
            return bool(result)
        raise EvaluationError(f"it gave a {type(result).__name__} instead of true or false")

    def constant(self, kind: ActionKind, *, call: bool = False) -> bool | None:
        """What it always is for actions of this kind, or None where that depends.

        Args:
            kind: The kind.
            call: Of its actions, those alone that call a tool.
        """
        blank: dict[str, Any] = {name: empty(row) for name, row in TABLE.items()}
        blank["action"]["kind"] = kind.value
        known = {"action.kind"}
        if call:
            blank["mcp"]["method"] = CALL
            known |= {"mcp.method", "mcp.uri"}
        return _Fold(self.source, kind, blank, frozenset(known)).fold(self.tree)

    def compared_with(self, room: str, name: str) -> frozenset[str]:
        """The constant strings that a field is compared with by `==` or `in`."""
        found: set[str] = set()
        for node in walk(self.tree):
            if not isinstance(node, Binary) or node.op not in {"==", "in"}:
                continue
            for one, other in ((node.left, node.right), (node.right, node.left)):
                match one:
                    case Select(operand=Name(name=left), name=right) if (left, right) == (
                        room,
                        name,
                    ):
                        items = other.items if isinstance(other, ListOf) else (other,)
                        found.update(
                            item.value
                            for item in items
                            if isinstance(item, Literal) and isinstance(item.value, str)
                        )
        return frozenset(found)


def compile_condition(source: str, *, zone: str = "UTC") -> Expression:
    """Check and compile.

    Args:
        source: CEL.
        zone: IANA name of the time zone for `now.hour` and `now.weekday`.

    Raises:
        ExpressionError: It is wrong, and where.
    """
    tree = parse(source)
    checked = check_condition(tree)
    check_cost(tree)
    _check_constants(tree, source)
    try:
        program = cel.compile(_with_clock(source, checked.clock, zone))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library is no Exception
        raise ExpressionError(0, "CEL cannot read the expression") from error
    names = checked.names | ({clock_name(zone)} if checked.clock else set())
    if frozenset(program.variables()) != names:
        raise ExpressionError(0, "CEL reads the expression in another way than the type check")
    return Expression(source=source, fields=checked.fields, zone=zone, tree=tree, _program=program)


def _with_clock(source: str, places: tuple[tuple[int, int, str], ...], zone: str) -> str:
    # CEL's timestamp has no such fields, and the library no getHours(zone).
    for start, end, name in sorted(places, reverse=True):
        source = f"{source[:start]}{clock_name(zone)}.{name}{source[end:]}"
    return source


def _check_constants(tree: Node, source: str) -> None:
    """Refuse constants that always fail: `timestamp("today")`, a pattern that is none."""
    for node in walk(tree):
        if not isinstance(node, Call) or not node.args:
            continue
        if not all(isinstance(arg, Literal) for arg in node.args):
            continue
        args = ", ".join(source[arg.start : arg.end] for arg in node.args)
        if node.target is None:
            text = f"{node.name}({args})"
        elif node.name == "matches":
            text = f'"".matches({args})'
        else:
            continue
        try:
            cel.evaluate(text)
        except Exception as error:  # noqa: BLE001 - the library raises many kinds
            reason = re.sub(r"\s+", " ", str(error))
            raise ExpressionError(node.start, f"{text} always fails: {reason}") from None


@dataclass(frozen=True, slots=True)
class _Fold:
    """Works out what does not depend on the case: constants, and fields that are always empty."""

    source: str
    kind: ActionKind
    blank: dict[str, Any]
    known: frozenset[str]

    def fold(self, node: Node) -> bool | None:
        match node:
            case Logic(op=op, operands=operands):
                known = [self.fold(operand) for operand in operands]
                decisive = op == "||"
                if decisive in known:
                    return decisive
                return None if None in known else not decisive
            case Unary(op="!", operand=operand):
                value = self.fold(operand)
                return None if value is None else not value
            case Conditional(test=test, then=then, otherwise=otherwise):
                value = self.fold(test)
                ways = (then, otherwise) if value is None else (then,) if value else (otherwise,)
                results = {self.fold(way) for way in ways}
                return results.pop() if len(results) == 1 else None
            case _:
                return self._constant(node)

    def _constant(self, node: Node) -> bool | None:
        for name in check(node).fields:
            if name not in self.known and fills(self.kind, name):
                return None
        try:
            value = cel.evaluate(self.source[node.start : node.end], self.blank)
        except Exception:  # noqa: BLE001 - the library raises many kinds; what fails is no constant
            return None
        return value if isinstance(value, bool) else None


def _why(error: BaseException) -> str:
    """What went wrong, without the values: the library's messages can quote them."""
    match error:
        case KeyError():
            return "it reads something that is not there"
        case IndexError():
            return "it reads past the end of a list"
        case TypeError():
            return "a value has another type than the expression needs"
        case ArithmeticError():
            return "a calculation overflows or divides by zero"
        case _:
            return "it failed"
