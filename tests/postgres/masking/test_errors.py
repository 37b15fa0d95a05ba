"""Errors and notices without values."""

import psycopg
import pytest

from proctor.postgres.masking import strip
from proctor.protocols.postgres.fields import Fields
from tests.postgres.masking.database import database
from tests.postgres.server import Server


def test_only_what_kind_of_error_it_is_remains() -> None:
    told = Fields(
        severity="ERROR",
        code="23505",
        message='duplicate key "planted"',
        detail="Key (email)=(planted) already exists.",
        hint="planted",
        others={"W": "planted", "q": "planted", "n": "planted", "P": "7"},
    )
    found = strip(told)
    assert (found.severity, found.code) == ("ERROR", "23505")
    assert b"planted" not in found.body()
    assert b"P7" not in found.body()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO users(id, email) VALUES (7, 'al@planted.test')",
        "INSERT INTO users(email) VALUES ('al@planted.test')",
        "SELECT email::int FROM users",
    ],
)
def test_the_server_does_quote_values(postgres: Server, sql: str) -> None:
    with psycopg.connect(postgres.dsn(database=database(postgres))) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(sql.encode())
    diagnosis = caught.value.diag
    fields = Fields(
        severity="ERROR",
        code=diagnosis.sqlstate or "",
        message=diagnosis.message_primary or "",
        detail=diagnosis.message_detail or "",
    )
    assert b"planted" in fields.body()
    assert b"planted" not in strip(fields).body()
