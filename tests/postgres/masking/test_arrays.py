"""Arrays, element by element, as the server writes and reads them."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.masking.arrays import map_binary, map_text
from tests.postgres.server import Server

ARRAYS = [
    "{}",
    "{a}",
    '{a,NULL,"NULL",""}',
    '{"a b","c,d","{e}","\\"f\\\\"}',
    "{{a,b},{c,d}}",
    "[0:1]={a,b}",
    "[-1:0][2:3]={{a,b},{c,d}}",
    '{"a\nb",é}',
]


def upper(data: bytes) -> bytes:
    return data.decode().upper().encode()


@pytest.mark.parametrize("binary", [False, True])
def test_the_server_reads_them_back(postgres: Server, *, binary: bool) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        for text in ARRAYS:
            cursor = connection.cursor(binary=binary)
            cursor.execute("SELECT %s::text::text[]", (text,))
            assert cursor.pgresult
            data = cursor.pgresult.get_value(0, 0)
            assert data is not None
            new = map_binary(data, upper) if binary else map_text(data, upper, "utf-8")
            assert new is not None
            result = connection.pgconn.exec_params(
                b"SELECT $1::text[] IS NOT DISTINCT FROM $2::text[]",
                [new, text.replace("NULL", "null").upper().encode()],
                None,
                [int(binary), 0],
            )
            assert result.get_value(0, 0) == b"t", (text, new, result.error_message)


def test_elements_that_become_null() -> None:
    assert map_text(b'{a,"b"}', lambda _: None, "utf-8") == b"{NULL,NULL}"


@given(st.binary(max_size=40))
def test_whatever_comes(data: bytes) -> None:
    for new in (map_binary(data, lambda _: b"*"), map_text(data, lambda _: b"*", "utf-8")):
        assert new is None or isinstance(new, bytes)


@pytest.mark.parametrize("data", [b"", b"a", b"{a", b"{a}}", b"{a}b", b'{"a}', b"\xff"])
def test_no_arrays(data: bytes) -> None:
    new = map_text(data, lambda _: b"*", "utf-8")
    assert new in (None, b"")


def test_cut_anywhere() -> None:
    whole = bytes.fromhex("00000001000000000000001900000001000000010000000161")[:-1] + b"a"
    whole = whole[:20] + b"\0\0\0\x01" + b"a"
    assert map_binary(whole, upper) is not None
    for size in range(len(whole)):
        assert b"a" not in (map_binary(whole[:size], upper) or b"")[20:]
