"""What stands in FROM, and which column a name means there (parse_relation.c, parse_target.c).

Named tuples, since they are made by the hundred for a statement, and at a third of the cost.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proctor.sql.identifiers import written
from proctor.sql.names import Relation
from proctor.sql.nodes import Tree, strings, unwrap

Columns = frozenset[str]
NONE: Final[Columns] = frozenset()

SYSTEM: Final = frozenset({"tableoid", "xmax", "cmax", "xmin", "cmin", "ctid"})


class Output(NamedTuple):
    """A column of a query or relation.

    Attributes:
        name: "" where nothing can name it.
        base: The relations' columns it shows unchanged; none for an expression.
        cast: Those of them that a cast stands before.
    """

    name: str
    base: Columns = NONE
    cast: Columns = NONE


class Rows(NamedTuple):
    """The columns of a query. `known` is False where there may be others than those listed."""

    outputs: tuple[Output, ...] = ()
    known: bool = True

    def base(self) -> Columns:
        """Every relation's column that is shown."""
        return NONE.union(*(output.base for output in self.outputs))

    def named(self, names: Sequence[str]) -> "Rows":
        """The rows with the first columns renamed, as an alias list does."""
        if not names:
            return self
        renamed = [
            output._replace(name=names[at]) if at < len(names) else output
            for at, output in enumerate(self.outputs)
        ]
        # More names than known columns belong to columns that are not known.
        renamed += [Output(name) for name in names[len(renamed) :]]
        return Rows(tuple(renamed), self.known)


class Item(NamedTuple):
    """One entry of FROM by its name.

    Attributes:
        name: Its alias, or the relation's name; "" where nothing can name it.
        rows: Its columns.
        relation: The relation, if it stands for one; it can be named by schema without an alias.
        unknown: What stands for the columns that are not known: "public.gone.*".
        open: Its columns can be named without its own name.
        aliased: It has an alias, which hides the relation's own name.
    """

    name: str
    rows: Rows
    relation: Relation | None = None
    unknown: Columns = NONE
    open: bool = True
    aliased: bool = False

    def find(self, column: str) -> list[Output]:
        """Its columns of a name."""
        return [output for output in self.rows.outputs if output.name == column]


class Scope(NamedTuple):
    """Entries whose columns a place can name, and the scope of the query around."""

    items: tuple[Item, ...] = ()
    outer: "Scope | None" = None

    def levels(self) -> Iterable[tuple[Item, ...]]:
        """This scope's items, then the outer scopes'."""
        scope: Scope | None = self
        while scope is not None:
            yield scope.items
            scope = scope.outer


def column_name(relation: Relation, column: str) -> str:
    """A column as rules see it: "public.users.email"."""
    return written(schema_name(relation), relation.name, column)


def schema_name(relation: Relation) -> str:
    """The relation's schema; every session's temporary one is pg_temp."""
    return "pg_temp" if relation.temporary else relation.schema


def table_name(relation: Relation) -> str:
    """A relation as rules see it: "public.users"."""
    return written(schema_name(relation), relation.name)


def relation_rows(relation: Relation) -> Rows:
    """A relation's own columns; those of one without any are not known."""
    return Rows(
        tuple(
            Output(column.name, frozenset({column_name(relation, column.name)}))
            for column in relation.columns
        ),
        known=bool(relation.columns),
    )


def schema_matches(relation: Relation, schema: str) -> bool:
    """Whether a schema as written is the relation's."""
    return schema == relation.schema or (relation.temporary and schema == "pg_temp")


def alias_of(content: Tree) -> tuple[str, tuple[str, ...]]:
    """An entry's alias and the names it gives to columns."""
    alias: Mapping[str, Any] = content.get("alias") or {}
    return alias.get("aliasname", ""), strings(alias.get("colnames", []))


def joined(left: Rows, right: Rows, using: Sequence[str] | None) -> Rows:
    """A join's columns: those of USING once, then the others; None for NATURAL."""
    if using is None:
        if not (left.known and right.known):
            return Rows((*left.outputs, *right.outputs), known=False)
        there = {output.name for output in right.outputs}
        using = [output.name for output in left.outputs if output.name in there]
    merged = tuple(
        Output(
            name,
            NONE.union(*(output.base for output in both if output.name == name)),
            NONE.union(*(output.cast for output in both if output.name == name)),
        )
        for name in using
        for both in ((*left.outputs, *right.outputs),)
    )
    rest = tuple(
        output for output in (*left.outputs, *right.outputs) if output.name not in set(using)
    )
    return Rows((*merged, *rest), left.known and right.known)


def name_of(node: Tree) -> str:
    """The name PostgreSQL gives an output without AS (parse_target.c, FigureColname)."""
    return _figure(node) or "?column?"


def _figure(node: Tree) -> str:
    kind, content = unwrap(node)
    figure = _FIGURES.get(kind)
    return figure(content) if figure else _FIXED.get(kind, "")


def _figure_indirection(content: Tree) -> str:
    path = strings(content["indirection"])
    return path[-1] if path else _figure(content["arg"])


def _figure_cast(content: Tree) -> str:
    return _figure(content["arg"]) or strings(content["typeName"].get("names", []))[-1]


def _figure_case(content: Tree) -> str:
    return _figure(content.get("defresult", {})) or "case"


def _figure_sublink(content: Tree) -> str:
    match content.get("subLinkType"):
        case "EXISTS_SUBLINK":
            return "exists"
        case "ARRAY_SUBLINK":
            return "array"
        case "EXPR_SUBLINK":
            query = content["subselect"].get("SelectStmt", {})
            targets = query.get("targetList") or [{}]
            target = targets[0].get("ResTarget", {})
            return target.get("name") or _figure(target.get("val", {}))
        case _:
            return ""


_FIGURES: Final[Mapping[str, Callable[[Tree], str]]] = {
    "ColumnRef": lambda content: (strings(content["fields"]) or ("",))[-1],
    "FuncCall": lambda content: strings(content["funcname"])[-1],
    "A_Indirection": _figure_indirection,
    "TypeCast": _figure_cast,
    "CollateClause": lambda content: _figure(content["arg"]),
    "CaseExpr": _figure_case,
    "SubLink": _figure_sublink,
    "MinMaxExpr": lambda content: "greatest" if content["op"] == "IS_GREATEST" else "least",
    "A_Expr": lambda content: "nullif" if content["kind"] == "AEXPR_NULLIF" else "",
    "SQLValueFunction": lambda content: content["op"].removeprefix("SVFOP_").lower(),
}

_FIXED: Final = {
    "GroupingFunc": "grouping",
    "MergeSupportFunc": "merge_action",
    "CoalesceExpr": "coalesce",
    "A_ArrayExpr": "array",
    "RowExpr": "row",
    "XmlSerialize": "xmlserialize",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
    "JsonObjectConstructor": "json_object",
    "JsonArrayConstructor": "json_array",
    "JsonArrayQueryConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonArrayAgg": "json_arrayagg",
}
