"""A role for each session, at real servers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import psycopg
import pytest

from proctor.errors import UpstreamError
from proctor.model import Principal
from proctor.postgres.roles import PREFIX, SessionRoles
from proctor.postgres.settings import SessionRoleSettings
from proctor.postgres.side import Target
from proctor.postgres.wires import Arrival, Login
from tests.postgres.gateway import through
from tests.postgres.server import PASSWORDS, Server
from tests.support.held import eventually

MAKER, MAKER_PASSWORD = "role_maker", "maker-password"
NOW = 1_900_000_000.0


def arrival(database: str, *, left: float = 3600) -> Arrival:
    return Arrival(
        principal=Principal(issuer="i", subject="alice", expires_at=NOW + left),
        user="x",
        database=database,
        application="",
        parameters={},
        address="",
        started_at=datetime.now(UTC),
        flow_id="f",
    )


def prepared(server: Server) -> str:
    """A database with a group that may use one table, and a login that may make members of it."""
    group = "session_readers"
    if not server.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{group}'"):  # noqa: S608 - ours
        server.execute(
            f"CREATE ROLE {group};"
            f" CREATE ROLE {MAKER} LOGIN CREATEROLE PASSWORD '{MAKER_PASSWORD}';"
            f" GRANT {group} TO {MAKER} WITH ADMIN OPTION"
        )
    return server.fresh(
        "CREATE TABLE orders (id int); INSERT INTO orders VALUES (7);"  # noqa: S608 - ours
        " CREATE TABLE salaries (id int);"
        f" GRANT SELECT ON orders TO {group}; GRANT CREATE ON SCHEMA public TO {group};"
        " CREATE SCHEMA masked; CREATE VIEW masked.orders AS SELECT 8 AS id;"
        f" GRANT USAGE ON SCHEMA masked TO {group}; GRANT SELECT ON masked.orders TO {group}"
    )


def made(server: Server, database: str, *, schemas: tuple[str, ...] = ()) -> SessionRoles:
    def target(name: str, wanted: str) -> Callable[[], Awaitable[Target]]:
        assert name == "maker"

        async def found() -> Target:
            return Target(
                host="127.0.0.1",
                port=server.port,
                database=wanted,
                user=MAKER,
                password=MAKER_PASSWORD,
            )

        return found

    return SessionRoles(
        name="orders",
        settings=SessionRoleSettings(member_of=("session_readers",), schemas=schemas),
        target=target,
        credentials=("maker",),
        database=database,
        now=lambda: NOW,
    )


def left(server: Server) -> list[str]:
    asked = f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{PREFIX}%' ORDER BY 1"  # noqa: S608 - ours
    return [row[0] for row in server.execute(asked)]


def signed_in(server: Server, login: Login, database: str) -> psycopg.Connection:
    dsn = server.dsn(login.user, database, password=str(login.password))
    return psycopg.connect(dsn, autocommit=True)


def test_made_used_once_and_dropped(every_postgres: Server) -> None:
    database = prepared(every_postgres)

    async def run() -> None:
        roles = made(every_postgres, database)
        login = await roles.make(arrival(database), "maker")
        assert login.user.startswith(PREFIX)
        assert str(login.password) not in repr(login)
        with signed_in(every_postgres, login, database) as connection:
            assert connection.execute("SELECT id FROM orders").fetchall() == [(7,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT * FROM salaries")
            connection.execute("SET ROLE session_readers; RESET ROLE")
            assert connection.execute("SELECT current_user").fetchone() == (login.user,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE ROLE other")
            with pytest.raises(psycopg.OperationalError):  # one at a time
                signed_in(every_postgres, login, database)
            connection.execute("CREATE TABLE kept AS SELECT 1 AS id; CREATE TEMP TABLE gone ()")
        assert login.done is not None
        login.done()
        await roles.close()
        assert left(every_postgres) == []

    asyncio.run(run())
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'kept'"
    assert every_postgres.execute(owner, database=database) == [("session_readers",)]


def test_a_session_that_still_runs_is_ended(postgres16: Server) -> None:
    database = prepared(postgres16)

    async def run() -> None:
        roles = made(postgres16, database)
        login = await roles.make(arrival(database), "maker")
        with signed_in(postgres16, login, database) as connection:
            assert login.done is not None
            login.done()
            await roles.close()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert left(postgres16) == []

    asyncio.run(run())


def test_views_that_are_found_first(postgres15: Server) -> None:
    database = prepared(postgres15)

    async def run() -> None:
        roles = made(postgres15, database, schemas=("masked", "public"))
        login = await roles.make(arrival(database), "maker")
        with signed_in(postgres15, login, database) as connection:
            assert connection.execute("SELECT id FROM orders").fetchall() == [(8,)]
        assert login.done is not None
        login.done()
        await roles.close()

    asyncio.run(run())
    assert left(postgres15) == []


@pytest.mark.parametrize(("seconds", "most"), [(3600.0, 61), (20.0, 21)])
def test_the_password_is_good_for_a_moment(postgres15: Server, seconds: float, most: int) -> None:
    database = prepared(postgres15)

    async def run() -> None:
        roles = made(postgres15, database)
        login = await roles.make(arrival(database, left=seconds), "maker")
        asked = (
            "SELECT extract(epoch FROM rolvaliduntil - now())::int FROM pg_roles"  # noqa: S608 - ours
            f" WHERE rolname = '{login.user}'"
        )
        ((found,),) = postgres15.execute(asked)
        assert 0 < found <= most
        assert login.done is not None
        login.done()
        await roles.close()
        assert str(login.password) not in postgres15.log()

    asyncio.run(run())


def test_what_a_crash_leaves_is_swept(every_postgres: Server) -> None:
    database = prepared(every_postgres)
    elsewhere = prepared(every_postgres)

    async def run() -> None:
        roles = made(every_postgres, database)
        fresh = await roles.make(arrival(database), "maker")
        old = await roles.make(arrival(elsewhere), "maker")
        used = await roles.make(arrival(database), "maker")
        strange = f"{PREFIX}strange"
        every_postgres.execute(f"CREATE ROLE {strange} VALID UNTIL '2020-01-01'")
        with (
            signed_in(every_postgres, old, elsewhere) as connection,
            signed_in(every_postgres, used, database),
        ):
            connection.execute("CREATE TABLE leftover ()")
            connection.close()
            for login in (old, used):
                every_postgres.execute(f"ALTER ROLE {login.user} VALID UNTIL '2020-01-01'")
            assert await roles.sweep() == 1
            # A new one, one that is used, and one that somebody else made, stay.
            assert left(every_postgres) == sorted((fresh.user, used.user, strange))
        every_postgres.execute(f"DROP ROLE {strange}")
        for login in (fresh, used):
            assert login.done is not None
            login.done()
        await roles.close()

    asyncio.run(run())
    assert left(every_postgres) == []


def test_a_database_that_is_none(postgres15: Server) -> None:
    prepared(postgres15)

    async def run() -> None:
        roles = made(postgres15, "postgres")
        with pytest.raises(UpstreamError) as caught:
            await roles.make(arrival("none_such"), "maker")
        assert caught.value.code == "pg-database"
        await roles.close()

    asyncio.run(run())


def test_a_credential_that_may_not(postgres18: Server) -> None:
    """Without ADMIN OPTION on the group nothing is made, and the client gets a code alone."""
    database = prepared(postgres18)

    async def run() -> None:
        roles = made(postgres18, database)
        roles._settings = SessionRoleSettings(member_of=("pg_read_all_data",))
        with pytest.raises(UpstreamError) as caught:
            await roles.make(arrival(database), "maker")
        assert (caught.value.code, caught.value.got) == ("session-role", "42501")
        await roles.close()

    asyncio.run(run())
    assert left(postgres18) == []


def test_cancelled_under_way(postgres15: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client went away: what was made is dropped."""
    database = prepared(postgres15)

    async def run() -> None:
        roles = made(postgres15, database)
        whole = roles._statements

        def slow(*given: str) -> list[str]:
            return [*whole(*given), "SELECT pg_sleep(30)"]

        monkeypatch.setattr(roles, "_statements", slow)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await roles.make(arrival(database), "maker")
        await roles.close()

    asyncio.run(run())
    assert left(postgres15) == []


