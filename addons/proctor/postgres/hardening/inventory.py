"""The ways by which a role could still reach a sensitive column, as the server's catalog has them.

Everybody may read the catalog, so the listener's own credential can ask. What functions do inside
is a guess by the words in their text; whatever runs with another's rights is listed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from proctor.postgres.hardening.model import Wanted, several
from proctor.postgres.hardening.planning import MARK
from proctor.postgres.hardening.reading import POWERS, STRONG, family
from proctor.postgres.side import Connection


class Kind(StrEnum):
    """Of a way."""

    ROLE = "role"
    OWNER = "owner"
    MEMBER = "member"
    RIGHT = "right"
    VIEW = "view"
    COPY = "copy"
    RULE = "rule"
    FUNCTION = "function"
    TRIGGER = "trigger"
    FOREIGN = "foreign"
    EXTENSION = "extension"
    LANGUAGE = "language"
    STATISTICS = "statistics"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way.

    Attributes:
        kind: Of what.
        object: Its name.
        columns: That it reaches, as far as is known.
        how: In words.
        mend: What to do about it.
        sure: False: somebody has to look.
    """

    kind: Kind
    object: str
    columns: tuple[str, ...] = ()
    how: str
    mend: str
    sure: bool = True


_ROLE: Final = "SELECT * FROM pg_catalog.pg_roles WHERE rolname = $1"

_STRONG: Final = """
SELECT r.rolname::text AS name, r.rolsuper AS superuser FROM pg_catalog.pg_roles r
WHERE (r.rolsuper OR r.rolname = ANY($2::text[])) AND r.rolname <> $1
  AND pg_catalog.pg_has_role($1::text, r.oid, 'MEMBER') ORDER BY 1"""

_OWNED: Final = """
SELECT c.oid::regclass::text AS name, pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
FROM pg_catalog.pg_class c WHERE c.oid = ANY($2::int8[]::oid[])
  AND pg_catalog.pg_has_role($1::text, c.relowner, 'MEMBER') ORDER BY 1"""

_PAIRS: Final = """ROWS FROM (pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::text[]))
  AS s(oid, column_name)"""

# As itself, or as any role that it may become by SET ROLE.
_RIGHT: Final = f"""
SELECT c.oid::regclass::text AS name, a.attname::text AS column_name,
  (SELECT pg_catalog.array_agg(r.rolname::text ORDER BY r.rolname <> $1, r.rolname)
    FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role($1::text, r.oid, 'MEMBER')
    AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')) AS roles,
  EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) x
    WHERE x.grantee = 0 AND x.privilege_type = 'SELECT')
  OR EXISTS (SELECT FROM pg_catalog.aclexplode(a.attacl) x
    WHERE x.grantee = 0 AND x.privilege_type = 'SELECT') AS everybody
FROM {_PAIRS}
JOIN pg_catalog.pg_class c ON c.oid = s.oid::oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.column_name
  AND NOT a.attisdropped
ORDER BY 1, 2"""  # noqa: S608 - put together of our own texts

# Views over views; of a rule, what it names of the columns themselves.
_VIEWS: Final = f"""
WITH RECURSIVE reads(relation, rule, column_name) AS (
  SELECT w.ev_class, w.oid, c.oid::regclass::text || '.' || s.column_name
  FROM {_PAIRS}
  JOIN pg_catalog.pg_class c ON c.oid = s.oid::oid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.column_name
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
    AND d.refobjsubid IN (0, a.attnum)
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
  WHERE w.ev_class <> c.oid
  UNION
  SELECT w.ev_class, w.oid, r.column_name
  FROM reads r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.relation
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
  WHERE w.ev_class <> r.relation AND NOT EXISTS (SELECT FROM pg_catalog.pg_class m
    JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace WHERE m.oid = r.relation
    AND n.nspname = $4 AND pg_catalog.obj_description(m.oid, 'pg_class') = $5))
SELECT c.oid::regclass::text AS name, n.nspname::text AS schema, c.relname::text AS short,
  c.relkind::text AS kind, w.ev_type::text AS event, w.rulename::text AS rule,
  pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
  coalesce(c.reloptions::text ~ 'security_invoker=(true|on|1|yes)', false) AS invoker,
  coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS comment,
  pg_catalog.has_any_column_privilege($1::text, c.oid, 'SELECT') AS reads,
  pg_catalog.has_any_column_privilege($1::text, c.oid, 'INSERT, UPDATE')
    OR pg_catalog.has_table_privilege($1::text, c.oid, 'DELETE') AS writes,
  pg_catalog.array_agg(DISTINCT r.column_name ORDER BY r.column_name) AS columns
FROM reads r
JOIN pg_catalog.pg_rewrite w ON w.oid = r.rule
JOIN pg_catalog.pg_class c ON c.oid = r.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
GROUP BY c.oid, n.nspname, c.relname, c.relkind, w.ev_type, w.rulename, c.relowner, c.reloptions
ORDER BY 1"""  # noqa: S608 - put together of our own texts

