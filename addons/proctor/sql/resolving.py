"""Resolving: which columns a statement shows, and which it uses in any other way.

The walk follows PostgreSQL's analysis (parse_clause.c, parse_target.c, parse_relation.c): FROM
gives the names, subqueries see the query around, LATERAL ones what stands left of them. A name
that cannot be told for sure counts as every column of every relation it could belong to.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from proctor.sql.functions import known, known_operator
from proctor.sql.identifiers import written
from proctor.sql.names import Names
from proctor.sql.queries import QueryResolver
from proctor.sql.reaching import reach
from proctor.sql.scopes import NONE, Columns, schema_name, table_name
from proctor.sql.statement import Call, CallKind, Reference, SqlError, Statement

_OPAQUE_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a statement means; the attributes are described in the package's docstring."""

    tables: tuple[str, ...]
    named: tuple[str, ...]
    columns: tuple[str, ...]
    outputs: tuple[Columns, ...]
    outputs_known: bool
    elsewhere: Columns
    cast: Columns
    assigned: Columns
    whole: frozenset[str]
    functions: tuple[str, ...]
    unknown_functions: tuple[str, ...]
    opaque: tuple[str, ...]
    missing: tuple[str, ...]
    read_only: bool
    written: frozenset[str] = frozenset()


def resolve(
    statement: Statement, names: Names, allowed: AbstractSet[str] = frozenset()
) -> Resolved:
    """What a statement means by the server's names.

    Args:
        statement: One statement of the script the names were asked for.
        names: The answer to QUESTION, asked just before; NO_NAMES where nothing was wanted.
        allowed: Functions that are known beyond the list that ships; see functions.known.

    Raises:
        SqlError: It is nested too deeply.
    """
    resolver = QueryResolver(names, statement.references)
    try:
        rows = resolver.run(statement.tree)
    except RecursionError:
        raise SqlError.at("the statement is nested too deeply") from None
    if not rows.known:
        resolver.elsewhere |= rows.base()
    functions, unknown, missing_calls = _functions(statement, names, resolver.attributes, allowed)
    tables, opaque, missing = _tables(statement, names)
    further = reach(statement, names, resolver.assigned, allowed)
    unknown = _union(unknown, further.unknown)
    return Resolved(
        tables=_union(tables, further.tables),
        named=tables,
        columns=tuple(sorted(resolver.touched | resolver.elsewhere | resolver.assigned)),
        outputs=tuple(output.base for output in rows.outputs),
        outputs_known=rows.known,
        elsewhere=frozenset(resolver.elsewhere),
        cast=NONE.union(*(output.cast for output in rows.outputs)),
        assigned=frozenset(resolver.assigned),
        whole=frozenset(resolver.whole),
        functions=_union(functions, further.functions),
        unknown_functions=unknown,
        opaque=_union(opaque, further.opaque),
        missing=(*missing, *missing_calls),
        read_only=statement.read_only and not unknown,
        written=_written(statement, names),
    )


def _written(statement: Statement, names: Names) -> frozenset[str]:
    """Those of the tables that it writes."""
    found = ((each, names.relation(each)) for each in statement.references if each.written)
    return frozenset(
        table_name(relation) if relation is not None and not each.created else _unfound(each, names)
        for each, relation in found
    )


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second))) if second else first


def _functions(
    statement: Statement, names: Names, attributes: AbstractSet[str], allowed: AbstractSet[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Functions by name, those not on the list, and calls of what does not exist."""
    found: dict[str, None] = {}
    unknown: dict[str, None] = {}
    missing: dict[str, None] = {}
    for call in statement.calls:
        if call.kind is CallKind.ATTRIBUTE and call.name not in attributes:
            continue  # a column
        candidates = names.called(call)
        if call.kind is CallKind.SYNTAX:
            # The server's own syntax where it has it; only another's function could be meant else.
            candidates = tuple(one for one in candidates if one.schema != "pg_catalog")
        if not candidates and call.kind is CallKind.FUNCTION:
            missing[str(call) + "()"] = None
        operator = call.kind is CallKind.OPERATOR
        for one in candidates:
            name = written(one.schema, one.name)
            if operator:
                name = f"{written(one.schema)}.operator {one.name}"
            found[name] = None
            if not (known_operator if operator else known)(one, allowed):
                unknown[name] = None
        _implied(call, names, unknown)
    return tuple(found), tuple(unknown), tuple(missing)


def _implied(call: Call, names: Names, unknown: dict[str, None]) -> None:
    """Nothing was asked of the server: what the call means is not known."""
    if names.version == 0 and call.kind is CallKind.FUNCTION:
        unknown[str(call)] = None


def _tables(
    statement: Statement, names: Names
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Relations by name, why they cannot be seen into, and those that do not exist."""
    tables: dict[str, None] = {}
    opaque: dict[str, None] = {}
    missing: dict[str, None] = {}
    for reference in statement.references:
        relation = names.relation(reference)
        if reference.created or relation is None:
            tables[_unfound(reference, names)] = None
            if not reference.created:
                missing[str(reference)] = None
        if relation is None:
            continue
        name = table_name(relation)
        if not reference.created:
            tables[name] = None
        if relation.kind in _OPAQUE_KINDS and schema_name(relation) not in {
            "pg_catalog",
            "information_schema",
        }:
            opaque[f"{_OPAQUE_KINDS[relation.kind]} {name}"] = None
        elif relation.rules and relation.kind not in _OPAQUE_KINDS:
            opaque[f"rules on {name}"] = None
    return tuple(tables), tuple(opaque), tuple(missing)


def _unfound(reference: Reference, names: Names) -> str:
    """Where a relation will be made, or would be if it were there."""
    schema = reference.schema or names.schema
    return written(schema, reference.name) if schema else written(reference.name)
