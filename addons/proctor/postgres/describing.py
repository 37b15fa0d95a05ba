"""DROP, TRUNCATE, ALTER and the like in words: never run, only looked at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.postgres.counting import TABLES, Found, activity, named, size, total, undone
from proctor.postgres.effects import LOOKING
from proctor.postgres.side import Connection, identifier
from proctor.sql.nodes import Tree, strings, unwrap
from proctor.sql.statement import Statement
from proctor.units import plural

DESCRIBED: Final = frozenset({"DropStmt", "TruncateStmt", "AlterTableStmt", "RenameStmt"})
"""Kinds of statements of which the server is asked for more."""

MAX_LISTED: Final = 100
"""Objects that are named; more are not counted."""

_MAX_TABLES: Final = 10
_MAX_COMMANDS: Final = 20
_RELATIONS: Final = frozenset(
    f"OBJECT_{kind}" for kind in ("TABLE", "VIEW", "MATVIEW", "INDEX", "SEQUENCE", "FOREIGN_TABLE")
)
_ROUTINES: Final = frozenset(
    {"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE"}
)
_TYPES: Final = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_COMMANDS: Final = {
    "AT_AddColumn": "add the column",
    "AT_DropColumn": "drop the column",
    "AT_AlterColumnType": "change the type of the column",
    "AT_ColumnDefault": "change the default of the column",
    "AT_SetNotNull": "forbid NULL in the column",
    "AT_DropNotNull": "allow NULL in the column",
    "AT_AddConstraint": "add a constraint",
    "AT_DropConstraint": "drop the constraint",
    "AT_ChangeOwner": "change the owner",
}

_REGCLASS: Final = (
    "SELECT pg_catalog.to_regclass(n)::pg_catalog.oid::pg_catalog.int8"
    " FROM pg_catalog.unnest($1::pg_catalog.text[]) n"
)
_REGTYPE: Final = _REGCLASS.replace("to_regclass", "to_regtype")
_VISIBLE: Final = (
    "SELECT p.oid::pg_catalog.int8 FROM pg_catalog.pg_proc p"
    " WHERE pg_catalog.pg_function_is_visible(p.oid)"
    " AND p.proname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])"
)
# Edges of pg_depend: n, what would have to be dropped by CASCADE; the others are part of it (own)
# and go by themselves, and what depends on them is found through them. A view depends by its rule.
_DEPENDENTS: Final = """
WITH RECURSIVE d(classid, objid, listed, root, own) AS (
  SELECT $1::regclass::oid, r::oid, false, true, true FROM unnest($2::oid[]) r
  UNION
  SELECT next.* FROM d, LATERAL (
    SELECT CASE WHEN w.oid IS NULL THEN p.classid ELSE 'pg_class'::regclass::oid END,
      coalesce(w.ev_class, p.objid), p.deptype = 'n', false,
      d.own AND p.deptype <> 'n'
    FROM pg_depend p LEFT JOIN pg_rewrite w ON p.classid = 'pg_rewrite'::regclass
      AND w.oid = p.objid AND w.rulename = '_RETURN'
    WHERE p.refclassid = d.classid AND p.refobjid = d.objid
      AND (NOT d.root OR $4::text[] IS NULL OR p.refobjsubid IN (
        SELECT a.attnum FROM pg_attribute a
        WHERE a.attrelid = d.objid AND a.attname = ANY ($4::text[])))
      AND p.deptype IN ('n', 'a', 'i', 'P', 'S')) next)
SELECT DISTINCT pg_describe_object(classid, objid, 0) COLLATE "C" AS what
FROM (SELECT classid, objid FROM d WHERE listed
  EXCEPT SELECT classid, objid FROM d WHERE own) found
ORDER BY 1 LIMIT $3"""
_REFERRING: Final = """
WITH RECURSIVE d(oid) AS (
  SELECT r::oid FROM unnest($1::oid[]) r
  UNION
  SELECT c.conrelid FROM d JOIN pg_constraint c ON c.confrelid = d.oid AND c.contype = 'f')
