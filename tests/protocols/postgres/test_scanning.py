"""What is done with each message, in Python and, where it was built, compiled: the same in both."""

from importlib import import_module
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.postgres import scanning
from proctor.protocols.postgres.messages import BEGIN, Bind, Piece, write_bind


def ways() -> list[Any]:
    try:
        return [scanning, import_module("proctor.protocols.postgres._scan")]
    except ImportError:
        return [scanning]


WAYS = ways()
EACH = pytest.mark.parametrize("way", WAYS, ids=["python", "compiled"][: len(WAYS)])
ALONE, RUN, PASSES, NEVER = b"CDdX"
SORTS = bytes(
    {ALONE: scanning.ALONE, RUN: scanning.RUNS, PASSES: scanning.PASSES}.get(kind, 0)
    for kind in range(256)
)
LIMIT = 12
MESSAGES = st.lists(st.tuples(st.sampled_from([ALONE, RUN, PASSES]), st.binary(max_size=8)))
VALUES = st.lists(st.none() | st.binary(max_size=5), max_size=4)
NUMBERS = st.lists(st.integers(0, 65535), max_size=3)


def message(kind: int, body: bytes) -> bytes:
    return pack("!BI", kind, len(body) + 4) + body


def pieces(messages: list[tuple[int, bytes]]) -> list[Piece]:
    """As they are to be handed on."""
    found: list[Piece] = []
    for kind, body in messages:
        data = message(kind, body)
        last = found[-1] if found else None
        if last and last.kind == kind != ALONE:
            found[-1] = Piece(kind, last.data + data, last.count + 1, starts=True)
        else:
            found.append(Piece(kind, data, 1, starts=True))
    return found


@EACH
@given(messages=MESSAGES)
def test_cut_anywhere(way: Any, messages: list[tuple[int, bytes]]) -> None:
    ends = [0]
    for _, body in messages:
        ends.append(ends[-1] + BEGIN + len(body))
    whole = b"".join(message(*each) for each in messages)
    for size in range(len(whole) + 1):
        fit = sum(end <= size for end in ends) - 1
        found, at = way.cut(Piece, whole[:size], SORTS, LIMIT)
        assert (found, at) == (pieces(messages[:fit]), ends[fit])
        assert all(type(each) is Piece and type(each.starts) is bool for each in found)
    assert way.cut(Piece, whole + message(NEVER, b""), SORTS, LIMIT)[1] == len(whole)


@EACH
@pytest.mark.parametrize("kind", [ALONE, RUN, PASSES])
@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_length_that_cannot_be(way: Any, kind: int, length: int) -> None:
    good = message(kind, b"x")
    found, at = way.cut(Piece, good + pack("!BI", kind, length) + bytes(20), SORTS, LIMIT)
    assert (found, at) == ([Piece(kind, good, 1, starts=True)], len(good))


@EACH
def test_only_what_passes_may_be_long(way: Any) -> None:
    for kind, passes in ((ALONE, False), (RUN, False), (PASSES, True)):
        for size, fits in ((LIMIT - 4, True), (LIMIT - 3, passes)):
            data = message(kind, bytes(size))
            assert way.cut(Piece, data, SORTS, LIMIT)[1] == (len(data) if fits else 0)
            before = message(kind, b"")
            assert way.cut(Piece, before + data, SORTS, LIMIT)[1] == (
                len(before + data) if fits else len(before)
            )


@EACH
@given(data=st.binary(max_size=40), filler=st.sampled_from([ALONE, RUN, PASSES]))
def test_whatever_comes(way: Any, data: bytes, filler: int) -> None:
    data = data.replace(b"\1", bytes([filler])) + message(filler, b"")
    assert way.cut(Piece, data, SORTS, LIMIT) == scanning.cut(Piece, data, SORTS, LIMIT)
    assert way.bound(data) == scanning.bound(data)
    assert way.row(data) == scanning.row(data)
    assert way.answered(data) == scanning.answered(data)


