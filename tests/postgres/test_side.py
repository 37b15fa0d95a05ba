"""Side connections: few, short, rolled back, and never in anybody's way."""

import asyncio

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use
import pytest

from proctor.errors import UpstreamError
from proctor.postgres import side as sides
from proctor.postgres.side import Side, Target, identifier
from tests.postgres.masking.database import side
from tests.postgres.server import ORDERS_APP, SUPERUSER, Server


def count(server: Server) -> int:
    rows = server.execute(
        "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'proctor side'"
    )
    return int(rows[0][0])


def test_whatever_is_done_is_undone(postgres: Server) -> None:
    async def main() -> None:
        asked = side(postgres, "postgres")
        async with asked.transaction(path=('a "b"', "public")) as connection:
            await connection.execute("CREATE TABLE gone(a int)")
            assert await connection.fetchval("SHOW search_path") == '"a ""b""", public'
            assert await connection.fetchval("SHOW application_name") == "proctor side"
        async with asked.transaction() as connection:
            assert await connection.fetchval("SELECT to_regclass('gone')") is None
            assert await connection.fetchval("SHOW search_path") != "public"
        await asked.close()

    asyncio.run(main())


async def refused(asked: Side, pids: set[int]) -> None:
    async with asked.transaction(snapshot=True) as connection:
        pids.add(await connection.fetchval("SELECT pg_backend_pid()"))
        await connection.execute("CREATE TABLE refused(a int)")  # it only reads


def test_a_connection_is_used_again_also_after_an_error(postgres: Server) -> None:
    async def main() -> None:
        asked = side(postgres, "postgres")
        pids: set[int] = set()
        for _ in range(3):
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await refused(asked, pids)
        assert len(pids) == 1
        await asked.close()

    asyncio.run(main())


def test_one_that_broke_is_not(postgres: Server) -> None:
    async def main() -> None:
        asked = side(postgres, "postgres")
        async with asked.transaction() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
        await asyncio.to_thread(postgres.execute, f"SELECT pg_terminate_backend({pid})")
        for _ in range(2):
            try:
                async with asked.transaction() as connection:
                    assert await connection.fetchval("SELECT pg_backend_pid()") != pid
            except UpstreamError:
                continue
            break
        else:
            raise AssertionError("it stays broken")
        await asked.close()

    asyncio.run(main())


def test_there_are_two_at_most(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "_WAIT", 0.05)

    async def main() -> None:
        asked = side(postgres, "postgres")
        async with asked.transaction(), asked.transaction():
            with pytest.raises(UpstreamError, match="busy"):
                async with asked.transaction():
                    pass
        await asked.close()

    asyncio.run(main())


def test_the_idle_ones_go(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "_IDLE", 0.01)

    async def main() -> None:
        asked = side(postgres, "postgres")
        async with asked.transaction():
            pass
        sweeper = asked._sweeper
        assert sweeper is not None
        await sweeper
        assert not asked._free
        async with asked.transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await asked.close()

    asyncio.run(main())


def test_what_takes_too_long_is_given_up(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sides._SETTINGS, "statement_timeout", "50")

    async def main() -> None:
        asked = side(postgres, "postgres")
        with pytest.raises(asyncpg.QueryCanceledError):
            async with asked.transaction() as connection:
                await connection.fetch("SELECT pg_sleep(5)")
        await asked.close()

    asyncio.run(main())


@pytest.mark.parametrize("more", [{"port": 1}, {"password": "wrong"}, {"database": "none"}])
def test_no_connection_is_an_error_without_names(postgres: Server, more: dict[str, object]) -> None:
    async def target() -> Target:
        return Target(
            **{  # type: ignore[arg-type]
                "host": postgres.host,
                "port": postgres.port,
                "database": "postgres",
                "user": ORDERS_APP,
                "password": "orders-password",
                **more,
            }
        )

    async def main() -> None:
        with pytest.raises(UpstreamError) as caught:
            async with Side(target).transaction():
                pass
        assert caught.value.code == "sql-side"
        for word in (ORDERS_APP, "wrong", "none"):
            assert word not in caught.value.got

    asyncio.run(main())


def test_a_role_that_may_not_be_become(postgres: Server) -> None:
    async def main() -> None:
        asked = side(postgres, "postgres", ORDERS_APP)
        with pytest.raises(UpstreamError, match="role"):
            async with asked.transaction(role=SUPERUSER):
                pass
        await asked.close()
        with pytest.raises(UpstreamError, match="stopping"):
            async with asked.transaction():
                pass

    asyncio.run(main())


def test_names_in_sql() -> None:
    assert identifier('a"b') == '"a""b"'
    for name in ("", "a\0b"):
        with pytest.raises(ValueError, match="cannot be"):
            identifier(name)


def test_no_secret_is_shown() -> None:
    target = Target(host="h", port=1, database="d", user="u", password="hidden-word")
    assert "hidden-word" not in repr(target)
