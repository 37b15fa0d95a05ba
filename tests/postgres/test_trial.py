"""One statement, planned and tried: bounds, and errors that show nothing."""

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use
import pytest

from proctor.postgres.counting import undone
from proctor.postgres.side import Connection
from proctor.postgres.trial import Findings, words_of
from tests.postgres.server import Server
from tests.postgres.trials import asking


@pytest.mark.parametrize(
    ("sql", "shown", "hidden"),
    [
        ("SELECT 'planted'::int", "invalid text representation (22P02)", ""),
        ("SELECT FROM planted", 'relation "planted" does not exist', "undefined table (42P01)"),
        ("INSERT INTO orders(id) VALUES (1)", "unique violation (23505) of orders_pkey", ""),
        ("SELECT 1/0", "division by zero (22012)", ""),
        ("SELECT pg_sleep(9)", "that took too long", ""),
    ],
)
def test_errors_in_words(postgres: Server, sql: str, shown: str, hidden: str) -> None:
    async def ask(connection: Connection) -> asyncpg.PostgresError:
        await connection.execute("SET LOCAL statement_timeout = 200")
        with pytest.raises(asyncpg.PostgresError) as caught:
            async with undone(connection):
                await connection.fetch(sql)
        return caught.value

    error = asking(postgres, ask)
    assert words_of(error, hide=False) == shown
    assert words_of(error, hide=True) == (hidden or shown)


def test_parts_are_bounded() -> None:
    found = Findings(rows="a\nb", plan="x" * 100_000, dependents=["view v"] * 10_000)
    parts = {part.name: part for part in found.parts()}
    assert list(parts) == ["rows", "dependents", "plan"]
    assert parts["rows"].text == "a\ufffdb"
    assert len(parts["plan"].text) + parts["plan"].cut == 100_000
    assert len(parts["plan"].text) == 16 * 1024
    assert len(parts["dependents"].text) == 8 * 1024
    assert Findings().parts() == ()
