"""Views that show a table with its sensitive columns masked, as SQL.

The masks are those of the wire (masking/values.py), as far as an expression can make them. A hash's
key lies in a table that only the views' owners read: a view's text is open to everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proctor.postgres.hardening.model import Column, Table
from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.side import identifier

KEY: Final = "proctor_key"
"""The table with the key for hashes."""

_CATALOG: Final = "pg_catalog"
_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "name"})
_INVOKER: Final = 15  # the first version whose views can act for who asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """What stands in a view in place of a column.

    Attributes:
        sql: The expression.
        reads: It reads the column itself.
        keyed: It needs the key.
        lost: The method that this could not be; "" where it is what was asked for.
    """

    sql: str
    reads: bool = False
    keyed: bool = False
    lost: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view over one table.

    Attributes:
        columns: Names of its columns.
        sql: Its SELECT.
        options: Of WITH.
        keyed: It needs the key.
        invoker: It reads with the rights of who asks.
        lost: Columns whose mask became NULL, with the method asked for.
    """

    columns: tuple[str, ...]
    sql: str
    options: str
    keyed: bool
    invoker: bool
    lost: tuple[tuple[str, str], ...]


def literal(text: str) -> str:
    """A text as it stands in SQL, whatever the session's settings."""
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace('\\', '\\\\')}'" if "\\" in text else f"'{quoted}'"


def mask(column: Column, sensitive: Sensitive, schema: str, *, plain: bool = False) -> Mask:
    """What stands in place of a column.

    Args:
        column: The column.
        sensitive: How it is masked.
        schema: Of the table with the key.
        plain: It must not be read.
    """
    kind = f"{identifier(column.type[0])}.{identifier(column.type[1])}"
    nothing = f"NULL::{kind}"
    method = sensitive.method
    if method in {Method.NULL, Method.FIXED}:
        fixed = f"{literal(sensitive.value)}::{kind}"
        return Mask(sql=fixed if method is Method.FIXED else nothing)
    name = identifier(column.name)
    text = column.type[1] == "citext" or (column.type[0] == _CATALOG and column.type[1] in _TEXTS)
    if not plain and method is Method.PARTIAL and text:
        return Mask(sql=f"{_partial(name)}::{kind}", reads=True)
    if not plain and method is Method.HASH:
        found = _hash(name, schema)
        if text or column.type == (_CATALOG, "uuid"):
            return Mask(sql=f"{found}::{kind}", reads=True, keyed=True)
        if column.type == (_CATALOG, "bytea"):
            return Mask(sql=f"decode({found}, 'hex')", reads=True, keyed=True)
    return Mask(sql=nothing, lost=method.value)


def view(table: Table, schema: str, version: int) -> View | None:
    """A view that shows what the role may see of a table.

    Args:
        table: The table.
        schema: Where the view goes.
        version: Of the server.

    Returns:
        None where there can be none: policies say who sees which rows, and the view cannot have
        its reader for who asks, before PostgreSQL 15, or where a reader may see no column at all.
    """
    new = version >= _INVOKER
    open_ = any(each.readable and each.name not in table.sensitive for each in table.columns)
    if table.row_security and not (new and open_):
        return None
    # Who may see which rows is asked of who asks: then its own rights are all there is.
    plain = table.row_security
    shown = [each for each in table.columns if each.readable or each.name in table.sensitive]
    masks = {
        each.name: mask(each, table.sensitive[each.name], schema, plain=plain)
        for each in shown
        if each.name in table.sensitive
    }
    invoker = new and open_ and not any(each.reads for each in masks.values())
    parts = [
        f"{masks[each.name].sql} AS {identifier(each.name)}"
        if each.name in masks
        else identifier(each.name)
        for each in shown
    ]
    options = "security_barrier = true" + (", security_invoker = true" if invoker else "")
    return View(
        columns=tuple(each.name for each in shown),
        sql=f"SELECT\n  {',\n  '.join(parts)}\nFROM {qualified(table)}",
        options=options,
        keyed=any(each.keyed for each in masks.values()),
        invoker=invoker,
        lost=tuple((name, each.lost) for name, each in masks.items() if each.lost),
    )


def names(tables: Sequence[Table], path: Sequence[str]) -> dict[int, str]:
    """What the view of each table is called, by the table's OID: as the table where that is free.

    Args:
        tables: All that get one.
        path: The role's search path: of two tables of a name the first there has it.
    """

    def rank(table: Table) -> tuple[int, int]:
        schemas = list(path)
        return (schemas.index(table.schema) if table.schema in path else len(schemas), table.oid)

    found: dict[int, str] = {}
    for table in sorted(tables, key=rank):
        name = table.name
        if name in found.values() or name == KEY:
            name = f"{table.schema}_{table.name}"
        while name in found.values() or name == KEY:
            name += "_"
        found[table.oid] = name
    return found


def qualified(table: Table) -> str:
    """Its name in SQL."""
    return f"{identifier(table.schema)}.{identifier(table.name)}"


def _partial(name: str) -> str:
    """As `values.partial`."""
    text = f'({name}::text COLLATE "C")'
    mail = r"'^[^@\s][^@\s]*@[^@\s]+\.[A-Za-z]{2,24}$'"
    return (
        f"(CASE WHEN {name} IS NULL THEN NULL"
        f" WHEN {text} ~ {mail}"
        f" THEN left({text}, 1) || '***@***.' || substring({text}, '[A-Za-z]{{2,24}}$')"
        f" WHEN length({text}) >= 8 THEN '***' || right({text}, 4) ELSE '***' END)"
    )


def _hash(name: str, schema: str) -> str:
    """32 digits that only who has the key can make of a value (as HMAC, hashed twice)."""
    key = f"(SELECT key FROM {identifier(schema)}.{KEY})"  # noqa: S608 - the same
    inner = f"sha256({key} || sha256(convert_to({name}::text, 'UTF8')))"
    return f"left(encode(sha256({key} || {inner}), 'hex'), 32)"
