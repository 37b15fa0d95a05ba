"""What names mean to the server: one question, one answer.

QUESTION (question.py) is run in the client's own upstream session, so that its search_path,
temporary objects and uncommitted definitions hold. Relations are found by to_regclass, the server's
own resolution; functions and operators by every schema in which the session would look.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import orjson

from proctor.errors import InternalError
from proctor.sql.question import MOST
from proctor.sql.statement import Call, CallKind, Reference, Script

_EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its number (attnum), its type's oid; `generated` from others."""

    name: str
    number: int
    type: int
    generated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A relation as the server has it. `kind` is pg_class.relkind: r, p, v, m, f, S, i, ..."""

    oid: int
    schema: str
    name: str
    kind: str
    temporary: bool
    rules: bool
    children: bool
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function or operator that a name may mean; `extension` is "" if none brought it."""

    schema: str
    name: str
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """A relation by oid. `guarded`: row security policies hold for it."""

    schema: str
    name: str
    kind: str
    temporary: bool
    guarded: bool


@dataclass(frozen=True, slots=True)
class Step:
    """From one relation to another that a statement gets to by it.

    Attributes:
        kind: v: by a rule, a view's query, too; c: to a child; p: to a parent; f: to a table whose
            foreign key refers to it.
        how: Of v: pg_rewrite.ev_type. Of f: pg_constraint's confdeltype, confupdtype, and the
            numbers of the columns that are referred to, with commas.
        oid: Where to.
    """

    kind: str
    how: str
    oid: int


@dataclass(frozen=True, slots=True)
class Code:
    """A function or operator that runs with what is done to a relation.

    Attributes:
        what: rule, default, check, policy, trigger, index or definition.
        name: Of that.
        how: Of a rule: pg_rewrite.ev_type; of a trigger: pg_trigger.tgtype.
        function: What runs.
        operator: It is an operator.
    """

    what: str
    name: str
    how: str
    function: Function
    operator: bool


