"""What a statement touched, in words."""

import asyncio

import pytest

from proctor.postgres.counting import UNKNOWN, Found, Total, undone
from proctor.postgres.trying import Change, changed, estimated, sentence, tried
from tests.postgres.masking.database import side
from tests.postgres.server import Server
from tests.postgres.trials import database, everything

ORDERS = Found(oid=1, name="public.orders", quoted="public.orders", kind="r")
MANY = Total(rows=4031, exact=True)
ROUGHLY = Total(rows=4031, exact=False)

BOTH = (
    "insert 2 rows into public.orders, now of an unknown number of rows"
    " and delete 1 row of public.orders"
)


@pytest.mark.parametrize(
    ("change", "total", "said"),
    [
        (Change(deleted=12), MANY, "delete 12 of 4,031 rows of public.orders (0.3 %)"),
        (Change(updated=1), MANY, "update 1 of 4,031 rows of public.orders (under 0.1 %)"),
        (Change(deleted=4031), MANY, "delete all 4,031 rows of public.orders"),
        (
            Change(deleted=4031),
            ROUGHLY,
            "delete 4,031 of about 4,031 rows of public.orders (100 %)",
        ),
        (Change(deleted=1), Total(rows=1, exact=True), "delete the only row of public.orders"),
        (Change(updated=2), UNKNOWN, "update 2 rows of public.orders"),
        (Change(inserted=1), MANY, "insert 1 row into public.orders, now of 4,031 rows"),
        (
            Change(inserted=2, deleted=1),
            UNKNOWN,
            BOTH,
        ),
    ],
)
def test_a_table(change: Change, total: Total, said: str) -> None:
    assert changed(ORDERS, change, total) == said


def test_estimates_are_told_as_such() -> None:
    said = changed(ORDERS, Change(updated=12), MANY, about="about ")
    assert said == "update about 12 of 4,031 rows of public.orders (0.3 %)"
    assert estimated(("WITH", "DELETE"), 3) == Change(deleted=3)
    assert estimated(("INSERT", "UPDATE"), 3) == Change(inserted=3)
    assert estimated(("SELECT",), 3) == Change()


def test_a_sentence() -> None:
    one = (ORDERS, Change(deleted=12), MANY)
    assert sentence(("DELETE",), [one], has_where=False) == (
        "It would delete 12 of 4,031 rows of public.orders (0.3 %). No WHERE limits it."
    )
    nothing = (ORDERS, Change(), MANY)
    assert sentence(("INSERT",), [nothing], has_where=False) == (
        "It would change no row of public.orders (4,031 rows)."
    )


def test_all_that_it_touches_is_counted_and_undone(every_postgres: Server) -> None:
    """Twice on the same connection: what was counted before is not counted again."""
    where, before = database(every_postgres), everything(every_postgres)

    async def main() -> None:
        asked = side(every_postgres, where)
        for _ in range(2):
            async with asked.transaction() as connection:
                oid = await connection.fetchval("SELECT 'orders'::regclass::oid::int8")
                other = await connection.fetchval("SELECT 'items'::regclass::oid::int8")
                async with undone(connection):
                    found = await tried(connection, "DELETE FROM orders WHERE id < 6", [oid])
                assert found == {oid: Change(deleted=5), other: Change(deleted=5)}
                parts = await connection.fetchval("SELECT 'parts'::regclass::oid::int8")
                first = await connection.fetchval("SELECT 'parts_1'::regclass::oid::int8")
                async with undone(connection):
                    found = await tried(connection, "UPDATE parts SET a = ''", [parts])
                assert found == {parts: Change(updated=20)}
                async with undone(connection):
                    found = await tried(connection, "DELETE FROM parts_1", [first])
                assert found == {first: Change(deleted=10)}
        async with asked.transaction() as connection:
            await connection.execute("SET LOCAL track_counts = off")
            assert await tried(connection, "DELETE FROM orders", []) is None
        await asked.close()

    asyncio.run(main())
    assert everything(every_postgres) == before
