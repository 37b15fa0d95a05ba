"""Lines are cut alike wherever the stream is, and are one line to every reader."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.stdio.lines import Lines, TooLong, framed


def cut(data: bytes, *at: int, max_line: int = 100) -> list[bytes | TooLong]:
    lines = Lines(max_line)
    found: list[bytes | TooLong] = []
    for start, end in pairwise((0, *at, len(data))):
        found += lines.feed(data[start:end])
    return [*found, *lines.finish()]


def test_lines() -> None:
    assert cut(b'{"a":1}\n\n \n{"b":2}\r\n{"c":3}') == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_cut_at_every_byte() -> None:
    data = b"one\r\n\ntwo\n" + b"x" * 12 + b"\nthree"
    whole = cut(data, max_line=10)
    assert whole == [b"one", b"two", TooLong(), b"three"]
    for at in range(len(data)):
        assert cut(data, at, max_line=10) == whole
    assert cut(data, *range(len(data)), max_line=10) == whole


def test_a_line_as_long_as_may_be() -> None:
    assert cut(b"x" * 10 + b"\n", max_line=10) == [b"x" * 10]
    assert cut(b"x" * 11 + b"\n", max_line=10) == [TooLong()]
    assert cut(b"x" * 11, max_line=10) == [TooLong()]


def test_what_is_too_long_is_not_kept() -> None:
    lines = Lines(10)
    for _ in range(1000):
        assert list(lines.feed(b"x" * 1000)) == []
    assert lines._parts == []


@given(st.lists(st.binary(max_size=12), max_size=5), st.data())
def test_pieces_make_the_same_lines(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"\n".join(parts)
    at = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    assert cut(stream, *at, max_line=8) == cut(stream, max_line=8)


@given(st.text())
def test_a_message_is_one_line_to_every_reader(text: str) -> None:
    message = json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    said = framed(message).decode("utf-8", "surrogatepass")
    assert len(said.splitlines()) == 1
    assert json.loads(said) == {"text": text}


def test_the_line_ends_of_other_readers_are_escaped() -> None:
    said = framed('{"a":"\u2028\u2029\u0085"}'.encode())
    assert said == b'{"a":"\\u2028\\u2029\\u0085"}\n'


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_line_end_inside_is_an_error(end: bytes) -> None:
    with pytest.raises(ValueError, match="line end"):
        framed(b'{"a":' + end + b"1}")
