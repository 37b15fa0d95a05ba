"""The most an expression can cost, known before it runs.

A step is about a quarter of a microsecond. Every list that an expression is handed has at most
MAX_ITEMS entries, so a bound follows from the expression alone.
"""

import math
import re

from proctor.policy.nodes import (
    Binary,
    Call,
    ExpressionError,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Node,
    children,
)

MAX_ITEMS = 1000
"""Entries of a list or map, and values in a JSON document, that a rule can look at."""

MAX_STEPS = 300_000
"""Some 75 ms, at the very worst."""

MAX_PATTERN = 500
_CLASS = re.compile(r"\\[wWdDsSbBpP]|\(\?[a-z]*i|\.")
_TIMES = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def check_cost(node: Node) -> None:
    """Refuse what could hold up everyone else.

    Raises:
        ExpressionError: Too many steps, or a pattern that is not a constant.
    """
    steps = _steps(node)
    if steps > MAX_STEPS:
        raise ExpressionError(
            node.start,
            f"The expression could take {steps:,} steps",
            expected=f"at most {MAX_STEPS:,}, with {MAX_ITEMS} entries in every list",
            hint="Avoid a macro within a macro, map(), and patterns within macros.",
        )


def _steps(node: Node) -> int:
    below = sum(map(_steps, children(node)))
    match node:
        case Macro(operand=operand, name=name, bodies=bodies):
            count = _length(operand)
            each = sum(map(_steps, bodies)) + 2
            # The library builds the list of map() and filter() anew for each element.
            building = count * count // 4 if name in {"map", "filter"} else 0
            return _steps(operand) + count * each + building
        case Binary(op="in", right=right):
            return below + max(1, _length(right) // 32)
        case Call(name="matches", args=(pattern,)):
            return below + _pattern_steps(pattern)
        case _:
            return below + 1


def _length(node: Node) -> int:
    match node:
        case ListOf(items=items):
            return len(items)
        case MapOf(keys=keys):
            return len(keys)
        case Literal():
            return 1
        case _:
            return MAX_ITEMS


def _pattern_steps(node: Node) -> int:
    """The library compiles a pattern each time it is used; Unicode classes make that dear."""
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        raise ExpressionError(
            node.start, "The pattern of matches() is computed", expected="a constant string"
        )
    if len(node.value) > MAX_PATTERN:
        raise ExpressionError(
            node.start, "The pattern is too long", expected=f"at most {MAX_PATTERN} characters"
        )
    bounds = [int(high or low) for low, high in _TIMES.findall(node.value)]
    repeats = math.prod(max(bound, 1) for bound in bounds)
    classes = len(_CLASS.findall(node.value))
    return (100 + 4 * len(node.value) + 1200 * classes) * min(repeats, 1_000_000)
