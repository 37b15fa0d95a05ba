"""Reading of the statements that are no queries: what they name, change and endanger."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from proctor.sql.nodes import Tree, strings, unwrap
from proctor.sql.statement import CallKind, Change, Copy, Place, Reference
from proctor.sql.verbs import DISCARDS, LEXING, SETTINGS, TRANSACTIONS, Kind

# Verbs whose relations are changed, defined or removed.
_WRITING: Final = frozenset(
    {
        "CREATE",
        "ALTER",
        "DROP",
        "TRUNCATE",
        "REFRESH",
        "CLUSTER",
        "GRANT",
        "REVOKE",
        "COMMENT",
        "SECURITY",
        "IMPORT",
    }
)
_RELATIONS: Final = frozenset(
    {
        "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE", "OBJECT_MATVIEW",
        "OBJECT_FOREIGN_TABLE",
    }
)  # fmt: skip
# Named by their relation and their own name.
_PARTS: Final = frozenset(
    {"OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY", "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT"}
)
_TRUE: Final = frozenset({"on", "true", "yes", "1"})
_FALSE: Final = frozenset({"off", "false", "no", "0"})


class UtilityReader(ABC):
    """What is gathered of one statement, and how utility statements add to it."""

    def __init__(self) -> None:
        self.verbs: list[str] = []
        self.references: dict[Reference, None] = {}
        # What Call and Use are made of: making them for each mention costs as much as the walk.
        self.calls: dict[tuple[str, str, CallKind], None] = {}
        self.uses: dict[tuple[tuple[str, ...], bool, Place], None] = {}
        self.changes: set[Change] = set()
        self.settings: dict[str, None] = {}
        self.dangers: dict[str, None] = {}
        self.opaque: dict[str, None] = {}
        self.dml_conditions: list[bool] = []
        self.select_conditions: list[bool] = []
        self.stores = False
        self.writing = False
        self.creating = False
        self.does = ""
        self.running = True
        self.parameters = 0
        self.prepares: str | None = None
        self.executes: str | None = None
        self.deallocates: str | None = None
        self.declares: str | None = None
        self.fetches: str | None = None
        self.closes: str | None = None
        self.copies: Copy | None = None

    @abstractmethod
    def walk(self, kind: str, content: Tree) -> None:
        """One node of a known type."""

    @abstractmethod
    def statement(self, kind: str, content: Tree) -> None:
        """A statement that runs."""

    @abstractmethod
    def fields(self, kind: str, content: Tree, *skipped: str) -> None:
        """Every field of a node but `skipped`."""

    @abstractmethod
    def relation(self, content: Tree) -> None:
        """A relation by name."""

    def begin(self, kind: str, content: Tree, known: Kind) -> None:
        """The verb of a statement that runs, and what goes with it."""
        verb = known.verb
        if kind == "TransactionStmt":
            verb = TRANSACTIONS.get(content.get("kind", ""), verb)
        elif kind == "VariableSetStmt" and content.get("kind", "").startswith("VAR_RESET"):
            verb = "RESET"
        elif kind in {"GrantStmt", "GrantRoleStmt"} and not content.get("is_grant"):
            verb = "REVOKE"
        elif kind == "VacuumStmt" and not content.get("is_vacuumcmd"):
            verb = "ANALYZE"
        elif kind == "FetchStmt" and content.get("ismove"):
            verb = "MOVE"
        self.verbs.append(verb)
        self.changes |= known.changes
        if known.danger:
            self.dangers[known.danger] = None
        self.stores |= known.stores
        self.writing = verb in _WRITING

    # Relations.

    def refer(self, catalog: str, schema: str, name: str, *, only: bool = False) -> None:
        """Notes a relation, read or written as the statement has it."""
        does = self.does if self.running and self.writing else ""
        reference = Reference(catalog, schema, name, self.writing, self.creating, does, only)
        self.references[reference] = None

    def refer_to_path(self, path: Sequence[str], *, written: bool) -> None:
        """Notes a relation given as a list of names."""
        if path:
            catalog, schema, name = ("", "", *path)[-3:]
            self.references[Reference(catalog, schema, name, written)] = None

    def made(self, relation: Tree) -> None:
        """Notes a relation that the statement makes."""
        temporary = relation.get("relpersistence") == "t"
        if temporary or relation.get("schemaname") == "pg_temp":
            self.changes.add(Change.TEMP)
        before, self.writing, self.creating = self.writing, True, True
        schema = relation.get("schemaname", "") or ("pg_temp" if temporary else "")
        self.refer(relation.get("catalogname", ""), schema, relation.get("relname", ""))
        self.writing, self.creating = before, False

    def into(self, clause: Tree) -> None:
        """SELECT INTO: a CREATE TABLE AS in other words (chapter SELECT INTO)."""
        if "CREATE" not in self.verbs:
            self.verbs.insert(0, "CREATE")
        self.changes.add(Change.CATALOG)
        self.stores = True
        self.made(clause["rel"])
        self.fields("IntoClause", clause, "rel")

    def _inner(self, node: Tree | None) -> None:
        """A statement inside, which runs, or may run later under the statement's own name."""
        if node:
            before = self.writing
            self.statement(*unwrap(node))
            self.writing = before

    def _body(self, content: Tree, kind: str, field: str) -> None:
        """Statements that do not run now: their names count, their verbs do not."""
        before = self.running, self.stores, self.writing
        self.running = self.writing = False
        conditions = len(self.dml_conditions), len(self.select_conditions)
        self.fields(kind, {field: content[field]} if field in content else {})
        del self.dml_conditions[conditions[0] :], self.select_conditions[conditions[1] :]
        self.running, self.stores, self.writing = before

    # Queries in other statements.

    def _copy(self, content: Tree) -> None:
        outgoing = not content.get("is_from")
        program = content.get("is_program", False)
        file = bool(content.get("filename"))
        relation = content.get("relation")
        if program or file:
            self.dangers["copy program" if program else "copy file"] = None
        if outgoing and not program and not file:
            self.stores = False
        if relation:
            self.writing, self.does = not outgoing, "I"
            self.relation(relation)
            self.writing, self.does = False, ""
        self._inner(content.get("query"))
        self.copies = Copy(
            outgoing=outgoing,
            program=program,
            file=file,
            relation=next(reversed(self.references)) if relation else None,
            query="query" in content,
            format=_format(content.get("options", ())),
        )
        self.fields("CopyStmt", content, "relation", "query")

    def _prepare(self, content: Tree) -> None:
        self.prepares = content["name"]
        self.fields("PrepareStmt", content, "query")
        self._inner(content["query"])

    def _execute(self, content: Tree) -> None:
        self.executes = content["name"]
        self.fields("ExecuteStmt", content)

    def _deallocate(self, content: Tree) -> None:
        self.deallocates = content.get("name", "*")

    def _declare(self, content: Tree) -> None:
        self.declares = content["portalname"]
        self._inner(content["query"])

    def _fetch(self, content: Tree) -> None:
        self.fetches = content.get("portalname", "")

    def _close(self, content: Tree) -> None:
        self.closes = content.get("portalname", "*")

    def _explain(self, content: Tree) -> None:
        query = content["query"]
        kind, inner = unwrap(query)
        self.fields("ExplainStmt", content, "query")
        if any(_switched_on(option, "analyze") for option in content.get("options", ())):
            self._inner(query)
            return
        # Not run; but EXPLAIN EXECUTE still says what a prepared statement would do.
        before = self.running, self.stores
        self.running = False
        self.walk(kind, inner)
        self.running, self.stores = before

    def _create_as(self, content: Tree) -> None:
        self.made(content["into"]["rel"])
        self.fields("IntoClause", content["into"], "rel")
        self._inner(content["query"])

    def _view(self, content: Tree) -> None:
        self.made(content["view"])
        self.fields("ViewStmt", content, "view", "query")
        self._inner(content["query"])

    # Definitions.

    def _create(self, content: Tree) -> None:
        self.made(content["relation"])
        self.writing = False
        self.fields("CreateStmt", content, "relation")

    def _sequence(self, content: Tree) -> None:
        self.made(content["sequence"])
        self.fields("CreateSeqStmt", content, "sequence")

    def _composite(self, content: Tree) -> None:
        self.made(content["typevar"])
        self.fields("CompositeTypeStmt", content, "typevar")

    def _schema(self, content: Tree) -> None:
        for node in content.get("schemaElts", ()):
            self._inner(node)

    def _function(self, content: Tree) -> None:
        kind = "CreateFunctionStmt" if "funcname" in content else "AlterFunctionStmt"
        for node in (*content.get("options", ()), *content.get("actions", ())):
            option = node.get("DefElem", {})
            name, value = option.get("defname"), option.get("arg", {})
            if name == "as":
                self.opaque["function body"] = None
            elif name == "security" and value.get("Boolean", {}).get("boolval"):
                self.dangers["security definer"] = None
            elif name == "language" and value.get("String", {}).get("sval", "").lower() in {
                "c",
                "internal",
            }:
                self.dangers["c function"] = None
        self.fields(kind, content, "sql_body")
        self._body(content, kind, "sql_body")

    def _trigger(self, content: Tree) -> None:
        path = strings(content.get("funcname", []))
        if path:
            self.calls[path[-2] if len(path) > 1 else "", path[-1], CallKind.FUNCTION] = None
        kind = "CreateTrigStmt" if "relation" in content else "CreateEventTrigStmt"
        self.fields(kind, content, "funcname")

    def _rule(self, content: Tree) -> None:
        self.opaque["rule"] = None
        self.fields("RuleStmt", content, "actions")
        self._body(content, "RuleStmt", "actions")

    def _drop(self, content: Tree) -> None:
        self._objects(content.get("removeType", ""), content.get("objects", []))
        self.fields("DropStmt", content)

    def _comment(self, content: Tree) -> None:
        self._objects(content.get("objtype", ""), [content.get("object", {})])
        kind = "SecLabelStmt" if "provider" in content or "label" in content else "CommentStmt"
        self.fields(kind, content)

    def _objects(self, kind: str, nodes: Sequence[Tree]) -> None:
        for node in nodes:
            path = strings(node.get("List", {}).get("items", []))
            if kind in _RELATIONS:
                self.refer_to_path(path, written=True)
            elif kind in _PARTS:
                self.refer_to_path(path[:-1], written=True)
                if kind == "OBJECT_COLUMN":
                    self.uses[path, False, Place.ELSEWHERE] = None

    def _truncate(self, content: Tree) -> None:
        self.does = "TC" if content.get("behavior") == "DROP_CASCADE" else "T"
        self.fields("TruncateStmt", content)
        self.does = ""

    # The session.

    def _do(self, content: Tree) -> None:
        self.opaque["do"] = None
        self.fields("DoStmt", content)

    def _discard(self, content: Tree) -> None:
        self.changes |= DISCARDS.get(content.get("target", ""), frozenset(Change))
        if content.get("target") == "DISCARD_ALL":
            self.settings["*"] = None
            self.deallocates = self.closes = "*"

    def _transaction(self, content: Tree) -> None:
        if "PREPARE" in content.get("kind", ""):
            self.dangers["prepared transaction"] = None
            self.stores = True

    def _set(self, content: Tree) -> None:
        self.fields("VariableSetStmt", content)
        if not self.running or not {"SET", "RESET"} & set(self.verbs):
            return  # a clause of CREATE FUNCTION or ALTER ROLE: for another time
        name = content.get("name", "").lower()
        if content.get("kind") == "VAR_RESET_ALL":
            self._changed("*", None)
        elif name.startswith(("transaction", "session characteristics")):
            self.changes.add(Change.TRANSACTION)
        else:
            arguments = content.get("args", [])
            value = _constant(arguments[0]) if len(arguments) == 1 else None
            self._changed(name, value)

    def configure(self, arguments: Sequence[Tree]) -> None:
        """set_config(name, value, local): a SET in the form of a function."""
        name = _constant(arguments[0]) if arguments else None
        value = _constant(arguments[1]) if len(arguments) > 1 else None
        self._changed(name.lower() if name else "*", value)

    def _changed(self, name: str, value: str | None) -> None:
        self.settings[name] = None
        self.changes.add(Change.SETTING)
        if name == "*":
            self.changes |= set(SETTINGS.values())
            self.dangers |= dict.fromkeys(sorted(LEXING))
        elif name in SETTINGS:
            self.changes.add(SETTINGS[name])
        if name == "session_authorization":
            self.dangers["session authorization"] = None
        # Only its safe value is let alone; RESET goes back to what the role or database says.
        if name in LEXING and (value or "").lower() not in _TRUE:
            self.dangers[name] = None

    utilities: ClassVar[Mapping[str, Callable[[Any, Tree], None]]] = {
        "CopyStmt": _copy,
        "VariableSetStmt": _set,
        "DiscardStmt": _discard,
        "TransactionStmt": _transaction,
        "PrepareStmt": _prepare,
        "ExecuteStmt": _execute,
        "DeallocateStmt": _deallocate,
        "DeclareCursorStmt": _declare,
        "FetchStmt": _fetch,
        "ClosePortalStmt": _close,
        "ExplainStmt": _explain,
        "DoStmt": _do,
        "CreateTableAsStmt": _create_as,
        "ViewStmt": _view,
        "CreateStmt": _create,
        "CreateSeqStmt": _sequence,
        "CompositeTypeStmt": _composite,
        "CreateSchemaStmt": _schema,
        "CreateFunctionStmt": _function,
        "AlterFunctionStmt": _function,
        "CreateTrigStmt": _trigger,
        "CreateEventTrigStmt": _trigger,
        "RuleStmt": _rule,
        "DropStmt": _drop,
        "TruncateStmt": _truncate,
        "CommentStmt": _comment,
        "SecLabelStmt": _comment,
    }
    """How a statement of a type is read."""


def _constant(node: Tree) -> str | None:
    """A constant as text; None for anything else."""
    constant = node.get("A_Const")
    if constant is None:
        return None
    if "ival" in constant:
        return str(constant["ival"].get("ival", 0))
    if "boolval" in constant:
        return "true" if constant["boolval"].get("boolval") else "false"
    text: str | None = constant.get("sval", {}).get("sval")
    return text


def _format(options: Sequence[Tree]) -> str:
    """The format that COPY's options ask for; the server takes one at most, in small letters."""
    elements = [option.get("DefElem", {}) for option in options]
    found = [each.get("arg", {}) for each in elements if each.get("defname") == "format"]
    return found[0].get("String", {}).get("sval", "") if found else "text"


def _switched_on(option: Tree, name: str) -> bool:
    """An option of EXPLAIN that is on: written without a value, or with any but a false one."""
    element = option.get("DefElem", {})
    if element.get("defname", "").lower() != name:
        return False
    kind, value = unwrap(element.get("arg", {}))
    if kind == "Boolean":
        return bool(value.get("boolval"))
    if kind == "Integer":
        return bool(value.get("ival", 0))
    return kind != "String" or value.get("sval", "").lower() not in _FALSE
