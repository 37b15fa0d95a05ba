"""Who changes rights at a server: the tables' owner or a superuser, never the listener's login."""

import contextlib
import hmac
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import pbkdf2_hmac, sha256
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ClientError, ConfigurationError, UpstreamError
from proctor.postgres.masked import place
from proctor.postgres.settings import PostgresListener
from proctor.postgres.side import identifier
from proctor.postgres.tls import Contexts

_CONNECT: Final = 10.0
_COMMAND: Final = 120.0
_ITERATIONS: Final = 4096  # of PostgreSQL's own (scram_iterations)
_BROKEN: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_SETTINGS: Final = {
    "application_name": "proctor postgres",
    "client_min_messages": "error",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "60000",
    "lock_timeout": "5000",
    "search_path": "pg_catalog",
    "standard_conforming_strings": "on",
    "statement_timeout": "60000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """Whom to sign in as, and where.

    Attributes:
        user: The role; "" where `url` says it.
        password: Its password; None: PGPASSWORD or PGPASSFILE, as libpq has them.
        url: A place of its own, such as a socket; "" for the listener's upstream.
    """

    user: str = ""
    password: str | None = field(default=None, repr=False)
    url: str = ""


def url_of(text: str) -> Admin:
    """Somebody by a URL, such as `postgresql:///shop?host=/run/postgresql&user=postgres`.

    Raises:
        ConfigurationError: `harden-password`, `harden-url`.
    """
    try:
        parts = urlsplit(text)
        named = {name for name, _ in parse_qsl(parts.query)}
        secret = parts.password is not None or "password" in named
    except ValueError:
        raise ConfigurationError(
            "harden-url",
            "This is no URL of a PostgreSQL server",
            expected="postgresql://user@host:5432/database",
        ) from None
    if secret:
        raise ConfigurationError(
            "harden-password",
            "A password on the command line is seen by everybody on this machine",
            expected="PGPASSWORD, or a file that PGPASSFILE names",
        )
    return Admin(url=text)


@contextlib.asynccontextmanager
async def connected(
    listener: PostgresListener, admin: Admin, database: str, contexts: Contexts
) -> AsyncIterator[Any]:
    """A connection to the listener's server as somebody else.

    Args:
        listener: Says where the server is and how it is trusted.
        admin: Who.
        database: Its name.
        contexts: Trust towards the server.

    Raises:
        UpstreamError: `harden-connect`: there is none. `harden-lost`: it broke.
    """
    files = listener.upstream_tls
    paths = (files.ca, files.cert, files.key) if files else (None, None, None)
    host, port = place(listener)
    where: dict[str, Any] = {"host": host, "port": port, "user": admin.user}
    where["ssl"] = contexts.trusted(*paths) if listener.over_tls else False
    if admin.url:
        where = {"dsn": admin.url}
        if "sslmode" not in admin.url:
            where["ssl"] = contexts.trusted(*paths) if listener.over_tls else False
    if admin.password is not None:
        where["password"] = admin.password
    try:
        connection = await asyncpg.connect(
            **where,
            database=database,
            timeout=_CONNECT,
            command_timeout=_COMMAND,
            server_settings=_SETTINGS,
            target_session_attrs="any",
        )
    except (asyncpg.PostgresError, *_BROKEN, ValueError, asyncpg.ClientConfigurationError) as error:
        raise UpstreamError(
            "harden-connect",
            "The database server does not take who is to change rights there",
            got=getattr(error, "sqlstate", None) or type(error).__name__,
            expected=f"database {database}, and a password in PGPASSWORD or PGPASSFILE",
            hint="Try it with psql. Nothing was changed.",
        ) from None
    try:
        yield connection
    except _BROKEN as error:
        raise UpstreamError(
            "harden-lost",
            "The connection to the database server broke",
            got=type(error).__name__,
            hint="Run it again without --apply: it says whether all of it is there, or nothing.",
        ) from None
    finally:
        with contextlib.suppress(*_BROKEN, asyncpg.PostgresError):
            await connection.close(timeout=2)


@contextlib.asynccontextmanager
async def transaction(connection: Any, role: str = "") -> AsyncIterator[Callable[[], None]]:
    """One transaction; what is yielded has it committed at the end, else it is rolled back.

    Args:
        connection: Of `connected`.
        role: Whom to become in it; "" for nobody.

    Raises:
        ClientError: `harden-refused`: the server would not, in its own words.
    """
    keep: list[bool] = []
    began = connection.transaction()
    await began.start()
    try:
        if role:
            await connection.execute(f"SET LOCAL ROLE {identifier(role)}")
        yield lambda: keep.append(True)
        if keep:
            await began.commit()
    except asyncpg.PostgresError as error:
        raise ClientError(
            "harden-refused",
            "The database server refuses, so nothing was changed",
            got=f"{error.sqlstate}: {error.args[0] if error.args else ''}",
            hint="See that --admin owns the tables, or is a superuser.",
        ) from None
    finally:
        if not connection.is_closed() and connection.is_in_transaction():
            await began.rollback()


def verifier(password: str) -> str:
    """What the server keeps of a password of visible ASCII, so that its log has none (RFC 5803).

    Args:
        password: Of visible ASCII, which SASLprep leaves as it is.
    """
    salt = secrets.token_bytes(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (b64encode(each).decode() for each in (salt, client, server))
    first, second, third = parts
    return f"SCRAM-SHA-256${_ITERATIONS}:{first}${second}:{third}"