SELECT oid::int8 AS oid FROM d WHERE oid <> ALL ($1::oid[]) ORDER BY oid LIMIT $2"""


@dataclass(slots=True)
class Description:
    """What is found out, as it is found out.

    Attributes:
        sentence: What it would do.
        notes: More of it, a line each.
        dependents: What depends on what it drops or empties, a line each.
    """

    sentence: str
    notes: list[str] = field(default_factory=list[str])
    dependents: list[str] = field(default_factory=list[str])


def started(statement: Statement, tables: Sequence[str]) -> Description:
    """What can be said without asking."""
    kind, tree = unwrap(statement.tree)
    what = " ".join(statement.verbs)
    if kind == "DropStmt":
        word = tree.get("removeType", "").removeprefix("OBJECT_").replace("_", " ").lower()
        return Description(f"It would drop {word} {joined(tables or _names(tree))}.")
    if kind == "GrantStmt":
        return Description(_granted(tree, tables))
    if kind in {"AlterTableStmt", "TruncateStmt", "RenameStmt"}:
        return Description(f"It would {_verb(kind)} {joined(tables)}{_commands(kind, tree)}.")
    of = f" on {joined(tables)}" if tables else ""
    return Description(f"It would run {what}{of}.")


async def describe(
    connection: Connection, statement: Statement, tables: Sequence[str], found: Description
) -> None:
    """Find out more, in a transaction with the session's search path and role.

    Args:
        connection: Of a transaction that is rolled back.
        statement: It is not run.
        tables: It names them, as rules see them.
        found: To be filled.

    Raises:
        asyncpg.PostgresError: The server could not be asked.
    """
    kind, tree = unwrap(statement.tree)
    oids = await _relations(connection, statement)
    where, roots = await _roots(connection, kind, tree, oids)
    await connection.execute(LOOKING)
    relations = [one for one in await named(connection, oids) if one.kind in TABLES]
    amounts = [await _amount(connection, one, found) for one in relations[:_MAX_TABLES]]
    if amounts:
        more = len(relations) - len(amounts)
        also = f" and {more} more tables" if more else ""
        dropped = f"drop {_word(tree)}".rstrip() if kind == "DropStmt" else _verb(kind)
        found.sentence = f"It would {dropped} {joined(amounts)}{also}{_commands(kind, tree)}."
    else:
        found.sentence = started(statement, tables).sentence
    cascade = tree.get("behavior") == "DROP_CASCADE" or "DROP_CASCADE" in str(tree.get("cmds"))
    if kind == "TruncateStmt":
        await _truncated(connection, oids, found, cascade=cascade)
    elif roots and kind != "RenameStmt":
        columns = None if kind == "DropStmt" else _lost(tree)
        rows = await connection.fetch(_DEPENDENTS, where, roots, MAX_LISTED + 1, columns)
        _dependents([row["what"] for row in rows], found, kind, cascade=cascade)


async def _amount(connection: Connection, table: Found, found: Description) -> str:
    rows, disk = await total(connection, table), await size(connection, table)
    counted = "counted" if rows.exact else "the server's estimate"
    said = [
        f"{rows} ({counted})",
        f"{disk} on disk" if disk else "",
        await activity(connection, table),
    ]
    found.notes.append(f"{table.name}: {'; '.join(filter(None, said))}.")
    return f"{table.name} ({', '.join(filter(None, (str(rows), disk)))})"


async def _truncated(
    connection: Connection, oids: list[int], found: Description, *, cascade: bool
) -> None:
    rows = await connection.fetch(_REFERRING, oids, _MAX_TABLES + 1)
    others = await named(connection, [row["oid"] for row in rows])
    for one in others[:_MAX_TABLES]:
        found.dependents.append(f"table {one.name} ({await total(connection, one)})")
    if others:
        many = len(others) > _MAX_TABLES
        count = f"more than {_MAX_TABLES} tables" if many else plural(len(others), "table")
        found.notes.append(
            f"It says CASCADE, so what refers to it by foreign keys is emptied, too: {count}."
            if cascade
            else f"Foreign keys of {count} refer to it. Without CASCADE the server will refuse it."
        )


def _dependents(listed: Sequence[str], found: Description, kind: str, *, cascade: bool) -> None:
    found.dependents.extend(listed[:MAX_LISTED])
    if not listed:
        if kind == "DropStmt":
            found.notes.append("Nothing else depends on it.")
        return
    count = f"more than {MAX_LISTED}" if len(listed) > MAX_LISTED else f"{len(listed)}"
    if kind == "AlterTableStmt":
        found.notes.append(f"Objects that depend on the columns it drops or changes: {count}.")
    elif cascade:
        found.notes.append(f"It says CASCADE, so what depends on it goes with it: {count}.")
    else:
        found.notes.append(
            f"Objects that depend on it: {count}. Without CASCADE the server will refuse it."
        )


async def _relations(connection: Connection, statement: Statement) -> list[int]:
    names = [
        ".".join(identifier(part) for part in (one.schema, one.name) if part)
        for one in statement.references
        if not one.created
    ]
    try:
        async with undone(connection):
            rows = await connection.fetch(_REGCLASS, names)
    except asyncpg.PostgresError:  # a schema that may not be used
        return []
    return list(dict.fromkeys(row[0] for row in rows if row[0] is not None))


async def _roots(
    connection: Connection, kind: str, tree: Tree, oids: list[int]
) -> tuple[str, list[int]]:
    """What other objects depend on: its catalog, and OIDs in it."""
    drops = tree.get("removeType", "OBJECT_TABLE")
    if kind != "DropStmt" or drops in _RELATIONS:
        return "pg_catalog.pg_class", oids
    parts = _parts(tree)
    if drops == "OBJECT_SCHEMA":
        names = [one[-1] for one in parts]
        asked = "SELECT oid::pg_catalog.int8 FROM pg_catalog.pg_namespace WHERE nspname"
        rows = await connection.fetch(f"{asked} OPERATOR(pg_catalog.=) ANY ($1)", names)
        return "pg_catalog.pg_namespace", [row[0] for row in rows]
    if drops in _TYPES:
        names = [".".join(map(identifier, one)) for one in parts]
        rows = await connection.fetch(_REGTYPE, names)
        return "pg_catalog.pg_type", [row[0] for row in rows if row[0] is not None]
    if drops in _ROUTINES:
        rows = await connection.fetch(_VISIBLE, [one[-1] for one in parts if len(one) == 1])
        found = [row[0] for row in rows]
        asked = "SELECT p.oid::pg_catalog.int8 FROM pg_catalog.pg_proc p, pg_catalog.pg_namespace n"
        for schema, name in (one for one in parts if len(one) > 1):
            rows = await connection.fetch(
                f"{asked} WHERE p.pronamespace OPERATOR(pg_catalog.=) n.oid"
                " AND n.nspname OPERATOR(pg_catalog.=) $1"
                " AND p.proname OPERATOR(pg_catalog.=) $2",
                schema,
                name,
            )
            found += [row[0] for row in rows]
        return "pg_catalog.pg_proc", found
    return "pg_catalog.pg_class", []


def _parts(tree: Tree) -> list[tuple[str, ...]]:
    """What a DROP names: schema, where one is written, and name."""
    found: list[tuple[str, ...]] = []
    for each in tree.get("objects", ()):
        kind, content = unwrap(each)
        match kind:
            case "String":
                found.append((content.get("sval", ""),))
            case "List":
                found.append(strings(content.get("items", [])))
            case "ObjectWithArgs":
                found.append(strings(content.get("objname", [])))
            case "TypeName":
                found.append(strings(content.get("names", [])))
            case _:
                pass
    return [one[-2:] for one in found if one and all(one)]


def _names(tree: Tree) -> list[str]:
    return [".".join(one) for one in _parts(tree)]


def _word(tree: Tree) -> str:
    kind = tree.get("removeType", "")
    return "" if kind == "OBJECT_TABLE" else kind.removeprefix("OBJECT_").replace("_", " ").lower()


def _verb(kind: str) -> str:
    return {"TruncateStmt": "empty", "AlterTableStmt": "alter", "RenameStmt": "rename in"}[kind]


def _commands(kind: str, tree: Tree) -> str:
    """What ALTER changes."""
    if kind == "RenameStmt":
        old = tree.get("subname") or tree.get("relation", {}).get("relname", "")
        return f": {old} becomes {tree.get('newname', '')}"
    said: list[str] = []
    for each in tree.get("cmds", ()):
        _, command = unwrap(each)
        subtype = command.get("subtype", "")
        words = _COMMANDS.get(subtype) or _CAMEL.sub(" ", subtype.removeprefix("AT_")).lower()
        name = command.get("name") or _column(command)
        said.append(f"{words} {name}".rstrip())
    more = f" and {len(said) - _MAX_COMMANDS} changes more" if len(said) > _MAX_COMMANDS else ""
    return f": {', '.join(said[:_MAX_COMMANDS])}{more}" if said else ""


def _lost(tree: Tree) -> list[str]:
    """The columns that ALTER drops or gives another type."""
    commands = [unwrap(each)[1] for each in tree.get("cmds", ())]
    losing = {"AT_DropColumn", "AT_AlterColumnType"}
    return [each.get("name", "") for each in commands if each.get("subtype") in losing]


def _column(command: Tree) -> str:
    _, made = unwrap(command.get("def", {}))
    name: Any = made.get("colname") or made.get("conname") or ""
    return str(name)


def _granted(tree: Tree, tables: Sequence[str]) -> str:
    rights = [
        unwrap(each)[1].get("priv_name", "all").upper() for each in tree.get("privileges", ())
    ]
    people = [
        unwrap(each)[1].get("rolename", "everybody (PUBLIC)") for each in tree.get("grantees", ())
    ]
    kind = tree.get("objtype", "").removeprefix("OBJECT_").replace("_", " ").lower()
    of = joined(tables) if tables else f"{kind} {joined(_names(tree))}".rstrip()
    word, to = ("grant", "to") if tree.get("is_grant") else ("take", "from")
    what = ", ".join(rights) or "all rights"
    return f"It would {word} {what} on {of} {to} {joined(people)}."


def joined(names: Sequence[str]) -> str:
    """Names in a sentence, the first ones of many."""
    shown = list(names[:_MAX_TABLES])
    if len(names) > _MAX_TABLES:
        shown.append(f"{len(names) - _MAX_TABLES} more")
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else "".join(shown)
