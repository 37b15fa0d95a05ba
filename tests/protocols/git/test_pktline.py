"""pkt-lines, at any chunking."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.git.pktline import DELIM, END, FLUSH, MAX_DATA, Line, Lines, Mark, pkt

WHOLE = pkt(b"a\n") + FLUSH + b"0004" + DELIM + pkt(b"b") + END
LINES = [
    Line(Mark.DATA, b"a\n"),
    Line(Mark.FLUSH),
    Line(Mark.DATA),
    Line(Mark.DELIM),
    Line(Mark.DATA, b"b"),
    Line(Mark.END),
]


def read(*pieces: bytes) -> list[Line]:
    lines, found = Lines(), list[Line]()
    for piece in pieces:
        lines.feed(piece)
        while (line := lines.next()) is not None:
            found.append(line)
    assert lines.rest() == b""
    return found


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)))
def test_lines_cut_anywhere(one: int, other: int) -> None:
    first, last = sorted((one, other))
    assert read(WHOLE[:first], WHOLE[first:last], WHOLE[last:]) == LINES


def test_a_line_says_nothing_by_its_newline() -> None:
    assert Line(Mark.DATA, b"a\n").text == b"a"
    assert pkt(b"x" * MAX_DATA).startswith(b"fff0")


@pytest.mark.parametrize("data", [b"0003", b"fff1", b"ffff", b"+001", b"0x10", b" 010", b"00g0"])
def test_what_is_no_line(data: bytes) -> None:
    lines = Lines()
    lines.feed(data + b"x" * 70_000)
    with pytest.raises(ClientError) as caught:
        lines.next()
    assert caught.value.code == "git-malformed"


@pytest.mark.parametrize("data", [b"", b"x" * (MAX_DATA + 1)])
def test_what_cannot_be_a_line(data: bytes) -> None:
    with pytest.raises(ValueError, match="65516"):
        pkt(data)


@given(st.binary(max_size=300))
def test_anything_is_lines_or_refused(data: bytes) -> None:
    lines = Lines()
    lines.feed(data)
    with contextlib.suppress(ClientError):
        while (line := lines.next()) is not None:
            assert line.mark is Mark.DATA or not line.data
