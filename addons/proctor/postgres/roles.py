"""A role for each session: made with a password that one sign-in takes, and dropped afterwards.

SET ROLE is undone by RESET ROLE, so the session has to sign in as it. Its password is good for a
minute and is never written down: the server is told what SCRAM makes of it. What a crash leaves
behind is dropped by the next sweep of any worker.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ProctorError, UpstreamError
from proctor.postgres.hardening.admin import verifier
from proctor.postgres.hardening.views import literal
from proctor.postgres.settings import SessionRoleSettings
from proctor.postgres.side import Target, identifier
from proctor.postgres.wires import Arrival, Login
from proctor.runtime.tasks import spawn, stop

logger = logging.getLogger(__name__)

PREFIX: Final = "proctor_s_"
"""What names of such roles begin with."""

MARK: Final = "proctor: a session of"
"""What the comment on such a role begins with."""

VALID: Final = 60.0
"""Seconds in which the password is good."""

_WEAK: Final = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT"
_SWEEP: Final = 600.0  # seconds
_CONNECT: Final = 5.0
_COMMAND: Final = 10.0
_ENDING: Final = 5.0  # seconds for what is being dropped when proctor stops
_NO_DATABASE: Final = "3D000"
_BROKEN: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_SETTINGS: Final = {
    "application_name": "proctor roles",
    "client_min_messages": "error",
    "default_transaction_read_only": "off",
    "lock_timeout": "5000",
    "search_path": "pg_catalog",
    "standard_conforming_strings": "on",
    "statement_timeout": "10000",
}

_UNTIL: Final = "SELECT (now() + $1 * interval '1 second')::text"
_THERE: Final = "SELECT oid FROM pg_roles WHERE rolname = $1"
_WHERE: Final = """SELECT d.datname::text AS name FROM pg_shdepend s
JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1 AND d.datname <> current_database()
GROUP BY 1 ORDER BY 1"""
_END: Final = "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usesysid = $1"
_LEFT: Final = """SELECT r.rolname::text AS name FROM pg_roles r
WHERE starts_with(r.rolname, $1) AND starts_with(shobj_description(r.oid, 'pg_authid'), $2)
  AND r.rolvaliduntil < now() - interval '1 minute'
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.usesysid = r.oid)
ORDER BY 1 LIMIT 1000"""


def as_member(groups: Sequence[str]) -> str:
    """SQL that turns a transaction's role into one with the rights a session has, and no others.

    The role is made for it, and gone once the transaction is rolled back.

    Args:
        groups: As `member_of` has them.
    """
    role = identifier(f"proctor_t_{secrets.token_hex(10)}")
    return (
        f"CREATE ROLE {role} {_WEAK}; GRANT {', '.join(map(identifier, groups))} TO {role};"
        f" GRANT {role} TO CURRENT_USER; SET LOCAL ROLE {role}"
    )


class SessionRoles:
    """Of one listener.

    Args:
        name: The listener's.
        settings: Whose rights such a role gets.
        target: Where a credential's connections to a database go; its login has CREATEROLE.
        credentials: Names of all the listener's.
        database: Where to look for what was left behind.
        now: Seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        name: str,
        settings: SessionRoleSettings,
        target: Callable[[str, str], Callable[[], Awaitable[Target]]],
        credentials: tuple[str, ...],
        database: str,
        now: Callable[[], float],
    ) -> None:
        self._name = name
        self._settings = settings
        self._target = target
        self._credentials = credentials
        self._database = database
        self._now = now
        self._keeping: asyncio.Task[None] | None = None
        self._dropping: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Drop what was left behind, now and from time to time."""
        self._keeping = spawn(self._keep(), name="session roles")

    async def close(self) -> None:
        """Stop; roles whose sessions have just ended are dropped still."""
        await stop(self._keeping)
        left = set(self._dropping)
        if left:
            await asyncio.wait(left, timeout=_ENDING)
            await stop(*left)

    async def make(self, arrival: Arrival, credential: str) -> Login:
        """A new role for who has just been admitted.

        Args:
            arrival: Who, and to which database.
            credential: The name of what makes it.

        Returns:
            How to sign in as it, once; its `done` drops it.

        Raises:
            UpstreamError: `session-role`, `pg-database`.
            InternalError: `credential-unavailable`.
        """
        name = PREFIX + secrets.token_hex(10)
        password = secrets.token_urlsafe(32)
        seconds = min(VALID, max(1.0, arrival.principal.expires_at - self._now()))
        done = partial(self._over, name, credential, arrival.database)
        try:
            async with self._connected(credential, arrival.database) as connection:
                until = await connection.fetchval(_UNTIL, seconds)
                async with connection.transaction():
                    for sql in self._statements(name, password, until):
                        await connection.execute(sql)
        except _BROKEN as error:
            done()
            raise _unmade(error) from None
        except BaseException:
            done()  # it may be there
            raise
        return Login(user=name, password=password, done=done)

    async def sweep(self) -> int:
        """Drop what was left behind; how many.

        Raises:
            ProctorError, OSError, asyncpg.PostgresError: The server does not say what there is.
        """
        count = 0
        for credential in self._credentials:
            async with self._connected(credential, self._database) as connection:
                rows = await connection.fetch(_LEFT, PREFIX, f"{MARK} {self._name}")
            for row in rows:
                count += await self._drop(row["name"], credential, self._database)
        return count

    def _statements(self, name: str, password: str, until: str) -> list[str]:
        role, groups = identifier(name), ", ".join(map(identifier, self._settings.member_of))
        until, comment = literal(until), literal(f"{MARK} {self._name}")
        secret = literal(verifier(password))
        made = [
            f"CREATE ROLE {role} LOGIN {_WEAK} CONNECTION LIMIT 1 PASSWORD {secret}",
            f"ALTER ROLE {role} VALID UNTIL {until}",
            f"GRANT {groups} TO {role}",
            f"COMMENT ON ROLE {role} IS {comment}",
        ]
        if self._settings.schemas:
            path = ", ".join(map(identifier, self._settings.schemas))
            made.append(f"ALTER ROLE {role} SET search_path TO {path}")
        return made

    def _over(self, name: str, credential: str, database: str) -> None:
        """Its session has ended."""
        task = spawn(self._dropped(name, credential, database), name="a session's role")
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

    async def _dropped(self, name: str, credential: str, database: str) -> None:
        await self._drop(name, credential, database)

    async def _drop(self, name: str, credential: str, database: str) -> bool:
        """Drop a role; what it owns becomes that of those it was a member of."""
        try:
            async with self._connected(credential, database) as connection:
                oid = await connection.fetchval(_THERE, name)
                if oid is None:
                    return False
                # To end its sessions and hand on what it owns, one has to be a member.
                await connection.execute(f"GRANT {identifier(name)} TO CURRENT_USER")
                await connection.fetch(_END, oid)
                others = [row["name"] for row in await connection.fetch(_WHERE, oid)]
                await self._hand_on(connection, name)
                for other in others:
                    async with self._connected(credential, other) as there:
                        await self._hand_on(there, name)
                await connection.execute(f"DROP ROLE {identifier(name)}")
        except asyncpg.UndefinedObjectError:
            return False  # another worker was first
        except (*_BROKEN, ProctorError) as error:
            logger.warning(
                "the role %s of a session is left behind: %s",
                name,
                getattr(error, "sqlstate", None) or type(error).__name__,
                extra={"event": "postgres.session_role", "listener": self._name},
            )
            return False
        return True

    async def _hand_on(self, connection: Any, name: str) -> None:
        role, *rest = map(identifier, (name, *self._settings.member_of))
        for at, heir in enumerate(rest):
            try:
                await connection.execute(f"REASSIGN OWNED BY {role} TO {heir}")
                break
            except asyncpg.InsufficientPrivilegeError:
                # The next one may create in that schema.
                if at == len(rest) - 1:
                    raise
        await connection.execute(f"DROP OWNED BY {role}")

    async def _keep(self) -> None:
        while True:
            try:
                count = await self.sweep()
            except (*_BROKEN, ProctorError) as error:
                logger.warning(
                    "roles of sessions that are over were not looked for: %s",
                    getattr(error, "sqlstate", None) or type(error).__name__,
                    extra={"event": "postgres.session_role", "listener": self._name},
                )
            else:
                if count:
                    logger.info(
                        "%d roles of sessions that are over were dropped",
                        count,
                        extra={"event": "postgres.session_role", "listener": self._name},
                    )
            await asyncio.sleep(_SWEEP)

    @contextlib.asynccontextmanager
    async def _connected(self, credential: str, database: str) -> AsyncIterator[Any]:
        target = await self._target(credential, database)()
        connection = await asyncpg.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            database=target.database,
            ssl=target.tls if target.tls is not None else False,
            timeout=_CONNECT,
            command_timeout=_COMMAND,
            server_settings=_SETTINGS,
            target_session_attrs="any",  # not from the environment
        )
        try:
            yield connection
        finally:
            connection.terminate()


def _unmade(error: Exception) -> UpstreamError:
    """The server's words may hold names that are nobody's concern."""
    code = getattr(error, "sqlstate", None)
    if code == _NO_DATABASE:
        return UpstreamError("pg-database", "The database server has no such database")
    return UpstreamError(
        "session-role",
        "No role could be made for this session",
        got=code or type(error).__name__,
        expected="a credential with CREATEROLE, and ADMIN OPTION on `session_role.member_of`",
        hint="`proctor doctor` says what it lacks.",
    )
