"""How much there is of a table: rows, size on disk, what has been done with it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.postgres.side import Connection
from proctor.sql.identifiers import written
from proctor.units import plural

TABLES: Final = frozenset("rpm")
"""Kinds of relations (pg_class.relkind) that have rows of their own, or in partitions."""

_POINT: Final = "proctor_tries"
_ESTIMATE: Final = """
WITH RECURSIVE parts(oid) AS (
  SELECT $1::oid UNION SELECT i.inhrelid FROM parts JOIN pg_inherits i ON i.inhparent = parts.oid)
SELECT CASE WHEN bool_or(c.reltuples < 0) THEN NULL ELSE sum(c.reltuples)::int8 END
FROM parts JOIN pg_class c ON c.oid = parts.oid WHERE c.relkind IN ('r', 'm')"""
# A policy's functions would be called, or another server asked.
_CLOSED: Final = """
WITH RECURSIVE parts(oid) AS (
  SELECT $1::oid UNION SELECT i.inhrelid FROM parts JOIN pg_inherits i ON i.inhparent = parts.oid)
SELECT row_security_active($1::oid) OR bool_or(c.relkind NOT IN ('r', 'p', 'm'))
FROM parts JOIN pg_class c ON c.oid = parts.oid"""
_SIZE: Final = """
WITH RECURSIVE parts(oid) AS (
  SELECT $1::oid UNION SELECT i.inhrelid FROM parts JOIN pg_inherits i ON i.inhparent = parts.oid)
SELECT pg_size_pretty(sum(pg_total_relation_size(oid))) FROM parts"""
_ACTIVITY: Final = """
SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS scans, n_tup_ins AS added,
  n_tup_upd AS changed, n_tup_del AS removed, to_char(
    greatest((to_jsonb(s) ->> 'last_seq_scan')::timestamptz,
      (to_jsonb(s) ->> 'last_idx_scan')::timestamptz) AT TIME ZONE 'UTC',
    'YYYY-MM-DD HH24:MI "UTC"') AS last
FROM pg_stat_user_tables s WHERE relid = $1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A relation.

    Attributes:
        oid: In pg_class.
        name: As `schema.name`, as rules see it.
        quoted: As it stands in SQL.
        kind: pg_class.relkind.
    """

    oid: int
    name: str
    quoted: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many rows there are; `rows` is None where nobody knows."""

    rows: int | None
    exact: bool

    def __str__(self) -> str:
        if self.rows is None:
            return "an unknown number of rows"
        about = "" if self.exact else "about "
        return about + plural(self.rows, "row")


UNKNOWN: Final = Total(rows=None, exact=False)
"""Nobody knows."""


@contextlib.asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """What is done in here is undone at its end; the transaction lives on, also after an error.

    Raises:
        asyncpg.PostgresError: What failed.
    """
    await connection.execute(f"SAVEPOINT {_POINT}")
    try:
        yield
    except asyncpg.PostgresError:
        await connection.execute(f"ROLLBACK TO SAVEPOINT {_POINT}")
        raise
    await connection.execute(f"ROLLBACK TO SAVEPOINT {_POINT}")


async def within(connection: Connection, seconds: float) -> None:
    """How long each statement may take from now on."""
    await connection.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")


async def named(connection: Connection, oids: list[int]) -> list[Found]:
    """Relations by OID, in this order."""
    rows = await connection.fetch(
        "SELECT c.oid::int8 AS oid, n.nspname, c.relname, c.relkind::text AS kind,"
        " format('%I.%I', n.nspname, c.relname) AS quoted"
        " FROM unnest($1::oid[]) WITH ORDINALITY u(oid, at) JOIN pg_class c ON c.oid = u.oid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY u.at",
        oids,
    )
    return [
        Found(
            oid=row["oid"],
            name=written(row["nspname"], row["relname"]),
            quoted=row["quoted"],
            kind=row["kind"],
        )
        for row in rows
    ]


async def total(connection: Connection, table: Found) -> Total:
    """Rows, counted in the time there is; else as the server last estimated them.

    Args:
        connection: With the search path of `effects.LOOKING`.
        table: To be counted.
    """
    if table.kind not in TABLES:
        return UNKNOWN
    if await connection.fetchval(_CLOSED, table.oid):
        return Total(rows=await connection.fetchval(_ESTIMATE, table.oid), exact=False)
    with contextlib.suppress(asyncpg.PostgresError):
        async with undone(connection):
            rows = await connection.fetchval(f"SELECT count(*) FROM {table.quoted}")  # noqa: S608
            return Total(rows=rows, exact=True)
    return Total(rows=await connection.fetchval(_ESTIMATE, table.oid), exact=False)


async def size(connection: Connection, table: Found) -> str:
    """On disk, with indexes; "" where it cannot be asked, such as of a table that is locked."""
    with contextlib.suppress(asyncpg.PostgresError):
        async with undone(connection):
            return str(await connection.fetchval(_SIZE, table.oid))
    return ""


async def activity(connection: Connection, table: Found) -> str:
    """What has been done with it since the server's statistics began, in words."""
    rows = await connection.fetch(_ACTIVITY, table.oid)
    if not rows:
        return ""
    row = rows[0]
    text = (
        f"read {row['scans']:,} times, {row['added']:,} rows inserted, {row['changed']:,} updated,"
        f" {row['removed']:,} deleted since the server began to count"
    )
    return f"{text}; last read {row['last']}" if row["last"] else text
