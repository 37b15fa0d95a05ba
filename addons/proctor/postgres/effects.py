"""What a statement would set off that a rollback does not undo: asked before one is tried.

The server resolves the statement, as the body of a function that is never called; in that tree
stand all relations and functions, also those of casts and operators. To these come, out of the
catalog, partitions, tables that foreign keys reach, and what is computed for any of them: defaults,
generated columns, checks, indexes, policies, rules, views, domains.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import orjson

from proctor.postgres.side import Connection
from proctor.sql.functions import known
from proctor.sql.identifiers import written
from proctor.sql.names import Function

LOOKING: Final = "SET LOCAL search_path = pg_catalog, pg_temp"
"""So that a user's own operators are not in the way of what is asked of the catalog."""

_SEQUENCES: Final = frozenset({"nextval", "setval"})
_MAX_NAMED: Final = 3

_TREE: Final = (
    "SELECT prosqlbody::text FROM pg_proc"
    " WHERE proname = 'proctor_tries' AND pronamespace = pg_my_temp_schema()"
)
# rellockmode: 3 and above for what is written (lockdefs.h). commandType: 2 UPDATE, 3 INSERT,
# 4 DELETE, 5 MERGE (nodes.h). how: 0 read; 1 changed by what a foreign key does to the rows that
# refer; 2 the same, setting them to defaults; 3 written by name.
_ASKED: Final = r"""
WITH RECURSIVE named AS (
  SELECT m[1]::oid AS oid, max(CASE WHEN m[2]::int >= 3 THEN 3 ELSE 0 END) AS how
  FROM regexp_matches($1, ':relid (\d+) [^{}]*?:rellockmode (\d+)', 'g') m
  WHERE m[1] <> '0' GROUP BY 1),
rel(oid, how) AS (
  SELECT oid, how FROM named
  UNION
  SELECT next.oid, next.how FROM rel, LATERAL (
    SELECT i.inhrelid AS oid, rel.how FROM pg_inherits i WHERE i.inhparent = rel.oid
    UNION ALL
    SELECT c.conrelid, CASE WHEN 'd' IN (c.confdeltype, c.confupdtype) THEN 2 ELSE 1 END
    FROM pg_constraint c WHERE c.confrelid = rel.oid AND c.contype = 'f' AND rel.how > 0
      AND $1 ~ ':commandType [245]|[{]ONCONFLICTEXPR'
      AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
    UNION ALL
    SELECT d.refobjid, 0 FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_class'::regclass
    WHERE w.ev_class = rel.oid AND d.refobjid <> rel.oid) next),
ours AS (
  SELECT oid, max(how) > 0 AS written, max(how) = 2
    OR (max(how) = 3 AND $1 ~ ':commandType 3|[{]SETTODEFAULT') AS defaults
  FROM rel GROUP BY 1),
types(oid) AS (
  SELECT m[1]::oid FROM regexp_matches($1, ':resulttype (\d+)', 'g') m
  UNION SELECT a.atttypid FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid
  UNION SELECT t.typbasetype FROM types JOIN pg_type t ON t.oid = types.oid
  WHERE t.typbasetype <> 0),
trees(t) AS (
  SELECT $1
  UNION ALL SELECT concat(w.ev_action, w.ev_qual) FROM ours
    JOIN pg_rewrite w ON w.ev_class = ours.oid
  UNION ALL SELECT d.adbin::text FROM ours JOIN pg_attrdef d ON d.adrelid = ours.oid
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE a.attgenerated <> '' OR ours.defaults
  UNION ALL SELECT c.conbin::text FROM ours JOIN pg_constraint c ON c.conrelid = ours.oid
  UNION ALL SELECT c.conbin::text FROM types JOIN pg_constraint c ON c.contypid = types.oid
  UNION ALL SELECT concat(i.indexprs, i.indpred) FROM ours
    JOIN pg_index i ON i.indrelid = ours.oid
  UNION ALL SELECT concat(p.polqual, p.polwithcheck) FROM ours
    JOIN pg_policy p ON p.polrelid = ours.oid
  UNION ALL SELECT p.partexprs::text FROM ours, LATERAL pg_partition_ancestors(ours.oid) a
    JOIN pg_partitioned_table p ON p.partrelid = a),
calls AS (
  SELECT DISTINCT m[1]::oid AS oid FROM trees,
    LATERAL regexp_matches(t, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') m)
SELECT json_build_object(
  'relations', (SELECT json_agg(json_build_array(
    n.nspname, c.relname, c.relkind, ours.written,
    ours.oid IN (SELECT oid FROM named WHERE how = 3),
    (SELECT json_agg(json_build_array(fn.nspname, f.proname, (
        SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e'
        AND d.refclassid = 'pg_extension'::regclass)))
      FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
      JOIN pg_namespace fn ON fn.oid = f.pronamespace
      WHERE t.tgrelid = c.oid AND t.tgenabled <> 'D'
      AND NOT (f.pronamespace = 'pg_catalog'::regnamespace
        AND (f.proname ~ '^RI_FKey_' OR f.proname = 'unique_key_recheck'))),
    EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_enabled <> 'D'),
    ours.defaults AND EXISTS (SELECT FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attidentity <> ''), c.oid))
    FROM ours JOIN pg_class c ON c.oid = ours.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')),
  'functions', (SELECT json_agg(json_build_array(n.nspname, p.proname, (
      SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      AND d.refclassid = 'pg_extension'::regclass)))
    FROM calls JOIN pg_proc p ON p.oid = calls.oid JOIN pg_namespace n ON n.oid = p.pronamespace)
)::text"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What comes of a statement beside its rows.

    Attributes:
        targets: OIDs of the tables that it names and writes.
        strange: Functions that nobody has looked at; the planner may call them, too.
        lasting: In words, why it cannot be run and taken back; () where it can.
    """

    targets: tuple[int, ...]
    strange: tuple[str, ...]
    lasting: tuple[str, ...]


