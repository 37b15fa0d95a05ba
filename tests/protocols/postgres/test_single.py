"""Messages one at a time, at any chunking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.postgres.messages import message
from proctor.protocols.postgres.single import Single


def single() -> Single:
    return Single(100, lambda kind: kind in b"pq")


def test_nothing_is_read_ahead() -> None:
    reader = single()
    reader.feed(message(ord("p"), b"one") + b"anything else")
    assert reader.take() == (ord("p"), b"one")
    assert reader.rest() == b"anything else"
    assert reader.take() is None


@pytest.mark.parametrize(
    "raw",
    [b"x", b"p\0\0\0\3", b"p\0\0\0\x65", b"p\xff\xff\xff\xff", b"\0"],
)
def test_what_may_not_come_is_refused_before_it_is_there(raw: bytes) -> None:
    reader = single()
    reader.feed(raw)
    with pytest.raises(ClientError, match="before a session"):
        reader.take()


@given(st.lists(st.binary(max_size=96), max_size=5), st.data())
def test_every_cut_gives_the_same(bodies: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(message(ord("q"), body) for body in bodies)
    cut = data.draw(st.integers(0, len(raw)))
    reader, found = single(), []
    for chunk in (raw[:cut], raw[cut:]):
        reader.feed(chunk)
        while (taken := reader.take()) is not None:
            found.append(taken[1])
    assert found == bodies
