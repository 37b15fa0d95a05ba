"""How many rows a statement would bring: asked of the planner, and of nobody else."""

import asyncio
from collections.abc import Sequence

import pytest

from proctor.model import Principal
from proctor.postgres.expecting import Expecting
from proctor.postgres.side import Target
from tests.postgres.server import PASSWORDS, SUPERUSER, Server
from tests.postgres.trials import ALICE, judged

SETUP = """
CREATE TABLE orders (id int PRIMARY KEY);
INSERT INTO orders SELECT generate_series(1, 3000);
CREATE TABLE calls (n int);
CREATE FUNCTION noted() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN PERFORM pg_sleep(60); RETURN 1; END';
ANALYZE;
"""


def expected(
    server: Server, database: str, texts: Sequence[str], *, user: str | None = SUPERUSER
) -> list[float | None]:
    """One after another, by one and the same."""

    async def target(database: str) -> Target:
        return Target(
            host=server.host,
            port=server.port,
            database=database,
            user=SUPERUSER,
            password=PASSWORDS[SUPERUSER],
        )

    def credential(principal: Principal) -> str | None:
        assert principal is ALICE
        return user

    async def main() -> list[float | None]:
        made = Expecting(credential, lambda _name, database: lambda: target(database))
        try:
            found = []
            for text in texts:
                whole = judged(text, database)
                (one,) = whole.statements
                found.append(await made.rows(ALICE, database, one, whole.context))
            return found
        finally:
            await made.close()

    return asyncio.run(main())


@pytest.fixture(scope="module")
def database(postgres15: Server) -> str:
    return postgres15.fresh(SETUP)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT * FROM orders", 3000),
        ("SELECT * FROM orders LIMIT 7", 7),
        ("SELECT * FROM orders WHERE id = $1", 1),
        ("SELECT * FROM orders WHERE id > $1", 1000),  # a third: nobody knows of what
        ("DELETE FROM orders", 3000),
        ("UPDATE orders SET id = id WHERE id = $1 OR id = $2", 2),
    ],
)
def test_the_planner_says(postgres15: Server, database: str, text: str, rows: int) -> None:
    # Twice: what was prepared for it is gone, and nothing was run.
    assert expected(postgres15, database, [text, text]) == [rows, rows]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT noted() FROM orders",  # planning would run it
        "DROP TABLE orders",
        "BEGIN",
        "COPY orders TO STDOUT",
        "SELECT * FROM nowhere",
        "SELECT * FROM nowhere WHERE id = $1",
        "SELECT $1 + id FROM orders WHERE $1 = 'x'",
    ],
)
def test_what_cannot_be_told_holds_nothing_up(postgres15: Server, database: str, text: str) -> None:
    known = "SELECT * FROM orders WHERE id = $1"
    assert expected(postgres15, database, [text, known]) == [None, 1]


def test_whoever_has_no_credential_is_told_nothing(postgres15: Server, database: str) -> None:
    assert expected(postgres15, database, ["SELECT * FROM orders"], user=None) == [None]
