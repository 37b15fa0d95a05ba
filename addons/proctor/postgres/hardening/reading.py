"""What a server has, asked of its catalog by whoever may act as the tables' owner."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from proctor.errors import ConfigurationError
from proctor.postgres.hardening.model import (
    PUBLIC,
    Column,
    Compensation,
    Default,
    Membership,
    Right,
    Role,
    Seen,
    Table,
    Wanted,
)
from proctor.postgres.masking.model import Sensitive
from proctor.postgres.side import Connection

POWERS: Final = {
    "SUPERUSER": "rolsuper",
    "CREATEROLE": "rolcreaterole",
    "CREATEDB": "rolcreatedb",
    "REPLICATION": "rolreplication",
    "BYPASSRLS": "rolbypassrls",
}
"""What a weak role is without, and where pg_roles has it."""

STRONG: Final = (
    "pg_read_all_data",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_execute_server_program",
    "pg_read_all_stats",
    "pg_monitor",
    "pg_checkpoint",
    "pg_create_subscription",
)
"""The server's own roles whose members see all data, others' statements, or the server's files."""

_WRITES: Final = ("INSERT", "UPDATE", "DELETE")

# A right as JSON, in the order of the list; $1 there is aclitem[].
_RIGHTS: Final = """(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
    pg_catalog.pg_get_userbyid(x.grantor), CASE WHEN x.grantee = 0 THEN ''
    ELSE pg_catalog.pg_get_userbyid(x.grantee) END, x.privilege_type, x.is_grantable) ORDER BY x.n)
  FROM pg_catalog.aclexplode({0}) WITH ORDINALITY
    AS x(grantor, grantee, privilege_type, is_grantable, n))::text"""

_ME: Final = """SELECT current_user::text AS me, r.rolsuper AS superuser,
  pg_catalog.current_setting('server_version_num')::int / 10000 AS version
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"""

_ROLE: Final = """
WITH settings AS (SELECT s.setrole, s.setdatabase, pg_catalog.substr(c, 13) AS path
  FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c
  WHERE pg_catalog.starts_with(c, 'search_path='))
SELECT r.*, d.oid AS database,
  (SELECT path FROM settings WHERE setrole = r.oid AND setdatabase = d.oid) AS own,
  coalesce((SELECT path FROM settings WHERE setrole = r.oid AND setdatabase = 0),
    (SELECT path FROM settings WHERE setrole = 0 AND setdatabase = d.oid),
    (SELECT path FROM settings WHERE setrole = 0 AND setdatabase = 0),
    '"$user", public') AS usual
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE r.rolname = $1 AND d.datname = pg_catalog.current_database()"""

# Down to partitions and children; up to parents, through which the same rows are read.
_FAMILY: Final = """
WITH RECURSIVE named AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')),
down(oid) AS (SELECT oid FROM named
  UNION SELECT i.inhrelid FROM down d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid),
up(oid) AS (SELECT oid FROM named
  UNION SELECT i.inhparent FROM up u JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid)
SELECT f.oid::int8 AS oid, f.oid IN (SELECT oid FROM named) AS named
FROM (SELECT oid FROM down UNION SELECT oid FROM up) f
JOIN pg_catalog.pg_class c ON c.oid = f.oid AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid AND a.attname = $3
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 2 DESC, 1"""

_TABLES: Final = f"""
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS name,
  c.relkind::text AS kind, pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
  c.relrowsecurity AS row_security, {_RIGHTS.format("c.relacl")} AS rights
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY($1::int8[]::oid[])"""  # noqa: S608 - put together of our own texts

# Of a domain the type under it: NULL is valid there, too.
_COLUMNS: Final = f"""
SELECT a.attrelid::int8 AS oid, a.attnum AS number, a.attname::text AS name,
  (WITH RECURSIVE under(oid, base) AS (
      SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
      UNION ALL SELECT t.oid, t.typbasetype
        FROM under u JOIN pg_catalog.pg_type t ON t.oid = u.base)
    SELECT ARRAY[n.nspname::text, t.typname::text] FROM under u
    JOIN pg_catalog.pg_type t ON t.oid = u.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE u.base = 0) AS type,
  {_RIGHTS.format("a.attacl")} AS rights
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"""  # noqa: S608 - put together of our own texts

