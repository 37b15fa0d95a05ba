"""What a server says of itself before a push, with less that it can ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import UpstreamError
from proctor.protocols.git.advertisement import read_advertisement
from proctor.protocols.git.pktline import FLUSH, pkt

A, B = "a" * 40, "b" * 40
HEAD = pkt(b"# service=git-receive-pack\n") + FLUSH
SAID = b"report-status report-status-v2 delete-refs push-cert=1-2 thin-x ofs-delta agent=git/2 new"


def body(*lines: bytes) -> bytes:
    return HEAD + b"".join(map(pkt, lines)) + FLUSH


def test_capabilities_that_cannot_be_read_are_taken_out() -> None:
    first = f"{A} refs/heads/main".encode()
    given_ = body(first + b"\0" + SAID + b"\n", f"{B} refs/tags/v1\n".encode())
    found = read_advertisement(given_)
    assert found.refs == {b"refs/heads/main": A, b"refs/tags/v1": B}
    kept = b"report-status report-status-v2 delete-refs ofs-delta agent=git/2 no-thin"
    assert found.body == body(first + b"\0" + kept + b"\n", f"{B} refs/tags/v1\n".encode())


def test_an_empty_repository_and_others_behind_it() -> None:
    none = f"{'0' * 40} capabilities^{{}}".encode() + b"\0report-status\n"
    assert read_advertisement(body(none)).refs == {}
    more = body(b"version 1\n", none, f"{A} .have\n".encode(), f"shallow {B}\n".encode())
    found = read_advertisement(more)
    assert found.refs == {}
    assert f"shallow {B}".encode() in found.body
    assert b"version 1" in found.body


def test_a_server_that_says_no() -> None:
    found = read_advertisement(body(b"ERR no such repository\n"))
    assert found.error == "no such repository"
    assert b"no such repository" in found.body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        FLUSH + FLUSH,
        HEAD,
        HEAD + FLUSH,
        pkt(b"# service=git-upload-pack\n") + FLUSH + FLUSH,
        body(f"{A} refs/heads/main\n".encode()),
        body(f"{A} refs/heads/main".encode() + b"\0a", f"{B} refs/heads/x".encode() + b"\0b"),
        body(f"{A[:39]} refs/heads/main".encode() + b"\0a"),
        body(f"{A} refs/heads/main".encode() + b"\0a") + b"0004",
        HEAD + pkt(f"{A} refs/heads/main".encode() + b"\0a") + b"0001" + FLUSH,
    ],
)
def test_what_is_no_advertisement(data: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        read_advertisement(data)
    assert caught.value.code == "git-answer"


WHOLE = body(f"{A} refs/heads/main".encode() + b"\0" + SAID + b"\n")


@given(st.integers(0, len(WHOLE) - 1))
def test_a_part_of_one_is_none(cut: int) -> None:
    with pytest.raises(UpstreamError):
        read_advertisement(WHOLE[:cut])


def test_sha256() -> None:
    found = read_advertisement(
        body(f"{'c' * 64} refs/heads/main".encode() + b"\0object-format=sha256")
    )
    assert found.refs == {b"refs/heads/main": "c" * 64}
    assert b"object-format=sha256 no-thin" in found.body
