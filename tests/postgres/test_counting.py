"""How much there is of a table."""

from collections.abc import Awaitable, Callable

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use
import pytest

from proctor.postgres.counting import (
    UNKNOWN,
    Found,
    Total,
    activity,
    named,
    size,
    total,
    undone,
)
from proctor.postgres.effects import LOOKING
from proctor.postgres.side import Connection
from tests.postgres.server import ORDERS_APP, SUPERUSER, Server
from tests.postgres.trials import asking, everything


def asked[T](
    server: Server,
    name: str,
    ask: Callable[[Connection, Found], Awaitable[T]],
    user: str = SUPERUSER,
) -> T:
    async def main(connection: Connection) -> T:
        await connection.execute(LOOKING)
        oid = await connection.fetchval(
            "SELECT c.oid::int8 FROM pg_class c WHERE relname = $1", name
        )
        (found,) = await named(connection, [oid])
        return await ask(connection, found)

    return asking(server, main, user=user)


def test_rows_are_counted(every_postgres: Server) -> None:
    assert asked(every_postgres, "orders", total) == Total(rows=4031, exact=True)
    assert asked(every_postgres, "parts", total) == Total(rows=20, exact=True)
    assert asked(every_postgres, "v_orders", total) == UNKNOWN


def test_or_estimated(every_postgres: Server) -> None:
    """Where there is no right to read, or a policy would be asked."""
    before = everything(every_postgres)
    one = Total(rows=1, exact=False)
    assert asked(every_postgres, "secret", total, ORDERS_APP) == one
    assert asked(every_postgres, "rowwise", total, ORDERS_APP) == one
    assert asked(every_postgres, "rowwise", total) == Total(rows=1, exact=True)
    assert everything(every_postgres) == before


def test_how_it_is_said() -> None:
    assert str(Total(rows=1, exact=True)) == "1 row"
    assert str(Total(rows=4031, exact=False)) == "about 4,031 rows"
    assert str(UNKNOWN) == "an unknown number of rows"


def test_size_and_activity(every_postgres: Server) -> None:
    assert asked(every_postgres, "orders", size).endswith("kB")
    assert "since the server began to count" in asked(every_postgres, "orders", activity)
    assert asked(every_postgres, "v_orders", activity) == ""


async def broken(connection: Connection) -> None:
    async with undone(connection):
        await connection.execute("SET LOCAL application_name = 'inside'")
        await connection.execute("SELECT FROM nowhere")


def test_an_error_leaves_the_transaction_alive(postgres: Server) -> None:
    async def wrong(connection: Connection, _table: Found) -> str:
        await connection.execute("SET LOCAL application_name = 'before'")
        with pytest.raises(asyncpg.UndefinedTableError):
            await broken(connection)
        async with undone(connection):
            await connection.execute("SET LOCAL application_name = 'again'")
        return str(await connection.fetchval("SHOW application_name"))

    assert asked(postgres, "orders", wrong) == "before"