_MAY: Final = """
SELECT a.attrelid::int8 AS oid, a.attnum AS number FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_catalog.has_column_privilege($2::text, a.attrelid, a.attnum, 'SELECT')"""
_WRITABLE: Final = """
SELECT c.oid::int8 AS oid, w.name FROM pg_catalog.pg_class c, pg_catalog.unnest($3::text[]) w(name)
WHERE c.oid = ANY($1::int8[]::oid[])
  AND pg_catalog.has_table_privilege($2::text, c.oid, w.name)"""

# Options differ between versions: 16 has inherit_option and set_option. What everybody may do is
# no reason to end a membership, so that rights of the role itself are looked at.
_MEMBERSHIPS: Final = """
WITH RECURSIVE behind(direct, oid) AS (
  SELECT m.roleid, m.roleid FROM pg_catalog.pg_auth_members m
    JOIN pg_catalog.pg_roles r ON r.oid = m.member WHERE r.rolname = $1
  UNION SELECT b.direct, m.roleid FROM behind b
    JOIN pg_catalog.pg_auth_members m ON m.member = b.oid)
SELECT g.rolname::text AS role, pg_catalog.pg_get_userbyid(m.grantor)::text AS grantor,
  pg_catalog.to_jsonb(m)::text AS raw,
  ARRAY(SELECT x.rolname::text FROM behind b JOIN pg_catalog.pg_roles x ON x.oid = b.oid
    WHERE b.direct = m.roleid ORDER BY 1) AS behind,
  (SELECT pg_catalog.min(x.rolname::text) FROM behind b JOIN pg_catalog.pg_roles x ON x.oid = b.oid
    WHERE b.direct = m.roleid AND (x.rolsuper OR x.rolname = ANY($3::text[]) OR EXISTS (
      SELECT FROM ROWS FROM (pg_catalog.unnest($2::int8[]),
        pg_catalog.unnest($4::int2[])) AS s(oid, number)
      JOIN pg_catalog.pg_class c ON c.oid = s.oid::oid
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = s.number
      WHERE c.relowner = x.oid OR EXISTS (SELECT FROM pg_catalog.aclexplode(
          coalesce(c.relacl, '{}') || coalesce(a.attacl, '{}')) e
        WHERE e.grantee = x.oid AND e.privilege_type IN ('SELECT', 'REFERENCES', 'TRIGGER'))
      ))) AS reaches
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
JOIN pg_catalog.pg_roles r ON r.oid = m.member
WHERE r.rolname = $1 ORDER BY 1, 2"""

_COMPENSATIONS: Final = """
SELECT CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
  n.nspname::text AS schema, c.relname::text AS name,
  pg_catalog.array_agg(DISTINCT x.privilege_type) AS privileges
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
  pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault(
    CASE WHEN c.relkind = 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))) x
JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND g.rolname = ANY($1::text[])
  AND c.oid <> ALL($2::int8[]::oid[])
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE')
  AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) y
    JOIN pg_catalog.pg_roles o ON o.oid = y.grantee
    WHERE o.rolname = $3 AND y.privilege_type = x.privilege_type)
GROUP BY 1, 2, 3
UNION ALL
SELECT 'SCHEMA', n.nspname::text, '', ARRAY['USAGE']
FROM pg_catalog.pg_namespace n,
  pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) x
JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
WHERE g.rolname = ANY($1::text[]) AND x.privilege_type = 'USAGE'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) y
    JOIN pg_catalog.pg_roles o ON o.oid = y.grantee
    WHERE o.rolname = $3 AND y.privilege_type = 'USAGE')
GROUP BY 2
ORDER BY 1, 2, 3"""

_DEFAULTS: Final = f"""
SELECT pg_catalog.pg_get_userbyid(d.defaclrole)::text AS owner,
  coalesce(n.nspname::text, '') AS schema, {_RIGHTS.format("d.defaclacl")} AS rights
FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
WHERE d.defaclobjtype = 'r' AND (d.defaclnamespace = 0 OR n.nspname = ANY($1::text[]))
ORDER BY 1, 2"""  # noqa: S608 - put together of our own texts

