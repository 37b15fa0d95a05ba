"""What a listener's credential may do that it should not, for `proctor doctor`."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.credentials.settings import CredentialSettings
from proctor.errors import ConfigurationError, ProctorError
from proctor.postgres.hardening.admin import Admin, connected
from proctor.postgres.hardening.asking import wanted
from proctor.postgres.hardening.inventory import Kind, Way, inventory
from proctor.postgres.hardening.model import several
from proctor.postgres.hardening.reading import POWERS, STRONG
from proctor.postgres.settings import PostgresListener
from proctor.postgres.tls import Contexts
from proctor.runtime.checkup import Finding, State, failed

_ANY: Final = "postgres"
"""The database to ask in where the listener names none: every server has it."""

_RIGHTS: Final = frozenset({Kind.ROLE, Kind.OWNER, Kind.MEMBER, Kind.RIGHT})
_POWERS: Final = """SELECT r.*, ARRAY(SELECT s.rolname::text FROM pg_catalog.pg_roles s
  WHERE (s.rolsuper OR s.rolname = ANY($2::text[])) AND s.rolname <> r.rolname
    AND pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER') ORDER BY 1) AS strong
FROM pg_catalog.pg_roles r WHERE r.rolname = $1"""
# Before 16 CREATEROLE was enough to make members of any role.
_HANDS_ON: Final = """SELECT g.name FROM pg_catalog.unnest($2::text[]) g(name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = g.name
  AND (pg_catalog.current_setting('server_version_num')::int < 160000
    OR pg_catalog.pg_has_role($1::text, r.oid, 'MEMBER WITH ADMIN OPTION'))) ORDER BY 1"""


async def weakness(
    listener: PostgresListener, item: CredentialSettings, password: str, check: str
) -> Finding:
    """Is the role weak, and do the server's rights keep back what they should?

    Args:
        listener: As configured.
        item: The credential.
        password: Its password, now.
        check: What the finding is called.
    """
    user = item.user or ""
    database = listener.database or _ANY
    admin = Admin(user=user, password=password)
    try:
        async with connected(listener, admin, database, Contexts()) as connection:
            found = _powers(await connection.fetchrow(_POWERS, user, list(STRONG)), listener, check)
            if found is None and listener.session_role is not None:
                found = await _hands_on(connection, listener, user, check)
            if found is None and listener.masking is not None and listener.masking.columns:
                found = await _columns(connection, listener, user, check)
    except ConfigurationError as error:
        return failed(check, error)
    except (ProctorError, asyncpg.PostgresError) as error:
        got = getattr(error, "sqlstate", None) or getattr(error, "got", "")
        return Finding(
            check=check, state=State.WARN, what=f"What {user} may do was not found out: {got}"
        )
    return found or Finding(check=check, state=State.OK, what=f"{user} is weak, as it should be")


def _powers(row: Any, listener: PostgresListener, check: str) -> Finding | None:
    makes = listener.session_role is not None
    powers = [name for name, column in POWERS.items() if row[column]]
    if makes and "SUPERUSER" not in powers and "CREATEROLE" not in powers:
        return Finding(
            check=check,
            state=State.FAIL,
            what=f"{row['rolname']} cannot make roles, which `session_role` needs",
            mend=f"ALTER ROLE {row['rolname']} CREATEROLE",
        )
    powers = [name for name in powers if not (makes and name == "CREATEROLE")]
    said = [f"has {several(powers)}"] if powers else []
    said += [f"is a member of {several(row['strong'])}"] if row["strong"] else []
    if not said:
        return None
    return Finding(
        check=check,
        state=State.FAIL if {"SUPERUSER", "BYPASSRLS"} & set(powers) else State.WARN,
        what=f"{row['rolname']} {' and '.join(said)}, which no agent needs",
        mend="Take that away, or give the listener another credential.",
    )


async def _hands_on(
    connection: Any, listener: PostgresListener, user: str, check: str
) -> Finding | None:
    if listener.session_role is None:
        return None
    groups = list(listener.session_role.member_of)
    lacking = [row["name"] for row in await connection.fetch(_HANDS_ON, user, groups)]
    if not lacking:
        return None
    return Finding(
        check=check,
        state=State.FAIL,
        what=f"{user} cannot make members of {several(lacking)}, as `session_role` says",
        mend=f"GRANT {', '.join(lacking)} TO {user} WITH ADMIN OPTION",
    )


async def _columns(
    connection: Any, listener: PostgresListener, user: str, check: str
) -> Finding | None:
    if listener.database is None:
        if "server" not in listener.tiers:
            return None
        return Finding(
            check=check,
            state=State.WARN,
            what="The listener serves all databases, so that their rights were not looked at",
            mend=f"For each: proctor postgres inventory {listener.name} --database NAME",
        )
    roles = listener.session_role.member_of if listener.session_role else (user,)
    ways: list[Way] = []
    for role in roles:
        asked = wanted(listener, database=listener.database, role=role)
        ways += await inventory(connection, asked)
    return _of_ways(ways, listener, check)


def _of_ways(ways: Sequence[Way], listener: PostgresListener, check: str) -> Finding | None:
    look = f"`proctor postgres inventory {listener.name}` lists them."
    owned = [each for each in ways if each.kind is Kind.OWNER]
    if "server" not in listener.tiers:
        # By the wire its rights are what masking looks through; an owner can do more than read.
        if not owned:
            return None
        return Finding(
            check=check,
            state=State.WARN,
            what=f"{owned[0].object}: {owned[0].how}",
            mend=owned[0].mend,
        )
    open_ = [each for each in ways if each.kind in _RIGHTS]
    if open_:
        first = open_[0]
        return Finding(
            check=check,
            state=State.FAIL,
            what=f"`tier: server` is not in force: {first.object}: {first.how}",
            mend=f"`proctor postgres harden {listener.name} --admin OWNER` shows what to do."
            f" {look}",
        )
    if ways:
        return Finding(
            check=check,
            state=State.WARN,
            what=f"{len(ways)} ways to masked columns may be left, such as {ways[0].object}",
            mend=look,
        )
    return None
