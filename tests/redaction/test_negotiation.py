"""Only what can be looked at is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.decoding import BodyDecoder
from proctor.redaction.negotiation import negotiable

CODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd", "identity"]


def test_what_needs_no_change_is_the_same_object() -> None:
    fields = ((b"host", b"a"), (b"Accept-Encoding", b"gzip, deflate, br, zstd"), (b"x", b"range"))
    assert negotiable(fields) is fields
    assert negotiable(()) == ()


def test_ranges_are_not_asked_for() -> None:
    fields = ((b"Range", b"bytes=0-1"), (b"a", b"b"), (b"IF-RANGE", b"x"), (b"range", b"x"))
    assert negotiable(fields) == ((b"a", b"b"),)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (b"", b""),
        (b"*", b"identity"),
        (b"snappy", b"identity"),
        (b"GZIP;q=0.1 , dcz", b"GZIP;q=0.1"),
        (b"identity;q=0, *;q=1", b"identity;q=0"),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"br;q=1.0, gzip;q=0.8"),
    ],
)
def test_codings(asked: bytes, left: bytes) -> None:
    assert negotiable(((b"accept-encoding", asked),)) == ((b"accept-encoding", left),)


@given(st.lists(st.sampled_from([*CODINGS, "compress", "*", "dcb", "", ";", "q"]), max_size=6))
def test_whatever_is_left_can_be_taken_off(names: list[str]) -> None:
    [(_, value)] = negotiable(((b"accept-encoding", ", ".join(names).encode()),))
    left = [part.partition(";")[0].strip() for part in value.decode().split(",")]
    assert all(BodyDecoder(name).coverage == "full" for name in left)
    assert [name for name in names if name in CODINGS] == [
        n for n in left if n in names and n
    ] or left == ["identity"]