def test_a_sweep_that_fails_is_told_in_the_log(
    postgres15: Server, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(postgres15)

    async def run() -> None:
        roles = made(postgres15, "none_such")
        roles.start()
        while not caplog.records:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.01)
        await roles.close()

    asyncio.run(asyncio.wait_for(run(), 30))
    assert "3D000" in caplog.text


def test_through_proctor(postgres15: Server) -> None:
    """Each connection is somebody else at the server, and nobody is left when it has ended."""
    database = prepared(postgres15)
    listener = "unknown_functions: allow\nsession_role: {member_of: [session_readers]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.postgres.gateway.PASSWORDS", {**PASSWORDS, MAKER: MAKER_PASSWORD})
        with through(postgres15, listener=listener, user=MAKER) as found:
            names = set()
            for _ in range(2):
                with psycopg.connect(found.dsn(database), autocommit=True) as connection:
                    row = connection.execute("SELECT session_user, id FROM orders").fetchone()
                    assert row is not None
                    names.add(row[0])
                    assert row[1] == 7
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute("SELECT * FROM salaries")
                    assert left(postgres15) == [row[0]]
                eventually(lambda: left(postgres15) == [])
            assert len(names) == 2
            with pytest.raises(psycopg.OperationalError, match="no such database"):
                psycopg.connect(found.dsn("none_such")).close()
            open_still = psycopg.connect(found.dsn(database), autocommit=True)
            assert len(left(postgres15)) == 1
        open_still.close()
    assert left(postgres15) == []
