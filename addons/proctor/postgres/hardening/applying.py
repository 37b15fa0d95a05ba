"""Plans shown, applied and undone, each in one transaction: all of it is there, or nothing."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ClientError, InternalError
from proctor.postgres.hardening.admin import transaction, verifier
from proctor.postgres.hardening.model import Plan, Wanted
from proctor.postgres.hardening.planning import MARK, PASSWORD, plan
from proctor.postgres.hardening.reading import family, opened, read
from proctor.postgres.hardening.stored import Applied, Plans
from proctor.postgres.masking.model import Sensitive
from proctor.postgres.side import Connection

_CHANGES: Final = 10  # named in an error
_GONE: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidSchemaNameError,
)

# Whom it concerns and what may be done to it; what a list has by default stands in it.
_STATE: Final = """
SELECT 'role' AS name, pg_catalog.concat_ws(' ', r.rolsuper, r.rolcreaterole, r.rolcreatedb,
    r.rolreplication, r.rolbypassrls) AS value
  FROM pg_catalog.pg_roles r WHERE r.rolname = $1
UNION ALL SELECT 'member of ' || g.rolname || ' by ' || pg_catalog.pg_get_userbyid(m.grantor),
    (pg_catalog.to_jsonb(m) - 'oid')::text
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  JOIN pg_catalog.pg_roles r ON r.oid = m.member WHERE r.rolname = $1
UNION ALL SELECT 'search_path', s.setconfig::text
  FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  WHERE r.rolname = $1 AND d.datname = pg_catalog.current_database()
UNION ALL SELECT 'table ' || c.oid::regclass::text,
    coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))::text
  FROM pg_catalog.pg_class c WHERE c.oid = ANY($2::int8[]::oid[])
UNION ALL SELECT 'column ' || a.attrelid::regclass::text || '.' || a.attname, a.attacl::text
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY($2::int8[]::oid[]) AND a.attacl IS NOT NULL
UNION ALL SELECT 'schema ' || n.nspname, coalesce(n.nspacl::text, '')
  FROM pg_catalog.pg_namespace n WHERE n.nspname = $3
UNION ALL SELECT 'view ' || c.relname, pg_catalog.concat_ws(' ', c.reloptions::text,
    c.relacl::text, pg_catalog.pg_get_viewdef(c.oid))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $3 AND c.relkind = 'v'
    AND pg_catalog.obj_description(c.oid, 'pg_class') = $4