_RULES: Final = f"""
SELECT DISTINCT c.oid::regclass::text AS name, w.rulename::text AS rule
FROM {_PAIRS}
JOIN pg_catalog.pg_rewrite w ON w.ev_class = s.oid::oid AND w.ev_type <> '1'
JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
WHERE pg_catalog.has_any_column_privilege($1::text, c.oid, 'INSERT, UPDATE')
    OR pg_catalog.has_table_privilege($1::text, c.oid, 'DELETE')
ORDER BY 1, 2"""  # noqa: S608 - put together of our own texts

_FUNCTIONS: Final = f"""
SELECT p.oid::regprocedure::text AS name, n.nspname::text AS schema, p.proname::text AS short,
  pg_catalog.pg_get_userbyid(p.proowner)::text AS owner,
  coalesce(p.prosrc, '') || ' ' || coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), '') AS body,
  (SELECT e.extname::text FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    LIMIT 1) AS extension
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND pg_catalog.has_function_privilege($1::text, p.oid, 'EXECUTE')
  AND EXISTS (SELECT FROM {_PAIRS}
    JOIN pg_catalog.pg_attribute a ON a.attrelid = s.oid::oid AND a.attname = s.column_name
    WHERE pg_catalog.has_column_privilege(p.proowner, a.attrelid, a.attnum, 'SELECT'))
ORDER BY 1"""  # noqa: S608 - put together of our own texts

_TRIGGERS: Final = """
SELECT t.tgname::text AS trigger, c.oid::regclass::text AS name,
  p.oid::regprocedure::text AS function, pn.nspname::text AS schema, p.proname::text AS short
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
WHERE t.tgrelid = ANY($1::int8[]::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
ORDER BY 2, 1"""

_FOREIGN: Final = """
SELECT c.oid::regclass::text AS name, s.srvname::text AS server
FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_class c ON c.oid = f.ftrelid
JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
WHERE pg_catalog.has_any_column_privilege($1::text, c.oid, 'SELECT') ORDER BY 1"""
_MAPPED: Final = """
SELECT u.srvname::text AS name FROM pg_catalog.pg_user_mappings u
WHERE (u.umuser = 0 OR pg_catalog.pg_has_role($1::text, u.umuser, 'MEMBER'))
  AND pg_catalog.has_server_privilege($1::text, u.srvid, 'USAGE') ORDER BY 1"""

# By what they let a role do that nobody's rights to tables say anything about.
_EXTENSIONS: Final = """
SELECT e.extname::text AS name FROM pg_catalog.pg_extension e
WHERE e.extname = ANY($2::text[]) AND EXISTS (SELECT FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_proc p ON p.oid = d.objid
  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::regclass
    AND pg_catalog.has_function_privilege($1::text, p.oid, 'EXECUTE')) ORDER BY 1"""
_RISKY: Final = {
    "dblink": "it connects to servers, this one included, as somebody else",
    "adminpack": "it reads and writes the server's files",
    "file_fdw": "it reads the server's files",
    "postgres_fdw": "it reads other servers' tables",
    "pageinspect": "it shows pages as they are stored",
    "pg_stat_statements": "it shows others' statements, and values that stand in them",
    "lo": "large objects have rights of their own",
}

_LANGUAGES: Final = """
SELECT p.oid::regprocedure::text AS name, l.lanname::text AS language, n.nspname::text AS schema,
  p.proname::text AS short
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE NOT l.lanpltrusted AND l.lanname NOT IN ('c', 'internal')
  AND pg_catalog.has_function_privilege($1::text, p.oid, 'EXECUTE')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1"""

# pg_stats keeps to column rights; of extended statistics older servers did not (CVE-2024-4317).
_STATISTICS: Final = f"""
SELECT x.stxname::text AS name, c.oid::regclass::text AS table_name
FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_class c ON c.oid = x.stxrelid
WHERE EXISTS (SELECT FROM {_PAIRS}
    JOIN pg_catalog.pg_attribute a ON a.attrelid = s.oid::oid AND a.attname = s.column_name
    WHERE a.attrelid = x.stxrelid AND a.attnum = ANY(x.stxkeys::int2[]))
  AND pg_catalog.pg_get_viewdef('pg_catalog.pg_stats_ext'::regclass) !~ 'pg_has_role'
  AND $1::text IS NOT NULL
ORDER BY 1"""  # noqa: S608 - put together of our own texts