async def effects_of(
    connection: Connection, body: str, allowed: AbstractSet[str] = frozenset()
) -> Effects:
    """Find out, in what is undone; until then the search path is another.

    Args:
        connection: With the search path and role of the session.
        body: One statement: SELECT, INSERT, UPDATE, DELETE or MERGE, without parameters.
        allowed: Functions that somebody has looked at, as functions.known has them.

    Raises:
        asyncpg.PostgresError: The server cannot resolve it.
    """
    # The extended protocol takes one statement: a text that is read otherwise there than here
    # cannot bring a second one.
    await connection.fetch(
        "CREATE FUNCTION pg_temp.proctor_tries() RETURNS pg_catalog.void LANGUAGE sql"
        f" BEGIN ATOMIC {body}\n; END"
    )
    await connection.execute(LOOKING)
    answer = orjson.loads(await connection.fetchval(_ASKED, await connection.fetchval(_TREE)))
    functions = _functions(answer["functions"])
    strange = sorted(
        {
            written(one.schema, one.name)
            for one in functions
            if one.schema != "pg_catalog" and not known(one, allowed)
        }
    )
    relations = answer["relations"] or []
    return Effects(
        targets=tuple(sorted(int(one[-1]) for one in relations if one[3] and one[4])),
        strange=tuple(strange),
        lasting=tuple(_lasting(relations, functions, strange, allowed)),
    )


def _functions(found: Sequence[Sequence[str | None]] | None) -> list[Function]:
    return [
        Function(schema or "", name or "", extension or "")
        for schema, name, extension in found or ()
    ]


def _lasting(
    relations: Sequence[Sequence[Any]],
    functions: Sequence[Function],
    strange: Sequence[str],
    allowed: AbstractSet[str],
) -> list[str]:
    found: dict[str, list[str]] = {}
    for schema, table, kind, changed, _, triggers, rules, identity, _ in relations:
        name = written(schema, table)
        if kind == "f":
            found.setdefault("reaches foreign tables ({})", []).append(name)
        elif changed and kind in {"v", "m"}:
            found.setdefault("writes through views ({})", []).append(name)
        elif changed and rules:
            found.setdefault("sets off rules (of {})", []).append(name)
        if changed and not all(known(one, allowed) for one in _functions(triggers)):
            found.setdefault("sets off triggers (of {})", []).append(name)
        if changed and identity:
            found.setdefault("would move sequences for good (of {})", []).append(name)
    if any(one.name in _SEQUENCES and one.schema == "pg_catalog" for one in functions):
        found.setdefault("would move sequences for good ({})", []).append("nextval or setval")
    refused = [
        f"pg_catalog.{one.name}"
        for one in functions
        if one.schema == "pg_catalog" and not known(one, allowed) and one.name not in _SEQUENCES
    ]
    for name in (*strange, *sorted(set(refused))):
        found.setdefault("calls functions that nobody has looked at ({})", []).append(name)
    return [words.format(_listed(names)) for words, names in found.items()]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