_SCHEMAS: Final = "SELECT n.nspname::text AS name FROM pg_catalog.pg_namespace n"
_USABLE: Final = """SELECT n.nspname::text AS name FROM pg_catalog.pg_namespace n
WHERE pg_catalog.has_schema_privilege($1::text, n.oid, 'USAGE')"""
_TAKEN: Final = """SELECT c.relname::text AS name FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1"""

_OPEN: Final = """
SELECT c.oid::regclass::text || '.' || a.attname AS name, r.rolname::text AS role
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN ROWS FROM (pg_catalog.unnest($2::int8[]), pg_catalog.unnest($3::text[])) AS s(oid, column_name)
  ON s.oid::oid = c.oid AND s.column_name = a.attname,
  pg_catalog.pg_roles r
WHERE pg_catalog.pg_has_role($1::text, r.oid, 'MEMBER') AND NOT a.attisdropped
  AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')
ORDER BY 1, 2 LIMIT 1"""


async def family(
    connection: Connection, columns: Iterable[Sensitive], *, gone: bool = False
) -> dict[int, dict[str, Sensitive]]:
    """Tables with sensitive columns, by OID; of each the columns by name.

    Args:
        connection: As anybody.
        columns: Which.
        gone: One may not be there.

    Raises:
        ConfigurationError: `harden-column`: one is not there.
    """
    found: dict[int, dict[str, Sensitive]] = {}
    for each in columns:
        rows = await connection.fetch(_FAMILY, each.schema, each.table, each.column)
        if not gone and not any(row["named"] for row in rows):
            raise ConfigurationError(
                "harden-column",
                f"The database has no column {each.name}",
                expected="what `masking.columns` of the listener names",
                hint="Correct it, or name the right database with --database.",
            )
        for row in rows:
            found.setdefault(row["oid"], {}).setdefault(each.column, each)
    return found


async def opened(
    connection: Connection, role: str, sensitive: Mapping[int, Mapping[str, Sensitive]]
) -> tuple[str, str] | None:
    """A sensitive column that a role, or one that it can become, may select, and which that is.

    Returns:
        None where there is none.
    """
    pairs = [(oid, name) for oid, columns in sensitive.items() for name in columns]
    oids, names = [oid for oid, _ in pairs], [name for _, name in pairs]
    rows = await connection.fetch(_OPEN, role, oids, names)
    return (rows[0]["name"], rows[0]["role"]) if rows else None


async def read(connection: Connection, wanted: Wanted) -> Seen:
    """Ask for all that planning needs.

    Raises:
        ConfigurationError: `harden-column`.
        asyncpg.PostgresError: The server does not say.
    """
    (me,) = await connection.fetch(_ME)
    sensitive = await family(connection, wanted.columns)
    oids = list(sensitive)
    role = await _role(connection, wanted.role)
    tables = await _tables(connection, sensitive, wanted.role if role else None)
    memberships: tuple[Membership, ...] = ()
    compensations: tuple[Compensation, ...] = ()
    if role:
        pairs = await _numbers(connection, sensitive)
        memberships = await _memberships(connection, wanted.role, pairs)
        far = sorted({name for each in memberships if each.reaches for name in each.behind})
        rows = await connection.fetch(_COMPENSATIONS, far, oids, wanted.role)
        compensations = tuple(
            Compensation(
                kind=row["kind"],
                schema=row["schema"],
                name=row["name"],
                privileges=tuple(sorted(row["privileges"])),
            )
            for row in rows
        )
    schemas = {row["name"]: False for row in await connection.fetch(_SCHEMAS)}
    if role:
        for row in await connection.fetch(_USABLE, wanted.role):
            schemas[row["name"]] = True
    return Seen(
        version=me["version"],
        me=me["me"],
        superuser=me["superuser"],
        role=role,
        tables=tables,
        memberships=memberships,
        compensations=compensations,
        defaults=await _defaults(connection, sorted({each.schema for each in tables})),
        schemas=schemas,
        taken=frozenset(row["name"] for row in await connection.fetch(_TAKEN, wanted.schema)),
    )


