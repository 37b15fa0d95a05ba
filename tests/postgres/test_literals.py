"""Parameters as constants: what the server makes of them is what the client has sent."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.literals import UnreadableError, formats, quoted, substituted
from proctor.protocols.postgres.messages import Bind
from tests.postgres.server import Server


def bind(*values: bytes | None, formats: tuple[int, ...] = ()) -> Bind:
    return Bind(b"", b"", formats, values, ())


VALUES = [
    ("bool", True),
    ("bytea", b"\0'\\x"),
    ("int2", -5),
    ("int4", 2**31 - 1),
    ("int8", -(2**63)),
    ("oid", 2**32 - 1),
    ("float4", 0.1),
    ("float8", -1e300),
    ("float8", float("inf")),
    ("text", "O'Brien \\ $1 é"),
    ("json", '{"a": 1}'),
    ("jsonb", '{"a": 1}'),
    ("date", date(1999, 12, 31)),
    ("date", date(1, 1, 1)),
    ("date", "infinity"),
    ("timestamp", datetime(1969, 7, 20, 20, 17, 40, 123)),  # noqa: DTZ001 - it has none
    ("timestamp", "-infinity"),
    ("timestamptz", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
    ("numeric", Decimal("-12345.678900")),
    ("numeric", Decimal("1e30")),
    ("numeric", Decimal(0)),
    ("numeric", Decimal("NaN")),
    ("uuid", UUID(int=7)),
]


@pytest.mark.parametrize(("name", "value"), VALUES, ids=lambda value: str(value)[:20])
def test_binary_as_the_server_sends_it(postgres: Server, name: str, value: object) -> None:
    """A value goes to the server, comes back in binary, and as our constant means the same."""
    with psycopg.connect(postgres.dsn(), options="-c timezone=Asia/Kolkata") as connection:
        cursor = connection.execute(f"SELECT %s::{name}, '{name}'::regtype::oid::int8", (value,))
        cursor = connection.cursor(binary=True)
        cursor.execute(f"SELECT %s::{name}, '{name}'::regtype::oid::int8", (value,))
        assert cursor.pgresult is not None
        raw = cursor.pgresult.get_value(0, 0)
        assert raw is not None
        oid = int.from_bytes(cursor.pgresult.get_value(0, 1) or b"", "big")
        made = substituted("SELECT $1", bind(raw, formats=(1,)), (oid,), (name,), "utf-8")
        same = f"SELECT ({made})::text = (%s::{name})::text"
        if name == "numeric":
            same = f"SELECT ({made}) = %s::{name}"
        ((equal,),) = connection.execute(same.encode(), (value,))
        assert equal, made


def test_only_parameters_are_replaced() -> None:
    text = "SELECT $1, '$1', \"$1\", $$ $1 $$, $12 -- $1"
    values = [str(number).encode() for number in range(1, 13)]
    made = substituted(text, bind(*values), (0,) * 12, ("",) * 12, "utf-8")
    assert made == "SELECT ('1'), '$1', \"$1\", $$ $1 $$, ('12') -- $1"


def test_with_their_types() -> None:
    made = substituted("$1 $2", bind(None, b"a"), (23, 0), ("integer", ""), "utf-8")
    assert made == "(NULL::integer) ('a')"


def test_in_the_clients_encoding() -> None:
    assert substituted("$1", bind(b"\xe9"), (0,), ("",), "latin-1") == "('é')"


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_text_stays_one(text: str) -> None:
    made = quoted(text)
    assert made[0] == made[-1] == "'"
    assert made[1:-1].replace("''", "") == text.replace("'", "")
    assert made[1:-1].count("'") == 2 * text.count("'")


@pytest.mark.parametrize(
    ("given", "oid", "form"),
    [
        (b"\0" * 12, 1007, 1),  # integer[]
        (b"\0\0\0", 1082, 1),
        (b"\0\1", 1700, 1),
        (b"\0" * 7, 701, 1),
        (b"\xff", 25, 1),
        (b"\xff", 0, 0),
        (b"a\0b", 25, 0),
        (b"\2{}", 3802, 1),
        (b"\0", 2950, 1),
        (b"\0\2" + b"\0" * 6, 1700, 1),
    ],
)
def test_what_cannot_be_read(given: bytes, oid: int, form: int) -> None:
    with pytest.raises(UnreadableError):
        substituted("$1", bind(given, formats=(form,)), (oid,), ("",), "utf-8")


def test_a_parameter_without_a_value() -> None:
    with pytest.raises(UnreadableError, match=r"\$2"):
        substituted("$2", bind(b"1"), (0,), ("",), "utf-8")


@given(st.binary(max_size=20), st.sampled_from([16, 17, 20, 700, 1082, 1114, 1184, 1700, 2950]))
def test_anything_in_binary(data: bytes, oid: int) -> None:
    try:
        made = substituted("$1", bind(data, formats=(1,)), (oid,), ("",), "utf-8")
    except UnreadableError:
        return
    assert made.startswith("('")
    assert made.endswith("')")


def test_formats() -> None:
    assert formats(bind(b"", b"")) == (0, 0)
    assert formats(bind(b"", b"", formats=(1,))) == (1, 1)
    assert formats(bind(b"", b"", formats=(0, 1))) == (0, 1)
