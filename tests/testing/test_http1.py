"""An origin that counts what it executes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.testing.http1 import Received, chunk, read_request, response_head

POST = (
    b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\nX-Api-Key: k\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)
CHUNKED = (
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;note=1\r\n{}\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n"
)


def read_all(*parts: bytes) -> list[Received]:
    async def main() -> list[Received]:
        reader = asyncio.StreamReader()
        for part in parts:
            reader.feed_data(part)
        reader.feed_eof()
        found = []
        while (request := await read_request(reader, 1)) is not None:
            found.append(request)
        return found

    return asyncio.run(main())


def test_two_requests_on_one_connection() -> None:
    first, second = read_all(POST + CHUNKED)
    assert (first.method, first.target, first.body) == ("POST", "/v1/messages?beta=true", b"{}")
    assert first.header("x-api-key") == "k"
    assert first.header("missing") is None
    assert first.json() == {}
    assert first.head_bytes == len(POST) - 2
    assert second.body == b"{}\n"


@given(st.integers(0, len(POST + CHUNKED)))
def test_the_cut_does_not_matter(at: int) -> None:
    stream = POST + CHUNKED
    assert read_all(stream[:at], stream[at:]) == read_all(stream)


def test_a_body_that_nobody_framed_is_a_second_request() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert [r.target for r in read_all(head + b"GET /inner HTTP/1.1\r\n\r\n")] == ["/", "/inner"]


@pytest.mark.parametrize("data", [b"GET /", POST[:-1], CHUNKED[:-20]])
def test_an_end_inside_a_request(data: bytes) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        read_all(data)


def test_what_is_no_request() -> None:
    with pytest.raises(ValueError, match="unpack"):
        read_all(b"hello\r\n\r\n")


def test_writing() -> None:
    assert response_head(200, {"a": "b"}) == b"HTTP/1.1 200 Status\r\na: b\r\n\r\n"
    assert chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
    assert chunk(b"") == b"0\r\n\r\n"
