"""The type check: an expression against the field table, before it ever runs.

CEL specification, "Gradual type checking": what is read out of JSON is `dyn` and is checked when
it runs; everything else has a type here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proctor.policy.celtypes import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NUMBERS,
    SIMPLE,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    Type,
    comparable,
    join,
    list_of,
    map_of,
)
from proctor.policy.fields import TABLE, nearest
from proctor.policy.nodes import (
    Binary,
    Call,
    Conditional,
    ExpressionError,
    Index,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Unary,
)

_S, _SIZED = frozenset({"string"}), frozenset({"string", "bytes", "list", "map"})
_FUNCTIONS: Mapping[str, tuple[frozenset[str], Type]] = {
    "size": (_SIZED, INT),
    "int": (frozenset({"int", "uint", "double", "string"}), INT),
    "uint": (frozenset({"int", "uint", "double", "string"}), UINT),
    "double": (frozenset({"int", "uint", "double", "string"}), DOUBLE),
    "string": (
        frozenset({"int", "uint", "double", "string", "bytes", "timestamp", "duration"}),
        STRING,
    ),
    "bytes": (_S, BYTES),
    "timestamp": (_S, TIMESTAMP),
    "duration": (_S, DURATION),
}
"""Functions of one argument: what it may be, and what comes out. `dyn` and `type` take any."""

_TEXT = frozenset({"contains", "startsWith", "endsWith", "matches"})
_CLOCK = frozenset({"getHours", "getMinutes", "getSeconds", "getMilliseconds"})
_CALENDAR = frozenset(
    {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
)
_METHODS = (*_TEXT, *_CLOCK, *_CALENDAR, "size")
_TYPE_NAMES = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map"})
_ARITHMETIC = {
    "+": NUMBERS | {"string", "bytes", "list"},
    "-": NUMBERS,
    "*": NUMBERS,
    "/": NUMBERS,
    "%": frozenset({"int", "uint"}),
}
_TIMES: Mapping[tuple[str, str, str], Type] = {
    ("timestamp", "+", "duration"): TIMESTAMP,
    ("duration", "+", "timestamp"): TIMESTAMP,
    ("duration", "+", "duration"): DURATION,
    ("timestamp", "-", "duration"): TIMESTAMP,
    ("timestamp", "-", "timestamp"): DURATION,
    ("duration", "-", "duration"): DURATION,
}
_ORDERED = frozenset({"bool", "string", "bytes", "timestamp", "duration"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the check found out.

    Attributes:
        type: Of the whole expression.
        fields: What it reads, such as `llm.model`, `findings` or `now.hour`.
        names: Every identifier, variables of macros included.
        clock: Places of `now.hour` and `now.weekday`: start, end and the name after the dot.
    """

    type: Type
    fields: frozenset[str]
    names: frozenset[str]
    clock: tuple[tuple[int, int, str], ...]


def check(node: Node) -> Checked:
    """Infer the type of an expression.

    Raises:
        ExpressionError: A field, a function or a type is wrong.
    """
    checker = _Checker()
    kind = checker.infer(node, {})
    return Checked(
        type=kind,
        fields=frozenset(checker.fields),
        names=frozenset(checker.names),
        clock=tuple(checker.clock),
    )


def check_condition(node: Node) -> Checked:
    """Infer, and insist on a boolean.

    Raises:
        ExpressionError: As `check`, or it is never true or false.
    """
    checked = check(node)
    if checked.type.name not in {"bool", "dyn"}:
        raise ExpressionError(
            node.start, f"The expression is a {checked.type}", expected="true or false"
        )
    return checked


type _Scope = Mapping[str, Type]