_VIEWED: Final = """
SELECT c.relname::text AS name, t.oid::regclass::text AS table_name, a.attname::text AS column_name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.oid = ANY($2::int8[]::oid[])
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1 AND pg_catalog.obj_description(c.oid, 'pg_class') = $3
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute v
    WHERE v.attrelid = c.oid AND v.attname = a.attname)
GROUP BY 1, 2, 3 ORDER BY 1, 3"""


async def inventory(connection: Connection, wanted: Wanted) -> list[Way]:
    """List them.

    Args:
        connection: As anybody.
        wanted: The role, the columns, and what shows nothing of them.

    Raises:
        ConfigurationError: `harden-column`.
        asyncpg.PostgresError: The server does not say.
    """
    sensitive = await family(connection, wanted.columns)
    pairs = [(oid, name) for oid, columns in sensitive.items() for name in columns]
    oids, names = [oid for oid, _ in pairs], [name for _, name in pairs]
    roles = await connection.fetch(_ROLE, wanted.role)
    if not roles:
        return []
    role, tables = wanted.role, list(sensitive)

    async def ask(sql: str, *more: object) -> list[Any]:
        return await connection.fetch(sql, role, *more)

    found = [
        *_powers(roles[0]),
        *_members(await ask(_STRONG, list(STRONG)), role),
        *_owners(await ask(_OWNED, tables), role),
        *_rights(await ask(_RIGHT, oids, names), role),
        *_views(await ask(_VIEWS, oids, names, wanted.schema, MARK), wanted),
        *_rules(await ask(_RULES, oids, names)),
        *_functions(await ask(_FUNCTIONS, oids, names), wanted, names),
        *_triggers(await connection.fetch(_TRIGGERS, tables), wanted),
        *_foreign(await ask(_FOREIGN), await ask(_MAPPED)),
        *_extensions(await ask(_EXTENSIONS, list(_RISKY))),
        *_languages(await ask(_LANGUAGES), wanted),
        *_statistics(await ask(_STATISTICS, oids, names)),
    ]
    rows = await connection.fetch(_VIEWED, wanted.schema, tables, MARK)
    found += [
        Way(
            kind=Kind.NEW,
            object=f"{row['table_name']}.{row['column_name']}",
            how=f"it is not in {wanted.schema}.{row['name']}, which was made before it",
            mend="If it is sensitive, name it under `masking.columns`. Then run `proctor postgres"
            " harden` again.",
            sure=False,
        )
        for row in rows
        if row["column_name"] not in names
    ]
    return sorted(found, key=lambda each: (not each.sure, list(Kind).index(each.kind), each.object))


def _powers(row: Mapping[str, Any]) -> Iterator[Way]:
    powers = [name for name, column in POWERS.items() if row[column] and name != "CREATEDB"]
    if powers:
        yield Way(
            kind=Kind.ROLE,
            object=row["rolname"],
            how=f"it has {several(powers)}",
            mend="`proctor postgres harden` takes it away.",
        )


def _members(rows: Iterable[Mapping[str, Any]], role: str) -> Iterator[Way]:
    for row in rows:
        how = "a superuser" if row["superuser"] else "a role of the server's with wide rights"
        yield Way(
            kind=Kind.MEMBER,
            object=row["name"],
            how=f"{role} can become it, and it is {how}",
            mend="`proctor postgres harden` ends the membership.",
        )


def _owners(rows: Iterable[Mapping[str, Any]], role: str) -> Iterator[Way]:
    for row in rows:
        own = row["owner"] == role
        yield Way(
            kind=Kind.OWNER,
            object=row["name"],
            how=f"{role} owns it" if own else f"{role} can become {row['owner']}, its owner",
            mend="Give the listener a credential whose role owns nothing of this."
            if own
            else "`proctor postgres harden` ends the membership.",
        )


def _rights(rows: Iterable[Mapping[str, Any]], role: str) -> Iterator[Way]:
    for row in rows:
        roles = list(row["roles"] or ())
        if not roles:
            continue
        by = "everybody may" if row["everybody"] else f"{role} may"
        if role not in roles and not row["everybody"]:
            by = f"{role} can become {roles[0]}, which may"
        name = f"{row['name']}.{row['column_name']}"
        yield Way(
            kind=Kind.RIGHT,
            object=name,
            columns=(name,),
            how=f"{by} select it",
            mend="`proctor postgres harden` takes the right away.",
        )


