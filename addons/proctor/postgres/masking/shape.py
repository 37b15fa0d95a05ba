"""What kind of statement a text is, and what of it the server has to resolve.

Kinds are named one by one: one that is not named is closed on a masked listener.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import postgast
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]  # no stubs
from postgast import pg_query_pb2 as pb

from proctor.errors import InternalError
from proctor.postgres.masking.model import Kind, closed, unresolved

_MAX_DEPTH: Final = 200  # of a tree that is compared node by node

# Neither show rows nor do anything with a column that could show in what comes of them.
_HARMLESS: Final = frozenset(
    {
        *("variable_set_stmt", "variable_show_stmt", "discard_stmt", "deallocate_stmt"),
        *("close_portal_stmt", "check_point_stmt", "unlisten_stmt", "notify_stmt", "lock_stmt"),
        *("comment_stmt", "grant_stmt", "grant_role_stmt", "alter_default_privileges_stmt"),
        *("drop_stmt", "truncate_stmt", "drop_owned_stmt", "reassign_owned_stmt"),
        *("create_role_stmt", "alter_role_stmt", "alter_role_set_stmt", "drop_role_stmt"),
        *("create_seq_stmt", "alter_seq_stmt", "create_domain_stmt"),
        *("alter_domain_stmt", "composite_type_stmt", "create_enum_stmt", "create_range_stmt"),
        *("alter_enum_stmt", "alter_owner_stmt", "createdb_stmt", "alter_database_stmt"),
        *("alter_database_set_stmt", "dropdb_stmt", "drop_subscription_stmt"),
    }
)
# What they complain of may hold values.
_COMPLAINING: Final = frozenset(
    {"constraints_set_stmt", "vacuum_stmt", "reindex_stmt", "refresh_mat_view_stmt"}
)
_ENDING: Final = frozenset({pb.TRANS_STMT_COMMIT, pb.TRANS_STMT_PREPARE})
_ALTERING: Final = frozenset(
    {
        *(pb.AT_ColumnDefault, pb.AT_DropNotNull, pb.AT_SetNotNull, pb.AT_SetStatistics),
        *(pb.AT_SetStorage, pb.AT_SetCompression, pb.AT_DropColumn, pb.AT_DropConstraint),
        *(pb.AT_ChangeOwner, pb.AT_SetRelOptions, pb.AT_ResetRelOptions),
        *(pb.AT_EnableRowSecurity, pb.AT_ForceRowSecurity),
    }
)
_HARMLESS_CONSTRAINTS: Final = frozenset(
    {
        *(pb.CONSTR_NULL, pb.CONSTR_NOTNULL, pb.CONSTR_DEFAULT, pb.CONSTR_IDENTITY),
        *(pb.CONSTR_PRIMARY, pb.CONSTR_UNIQUE, pb.CONSTR_FOREIGN),
    }
)
_NOTIFICATIONS: Final = "a notification's text is whatever a trigger put there"
_UNREAD: Final = "what it does cannot be read in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A relation as it is written.

    Attributes:
        schema: "" where none is.
        name: Its own.
        columns: Those of it that are meant; none: all.
    """

    schema: str
    name: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is to be found out of a statement.

    Attributes:
        kind: Whose rows its output is.
        body: What the server resolves; "" for nothing.
        types: What PREPARE says of parameters, as `(int, text)`; "" where it says nothing.
        shows: Its output may hold masked columns.
        restores: Surrogates in it may be turned back.
        hide: Its errors may hold values, whatever it reads.
        untouched: Relations that must not have masked columns, or not these.
        why: What would do instead.
        writes: What it reads by `body` is what it writes.
        content: Its rows hold text of tables.
    """

    kind: Kind = Kind.TEXT
    body: str = ""
    types: str = ""
    shows: bool = False
    restores: bool = True
    hide: bool = False
    untouched: tuple[Name, ...] = ()
    why: str = ""
    writes: bool = False
    content: bool = True


def read_shape(text: str) -> Shape:
    """What kind of statement a text is.

    Args:
        text: One statement.

    Raises:
        RefusedError: It could show masked columns in ways nobody can follow.
        InternalError: FETCH or EXECUTE, whose plan is the one of what they name.
    """
    try:
        parsed = postgast.parse(text)
    except postgast.PgQueryError as error:
        raise unresolved(str(error)[:200]) from None
    except DecodeError:
        raise unresolved("a statement that is nested too deeply") from None
    if len(parsed.stmts) != 1:
        raise unresolved(f"{len(parsed.stmts)} statements", "one")
    return _shape(parsed.stmts[0].stmt, text)


def _shape(node: Any, text: str) -> Shape:  # noqa: C901, PLR0911, PLR0912 - one kind after another
    kind = node.WhichOneof("node")
    statement = getattr(node, kind)
    if kind in _HARMLESS:
        return Shape()
    if kind in _COMPLAINING:
        return Shape(hide=True)
    match kind:
        case "select_stmt":
            if statement.HasField("into_clause"):
                inner = pb.Node()
                inner.CopyFrom(node)
                inner.select_stmt.ClearField("into_clause")
                return Shape(body=_written(inner))
            return Shape(kind=Kind.ROWS, body=text, shows=True)
        case "insert_stmt" | "update_stmt" | "delete_stmt" | "merge_stmt":
            return Shape(kind=Kind.ROWS, body=text, shows=True)
        case "declare_cursor_stmt":
            return _inner(statement.query, Kind.CURSOR)
        case "prepare_stmt":
            return replace(_inner(statement.query, Kind.PREPARED), types=_types(node))
        case "explain_stmt":
            if statement.query.WhichOneof("node") == "execute_stmt":
                raise closed("EXPLAIN EXECUTE", "EXPLAIN of the statement itself")
            found = _shape(statement.query, _written(statement.query))
            return replace(found, kind=Kind.TEXT, restores=False, content=False)
        case "create_table_as_stmt" | "view_stmt":
            query = statement.query
            if query.WhichOneof("node") != "select_stmt":
                raise closed("CREATE … AS EXECUTE", "CREATE … AS with the query itself")
            return Shape(body=_written(query), restores=False)
        case "copy_stmt":
            return _copy(statement)
        case "transaction_stmt":
            return Shape(hide=statement.kind in _ENDING)
        case "fetch_stmt" if statement.ismove:
            return Shape()
        case "fetch_stmt" | "execute_stmt":
            raise InternalError("sql-plan", "FETCH and EXECUTE have the plan of what they name")
        case "create_schema_stmt" if not statement.schema_elts:
            return Shape()
        case "alter_table_stmt":
            return _alter(statement)
        case "index_stmt":
            return _index(statement)
        case "create_stmt":
            above = statement.inh_relations if statement.HasField("partbound") else ()
            why = "partitions made elsewhere: whether one can be made tells of values"
            return Shape(untouched=tuple(_name(each.range_var) for each in above), why=why)
        case "cluster_stmt":
            if not statement.HasField("relation"):
                return Shape()  # as somebody has chosen before
            why = "rows in the order in which they are: that of an index tells of values"
            return Shape(untouched=(_name(statement.relation),), why=why)
        case "rename_stmt" | "alter_object_schema_stmt":
            return _rename(statement)
        case "listen_stmt":
            raise closed("LISTEN", _NOTIFICATIONS)
    words = kind.removesuffix("_stmt").replace("_", " ")
    raise closed(f"a statement of the kind `{words}`", _UNREAD)


def _inner(query: Any, kind: Kind) -> Shape:
    """Of DECLARE and PREPARE."""
    found = _shape(query, _written(query))
    if found.kind is not Kind.ROWS:
        raise closed(f"{kind} of a statement that is no query", "SELECT, INSERT, UPDATE or DELETE")
    return replace(found, kind=kind)


def _copy(statement: Any) -> Shape:
    if statement.HasField("query"):
        return Shape(body=_written(statement.query), restores=False)
    name = _name(statement.relation)
    relation = ".".join(quoted(part) for part in (name.schema, name.name) if part)
    if statement.is_from:
        return Shape(body=f"SELECT FROM {relation}", writes=True)
    columns = ", ".join(quoted(item.string.sval) for item in statement.attlist) or "*"
    return Shape(body=f"SELECT {columns} FROM {relation}")  # noqa: S608 - names are quoted


def _index(statement: Any) -> Shape:
    """CREATE INDEX: rows may come in its order, and what it computes complains of values."""
    items = (*statement.index_params, *statement.index_including_params)
    columns = tuple(item.index_elem.name for item in items)
    plain = all(columns) and not statement.HasField("where_clause")
    name = replace(_name(statement.relation), columns=columns if plain else ())
    why = "an index on other columns, as they are: its order and its errors tell of values"
    return Shape(hide=True, untouched=(name,), why=why)


def _alter(statement: Any) -> Shape:
    """ALTER TABLE: on a table with masked columns only what moves, checks and computes nothing."""
    for item in statement.cmds:
        command = item.alter_table_cmd
        if command.subtype == pb.AT_AddColumn:
            column = getattr(command, "def").column_def
            kinds = {each.constraint.contype for each in column.constraints}
            if kinds <= _HARMLESS_CONSTRAINTS:
                continue
        elif command.subtype in _ALTERING:
            continue
        names = [_name(statement.relation)]
        if command.subtype == pb.AT_AttachPartition:  # its rows are compared with the bounds
            names.append(_name(getattr(command, "def").partition_cmd.name))
        why = "columns added, dropped, or their defaults changed; not types, names or conditions"
        return Shape(hide=True, untouched=tuple(names), why=why)
    return Shape(hide=True)


def _rename(statement: Any) -> Shape:
    """Masking knows tables by their names."""
    if statement.HasField("relation"):
        why = "tables and columns under the names they are masked by"
        return Shape(untouched=(_name(statement.relation),), why=why)
    kind = getattr(statement, "rename_type", None) or getattr(statement, "object_type", None)
    if kind == pb.OBJECT_SCHEMA:
        raise closed("ALTER SCHEMA … RENAME", "schemas under the names they are masked by")
    return Shape()


def _name(relation: Any) -> Name:
    return Name(schema=relation.schemaname, name=relation.relname)


def quoted(name: str) -> str:
    """A name as it may stand in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _types(node: Any) -> str:
    """What stands between PREPARE's name and AS."""
    if not node.prepare_stmt.argtypes:
        return ""
    copy = pb.Node()
    copy.CopyFrom(node)
    copy.prepare_stmt.name = "p"
    copy.prepare_stmt.query.Clear()
    copy.prepare_stmt.query.CopyFrom(_SELECT_NOTHING)
    return _written(copy).removeprefix("PREPARE p").removesuffix("AS SELECT").strip()