@EACH
@given(
    names=st.tuples(st.binary(max_size=4), st.binary(max_size=4)),
    formats=NUMBERS,
    values=VALUES,
    results=NUMBERS,
)
def test_binds(
    way: Any,
    names: tuple[bytes, bytes],
    formats: list[int],
    values: list[bytes | None],
    results: list[int],
) -> None:
    portal, statement = (name.replace(b"\0", b"") for name in names)
    bind = Bind(portal, statement, tuple(formats), tuple(values), tuple(results))
    body = write_bind(bind)[BEGIN:]
    assert way.bound(body) == tuple(bind)
    for size in range(len(body)):
        assert way.bound(body[:size]) is None
    assert way.bound(body + b"\0") is None


@EACH
def test_counts_are_unsigned(way: Any) -> None:
    values = (b"",) * 40_000  # more than 32,767 parameters can be bound (libpq)
    bind = Bind(b"", b"", (65535,), values, (1,) * 40_000)
    assert way.bound(write_bind(bind)[BEGIN:]) == tuple(bind)


@EACH
@given(values=VALUES)
def test_rows(way: Any, values: list[bytes | None]) -> None:
    body = pack("!H", len(values))
    for value in values:
        body += pack("!i", -1) if value is None else pack("!i", len(value)) + value
    assert way.row(body) == values
    for size in range(len(body)):
        assert way.row(body[:size]) is None
    assert way.row(body + b"\0") is None


ANSWERS = st.lists(
    st.tuples(st.sampled_from(b"2TnDCZ1E"), st.binary(max_size=3)), max_size=7
)  # fmt: skip


def ended(*messages: tuple[int, bytes]) -> bytes:
    """These, and the end of an answer."""
    return b"".join(message(*each) for each in (*messages, (ord("C"), b"OK\0"), (ord("Z"), b"T")))


@EACH
@pytest.mark.parametrize("bounds", [0, 1])
@pytest.mark.parametrize("described", [b"", b"T", b"n"])
@pytest.mark.parametrize("rows", [[], [b"\0\0"], [b"a", b"", b"ccc"]])
def test_answers(way: Any, bounds: int, described: bytes, rows: list[bytes]) -> None:
    said = [(ord("2"), b"")] * bounds + [(kind, b"col") for kind in described]
    given = [(ord("D"), row) for row in rows]
    data = ended(*said, *given)
    found = way.answered(data)
    run = b"".join(message(*each) for each in given)
    body = b"col" if described else b""
    kind = described[0] if described else 0
    assert found == (bool(bounds), kind, body, run, len(rows), b"OK\0", b"T")
    assert type(found[0]) is bool
    for size in range(len(data)):
        assert way.answered(data[:size]) is None
    assert way.answered(data + b"\0") is None
    assert way.answered(data + data) is None


@EACH
@given(messages=ANSWERS)
def test_any_messages_are_read_alike(way: Any, messages: list[tuple[int, bytes]]) -> None:
    for data in (b"".join(message(*each) for each in messages), ended(*messages)):
        assert way.answered(data) == scanning.answered(data)


@EACH
@pytest.mark.parametrize(
    "messages",
    [
        [(ord("D"), b"x"), (ord("T"), b"")],
        [(ord("T"), b""), (ord("2"), b"")],
        [(ord("2"), b""), (ord("2"), b"")],
        [(ord("T"), b""), (ord("n"), b"")],
        [(ord("N"), b"")],
        [(ord("E"), b"")],
        [(ord("S"), b"")],
        [(ord("s"), b"")],
        [(ord("C"), b"SELECT 1\0")],
        [(ord("Z"), b"I")],
    ],
    ids=lambda messages: "".join(chr(kind) for kind, _ in messages),
)
def test_anything_else_is_no_such_answer(way: Any, messages: list[tuple[int, bytes]]) -> None:
    assert way.answered(ended(*messages)) is None


@EACH
@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_an_answer_with_a_length_that_cannot_be(way: Any, length: int) -> None:
    assert way.answered(pack("!BI", ord("D"), length) + ended()) is None
    assert way.answered(ended()[:-6] + pack("!BI", ord("Z"), length) + b"I") is None