UNION ALL SELECT 'default ' || pg_catalog.pg_get_userbyid(d.defaclrole) || ' '
    || d.defaclnamespace::regnamespace::text, d.defaclacl::text
  FROM pg_catalog.pg_default_acl d WHERE d.defaclobjtype = 'r'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What `harden` would do.

    Attributes:
        plan: It.
        replaces: When the plan that is in force was applied, which is taken back first.
    """

    plan: Plan
    replaces: str = ""


async def show(connection: Any, wanted: Wanted, plans: Plans) -> Shown:
    """What would be done; it is not.

    Raises:
        ProctorError: It could not be.
    """
    async with transaction(connection):
        old = await _taken_back(connection, wanted, plans, force=False)
        return Shown(plan=plan(await read(connection, wanted), wanted), replaces=old)


async def apply(  # noqa: PLR0913 - all by name
    connection: Any,
    wanted: Wanted,
    plans: Plans,
    *,
    shown: Shown,
    password: str | None,
    now: datetime,
    told: Callable[[str], None],
) -> Applied:
    """Do what was shown.

    Args:
        connection: Of the admin.
        wanted: What for.
        plans: Keeps what was done.
        shown: What somebody has agreed to.
        password: Of the role, where it is made.
        now: The time.
        told: Called with each step's words.

    Raises:
        ProctorError: Nothing was changed.
    """
    async with transaction(connection) as commit:
        await _taken_back(connection, wanted, plans, force=False)
        made = plan(await read(connection, wanted), wanted)
        if made != shown.plan:
            raise ClientError(
                "harden-changed",
                "The server is no longer as it was when the plan was shown",
                hint="Run it again, and look at the new plan. Nothing was changed.",
            )
        before = await state(connection, wanted)
        for step in made.steps:
            told(step.what)
            for sql in step.sql:
                await connection.execute(_whole(sql, password))
        await _closed(connection, wanted)
        applied = Applied(
            listener=wanted.listener,
            database=wanted.database,
            role=wanted.role,
            schema=wanted.schema,
            columns=tuple((each.schema, each.table, each.column) for each in wanted.columns),
            at=now.isoformat(timespec="seconds"),
            steps=made.steps,
            before=before,
            after=await state(connection, wanted),
        )
        # First: what is done must not be there without what undoes it.
        plans.keep(wanted, applied)
        commit()
    return applied


async def undo(connection: Any, wanted: Wanted, plans: Plans, *, force: bool) -> bool:
    """Take back what was applied.

    Args:
        connection: Of the admin.
        wanted: What for.
        plans: Has what was done.
        force: Also where the server was changed since.

    Returns:
        False where there was nothing to take back.

    Raises:
        ProctorError: Nothing was changed.
    """
    if plans.load(wanted) is None:
        return False
    async with transaction(connection) as commit:
        found = await _taken_back(connection, wanted, plans, force=force)
        commit()
    plans.forget(wanted)
    return bool(found)


async def state(connection: Connection, wanted: Wanted) -> dict[str, str]:
    """What rights there are on what is concerned, by object."""
    oids = list(await family(connection, wanted.columns, gone=True))
    rows = await connection.fetch(_STATE, wanted.role, oids, wanted.schema, MARK)
    return {row["name"]: row["value"] or "" for row in rows}


async def _taken_back(connection: Any, wanted: Wanted, plans: Plans, *, force: bool) -> str:
    """Undo the plan in force; when it was applied, "" where there is none."""
    old = plans.load(wanted)
    if old is None:
        return ""
    columns = tuple(
        Sensitive(schema=schema, table=table, column=column)
        for schema, table, column in old.columns
    )
    meant = replace(wanted, schema=old.schema, columns=columns)
    there = await state(connection, meant)
    changed = _differing(there, old.after, old.before)
    if changed and not _differing(there, old.before, old.after):
        return ""  # it never came to be: the commit failed
    if changed and not force:
        raise _otherwise("The server was changed since the plan was applied", changed)
    for sql in old.undo:
        await _undone(connection, sql, force=force)
    left = _differing(await state(connection, meant), old.before, old.after)
    if left and not force:
        raise _otherwise("Not all would be as it was before", left)
    return old.at


async def _undone(connection: Any, sql: str, *, force: bool) -> None:
    """Run one statement; by force, one about something that is no longer there does nothing."""
    if not force:
        await connection.execute(sql)
        return
    with contextlib.suppress(*_GONE):
        async with connection.transaction():
            await connection.execute(sql)


def _differing(
    there: Mapping[str, str], meant: Mapping[str, str], other: Mapping[str, str]
) -> list[str]:
    """What is not as meant; what neither state knew of is nobody's concern."""
    return sorted(key for key in {*meant, *other} if there.get(key) != meant.get(key))


def _otherwise(message: str, changed: list[str]) -> ClientError:
    more = f" and {len(changed) - _CHANGES} more" if len(changed) > _CHANGES else ""
    return ClientError(
        "harden-changed",
        message,
        got=", ".join(changed[:_CHANGES]) + more,
        hint="Nothing was changed. `proctor postgres undo --force` takes the plan back all the"
        " same.",
    )


async def _closed(connection: Any, wanted: Wanted) -> None:
    """See that no way is left by rights.

    Raises:
        InternalError: `harden-open`.
    """
    found = await opened(connection, wanted.role, await family(connection, wanted.columns))
    if found is not None:
        raise InternalError(
            "harden-open",
            f"{wanted.role} could still read {found[0]}, as {found[1]}",
            hint="Nothing was changed. Take that right away by hand, and run it again.",
        )


def _whole(sql: str, password: str | None) -> str:
    if PASSWORD not in sql:
        return sql
    if password is None:
        return sql.replace(f"LOGIN PASSWORD {PASSWORD}", "LOGIN")
    return sql.replace(PASSWORD, f"'{verifier(password)}'")