def _written(node: Any) -> str:
    """A statement inside of another as text, proved to mean the same.

    Raises:
        RefusedError: It cannot be written so that it reads the same.
    """
    whole = pb.ParseResult(version=180004)
    whole.stmts.add().stmt.CopyFrom(node)
    text = ""
    try:
        text = str(postgast.deparse(whole))
        again = postgast.parse(text)
        same = len(again.stmts) == 1 and _bare(again.stmts[0].stmt) == _bare(node)
    except (postgast.PgQueryError, DecodeError, RecursionError):
        same = False
    if not same:
        raise unresolved("a query in a statement", "the query by itself")
    return text


def _bare(node: Any) -> Any:
    """A copy without the places at which everything stood in the text."""
    copy = type(node)()
    copy.CopyFrom(node)
    _unplace(copy, 0)
    return copy


def _unplace(message: Message, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise RecursionError
    for descriptor, value in message.ListFields():
        name = descriptor.name
        if name.endswith("location") or name in ("stmt_len", "location", "list_start", "list_end"):
            message.ClearField(name)
        elif isinstance(value, Message):
            _unplace(value, depth + 1)
        elif descriptor.is_repeated and descriptor.message_type is not None:
            for item in value:
                _unplace(item, depth + 1)


def names(text: str) -> frozenset[str]:
    """Names in a statement; those of all functions that it may call are among them."""
    return frozenset(_strings(postgast.parse(text)))


def _strings(message: Any) -> Iterator[str]:
    if isinstance(message, pb.String):
        yield message.sval
    for descriptor, value in message.ListFields():
        if isinstance(value, Message):
            yield from _strings(value)
        elif descriptor.is_repeated and descriptor.message_type is not None:
            for item in value:
                yield from _strings(item)


_SELECT_NOTHING: Final = postgast.parse("SELECT").stmts[0].stmt
_DIGITS: Final = re.compile(r"\$\d")


@dataclass(frozen=True, slots=True)
class Token:
    """A parameter or a plain literal in a text: its characters, and where they stand."""

    start: int
    end: int
    text: str
    parameter: bool


def tokens(text: str) -> Iterator[Token]:
    """Parameters (`$1`) and plain literals ('…') of a text that can be parsed, in order."""
    data = text.encode("utf-8", "surrogatepass")
    try:
        found = postgast.scan(text).tokens
    except postgast.PgQueryError as error:
        raise unresolved(str(error)[:200]) from None
    at = done = 0
    for token in found:
        if token.token not in (pb.PARAM, pb.SCONST):
            continue
        start = done + len(data[at : token.start].decode("utf-8", "surrogatepass"))
        word = data[token.start : token.end].decode("utf-8", "surrogatepass")
        at, done = token.end, start + len(word)
        if token.token == pb.PARAM or word.startswith("'"):
            yield Token(start, done, word, token.token == pb.PARAM)


def has_parameters(text: str) -> bool:
    """Whether there may be parameters in it."""
    return _DIGITS.search(text) is not None