async def _role(connection: Connection, name: str) -> Role | None:
    rows = await connection.fetch(_ROLE, name)
    if not rows:
        return None
    row = rows[0]
    return Role(
        name=name,
        powers=tuple(power for power, column in POWERS.items() if row[column]),
        login=row["rolcanlogin"],
        path=row["own"],
        usual=row["usual"],
    )


async def _tables(
    connection: Connection, sensitive: Mapping[int, dict[str, Sensitive]], role: str | None
) -> tuple[Table, ...]:
    oids = list(sensitive)
    may: set[tuple[int, int]] = set()
    writes: dict[int, list[str]] = {}
    if role is not None:
        may = {(row["oid"], row["number"]) for row in await connection.fetch(_MAY, oids, role)}
        for row in await connection.fetch(_WRITABLE, oids, role, list(_WRITES)):
            writes.setdefault(row["oid"], []).append(row["name"])
    columns: dict[int, list[Column]] = {}
    for row in await connection.fetch(_COLUMNS, oids):
        columns.setdefault(row["oid"], []).append(
            Column(
                name=row["name"],
                type=(row["type"][0], row["type"][1]),
                readable=(row["oid"], row["number"]) in may,
                rights=rights(row["rights"]),
            )
        )
    by_oid = {row["oid"]: row for row in await connection.fetch(_TABLES, oids)}
    return tuple(
        Table(
            oid=oid,
            schema=by_oid[oid]["schema"],
            name=by_oid[oid]["name"],
            kind=by_oid[oid]["kind"],
            owner=by_oid[oid]["owner"],
            row_security=by_oid[oid]["row_security"],
            rights=rights(by_oid[oid]["rights"]),
            columns=tuple(columns[oid]),
            writes=tuple(name for name in _WRITES if name in writes.get(oid, ())),
            sensitive=sensitive[oid],
        )
        for oid in oids
    )


async def _numbers(
    connection: Connection, sensitive: Mapping[int, Mapping[str, Sensitive]]
) -> list[tuple[int, int]]:
    rows = await connection.fetch(_COLUMNS, list(sensitive))
    return [(row["oid"], row["number"]) for row in rows if row["name"] in sensitive[row["oid"]]]


async def _memberships(
    connection: Connection, role: str, pairs: Sequence[tuple[int, int]]
) -> tuple[Membership, ...]:
    oids, numbers = [oid for oid, _ in pairs], [number for _, number in pairs]
    rows = await connection.fetch(_MEMBERSHIPS, role, oids, list(STRONG), numbers)
    found = []
    for row in rows:
        raw = orjson.loads(row["raw"])
        options = [f"{name} {str(raw[key]).upper()}" for name, key in _OPTIONS if key in raw]
        found.append(
            Membership(
                role=row["role"],
                grantor=row["grantor"],
                options=tuple(options),
                reaches=row["reaches"] or "",
                behind=tuple(row["behind"]),
            )
        )
    return tuple(found)


_OPTIONS: Final = (
    ("ADMIN", "admin_option"),
    ("INHERIT", "inherit_option"),
    ("SET", "set_option"),
)


async def _defaults(connection: Connection, schemas: list[str]) -> tuple[Default, ...]:
    rows = await connection.fetch(_DEFAULTS, schemas)
    return tuple(
        Default(owner=row["owner"], schema=row["schema"], right=right)
        for row in rows
        for right in rights(row["rights"])
        if right.grantee != row["owner"]
    )


def rights(text: str | None) -> tuple[Right, ...]:
    """A list of rights, as `_RIGHTS` writes it."""
    found: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    rows: Any = orjson.loads(text) if text else ()
    for grantor, grantee, privilege, grantable in rows:
        found.setdefault((grantor, grantee or PUBLIC), []).append((privilege, grantable))
    return tuple(
        Right(
            grantor=grantor,
            grantee=grantee,
            privileges=tuple(sorted(name for name, _ in items)),
            grantable=tuple(sorted(name for name, handed in items if handed)),
        )
        for (grantor, grantee), items in found.items()
    )
