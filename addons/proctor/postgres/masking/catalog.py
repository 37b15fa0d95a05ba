"""What the server's catalog says of the sensitive columns, and when it has changed.

All of it may be read by a login without any rights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from proctor.postgres.masking.closed import FUNCTIONS, RELATIONS, SAFE_LANGUAGES, UNREAD
from proctor.postgres.masking.lineage import UnknownViewError
from proctor.postgres.masking.model import Known, Sensitive
from proctor.postgres.masking.nodes import Node, read_tree
from proctor.postgres.side import Connection

_FIRST_NORMAL: Final = 16384  # OIDs below were there before the first user (transam.h)

# Rows that say what relations, columns, views and functions are: table, a number of the row, which.
_WATCHED: Final = (
    ("pg_class", "oid", "relkind IN ('r', 'v', 'm', 'f', 'p') AND relpersistence <> 't'"),
    ("pg_rewrite", "oid", "true"),
    ("pg_inherits", "inhrelid", "true"),
    ("pg_namespace", "oid", "nspname !~ '^pg_(toast_)?temp_'"),
    ("pg_proc", "oid", "oid >= 16384"),
    ("pg_trigger", "oid", "NOT tgisinternal"),
    ("pg_constraint", "oid", "contype = 'f'"),
    ("pg_attribute", "attnum", "attrelid = ANY ($1::pg_catalog.oid[])"),
)
# A sum over the numbers of the transactions that wrote the rows: a row that is added, changed or
# taken away changes it. The counters of pg_stat_* would be cheaper, but come a minute late.
_CHANGES: Final = "SELECT pg_catalog.concat_ws(' ', {})".format(
    ", ".join(
        "(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum("  # noqa: S608 - ours
        f"xmin::pg_catalog.text::pg_catalog.int8 * 31 + {number}::pg_catalog.int8))"
        f" FROM pg_catalog.{table} WHERE {condition})"
        for table, number, condition in _WATCHED
    )
)

# Tables whose columns are configured, all that inherits from them and all that they inherit from.
_TABLES: Final = """
WITH RECURSIVE configured AS (
  SELECT c.oid FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) w(s, t)
    ON w.s = n.nspname AND w.t = c.relname
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  UNION SELECT pg_catalog.unnest($3::pg_catalog.oid[])
), family(oid) AS (
  SELECT oid FROM configured
  UNION
  SELECT e.oid FROM family f CROSS JOIN LATERAL (
    SELECT inhrelid AS oid FROM pg_catalog.pg_inherits WHERE inhparent = f.oid
    UNION ALL
    SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = f.oid
  ) e
)
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
  c.relkind::text AS kind, c.reltoastrelid::int8 AS toast,
  ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
  ARRAY(SELECT a.attnum::int8 FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS numbers,
  ARRAY(SELECT i.inhparent::int8 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS parents
FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"""

_OTHERS: Final = """
SELECT 'closed' AS what, oid::int8 AS a, 0::int8 AS b, relname::text AS name
FROM pg_catalog.pg_class
WHERE relname = ANY ($1::text[]) AND relkind IN ('r', 'v', 'm', 'f', 'p')
UNION ALL
SELECT 'function', oid::int8, 0, proname::text FROM pg_catalog.pg_proc
WHERE proname = ANY ($2::text[])
UNION ALL
SELECT 'rule', ev_class::int8, 0, rulename::text FROM pg_catalog.pg_rewrite
WHERE ev_type <> '1' AND ev_class >= 16384
UNION ALL
SELECT DISTINCT 'trigger', tgrelid::int8, 0::int8, '' FROM pg_catalog.pg_trigger
WHERE NOT tgisinternal
UNION ALL
SELECT 'action', confrelid::int8, conrelid::int8, '' FROM pg_catalog.pg_constraint
WHERE contype = 'f' AND (confupdtype IN ('c', 'n', 'd') OR confdeltype IN ('c', 'n', 'd'))
UNION ALL
SELECT 'text', oid::int8, 0, typname::text FROM pg_catalog.pg_type
WHERE typname = 'citext' AND oid >= 16384
UNION ALL
SELECT 'trusted', c.oid::int8, 0, c.relname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname || '.' || c.relname = ANY ($3::text[]) AND c.relkind IN ('v', 'm')"""

_VIEWS: Final = """
SELECT w.ev_class::int8 AS oid, w.ev_action::text AS tree FROM pg_catalog.pg_rewrite w
WHERE w.ev_class = ANY ($1::pg_catalog.oid[]) AND w.ev_type = '1'"""

_FUNCTIONS: Final = """
SELECT p.oid::int8 AS oid, n.nspname || '.' || p.proname AS name,
  l.lanname = ANY ($2::text[]) AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc s
      ON s.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
        a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
    JOIN pg_catalog.pg_language sl ON sl.oid = s.prolang
    WHERE a.aggfnoid = p.oid AND sl.lanname <> ALL ($2::text[])) AS safe
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid = ANY ($1::pg_catalog.oid[])"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table that has sensitive columns, or may have."""

    oid: int
    schema: str
    name: str
    kind: str
    toast: int
    columns: list[str]
    numbers: list[int]
    parents: list[int]


@dataclass(slots=True)
class Catalog:
    """One state of the catalog; what it learns of views and functions is kept with it.

    Attributes:
        known: Sensitive columns of tables.
        configured: Of those, the ones that were found by their names.
        missing: Configured columns that there are not.
        first: A sensitive column of each table that has one.
        closed_relations: Name and reason, by OID.
        closed_functions: Name, by OID.
        rules: Relations with rules.
        links: Relations with triggers, or with foreign keys that change sensitive tables.
        trusted: Views that an operator calls safe.
        texts: Types of extensions whose values are texts in both formats: citext.
    """

    known: dict[tuple[int, int], Sensitive] = field(default_factory=dict)
    configured: dict[tuple[int, int], Sensitive] = field(default_factory=dict)
    missing: tuple[Sensitive, ...] = ()
    texts: frozenset[int] = frozenset()
    first: dict[int, Sensitive] = field(default_factory=dict)
    closed_relations: dict[int, tuple[str, str]] = field(default_factory=dict)
    closed_functions: dict[int, str] = field(default_factory=dict)
    rules: set[int] = field(default_factory=set)
    links: set[int] = field(default_factory=set)
    trusted: set[int] = field(default_factory=set)
    _views: dict[int, Node] = field(default_factory=dict)
    _functions: dict[int, tuple[str, bool]] = field(default_factory=dict)

    def column(self, relation: int, number: int) -> Sensitive | None:
        """A sensitive column of a table, or None."""
        return self.known.get((relation, number))

    def touches(self, relation: int) -> Sensitive | None:
        """The first sensitive column of a table, or None."""
        return self.first.get(relation)

    def closed(self, relation: int) -> tuple[str, str] | None:
        """A relation's name, and why it may not be read; None where it may."""
        return self.closed_relations.get(relation)

    def ruled(self, relation: int) -> bool:
        """Whether what is written to it sets off rules."""
        return relation in self.rules

    def linked(self, relation: int) -> bool:
        """Whether a change of it runs triggers, or changes rows of sensitive tables.

        What either of them complains of can hold values.
        """
        return relation in self.links

    def trusts(self, relation: int) -> bool:
        """Whether it is a view that an operator calls safe."""
        return relation in self.trusted

    def view(self, relation: int) -> Node | None:
        """The query behind a view; None where it is the system's own, or said to be safe.

        Raises:
            UnknownViewError: It was not read yet.
        """
        if relation < _FIRST_NORMAL or relation in self.trusted:
            return None
        found = self._views.get(relation)
        if found is None:
            raise UnknownViewError(relation)
        return found

    async def read_view(self, connection: Connection, relation: int) -> None:
        """Learn what is behind a view.

        Raises:
            ValueError: There is none, or it cannot be read.
        """
        rows = await connection.fetch(_VIEWS, [relation])
        if len(rows) != 1:
            raise ValueError("a view without a definition")
        tree = read_tree(rows[0]["tree"])
        if not isinstance(tree, list) or len(tree) != 1 or not isinstance(tree[0], Node):
            raise ValueError("a view of several statements")
        self._views[relation] = tree[0]

    async def refuses(
        self, connection: Connection, functions: set[int], trusted: frozenset[str]
    ) -> tuple[str, str] | None:
        """A function that could read tables by itself, and why; None where all are harmless.

        Args:
            connection: To ask of those that are not known yet.
            functions: Their OIDs.
            trusted: Such as `public.fullname`: said to be safe.
        """
        unknown = [oid for oid in functions if oid >= _FIRST_NORMAL and oid not in self._functions]
        if unknown:
            for row in await connection.fetch(_FUNCTIONS, unknown, list(SAFE_LANGUAGES)):
                self._functions[row["oid"]] = (row["name"], row["safe"])
        for oid in functions:
            name, safe = self._functions.get(oid, (f"function {oid}", oid < _FIRST_NORMAL))
            if name in trusted:
                continue
            if reason := self.closed_functions.get(oid):
                return reason, FUNCTIONS[reason]
            if not safe:
                return name, UNREAD
        return None


async def load(
    connection: Connection,
    sensitive: Sequence[Sensitive],
    trusted: frozenset[str],
    former: Known,
) -> Catalog:
    """Read what is known of the sensitive columns.

    Args:
        connection: To the database.
        sensitive: As configured.
        trusted: Views, by schema and name, that show nothing they should not.
        former: What was sensitive before, and stays so under another name.
    """
    catalog = Catalog()
    schemas, names = [one.schema for one in sensitive], [one.table for one in sensitive]
    before = sorted({oid for oid, _ in former})
    tables = await connection.fetch(_TABLES, schemas, names, before)
    _know(catalog, [_Table(**row) for row in tables], sensitive, former)
    rows = await connection.fetch(_OTHERS, list(RELATIONS), list(FUNCTIONS), list(trusted))
    actions: list[tuple[int, int]] = []
    for what, a, b, name in rows:
        match what:
            case "closed":
                catalog.closed_relations[a] = (name, RELATIONS[name])
            case "function":
                catalog.closed_functions[a] = name
            case "rule":
                catalog.rules.add(a)
            case "trigger":
                catalog.links.add(a)
            case "text":
                catalog.texts |= {a}
            case "trusted":
                catalog.trusted.add(a)
            case _:
                actions.append((a, b))
    _link(catalog, actions)
    return catalog


async def changes(connection: Connection, catalog: Catalog) -> str:
    """A word for the state of the catalog: another one as soon as something may mean another."""
    found = await connection.fetchval(_CHANGES, sorted(catalog.first))
    return str(found)


def _know(
    catalog: Catalog, tables: Sequence[_Table], sensitive: Sequence[Sensitive], former: Known
) -> None:
    numbers = {one.oid: dict(zip(one.columns, one.numbers, strict=True)) for one in tables}
    marks: dict[int, dict[str, Sensitive]] = {one.oid: {} for one in tables}
    named = {(one.schema, one.name): one.oid for one in tables}
    missing: list[Sensitive] = []
    for one in sensitive:
        oid = named.get((one.schema, one.table), 0)
        if one.column in numbers.get(oid, {}):
            marks[oid][one.column] = one
            catalog.configured[oid, numbers[oid][one.column]] = one
        else:
            missing.append(one)
    for (oid, number), one in former.items():
        for name, its in numbers.get(oid, {}).items():
            if its == number:
                marks[oid].setdefault(name, one)
                catalog.configured.setdefault((oid, number), one)
    catalog.missing = tuple(missing)
    # What inherits the column has such values, too; what it is inherited from shows them.
    pairs = [(parent, one.oid) for one in tables for parent in one.parents if parent in marks]
    _spread(marks, numbers, pairs)
    _spread(marks, numbers, [(child, parent) for parent, child in pairs])
    for table in tables:
        for name, mark in marks[table.oid].items():
            catalog.known[table.oid, numbers[table.oid][name]] = mark
            catalog.first.setdefault(table.oid, mark)
        if marks[table.oid] and table.toast:
            name = f"the toast table of {table.schema}.{table.name}"
            catalog.closed_relations[table.toast] = (name, RELATIONS["pg_largeobject"])


def _spread(
    marks: dict[int, dict[str, Sensitive]],
    numbers: dict[int, dict[str, int]],
    pairs: Sequence[tuple[int, int]],
) -> None:
    """Mark in the second of each pair the columns that are marked in the first, all the way."""
    changed = True
    while changed:
        changed = False
        for source, target in pairs:
            for name, mark in marks[source].items():
                if name in numbers[target] and name not in marks[target]:
                    marks[target][name] = mark
                    changed = True


def _link(catalog: Catalog, actions: Sequence[tuple[int, int]]) -> None:
    """Foreign keys whose actions change rows of sensitive tables, at any remove."""
    linked = catalog.links
    changed = True
    while changed:
        changed = False
        for source, target in actions:
            if source not in linked and (target in catalog.first or target in linked):
                linked.add(source)
                changed = True
