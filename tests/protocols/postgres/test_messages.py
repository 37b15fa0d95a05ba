"""Cutting and reading messages, at every byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.postgres import messages
from proctor.protocols.postgres.messages import (
    LONG,
    Back,
    Bind,
    Front,
    Parse,
    Piece,
    Reader,
    each,
    message,
)

ROWS = frozenset({Back.DATA_ROW})

names = st.binary(max_size=8).map(lambda raw: raw.replace(b"\0", b"n"))
formats = st.lists(st.integers(0, 1), max_size=3).map(tuple)
binds = st.builds(
    Bind,
    names,
    names,
    formats,
    st.lists(st.none() | st.binary(max_size=20), max_size=4).map(tuple),
    formats,
)
parses = st.builds(Parse, names, names, st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple))
stream = st.lists(st.tuples(st.sampled_from(sorted(Back.ALL)), st.binary(max_size=40)), max_size=12)


def reader(*, passing: frozenset[int] = frozenset()) -> Reader:
    """One for a server's messages."""
    return Reader(Back.ALL, limit=100, runs=ROWS, passing=passing)


def whole(pieces: list[Piece]) -> list[bytes]:
    """All messages of some pieces, one by one."""
    return [one for piece in pieces for one in each(piece.data)]


@given(stream, st.lists(st.integers(1, 30), max_size=40))
def test_messages_are_the_same_however_they_are_cut(
    sent: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    written = [message(kind, body) for kind, body in sent]
    data, cutter, found = b"".join(written), reader(), list[bytes]()
    for cut in [*cuts, len(data)]:
        found += whole(cutter.feed(data[:cut]))
        data = data[cut:]
    assert found == written
    assert not cutter.waiting


@given(st.lists(st.integers(1, LONG), min_size=1, max_size=6))
def test_what_may_pass_in_parts_loses_nothing(cuts: list[int]) -> None:
    sent = [message(Back.DATA_ROW, bytes(size)) for size in (10, 2 * LONG, 0, LONG + 1)]
    data = b"".join(sent)
    rest, cutter, pieces = data, reader(passing=ROWS), list[Piece]()
    for cut in [*cuts, len(data)]:
        pieces += cutter.feed(rest[:cut])
        rest = rest[cut:]
    assert b"".join(piece.data for piece in pieces) == data
    assert sum(piece.count for piece in pieces) == len(sent)


def test_what_is_short_comes_whole() -> None:
    row = message(Back.DATA_ROW, bytes(90))
    cutter = reader(passing=ROWS)
    assert cutter.feed(row[:50]) == []
    assert [piece.data for piece in cutter.feed(row[50:])] == [row]


def test_rows_come_in_one_piece() -> None:
    rows = message(Back.DATA_ROW, b"\0\0") * 3
    end = message(Back.COMMAND_COMPLETE, b"SELECT 3\0")
    assert reader().feed(rows + end) == [
        Piece(Back.DATA_ROW, rows, 3, starts=True),
        Piece(Back.COMMAND_COMPLETE, end, 1, starts=True),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"!\0\0\0\x04",
        b"C\0\0\0\x03",
        b"C\xff\xff\xff\xff",
        b"C\0\0\0\x65",
        message(Back.DATA_ROW, b"") + b"D\0\0\0\x02",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        reader().feed(data)
    assert caught.value.code == "pg-message"


@given(parses)
def test_a_parse_is_read_as_it_is_written(parse: Parse) -> None:
    assert messages.read_parse(messages.write_parse(parse)[5:]) == parse


@given(binds)
def test_a_bind_is_read_as_it_is_written(bind: Bind) -> None:
    assert messages.read_bind(messages.write_bind(bind)[5:]) == bind


@given(binds, st.data())
def test_a_bind_that_is_cut_is_refused(bind: Bind, data: st.DataObject) -> None:
    body = messages.write_bind(bind)[5:]
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(ClientError):
        messages.read_bind(body[:cut])


@given(st.binary(max_size=60))
def test_what_a_client_sends_is_read_or_refused(body: bytes) -> None:
    for read in (
        messages.read_parse,
        messages.read_bind,
        messages.read_named,
        messages.read_execute,
        messages.read_row,
    ):
        try:
            read(body)
        except ClientError as error:
            assert error.code == "pg-message"  # noqa: PT017 - refusing is one of two right answers


@given(names, st.integers(0, 2**31 - 1))
def test_an_execute_is_read_as_it_is_written(portal: bytes, rows: int) -> None:
    assert messages.read_execute(messages.write_execute(portal, rows)[5:]) == (portal, rows)


@given(names, st.sampled_from([ord("S"), ord("P")]))
def test_a_close_is_read_as_it_is_written(name: bytes, what: int) -> None:
    body = messages.write_named(Front.CLOSE, what, name)[5:]
    assert messages.read_named(body) == (what, name)


@given(st.lists(st.none() | st.binary(max_size=9), max_size=5))
def test_a_row_is_read(values: list[bytes | None]) -> None:
    body = len(values).to_bytes(2, "big") + b"".join(
        b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
        for value in values
    )
    assert messages.read_row(body) == values
