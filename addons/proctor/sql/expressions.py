"""Expressions: every column in them is used, but for the plain ones that a caller takes out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from proctor.sql.columns import ColumnResolver
from proctor.sql.nodes import FIELDS, NODE, Tree, strings, unwrap
from proctor.sql.scopes import Output, Rows, Scope

_LEAVES: Final = frozenset(
    {
        "A_Const", "String", "Integer", "Float", "Boolean", "BitString", "TypeName", "RangeVar",
        "ParamRef", "Alias", "A_Star",
    }
)  # fmt: skip
_QUERIES: Final = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_DEFINITIONS: Final = frozenset({"ViewStmt", "CreateTableAsStmt"})

# Where definitions name columns by their bare names.
_MENTIONS: Final = {
    "IndexElem": ("name",),
    "StatsElem": ("name",),
    "PartitionElem": ("name",),
    "AlterTableCmd": ("name",),
    "RenameStmt": ("subname",),
    "AccessPriv": ("cols",),
    "Constraint": ("keys", "including", "fk_attrs", "pk_attrs"),
    "CreateTrigStmt": ("columns",),
    "PublicationTable": ("columns",),
    "VacuumRelation": ("va_cols",),
}


class ExpressionResolver(ColumnResolver, ABC):
    """Walks expressions."""

    @abstractmethod
    def query(self, kind: str, content: Tree, outer: Scope | None) -> Rows:
        """The columns of one query."""

    @abstractmethod
    def run(self, tree: Tree) -> Rows:
        """The columns a whole statement shows the client."""

    def node(self, node: Tree, scope: Scope) -> None:
        """Any wrapped node of an expression."""
        for kind, content in node.items():
            if kind not in _LEAVES:
                self.walk(kind, content, scope)

    def walk(self, kind: str, content: Tree, scope: Scope) -> None:
        """Notes the columns that a node uses."""
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(self, content, scope)
        elif kind in _QUERIES:
            self.elsewhere |= self.query(kind, content, scope).base()
        elif kind in _DEFINITIONS:
            self.run({kind: content})
        else:
            for field in _MENTIONS.get(kind, ()):
                value = content.get(field, ())
                self.mention((value,) if isinstance(value, str) else strings(value), scope)
            self.fields(kind, content, scope)

    def fields(self, kind: str, content: Tree, scope: Scope, *skipped: str) -> None:
        """Every field of a node but `skipped`."""
        table = FIELDS.get(kind, {})
        for name, value in content.items():
            held = table.get(name)
            if held is None or name in skipped:
                continue
            if held != NODE:
                if held not in _LEAVES:
                    self.walk(held, value, scope)
            elif type(value) is list:
                for item in value:
                    self.node(item, scope)
            else:
                self.node(value, scope)

    def _expression(self, content: Tree, scope: Scope) -> None:
        # a + b + c … nests to the left, as deep as it is long.
        while True:
            self.fields("A_Expr", content, scope, "lexpr", "name")
            left = content.get("lexpr") or {}
            if "A_Expr" not in left:
                self.node(left, scope)
                return
            content = left["A_Expr"]

    def _indirection(self, content: Tree, scope: Scope) -> None:
        self.elsewhere |= self._field(content, scope).base

    def _value_function(self, content: Tree, scope: Scope) -> None:
        if content.get("op") == "SVFOP_SYSTEM_USER":  # a name before PostgreSQL 16
            self.mention(("system_user",), scope)

    def plain(self, node: Tree, scope: Scope) -> Output | None:
        """A column as it is, or under a cast; None for any other expression."""
        kind, content = unwrap(node)
        if kind == "ColumnRef" and "A_Star" not in content["fields"][-1]:
            return self.lookup(strings(content["fields"]), scope)
        if kind == "A_Indirection":
            return self._field(content, scope)
        if kind == "TypeCast":
            output = self.plain(content["arg"], scope)
            return None if output is None else output._replace(cast=output.base)
        return None

    def _column(self, content: Tree, scope: Scope) -> None:
        path = strings(content["fields"])
        if "A_Star" not in content["fields"][-1]:
            self.elsewhere |= self.lookup(path, scope).base
        elif path and self.entries(path, scope):
            self.use_rows(self.entries(path, scope))
        else:
            self.use_everything(scope)

    def _sublink(self, content: Tree, scope: Scope) -> None:
        rows = self.query(*unwrap(content["subselect"]), scope)
        # What EXISTS selects is not looked at.
        if content.get("subLinkType") != "EXISTS_SUBLINK":
            self.elsewhere |= rows.base()
        self.fields("SubLink", content, scope, "subselect")

    def is_entry(self, path: tuple[str, ...], scope: Scope) -> bool:
        """Whether a name means a whole row: an entry of FROM, and no column."""
        if not path or (len(path) == 1 and self.columns(path[0], scope)):
            return False
        return bool(self.entries(path, scope))

    def _field(self, content: Tree, scope: Scope) -> Output:
        """(u).email is u.email; of any other value a field is a use of the whole value."""
        parts = strings(content["indirection"])
        path = strings(content["arg"].get("ColumnRef", {}).get("fields", []))
        if len(content["indirection"]) == len(parts) == 1 and self.is_entry(path, scope):
            return self.lookup((*path, *parts), scope)
        self.attributes.update(parts)
        self.fields("A_Indirection", content, scope)
        return Output("")

    _handlers: ClassVar[Mapping[str, Callable[["ExpressionResolver", Tree, Scope], None]]] = {
        "ColumnRef": _column,
        "A_Expr": _expression,
        "A_Indirection": _indirection,
        "SubLink": _sublink,
        "SQLValueFunction": _value_function,
    }
