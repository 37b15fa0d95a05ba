"""Budgets of what databases give back."""

import psycopg
import pytest

from tests.postgres.gateway import through
from tests.postgres.server import Server

BUDGETS = """\
budgets:
  - {name: rows, over: day, of: records, limit: 5}
  - {name: asked, over: day, of: requests, limit: 1000}
"""


def test_rows_are_counted_and_then_nothing_more_is_asked(postgres15: Server) -> None:
    with through(postgres15, more=BUDGETS) as running:
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute("SELECT generate_series(1, 3)")
            connection.execute("SELECT generate_series(1, 3)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised:
                connection.execute("SELECT generate_series(1, 3)")
            assert "The budget rows is used up: 6 of 5 records seen" in str(raised.value)
        told = running.recorded("verdict, rule_id, rows", "sql like '%series%'")
    assert [(row["verdict"], row["rows"]) for row in told] == [
        ("allow", 3),
        ("allow", 3),
        ("deny", None),
    ]
    assert told[2]["rule_id"] == "budget:rows"
