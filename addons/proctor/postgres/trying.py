"""A statement run and taken back: which rows of which tables it touches, and that in words."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from proctor.postgres.counting import Found, Total
from proctor.postgres.side import Connection
from proctor.units import plural

_LEAST: Final = 0.1  # per cent that are shown as a number
# Of this session alone, what has not been flushed yet included: hence the difference of two.
_COUNTS: Final = """
SELECT s.relid::pg_catalog.int8 AS oid,
  ARRAY(SELECT a::pg_catalog.oid::pg_catalog.int8
    FROM pg_catalog.pg_partition_ancestors(s.relid) a) AS above,
  s.n_tup_ins, s.n_tup_upd, s.n_tup_del
FROM pg_catalog.pg_stat_xact_user_tables s"""
_TRACKS: Final = "SELECT pg_catalog.current_setting('track_counts')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rows of one table."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


async def tried(
    connection: Connection, body: str, targets: Collection[int]
) -> dict[int, Change] | None:
    """Run a statement, in what is undone.

    Its rows stay at the server: EXPLAIN ANALYZE runs it, with all that foreign keys do.

    Args:
        connection: With the search path and role of the session.
        body: One statement, without parameters.
        targets: OIDs of the tables it names.

    Returns:
        By table, partitions as part of theirs; None where the server does not count.

    Raises:
        asyncpg.PostgresError: It fails.
    """
    if await connection.fetchval(_TRACKS) != "on":
        return None
    before = {row["oid"]: row for row in await connection.fetch(_COUNTS)}
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # none would be checked later
    await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {body}")
    found: dict[int, list[int]] = {}
    for row in await connection.fetch(_COUNTS):
        old = before.get(row["oid"])
        above = row["above"] or [row["oid"]]
        oid = next((one for one in above if one in targets), above[-1])
        sums = found.setdefault(oid, [0, 0, 0])
        for at, name in enumerate(("n_tup_ins", "n_tup_upd", "n_tup_del")):
            sums[at] += row[name] - (old[name] if old else 0)
    return {
        oid: Change(inserted=sums[0], updated=sums[1], deleted=sums[2])
        for oid, sums in found.items()
        if any(sums)
    }


def estimated(verbs: Sequence[str], rows: int) -> Change:
    """What the planner expects, by the first word that changes something."""
    for verb in verbs:
        match verb:
            case "INSERT":
                return Change(inserted=rows)
            case "DELETE":
                return Change(deleted=rows)
            case "UPDATE" | "MERGE":
                return Change(updated=rows)
            case _:
                pass
    return Change()


def changed(table: Found, change: Change, total: Total, *, about: str = "") -> str:
    """What becomes of a table: `delete 12 of 4,031 rows of public.orders (0.3 %)`."""
    said: list[str] = []
    if change.inserted:
        rows = plural(change.inserted, "row")
        said.append(f"insert {about}{rows} into {table.name}, now of {total}")
    for word, count in (("update", change.updated), ("delete", change.deleted)):
        if count:
            said.append(f"{word} {about}{_share(count, total, table.name, exact=not about)}")
    return " and ".join(said)


def sentence(
    verbs: Sequence[str],
    targets: Sequence[tuple[Found, Change, Total]],
    *,
    has_where: bool,
    about: str = "",
) -> str:
    """What a statement would do to the tables that it names."""
    done = [changed(*one, about=about) for one in targets]
    where = ""
    if {"UPDATE", "DELETE"} & set(verbs):
        where = " It has a WHERE." if has_where else " No WHERE limits it."
    if any(done):
        return f"It would {', and '.join(filter(None, done))}.{where}"
    tables = ", ".join(f"{table.name} ({total})" for table, _, total in targets)
    nothing = "It would change no row" if not about else "It would change hardly a row"
    return f"{nothing} of {tables}.{where}" if tables else f"{nothing}.{where}"


def _share(count: int, total: Total, name: str, *, exact: bool) -> str:
    if not total.rows:
        return f"{plural(count, 'row')} of {name}"
    if exact and total.exact and count == total.rows:
        return f"all {total} of {name}" if count > 1 else f"the only row of {name}"
    share = 100 * count / total.rows
    per_cent = f"{share:.1f}".removesuffix(".0") if share >= _LEAST else f"under {_LEAST}"
    return f"{count:,} of {total} of {name} ({per_cent} %)"
