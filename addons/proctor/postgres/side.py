"""Connections of our own to a client's server, with the same login: to ask, never to change.

Every use is one transaction that is rolled back. There are at most two for a login and database,
made when first needed and closed when idle; one that failed is not used again.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ProctorError, UpstreamError
from proctor.runtime.tasks import spawn

TIMEOUT: Final = 2.0
"""How long one question may take the server, seconds."""

_SIZE: Final = 2
_IDLE: Final = 60.0
_CONNECT: Final = 5.0  # seconds for dialling and signing in
_WAIT: Final = 5.0  # seconds for one of the connections to be free
_LOST: Final = ("08", "57P")  # classes of SQLSTATEs: the connection is gone
_BROKEN: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LEAST_VERSION: Final = 14  # the first with BEGIN ATOMIC


class Connection(Protocol):
    """What is used of asyncpg's."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """The rows of one statement, by the extended protocol: more than one is an error."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first value of the first row; None where there is none."""
        ...

    async def execute(self, query: str) -> str:
        """Run a text of our own, of one or more statements."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect, and as whom.

    Attributes:
        host: Name, address, or the folder of a Unix socket.
        port: TCP port, or the socket's number.
        database: Its name.
        user: The login.
        password: Its password; "" for none.
        role: Whom to become at once; "" for the login itself.
        tls: How the server is trusted; None for no TLS.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    role: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)


class Side:
    """The side connections of one login to one database.

    Args:
        target: Says where to and as whom, anew for each connection: passwords may be short-lived.
        timeout: How long one question may take the server, seconds.
        clock: Monotonic, seconds.
    """

    def __init__(
        self,
        target: Callable[[], Awaitable[Target]],
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._timeout = timeout
        self._clock = clock
        self._free: list[tuple[Any, float]] = []
        self._places = asyncio.Semaphore(_SIZE)
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, path: Sequence[str] = (), role: str = "", snapshot: bool = False
    ) -> AsyncIterator[Connection]:
        """A transaction that is rolled back at its end, whatever happens.

        Args:
            path: The search path in it.
            role: Whom to become in it; "" for the login itself.
            snapshot: It only reads, and sees one state throughout.

        Raises:
            UpstreamError: Code `sql-side`: no connection, or it broke, or took too long. Errors of
                statements are asyncpg.PostgresError, as they are.
        """
        try:
            async with asyncio.timeout(_WAIT):
                await self._places.acquire()
        except TimeoutError:
            raise _failed("all side connections are busy") from None
        try:
            connection = await self._begun(_begin(path, role, snapshot=snapshot))
            good = False
            try:
                yield connection
                good = True
            except ProctorError:
                good = True  # ours; the connection is none the worse
                raise
            except asyncpg.PostgresError as error:
                good = not (error.sqlstate or "").startswith(_LOST)
                raise
            except _BROKEN as error:
                raise _failed(type(error).__name__) from None
            finally:
                await self._give_back(connection, good=good)
        finally:
            self._places.release()

    async def _begun(self, text: str) -> Any:
        """A connection with a transaction begun on it. One that idled may be gone by now."""
        if self._closed:
            raise _failed("the listener is stopping")
        while self._free:
            connection, _ = self._free.pop()
            with contextlib.suppress(UpstreamError):
                await self._begin(connection, text)
                return connection
        connection = await self._connect(await self._target())
        await self._begin(connection, text)
        return connection

    @staticmethod
    async def _begin(connection: Any, text: str) -> None:
        try:
            await connection.execute(text)
        except asyncpg.PostgresError as error:
            connection.terminate()
            raise _failed(f"no transaction as the session's role ({error.sqlstate})") from None
        except BaseException as error:
            connection.terminate()
            if isinstance(error, _BROKEN):
                raise _failed(type(error).__name__) from None
            raise

    async def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._free:
            await _end(self._free.pop()[0])

    async def _connect(self, target: Target) -> Any:
        own = {"statement_timeout": str(int(self._timeout * 1000))}
        if target.role:
            own["role"] = target.role
        try:
            connection = await asyncpg.connect(
                host=target.host,
                port=target.port,
                user=target.user,
                password=target.password,
                database=target.database,
                ssl=target.tls if target.tls is not None else False,
                timeout=_CONNECT,
                command_timeout=self._timeout + 1,
                server_settings=_SETTINGS | own,
                target_session_attrs="any",  # neither this nor the above from the environment
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The server's words may hold the login's name.
            raise _failed(getattr(error, "sqlstate", None) or type(error).__name__) from None
        except (OSError, TimeoutError) as error:
            raise _failed(type(error).__name__) from None
        if connection.get_server_version().major < _LEAST_VERSION:
            await _end(connection)
            raise _failed(f"a server before PostgreSQL {_LEAST_VERSION}")
        return connection

    async def _give_back(self, connection: Any, *, good: bool) -> None:
        if good and not connection.is_closed() and not self._closed:
            try:
                await connection.execute("ROLLBACK")
            except (*_BROKEN, asyncpg.PostgresError):
                connection.terminate()
                return
            self._free.append((connection, self._clock()))
            if self._sweeper is None or self._sweeper.done():
                self._sweeper = spawn(self._sweep(), name="postgres.side")
        else:
            connection.terminate()

    async def _sweep(self) -> None:
        """Close connections that nobody has used for a while."""
        while self._free:
            oldest = self._free[0][1] + _IDLE
            if (left := oldest - self._clock()) > 0:
                await asyncio.sleep(left)
            else:
                await _end(self._free.pop(0)[0])


_SETTINGS: Final = {
    "application_name": "proctor side",
    "check_function_bodies": "off",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "10000",
    "jit": "off",
    "lock_timeout": "1000",
    "standard_conforming_strings": "on",
}


def _begin(path: Sequence[str], role: str, *, snapshot: bool) -> str:
    mode = "REPEATABLE READ, READ ONLY" if snapshot else "READ COMMITTED, READ WRITE"
    parts = [f"BEGIN ISOLATION LEVEL {mode}"]
    if role:
        parts.append(f"SET LOCAL ROLE {identifier(role)}")
    if path:
        parts.append(f"SET LOCAL search_path = {', '.join(map(identifier, path))}")
    return "; ".join(parts)


def identifier(name: str) -> str:
    """A name as it may stand in SQL."""
    if not name or "\0" in name:
        raise ValueError("a name that there cannot be")
    return '"' + name.replace('"', '""') + '"'


def _failed(got: str) -> ProctorError:
    return UpstreamError(
        "sql-side",
        "The server could not be asked what a statement reads",
        got=got,
        expected="a second connection with the listener's credential, from PostgreSQL 14 on",
        hint="Nothing of it was run. See the gateway's log, and try again.",
    )


async def _end(connection: Any) -> None:
    try:
        await connection.close(timeout=1)
    except (*_BROKEN, asyncpg.PostgresError):
        connection.terminate()