def _views(rows: Iterable[Mapping[str, Any]], wanted: Wanted) -> Iterator[Way]:
    for row in rows:
        ours = row["schema"] == wanted.schema and row["comment"] == MARK
        if ours or _trusted(row, wanted):
            continue
        columns = tuple(row["columns"])
        if row["kind"] == "m" and row["reads"]:
            yield Way(
                kind=Kind.COPY,
                object=row["name"],
                columns=columns,
                how="a materialized view keeps a copy",
                mend=f"REVOKE SELECT ON {row['name']} FROM PUBLIC,"  # noqa: S608 - words
                f" {wanted.role}; or name it under `masking.trusted`.",
            )
        elif row["event"] != "1" and row["writes"]:
            yield Way(
                kind=Kind.RULE,
                object=f"{row['rule']} on {row['name']}",
                columns=columns,
                how=f"a rule reads it with the rights of {row['owner']}",
                mend="See what the rule writes where.",
                sure=False,
            )
        elif row["event"] == "1" and row["reads"] and not row["invoker"]:
            yield Way(
                kind=Kind.VIEW,
                object=row["name"],
                columns=columns,
                how=f"a view reads it with the rights of {row['owner']}",
                mend=f"ALTER VIEW {row['name']} SET (security_invoker = true) from PostgreSQL 15"  # noqa: S608 - words
                f" on, or REVOKE SELECT ON {row['name']} FROM PUBLIC, {wanted.role}; or name it"
                " under `masking.trusted`.",
            )


def _rules(rows: Iterable[Mapping[str, Any]]) -> Iterator[Way]:
    for row in rows:
        yield Way(
            kind=Kind.RULE,
            object=f"{row['rule']} on {row['name']}",
            how="a rule of the table runs with its owner's rights",
            mend="See what it writes where.",
            sure=False,
        )


def _functions(
    rows: Iterable[Mapping[str, Any]], wanted: Wanted, columns: Iterable[str]
) -> Iterator[Way]:
    tables = {each.table for each in wanted.columns}
    words = re.compile(
        rf"\b(?:{'|'.join(sorted(map(re.escape, {*tables, *columns})))})\b", re.IGNORECASE
    )
    for row in rows:
        if _trusted(row, wanted):
            continue
        named = sorted({word.lower() for word in words.findall(row["body"])})
        of = f" of the extension {row['extension']}" if row["extension"] else ""
        says = f", and its text says {several(named)}" if named else ""
        yield Way(
            kind=Kind.FUNCTION,
            object=row["name"],
            how=f"a function{of} runs with the rights of {row['owner']}{says}",
            mend=f"REVOKE EXECUTE ON FUNCTION {row['name']} FROM PUBLIC, {wanted.role}; or name it"
            " under `masking.trusted` once you have read it.",
            sure=bool(named),
        )


def _triggers(rows: Iterable[Mapping[str, Any]], wanted: Wanted) -> Iterator[Way]:
    for row in rows:
        if not _trusted(row, wanted):
            yield Way(
                kind=Kind.TRIGGER,
                object=f"{row['trigger']} on {row['name']}",
                how=f"{row['function']} sees each row that changes, and may keep a copy",
                mend="If it writes to a table, name that table's columns under `masking.columns`;"
                " else name the function under `masking.trusted`.",
                sure=False,
            )


def _foreign(
    tables: Iterable[Mapping[str, Any]], mapped: Iterable[Mapping[str, Any]]
) -> Iterator[Way]:
    for row in tables:
        yield Way(
            kind=Kind.FOREIGN,
            object=row["name"],
            how=f"a table of the server {row['server']}, read with the rights it gives there",
            mend="See that it holds none of these columns.",
            sure=False,
        )
    for row in mapped:
        yield Way(
            kind=Kind.FOREIGN,
            object=row["name"],
            how="the role may use this server, with a login that is kept there",
            mend="REVOKE USAGE ON FOREIGN SERVER, or DROP USER MAPPING.",
            sure=False,
        )


def _extensions(rows: Iterable[Mapping[str, Any]]) -> Iterator[Way]:
    for row in rows:
        yield Way(
            kind=Kind.EXTENSION,
            object=row["name"],
            how=_RISKY[row["name"]],
            mend="Drop it, or REVOKE EXECUTE on its functions FROM PUBLIC.",
            sure=False,
        )


def _languages(rows: Iterable[Mapping[str, Any]], wanted: Wanted) -> Iterator[Way]:
    for row in rows:
        if not _trusted(row, wanted):
            yield Way(
                kind=Kind.LANGUAGE,
                object=row["name"],
                how=f"a function in {row['language']} can do whatever the server's own user can",
                mend=f"REVOKE EXECUTE ON FUNCTION {row['name']} FROM PUBLIC, {wanted.role}.",
                sure=False,
            )


def _statistics(rows: Iterable[Mapping[str, Any]]) -> Iterator[Way]:
    for row in rows:
        yield Way(
            kind=Kind.STATISTICS,
            object=row["name"],
            how=f"pg_stats_ext shows everybody the most common values of {row['table_name']}",
            mend="Update the server, and its system views (CVE-2024-4317); or DROP STATISTICS.",
        )


def _trusted(row: Mapping[str, Any], wanted: Wanted) -> bool:
    return f"{row['schema']}.{row['short']}" in wanted.trusted
