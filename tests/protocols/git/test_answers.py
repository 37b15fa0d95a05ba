"""Answers to fetches, byte by byte."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import UpstreamError
from proctor.protocols.git.answers import BAND, FetchAnswer, State, banded, refusal
from proctor.protocols.git.pktline import DELIM, FLUSH, Lines, pkt

HAVE = pkt(b"acknowledgments\n") + pkt(b"ready\n") + DELIM
REFS = pkt(b"wanted-refs\n") + pkt(b"a" * 40 + b" refs/heads/main\n") + DELIM
PACK = pkt(b"packfile\n")
BANDS = pkt(b"\2Counting\n") + pkt(b"\1PACK") + pkt(b"\1") + pkt(b"\1more") + FLUSH


def read(data: bytes, version: int = 2, step: int = 0) -> tuple[FetchAnswer, bytes, bytes]:
    """The answer, its pack, and what goes on besides."""
    kept = bytearray()
    answer = FetchAnswer(kept.extend, version=version)
    lead = b""
    for start in range(0, len(data), step or len(data) or 1):
        answer.feed(data[start : start + (step or len(data))])
        lead += answer.lead()
    answer.finish()
    return answer, bytes(kept), lead


@pytest.mark.parametrize("step", [0, 1, 3])
def test_protocol_2(step: int) -> None:
    answer, pack, lead = read(HAVE + REFS + PACK + BANDS, step=step)
    assert pack == b"PACKmore"
    assert lead == HAVE + REFS + PACK + pkt(b"\2Counting\n")
    assert answer.refs == {"refs/heads/main": "a" * 40}
    assert answer.state is State.OVER


@pytest.mark.parametrize("step", [0, 1, 3])
def test_the_older_protocols(step: int) -> None:
    lines = pkt(b"shallow " + b"a" * 40) + FLUSH + pkt(b"ACK " + b"a" * 40 + b"\n") + pkt(b"NAK\n")
    answer, pack, lead = read(lines + BANDS, version=0, step=step)
    assert (pack, lead) == (b"PACKmore", lines + pkt(b"\2Counting\n"))
    assert answer.packed
    answer, pack, lead = read(lines + b"PACK\0\0\0\2 and more", version=0, step=step)
    assert (pack, lead) == (b"PACK\0\0\0\2 and more", lines)
    assert answer.state is State.RAW


def test_no_pack() -> None:
    for data in (b"", pkt(b"acknowledgments\n") + pkt(b"NAK\n") + FLUSH):
        answer, pack, lead = read(data)
        assert not answer.packed
        assert (pack, lead) == (b"", data)
    answer, _, lead = read(pkt(b"ERR not our ref\n"))
    assert (answer.error, lead) == ("not our ref", pkt(b"ERR not our ref\n"))
    answer, _, lead = read(PACK + pkt(b"\3out of memory\n") + FLUSH)
    assert answer.error == "out of memory\n"


@pytest.mark.parametrize(
    "data",
    [
        PACK + pkt(b"\4x"),
        PACK + pkt(b"PACK"),
        PACK + DELIM,
        PACK + BANDS + pkt(b"more"),
        PACK + BANDS + b"00",
        pkt(b"packfile-uris\n") + pkt(b"x https://elsewhere\n") + FLUSH,
        b"PACK\0\0\0\2",
        b"<html>",
    ],
    ids=range(8),
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        read(data)
    assert caught.value.code == "git-answer"


def test_cut_at_every_byte() -> None:
    first, second = pkt(b"acknowledgments\n"), pkt(b"ready\n")
    data = HAVE + PACK + BANDS
    between = {0, len(first), len(first + second), len(HAVE)}  # lines alone are an answer, too
    for end in set(range(len(data))) - between:
        with pytest.raises(UpstreamError):
            read(data[:end])


@given(st.binary(max_size=80), st.sampled_from([0, 2]))
def test_garbage_is_an_error_of_ours(data: bytes, version: int) -> None:
    with suppress(UpstreamError):  # and nothing else is raised
        read(data, version)


def test_bands() -> None:
    piece = bytes(range(256)) * 1000
    lines = Lines()
    lines.feed(banded(piece))
    back = b""
    while line := lines.next():
        assert line.data[0] == 1
        assert len(line.data) <= BAND + 1
        back += line.data[1:]
    assert back == piece
    assert banded(b"") == b""


def test_a_refusal() -> None:
    assert refusal("proctor: no\nway", begun=False) == pkt(b"ERR proctor: no way")
    assert refusal("proctor: no", begun=True) == pkt(b"\3proctor: no\n") + FLUSH
    assert len(refusal("x" * 100_000, begun=False)) < 4000