class _Checker:
    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.names: set[str] = set()
        self.clock: list[tuple[int, int, str]] = []

    def infer(self, node: Node, scope: _Scope) -> Type:
        """The type of a node, where macros have bound the names of `scope`."""
        method: Callable[[Node, _Scope], Type] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node, scope)

    def _literal(self, node: Literal, _: _Scope) -> Type:
        return SIMPLE[node.type]

    def _name(self, node: Name, scope: _Scope) -> Type:
        self.names.add(node.name)
        if node.name in scope:
            return scope[node.name]
        if node.name in TABLE:
            found = TABLE[node.name]
            if found.name == "room":
                raise ExpressionError(
                    node.start,
                    f"{node.name} is no value by itself",
                    expected=f"one of its fields: {', '.join(found.fields or ())}",
                )
            self.fields.add(node.name)
            return found
        if node.name in _TYPE_NAMES:
            return TYPE
        raise ExpressionError(
            node.start,
            f"There is no field {node.name!r}",
            expected=f"one of {', '.join(TABLE)}",
            hint=nearest(node.name, TABLE),
        )

    def _select(self, node: Select, scope: _Scope) -> Type:
        operand = node.operand
        if isinstance(operand, Name) and operand.name not in scope and operand.name in TABLE:
            found = TABLE[operand.name]
            if found.fields is not None and found.name in {"room", "timestamp"}:
                return self._field(node, operand.name, found.fields)
        kind = self.infer(operand, scope)
        if kind.fields is not None:
            result = self._key_of(node, kind.fields, node.name)
        elif kind.name == "map":
            self._words(
                kind.key or DYN,
                Literal(start=node.start, end=node.end, value=node.name, type="string"),
            )
            result = kind.item or DYN
        elif kind.name == "dyn":
            result = DYN
        else:
            raise ExpressionError(node.start, f"A {kind} has no field {node.name!r}")
        return BOOL if node.test else result

    def _field(self, node: Select, room: str, fields: Mapping[str, Type]) -> Type:
        kind = self._key_of(node, fields, node.name)
        if node.test:
            raise ExpressionError(
                node.start,
                f"has({room}.{node.name}) is always true: every field is there",
                expected="a comparison with its empty value",
            )
        self.fields.add(f"{room}.{node.name}")
        if room == "now":
            self.clock.append((node.start, node.end, node.name))
        else:
            self.names.add(room)
        return kind

    def _key_of(self, node: Node, fields: Mapping[str, Type], name: str) -> Type:
        if name not in fields:
            raise ExpressionError(
                node.start,
                f"There is no field {name!r} here",
                expected=f"one of {', '.join(fields)}",
                hint=nearest(name, fields),
            )
        return fields[name]

    def _index(self, node: Index, scope: _Scope) -> Type:
        kind, index = self.infer(node.operand, scope), self.infer(node.index, scope)
        if kind.fields is not None and isinstance(node.index, Literal):
            return self._key_of(node.index, kind.fields, str(node.index.value))
        wanted = {"list": INT, "map": kind.key or DYN, "dyn": DYN}.get(kind.name)
        if wanted is None:
            raise ExpressionError(node.start, f"A {kind} has no elements", expected="a list or map")
        if not comparable(wanted, index) or (kind.name == "list" and index.name == "double"):
            raise ExpressionError(
                node.index.start, f"A {kind} is not indexed by a {index}", expected=f"a {wanted}"
            )
        self._words(wanted, node.index)
        return kind.item or DYN

    def _call(self, node: Call, scope: _Scope) -> Type:
        if node.target is not None:
            return self._method(node, node.target, scope)
        args = [self.infer(arg, scope) for arg in node.args]
        if node.name in {"dyn", "type"}:
            self._arity(node, 1)
            return DYN if node.name == "dyn" else TYPE
        if node.name not in _FUNCTIONS:
            hint = nearest(node.name, _FUNCTIONS)
            if node.name in _METHODS:
                hint = f"It is a method: x.{node.name}(…)."
            raise ExpressionError(node.start, f"There is no function {node.name!r}", hint=hint)
        self._arity(node, 1)
        takes, gives = _FUNCTIONS[node.name]
        self._wants(node.args[0], args[0], takes, f"{node.name}()")
        return gives

    def _method(self, node: Call, target: Node, scope: _Scope) -> Type:
        kind = self.infer(target, scope)
        args = [self.infer(arg, scope) for arg in node.args]
        if node.name in _TEXT:
            self._arity(node, 1)
            self._wants(target, kind, _S, f"{node.name}()")
            self._wants(node.args[0], args[0], _S, f"{node.name}()")
            return BOOL
        if node.name in _CLOCK | _CALENDAR:
            self._arity(node, 0)
            takes = {"timestamp"} if node.name in _CALENDAR else {"timestamp", "duration"}
            self._wants(target, kind, frozenset(takes), f"{node.name}()")
            return INT
        if node.name == "size":
            self._arity(node, 0)
            self._wants(target, kind, _SIZED, "size()")
            return INT
        hint = nearest(node.name, _METHODS)
        raise ExpressionError(node.start, f"There is no method {node.name!r}", hint=hint)

    def _arity(self, node: Call, count: int) -> None:
        if len(node.args) != count:
            raise ExpressionError(
                node.start, f"{node.name}() has {len(node.args)} arguments", expected=str(count)
            )

    def _wants(self, node: Node, kind: Type, names: frozenset[str], who: str) -> None:
        if kind.name not in names and kind.name != "dyn":
            raise ExpressionError(
                node.start, f"{who} cannot take a {kind}", expected=" or ".join(sorted(names))
            )

    def _macro(self, node: Macro, scope: _Scope) -> Type:
        kind = self.infer(node.operand, scope)
        if kind.name not in {"list", "map", "dyn"}:
            raise ExpressionError(
                node.start, f"{node.name}() needs a list or a map", expected=f"not a {kind}"
            )
        name = node.variable.name
        if name in TABLE or name in scope:
            raise ExpressionError(
                node.variable.start, f"{name!r} has a meaning already", expected="another name"
            )
        self.names.add(name)
        element = (kind.key if kind.name == "map" else kind.item) or DYN
        inner = {**scope, name: element}
        results = [self.infer(body, inner) for body in node.bodies]
        conditions = node.bodies if node.name != "map" else node.bodies[:-1]
        for body, result in zip(conditions, results, strict=False):
            self._wants(body, result, frozenset({"bool"}), f"{node.name}()'s condition")
        if node.name == "map":
            return list_of(results[-1])
        return list_of(element) if node.name == "filter" else BOOL

    def _unary(self, node: Unary, scope: _Scope) -> Type:
        kind = self.infer(node.operand, scope)
        wants = frozenset({"bool"}) if node.op == "!" else frozenset({"int", "double"})
        self._wants(node.operand, kind, wants, repr(node.op))
        return kind

    def _logic(self, node: Logic, scope: _Scope) -> Type:
        for operand in node.operands:
            kind = self.infer(operand, scope)
            self._wants(operand, kind, frozenset({"bool"}), repr(node.op))
        return BOOL

    def _conditional(self, node: Conditional, scope: _Scope) -> Type:
        test = self.infer(node.test, scope)
        self._wants(node.test, test, frozenset({"bool"}), "'?'")
        then, otherwise = self.infer(node.then, scope), self.infer(node.otherwise, scope)
        if not comparable(then, otherwise):
            raise ExpressionError(
                node.otherwise.start, f"One way it is a {then}, the other a {otherwise}"
            )
        return join(then, otherwise)

    def _binary(self, node: Binary, scope: _Scope) -> Type:
        left, right = self.infer(node.left, scope), self.infer(node.right, scope)
        if node.op == "in":
            return self._in(node, left, right, scope)
        if node.op in {"==", "!="}:
            if not comparable(left, right):
                raise ExpressionError(
                    node.start,
                    f"A {left} is compared with a {right}: they are never equal",
                    expected=f"a {left} on both sides",
                )
            self._words(left, node.right)
            self._words(right, node.left)
            return BOOL
        names = {left.name, right.name}
        if node.op in {"<", "<=", ">", ">="}:
            ordered = names <= NUMBERS or (left.name == right.name and left.name in _ORDERED)
            if not ordered and "dyn" not in names:
                raise ExpressionError(node.start, f"A {left} and a {right} have no order")
            return BOOL
        return self._arithmetic(node, left, right)

    def _arithmetic(self, node: Binary, left: Type, right: Type) -> Type:
        if "dyn" in {left.name, right.name}:
            return DYN
        if timed := _TIMES.get((left.name, node.op, right.name)):
            return timed
        if left.name != right.name or left.name not in _ARITHMETIC[node.op]:
            raise ExpressionError(
                node.start,
                f"{node.op!r} does not go between a {left} and a {right}",
                hint="Convert one with int(), double() or string().",
            )
        return join(left, right)

    def _in(self, node: Binary, left: Type, right: Type, scope: _Scope) -> Type:
        if right.name not in {"list", "map", "dyn"}:
            raise ExpressionError(
                node.right.start, f"'in' looks into a {right}", expected="a list or a map"
            )
        element = (right.item if right.name == "list" else right.key) or DYN
        if not comparable(left, element):
            raise ExpressionError(
                node.start, f"A {left} is never in a {right}", expected=f"a {element}"
            )
        self._words(element, node.left)
        for item in node.right.items if isinstance(node.right, ListOf) else ():
            kind = self.infer(item, scope)
            if not comparable(left, kind):
                raise ExpressionError(item.start, f"A {left} never equals a {kind}")
            self._words(left, item)
        return BOOL

    def _listof(self, node: ListOf, scope: _Scope) -> Type:
        kinds = [self.infer(item, scope) for item in node.items]
        result = kinds[0] if kinds else DYN
        for kind in kinds[1:]:
            result = join(result, kind)
        return list_of(result)

    def _mapof(self, node: MapOf, scope: _Scope) -> Type:
        keys = [self.infer(key, scope) for key in node.keys]
        for key, kind in zip(node.keys, keys, strict=True):
            self._wants(key, kind, frozenset({"string", "int", "uint", "bool"}), "A map's key")
        for value in node.values:
            self.infer(value, scope)
        first = keys[0] if keys else DYN
        return map_of(first if all(key == first for key in keys) else DYN, DYN)

    def _words(self, kind: Type, node: Node) -> None:
        """Refuse a constant that the field can never be."""
        if not isinstance(node, Literal):
            return
        value = node.value
        if kind.words and isinstance(value, str) and not kind.words.form.fullmatch(value):
            raise ExpressionError(
                node.start,
                f"{value!r} can never be here",
                expected=kind.words.says,
                hint=nearest(value, kind.words.known) or nearest(value.upper(), kind.words.known),
            )
        if kind.span and isinstance(value, int | float) and not isinstance(value, bool):
            least, greatest = kind.span
            if not least <= value <= greatest:
                raise ExpressionError(
                    node.start, f"{value} can never be here", expected=f"{least} to {greatest}"
                )