@dataclass(frozen=True, slots=True)
class Questions:
    """What must be asked: pairs of schema ("" for the search path) and name.

    `changed` are those of `relations` whose rows the script changes.
    """

    relations: tuple[tuple[str, str], ...] = ()
    functions: tuple[tuple[str, str], ...] = ()
    operators: tuple[tuple[str, str], ...] = ()
    changed: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.relations or self.functions or self.operators)

    def parameters(self) -> tuple[bytes, ...]:
        """The seven parameters of QUESTION, in text format."""
        names = tuple(
            _array([pair[part] for pair in pairs])
            for pairs in (self.relations, self.functions, self.operators)
            for part in (0, 1)
        )
        return (*names, _array(["w" if pair in self.changed else "r" for pair in self.relations]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the server said. What was asked and is missing does not exist for this session."""

    relations: Mapping[tuple[str, str], Relation] = _EMPTY
    functions: Mapping[tuple[str, str], tuple[Function, ...]] = _EMPTY
    operators: Mapping[tuple[str, str], tuple[Function, ...]] = _EMPTY
    reached: Mapping[int, Reached] = _EMPTY
    steps: Mapping[int, tuple[Step, ...]] = _EMPTY
    code: Mapping[int, tuple[Code, ...]] = _EMPTY
    cut: bool = False
    """There is more to be reached than is told."""
    path: tuple[str, ...] = ()
    schema: str = ""
    database: str = ""
    user: str = ""
    version: int = 0
    standard_conforming_strings: bool = True
    kept: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)
    """What resolving has made of a relation, for the next statement with the same names."""

    def relation(self, reference: Reference) -> Relation | None:
        """The relation a reference means; another database's is none (the server refuses it)."""
        if reference.catalog and reference.catalog != self.database:
            return None
        return self.relations.get((reference.schema, reference.name))

    def called(self, call: Call) -> tuple[Function, ...]:
        """Every function, or every operator outside pg_catalog, that a call may mean."""
        table = self.operators if call.kind is CallKind.OPERATOR else self.functions
        return table.get((call.schema, call.name), ())


NO_NAMES: Final = Names()


def wanted(script: Script) -> Questions:
    """What must be asked of the server to resolve the statements of a script."""
    relations: dict[tuple[str, str], None] = {}
    functions: dict[tuple[str, str], None] = {}
    operators: dict[tuple[str, str], None] = {}
    changed: set[tuple[str, str]] = set()
    for statement in script.statements:
        for reference in statement.references:
            relations[reference.schema, reference.name] = None
            if reference.does:
                changed.add((reference.schema, reference.name))
        for call in statement.calls:
            asked = operators if call.kind is CallKind.OPERATOR else functions
            asked[call.schema, call.name] = None
    return Questions(tuple(relations), tuple(functions), tuple(operators), frozenset(changed))


def answered(rows: Iterable[Sequence[bytes | None]]) -> Names:
    """The answer to QUESTION.

    Args:
        rows: The values of the rows that came: one row of one value.

    Raises:
        InternalError: The rows are not an answer to it.
    """
    try:
        ((value,),) = rows
        answer = orjson.loads(value or b"")
        steps, code = answer["steps"] or (), answer["code"] or ()
        return Names(
            relations={(row[0], row[1]): _relation(row) for row in answer["relations"] or ()},
            functions=_functions(answer["functions"]),
            operators=_functions(answer["operators"]),
            reached={
                int(oid): Reached(schema, name, kind, persistence == "t", guarded)
                for oid, schema, name, kind, persistence, guarded in answer["reached"] or ()
            },
            steps=_gathered((int(row[0]), Step(row[1], row[2], int(row[3]))) for row in steps),
            code=_gathered((int(row[0]), _code(row)) for row in code),
            cut=len(steps) >= MOST or len(code) >= MOST,
            path=tuple(answer["path"]),
            schema=answer["schema"] or "",
            database=answer["database"],
            user=answer["user"],
            version=int(answer["version"]),
            standard_conforming_strings=answer["conforming"] == "on",
        )
    except (ValueError, TypeError, LookupError):
        raise InternalError(
            code="sql-names",
            message="the server's answer about names cannot be read",
            expected="one row with one JSON object",
            hint="Nothing of the statement was sent; report this with the server's version.",
        ) from None


def _relation(row: Sequence[Any]) -> Relation:
    _, _, oid, schema, name, kind, persistence, rules, children, columns = row
    return Relation(
        oid=int(oid),
        schema=schema,
        name=name,
        kind=kind,
        temporary=persistence == "t",
        rules=rules,
        children=children,
        columns=tuple(
            Column(name, number, int(kind), generated)
            for name, number, kind, generated in columns or ()
        ),
    )


def _code(row: Sequence[Any]) -> Code:
    _, what, name, how, (schema, called), extension, operator = row
    return Code(what, name, how, Function(schema, called, extension or ""), operator)


def _gathered[T](pairs: Iterable[tuple[int, T]]) -> dict[int, tuple[T, ...]]:
    found: dict[int, dict[T, None]] = {}
    for oid, each in pairs:
        found.setdefault(oid, {})[each] = None
    return {oid: tuple(of_it) for oid, of_it in found.items()}


def _functions(
    rows: Iterable[Sequence[str | None]] | None,
) -> dict[tuple[str, str], tuple[Function, ...]]:
    found: dict[tuple[str, str], dict[Function, None]] = {}
    for asked, name, schema, extension in rows or ():
        if asked is None or name is None or schema is None:
            raise ValueError
        found.setdefault((asked, name), {})[Function(schema, name, extension or "")] = None
    return {pair: tuple(functions) for pair, functions in found.items()}


def _array(values: Sequence[str]) -> bytes:
    """An array's text form (chapter 8.15.6): every element quoted."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return ("{" + ",".join(f'"{value}"' for value in quoted) + "}").encode()
