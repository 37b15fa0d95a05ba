"""Reading: from text to statements, by a walk over every field of the parser's tree.

Nothing is skipped for being unknown: FIELDS (nodes.py) names all that can hold a node, and what it
does not name makes the statement opaque. A name is taken for a common table expression only where
PostgreSQL would (parse_cte.c): unqualified, in the statement whose WITH made it or inside, after
its making unless RECURSIVE, and never as a target.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from proctor.sql.identifiers import split_identifier
from proctor.sql.nodes import FIELDS, KNOWN, NODE, NULLABLE, Tree, strings, unwrap
from proctor.sql.parsing import parse
from proctor.sql.statement import (
    Call,
    CallKind,
    Change,
    Place,
    Script,
    SqlError,
    Statement,
    Use,
)
from proctor.sql.utility import UtilityReader
from proctor.sql.verbs import KINDS

_LEAVES: Final = frozenset({"A_Const", "String", "Integer", "Float", "Boolean", "BitString"})

_SETTINGS: Final = "pg_settings"  # whose rules make set_config of an UPDATE (PostgreSQL 54.24)

# Functions with an argument of type regclass, or text that is read as a relation's name, and which
# one it is, counted from the first, or back from the last where a role's name may come before.
_NAMES_RELATION: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            "currval", "nextval", "setval", "to_regclass", "pg_get_serial_sequence",
            "pg_relation_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size",
            "pg_relation_filenode", "pg_relation_filepath", "pg_sequence_last_value",
            "pg_get_viewdef", "pg_partition_tree", "pg_partition_root", "pg_partition_ancestors",
            "row_security_active", "table_to_xml", "table_to_xmlschema",
            "table_to_xml_and_xmlschema",
        ),
        0,
    ),
    "has_table_privilege": -2,
    "has_any_column_privilege": -2,
    "has_sequence_privilege": -2,
    "has_column_privilege": -3,
}  # fmt: skip

# SQL's own syntax that PostgreSQL 15 and older read as a call of a function of this name.
_SYNTAX: Final[Mapping[str, tuple[str, ...]]] = {
    "JsonParseExpr": ("json",),
    "JsonScalarExpr": ("json_scalar",),
    "JsonSerializeExpr": ("json_serialize",),
    "JsonFuncExpr": ("json_exists", "json_value", "json_query"),
    "JsonObjectConstructor": ("json_object",),
    "JsonArrayConstructor": ("json_array",),
    "JsonArrayQueryConstructor": ("json_array",),
    "JsonObjectAgg": ("json_objectagg",),
    "JsonArrayAgg": ("json_arrayagg",),
    "JsonTable": ("json_table",),
    "MergeSupportFunc": ("merge_action",),
}

_STRANGE: Final = "?"
_BETWEEN: Final = (">=", "<=", "<", ">")


def read(text: str) -> Script:
    """Reads a string of statements.

    Raises:
        SqlError: PostgreSQL's parser does not take it, or it is past the limits of parsing.py.
    """
    tree, data, fingerprint = parse(text)
    try:
        statements = tuple(_statement(raw, data) for raw in tree.get("stmts", ()))
    except RecursionError:
        raise SqlError.at("the statement is nested too deeply") from None
    return Script(text, statements, fingerprint if statements else "")


def _statement(raw: Tree, data: bytes) -> Statement:
    start = raw.get("stmt_location", 0)
    size = raw.get("stmt_len", 0)
    # scan.l's whitespace; a length of 0 means: to the end.
    text = data[start : start + size if size else None].decode().strip(" \t\n\r\f\v")
    reader = _Reader()
    kind, content = unwrap(raw["stmt"])
    reader.statement(kind, content)
    conditions = reader.dml_conditions or reader.select_conditions
    return Statement(
        text=text,
        verbs=tuple(dict.fromkeys(reader.verbs)),
        references=tuple(reader.references),
        calls=tuple(Call(*call) for call in reader.calls),
        uses=tuple(Use(*use) for use in reader.uses),
        has_where=all(conditions) if reader.dml_conditions else any(conditions),
        read_only=not reader.stores and not reader.opaque,
        changes=frozenset(reader.changes),
        settings=tuple(reader.settings),
        prepares=reader.prepares,
        executes=reader.executes,
        deallocates=reader.deallocates,
        declares=reader.declares,
        fetches=reader.fetches,
        closes=reader.closes,
        copies=reader.copies,
        parameters=reader.parameters,
        dangerous=tuple({**reader.dangers, **reader.opaque}),
        opaque=tuple(reader.opaque),
        parsed={kind: content},
    )


def _syntax(kind: str) -> "Callable[[_Reader, Tree], None]":
    def handler(reader: "_Reader", content: Tree) -> None:
        for name in _SYNTAX[kind]:
            reader.calls["", name, CallKind.SYNTAX] = None
        reader.fields(kind, content)

    return handler


class _Reader(UtilityReader):
    """Walks one statement."""

    def __init__(self) -> None:
        super().__init__()
        self.ctes: frozenset[str] = frozenset()
        self.columns = 0

    # Walking.

    def statement(self, kind: str, content: Tree) -> None:
        """A statement that runs: it counts for verbs and changes."""
        known = KINDS.get(kind)
        if known is None:
            self.verbs.append("UNKNOWN")
            self.opaque[f"node {kind}"] = None
            self.stores = True
            self.changes.add(Change.UNKNOWN)
            self.walk(kind, content)
            return
        self.begin(kind, content, known)
        self.walk(kind, content)

    def walk(self, kind: str, content: Tree) -> None:
        """One node of a known type."""
        handler = self._handlers.get(kind)
        if handler is None:
            self.fields(kind, content)
        else:
            handler(self, content)

    def node(self, node: Tree) -> None:
        """One wrapped node."""
        for kind, content in node.items():
            if kind in _LEAVES:
                continue
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(self, content)
            elif kind in KNOWN:
                self.fields(kind, content)
            else:
                self.opaque[f"node {kind}"] = None

    def fields(self, kind: str, content: Tree, *skipped: str) -> None:
        """Every field of a node but `skipped`."""
        table = FIELDS.get(kind)
        if table is None:
            self.opaque[f"node {kind}"] = None
            return
        for name, value in content.items():
            held = table.get(name, _STRANGE)
            if held is None or name in skipped:
                continue
            if held == NODE:
                if type(value) is not list:
                    self.node(value)
                    continue
                for item in value:
                    if item:
                        self.node(item)
                    elif (kind, name) not in NULLABLE:
                        self.opaque[f"node in {kind}.{name}"] = None
            elif held == _STRANGE:
                self.opaque[f"field {kind}.{name}"] = None
            else:
                self.walk(held, value)

    def each(self, content: Tree, name: str) -> None:
        """Every node of a list, or the one node, under `name`."""
        value = content.get(name)
        if value is None:
            return
        for item in value if type(value) is list else (value,):
            if item:
                self.node(item)

    # Relations.

    def relation(self, content: Tree) -> None:
        """A relation by name, which may be a common table expression's."""
        schema = content.get("schemaname", "")
        name = content.get("relname", "")
        if not schema and name in self.ctes and not self.writing:
            return
        only = not content.get("inh", False)
        self.refer(content.get("catalogname", ""), schema, name, only=only)

    def _target(self, content: Tree, does: str) -> None:
        relation = content["relation"]
        before, self.writing, self.does = self.writing, True, does
        self.relation(relation)
        self.writing, self.does = before, ""

    def _like(self, content: Tree) -> None:
        before, self.writing = self.writing, False
        self.fields("TableLikeClause", content)
        self.writing = before

    def _constraint(self, content: Tree) -> None:
        before, self.writing = self.writing, False
        self.fields("Constraint", content, "exclusions")
        self.writing = before
        for pair in content.get("exclusions", ()):
            for item in pair.get("List", {}).get("items", ()):
                if "List" in item:
                    self._operator(strings(item["List"].get("items", [])))
                else:
                    self.node(item)

    # Queries.

    def _query(self, kind: str, content: Tree, *skipped: str) -> None:
        """A query's fields, inside the scope of its WITH."""
        before, writing = self.ctes, self.writing
        self.writing = False
        clause = content.get("withClause")
        if clause:
            self._with(clause)
        self.fields(kind, content, "withClause", *skipped)
        self.ctes, self.writing = before, writing

    def _with(self, clause: Tree) -> None:
        made = [node["CommonTableExpr"] for node in clause.get("ctes", ())]
        recursive = clause.get("recursive", False)
        if recursive:
            self.ctes |= {cte["ctename"] for cte in made}
        for cte in made:
            kind, content = unwrap(cte["ctequery"])
            if kind != "SelectStmt" and self.running:
                self.statement(kind, content)
            else:
                self.walk(kind, content)
            self.fields("CommonTableExpr", cte, "ctequery")
            if not recursive:
                self.ctes |= {cte["ctename"]}

    def _select(self, content: Tree) -> None:
        # a UNION b UNION c … nests to the left, as deep as it is long.
        while "larg" in content and not content.get("withClause"):
            self.fields("SelectStmt", content, "larg")
            content = content["larg"]
        if content.get("lockingClause"):
            self.stores = True
        if "larg" in content:
            self._query("SelectStmt", content)
            return
        before, writing = self.ctes, self.writing
        self.writing = False
        if content.get("withClause"):
            self._with(content["withClause"])
        self.fields("SelectStmt", content, "withClause", "targetList", "whereClause", "intoClause")
        self._outputs(content.get("targetList", ()))
        self._condition(content, self.select_conditions)
        self.ctes, self.writing = before, writing
        if content.get("intoClause"):
            self.into(content["intoClause"])

    def _outputs(self, targets: Any) -> None:
        for node in targets:
            value = node.get("ResTarget", {}).get("val")
            if value and "ColumnRef" in value:
                self._column(value["ColumnRef"], Place.OUTPUT)
            else:
                self.node(node)

    def _returning(self, content: Tree) -> None:
        self._outputs(content.get("exprs", ()))

    def _condition(self, content: Tree, conditions: list[bool], name: str = "whereClause") -> None:
        """A condition counts if it names a column: WHERE true is none."""
        before = self.columns
        self.each(content, name)
        conditions.append(self.columns > before)

    def _insert(self, content: Tree) -> None:
        conflict = (content.get("onConflictClause") or {}).get("action")
        self._target(content, "IU" if conflict == "ONCONFLICT_UPDATE" else "I")
        self._query("InsertStmt", content, "relation")

    def _update(self, content: Tree) -> None:
        if content["relation"].get("relname") == _SETTINGS:
            self.configure(())
        self._changing("UpdateStmt", content, "U")

    def _delete(self, content: Tree) -> None:
        self._changing("DeleteStmt", content, "D")

    def _merge(self, content: Tree) -> None:
        self._changing("MergeStmt", content, "IUD", "joinCondition")

    def _changing(
        self, kind: str, content: Tree, does: str, condition: str = "whereClause"
    ) -> None:
        self._target(content, does)
        before, writing = self.ctes, self.writing
        self.writing = False
        clause = content.get("withClause")
        if clause:
            self._with(clause)
        self._condition(content, self.dml_conditions, condition)
        self.fields(kind, content, "relation", "withClause", condition)
        self.ctes, self.writing = before, writing

    # Expressions.

    def _column(self, content: Tree, place: Place = Place.ELSEWHERE) -> None:
        self.columns += 1
        parts = content["fields"]
        path = strings(parts)
        star = "A_Star" in parts[-1]
        self.uses[path, star, place] = None
        # u.name is name(u) where u has no column of that name (parse_expr.c, ParseFuncOrColumn).
        if not star and len(path) > 1:
            self.calls["", path[-1], CallKind.ATTRIBUTE] = None

    def _value_function(self, content: Tree) -> None:
        # A name like any other before PostgreSQL 16.
        if content.get("op") == "SVFOP_SYSTEM_USER":
            self.uses[("system_user",), False, Place.ELSEWHERE] = None

    def _indirection(self, content: Tree) -> None:
        for part in content.get("indirection", ()):
            if "String" in part:
                self.calls["", part["String"].get("sval", ""), CallKind.ATTRIBUTE] = None
        self.fields("A_Indirection", content)

    def _call(self, content: Tree) -> None:
        path = strings(content["funcname"])
        schema = path[-2] if len(path) > 1 else ""
        self.calls[schema, path[-1], CallKind.FUNCTION] = None
        arguments = content.get("args", [])
        if path[-1] == "set_config":
            self.configure(arguments)
        at = _NAMES_RELATION.get(path[-1])
        if at is not None and -len(arguments) <= at < len(arguments):
            self._named(arguments[at])
        self.fields("FuncCall", content)

    def _named(self, node: Tree) -> None:
        """A string constant that is a relation's name."""
        text = node.get("A_Const", {}).get("sval", {}).get("sval")
        path = split_identifier(text) if text else None
        if path:
            self.refer_to_path(path, written=False)

    def _cast(self, content: Tree) -> None:
        names = strings(content["typeName"].get("names", []))
        if names and names[-1] == "regclass":
            self._named(content["arg"])
        self.fields("TypeCast", content)

    def _type(self, content: Tree) -> None:
        if content.get("pct_type"):  # table.column%TYPE
            self.refer_to_path(strings(content["names"])[:-1], written=False)
        self.fields("TypeName", content, "names")

    def _expression(self, content: Tree) -> None:
        # a + b + c … nests to the left, as deep as it is long.
        while True:
            kind = content.get("kind", "")
            if "BETWEEN" in kind:
                for name in _BETWEEN:
                    self._operator((name,))
            else:
                self._operator(strings(content.get("name", [])))
            self.fields("A_Expr", content, "name", "lexpr")
            left = content.get("lexpr") or {}
            if "A_Expr" not in left:
                self.node(left)
                return
            content = left["A_Expr"]

    def _operator(self, path: tuple[str, ...]) -> None:
        if path:
            schema = path[-2] if len(path) > 1 else ""
            self.calls[schema, path[-1], CallKind.OPERATOR] = None

    def _sublink(self, content: Tree) -> None:
        # IN has no name of an operator and means =.
        path = strings(content.get("operName", []))
        if path or content.get("testexpr"):
            self._operator(path or ("=",))
        self.fields("SubLink", content, "operName")

    def _sample(self, content: Tree) -> None:
        path = strings(content.get("method", []))
        self.calls[path[-2] if len(path) > 1 else "", path[-1], CallKind.FUNCTION] = None
        self.fields("RangeTableSample", content, "method")

    def _case(self, content: Tree) -> None:
        if content.get("arg"):
            self._operator(("=",))
        self.fields("CaseExpr", content)

    def _join(self, content: Tree) -> None:
        if content.get("usingClause") or content.get("isNatural"):
            self._operator(("=",))
        self.fields("JoinExpr", content)

    def _sort(self, content: Tree) -> None:
        self._operator(strings(content.get("useOp", [])))
        self.fields("SortBy", content, "useOp")

    def _current_of(self, _content: Tree) -> None:
        self.columns += 1

    def _parameter(self, content: Tree) -> None:
        self.parameters = max(self.parameters, content.get("number", 0))

    def _skip(self, _content: Tree) -> None:
        """Names nothing: a constant, or aliases of FROM behind FOR UPDATE OF."""

    _handlers: ClassVar[Mapping[str, Callable[["_Reader", Tree], None]]] = {
        **UtilityReader.utilities,
        **{kind: _syntax(kind) for kind in _SYNTAX},
        **dict.fromkeys((*_LEAVES, "LockingClause"), _skip),
        "ColumnRef": _column,
        "FuncCall": _call,
        "A_Expr": _expression,
        "A_Indirection": _indirection,
        "SubLink": _sublink,
        "TypeCast": _cast,
        "RangeVar": relation,
        "RangeTableSample": _sample,
        "TableLikeClause": _like,
        "Constraint": _constraint,
        "SelectStmt": _select,
        "InsertStmt": _insert,
        "UpdateStmt": _update,
        "DeleteStmt": _delete,
        "MergeStmt": _merge,
        "ReturningClause": _returning,
        "ParamRef": _parameter,
        "CaseExpr": _case,
        "JoinExpr": _join,
        "SortBy": _sort,
        "CurrentOfExpr": _current_of,
        "SQLValueFunction": _value_function,
        "TypeName": _type,
    }
