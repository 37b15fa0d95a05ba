"""Values that stand in place of others: the server itself reads each of them back."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.masking.values import Means, change_for, entity_of, partial
from proctor.redaction.keys import derive
from proctor.redaction.operators import Operators
from proctor.redaction.surrogates import TOKEN, surrogate
from proctor.redaction.vault import Vault
from tests.postgres.masking.database import sensitive
from tests.postgres.server import Server

KEYS = derive(bytes(range(32)))
ALICE = "https://idp.example#alice"
VALUES = {
    "text": "al@planted.test",
    "varchar(80)": "al@planted.test",
    "char(20)": "al@planted.test",
    "name": "al@planted.test",
    "int2": "7",
    "int4": "7",
    "int8": "7",
    "numeric": "1234567.089",
    "float4": "1.5",
    "float8": "1.5",
    "bool": "true",
    "date": "2024-02-29",
    "timestamp": "2024-02-29 01:02:03",
    "timestamptz": "2024-02-29 01:02:03+00",
    "time": "01:02:03",
    "interval": "1 day",
    "uuid": "00112233-4455-6677-8899-aabbccddeeff",
    "json": '{"a": 1}',
    "jsonb": '{"a": 1}',
    "bytea": "\\x00ff",
    "inet": "10.0.0.1",
    "cidr": "10.0.0.0/8",
    "text[]": '{al@planted.test,"x, \\"y\\"",NULL}',
    "varchar[]": "{{a,b},{c,d}}",
    "int4[]": "{1,2}",
    "int4range": "[1,3)",
    "point": "(1,2)",
    '"char"': "a",
    "users": "(1,Al)",
}


@pytest.fixture
def means(tmp_path: Path) -> Iterator[Means]:
    vault = Vault(tmp_path / "vault.db", KEYS)
    yield Means(operators=Operators(KEYS, vault, principal=ALICE, session="s"))
    vault.close()


def changed(
    column: Sensitive, oid: int, data: bytes, means: Means, *, binary: bool
) -> bytes | None:
    return change_for(column, oid, binary=binary, means=means)(data)


@pytest.mark.parametrize("method", list(Method))
def test_the_server_reads_every_value_back(postgres: Server, means: Means, method: Method) -> None:
    fixed = {"bool": "true", "uuid": VALUES["uuid"], "date": "1999-12-31", "json": "[1]"}
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("CREATE TEMP TABLE users(id int, name text)")
        for (kind, value), binary in itertools.product(VALUES.items(), (False, True)):
            cursor = connection.cursor(binary=binary)
            cursor.execute(f"SELECT %s::text::{kind}", (value,))
            assert cursor.pgresult
            data, oid = cursor.pgresult.get_value(0, 0), cursor.pgresult.ftype(0)
            assert data is not None
            column = sensitive("users", "x", method, value=fixed.get(kind, "17"))
            new = changed(column, oid, bytes(data), means, binary=binary)
            if method is Method.NULL:
                assert new is None
            if new is None:
                continue
            assert b"planted" not in new
            result = connection.pgconn.exec_params(
                f"SELECT ($1::{kind})::text".encode(), [new], None, [int(binary)]
            )
            assert not result.error_message, (kind, binary)
            assert result.get_value(0, 0) is not None


def test_methods_that_keep_a_value(means: Means) -> None:
    text = {
        method: changed(sensitive("u", "c", method, value="f"), 25, b"al@x.org", means, binary=True)
        for method in Method
    }
    token = surrogate(KEYS.surrogate, ALICE, "EMAIL_ADDRESS", "al@x.org").encode()
    assert text[Method.SURROGATE] == token
    assert (text[Method.NULL], text[Method.FIXED]) == (None, b"f")
    assert text[Method.PARTIAL] == b"a***@***.org"
    digest = text[Method.HASH]
    assert digest is not None
    assert len(digest) == 32
    again = changed(sensitive("v", "d", "hash"), 1043, b"al@x.org", means, binary=False)
    assert again == digest  # equal values are equal in other columns, too


def test_without_keys_there_is_nothing_to_make_of_it() -> None:
    means = Means(operators=None)
    for method in ("hash", "surrogate"):
        for oid in (25, 1009, 2950, 17):
            column = sensitive("u", "c", method)
            assert changed(column, oid, b"\\x00", means, binary=False) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("jane@example.com", "j***@***.com"),
        ("a@b.museum", "a***@***.museum"),
        ("123-45-6789", "***6789"),
        ("1234567", "***"),
        ("", "***"),
        ("é@ü.de", "é***@***.de"),
    ],
)
def test_partial(value: str, expected: str) -> None:
    assert partial(value) == expected


@given(st.text())
def test_partial_never_shows_more_than_some_characters(value: str) -> None:
    assert len(partial(value)) <= 34


def test_types_of_surrogates(means: Means) -> None:
    assert entity_of(sensitive("u", "mail"), "a@b.cd") == "EMAIL_ADDRESS"
    assert entity_of(sensitive("u", "Phone no."), "12") == "PHONE_NO_"
    assert entity_of(sensitive("u", "1"), "12") == "C_1"
    assert entity_of(sensitive("u", "é"), "x") == "C__"
    assert entity_of(sensitive("u", "x", entity="PHONE_NUMBER"), "12") == "PHONE_NUMBER"
    column = sensitive("u", "é" * 40, "surrogate")
    new = changed(column, 25, b"something", means, binary=True)
    assert new is not None
    assert TOKEN.fullmatch(new.decode())


def test_text_that_is_none_becomes_null(means: Means) -> None:
    for oid in (25, 1009):
        assert changed(sensitive("u", "c", "partial"), oid, b"\xff{", means, binary=False) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.integers())
def test_numbers_in_binary(value: Decimal | int) -> None:
    text = f"{Decimal(value):f}"
    column = sensitive("u", "c", "fixed", value=text)
    data = changed(column, 1700, b"", Means(operators=None), binary=True)
    assert data is not None
    from psycopg.adapt import Transformer  # noqa: PLC0415 - for this test alone
    from psycopg.types.numeric import NumericBinaryLoader  # noqa: PLC0415

    assert NumericBinaryLoader(1700, Transformer()).load(data) == Decimal(text)


@pytest.mark.parametrize(
    ("oid", "value"), [(23, "x"), (21, "70000"), (16, "y"), (1700, "NaN"), (1082, "1"), (114, "{")]
)
def test_a_fixed_value_that_does_not_fit_is_null(oid: int, value: str) -> None:
    column = sensitive("u", "c", "fixed", value=value)
    for binary in (False, True):
        assert changed(column, oid, b"1", Means(operators=None), binary=binary) is None
