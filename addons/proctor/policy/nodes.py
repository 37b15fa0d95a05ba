"""The parts of a CEL expression, each with its place in the source."""

from collections.abc import Iterator
from dataclasses import dataclass


class ExpressionError(Exception):
    """An expression is wrong at `at`, an offset into its source."""

    def __init__(self, at: int, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.expected = expected
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of an expression; `start` and `end` are offsets into its source."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Node):
    """A constant, with its value in Python; `type` is CEL's name of its type."""

    value: object
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    """An identifier."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Node):
    """`operand.name`; `test` for `has(operand.name)`."""

    operand: Node
    name: str
    test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Node):
    """`operand[index]`."""

    operand: Node
    index: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function, or a method of `target`."""

    target: Node | None
    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro(Node):
    """`operand.name(variable, …)`; `bodies` are evaluated for each element."""

    operand: Node
    name: str
    variable: Name
    bodies: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """`!` or `-`."""

    op: str
    operand: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """An arithmetic operator, a comparison, or `in`."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(Node):
    """A chain of `&&` or of `||`."""

    op: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional(Node):
    """`test ? then : otherwise`."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf(Node):
    """`{a: b}`."""

    keys: tuple[Node, ...]
    values: tuple[Node, ...]


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 - one for each kind of node
    """The parts of a node, in the order of the source; a macro's variable is none."""
    match node:
        case Select(operand=part) | Unary(operand=part):
            return (part,)
        case Index(operand=left, index=right) | Binary(left=left, right=right):
            return (left, right)
        case Call(target=None, args=args):
            return args
        case Call(target=Node() as target, args=args):
            return (target, *args)
        case Macro(operand=part, bodies=bodies):
            return (part, *bodies)
        case Logic(operands=parts) | ListOf(items=parts):
            return parts
        case Conditional(test=test, then=then, otherwise=otherwise):
            return (test, then, otherwise)
        case MapOf(keys=keys, values=values):
            return (*keys, *values)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)
