"""A push up to its pack, at any chunking, and what is none."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.git.pktline import FLUSH, pkt
from proctor.protocols.git.push import Command, Push, PushReader, legible

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
CAPS = b"\0report-status-v2 side-band-64k push-options object-format=sha1 agent=git/2"


def line(old: str, new: str, ref: bytes = b"refs/heads/main", more: bytes = b"") -> bytes:
    return pkt(f"{old} {new} ".encode() + ref + more)


WHOLE = (
    pkt(f"shallow {A}".encode())
    + line(A, B, more=CAPS)
    + line(ZERO, B, b"refs/heads/\xff")
    + FLUSH
    + pkt(b"ci.skip\n")
    + FLUSH
    + b"PACK0004 and 0000 more"
)


def read(*pieces: bytes) -> tuple[Push | None, bytes]:
    reader = PushReader()
    rest = b"".join(map(reader.feed, pieces))
    return reader.push, rest


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)))
def test_a_push_cut_anywhere(one: int, other: int) -> None:
    first, last = sorted((one, other))
    push, rest = read(WHOLE[:first], WHOLE[first:last], WHOLE[last:])
    assert push is not None
    assert rest == b"PACK0004 and 0000 more"
    assert push.commands == (
        Command(b"refs/heads/main", A, B),
        Command(b"refs/heads/\xff", ZERO, B),
    )
    assert (push.options, push.shallow, push.probe) == ((b"ci.skip",), (A,), False)
    assert (push.side_band, push.reports, push.packed) == (True, True, True)
    assert [each.creates for each in push.commands] == [False, True]
    assert push.commands[1].name == "refs/heads/\\xff"


@given(st.integers(0, WHOLE.index(b"PACK") - 1))
def test_a_push_that_ends_too_early_is_none_yet(cut: int) -> None:
    assert read(WHOLE[:cut]) == (None, b"")


def test_a_question_and_a_deletion() -> None:
    push, rest = read(FLUSH)
    assert push == Push(probe=True)
    assert rest == b""
    push, _ = read(line(A, ZERO, more=b"\0report-status") + FLUSH)
    assert push is not None
    assert not push.packed
    assert push.commands[0].deletes
    assert not push.side_band


@pytest.mark.parametrize(
    "data",
    [
        pkt(b"push-cert\0push-options\n"),
        line(A, B) + FLUSH,
        line(A, B, more=b"\0x") + line(A, B, more=b"\0y"),
        line(A, B * 2, more=b"\0x"),
        line(A, "g" * 40, more=b"\0x"),
        line(A, B, b"HEAD", b"\0x"),
        line(A, B, b"refs/heads/../main", b"\0x"),
        line(A, B, b"refs/heads/a b", b"\0x"),
        line(A, B, b"refs/heads/a\nb", b"\0x"),
        line(A, B, b"refs/heads/a.lock", b"\0x"),
        line(A, B, b"refs//heads", b"\0x"),
        line(A, B, b"refs/heads/" + b"a" * 5000, b"\0x"),
        line(A, B, more=b"\0x") + b"0001",
        line(A, B, more=b"\0x") + pkt(f"shallow {A}".encode()),
        pkt(f"shallow {A}".encode()) + FLUSH,
        b"PACK",
    ],
)
def test_what_is_no_push(data: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        read(data)
    assert caught.value.code in {"git-malformed", "git-push-cert"}


def test_bounds() -> None:
    reader = PushReader()
    reader.feed(line(A, B, more=b"\0x"))
    many = b"".join(line(A, B, b"refs/heads/%d" % number) for number in range(10_001))
    with pytest.raises(ClientError, match="git's protocol"):
        reader.feed(many)
    options = PushReader()
    options.feed(line(A, B, more=CAPS) + FLUSH)
    with pytest.raises(ClientError, match="git's protocol"):
        options.feed(pkt(b"o" * 60_000) * 100)


@given(st.binary(max_size=400))
def test_anything_is_a_push_or_refused(data: bytes) -> None:
    with contextlib.suppress(ClientError):
        push, rest = read(line(A, B, more=CAPS), data)
        assert push is not None or rest == b""


def test_legible() -> None:
    assert legible(b"\xc3\xa4\xff\n") == "ä\\xff\n"
