"""Content codings, at any chunking and against bombs."""

import gzip
import random
import zlib

import brotli  # type: ignore[import-untyped]  # ships no types
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.protocols.decoding import BodyDecoder

PLAIN = random.Random(1).randbytes(3000) + b"data: words\n\n" * 20_000  # noqa: S311  # test data


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def coded(name: str, data: bytes) -> bytes:
    match name:
        case "gzip" | "x-gzip" | "GZIP":
            return gzip.compress(data)
        case "deflate":
            return zlib.compress(data)
        case "br":
            return bytes(brotli.compress(data, quality=4))
        case "zstd":
            return zstandard.compress(data)
        case _:
            return data


def decoded(encoding: str, body: bytes, step: int) -> tuple[bytes, str]:
    decoder = BodyDecoder(encoding)
    plain = b"".join(decoder.feed(body[at : at + step]) for at in range(0, len(body), step))
    return plain, decoder.coverage


@pytest.mark.parametrize("step", [1, 13, 1000, 10**9])
@pytest.mark.parametrize(
    "name", ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "identity", ""]
)
def test_every_coding_at_any_chunking(name: str, step: int) -> None:
    body = coded(name, PLAIN)
    step = max(step, len(body) // 5000)
    assert decoded(name, body, step) == (PLAIN, "full")


def test_deflate_without_its_wrapper() -> None:
    for step in (1, 10**9):
        assert decoded("deflate", raw_deflate(PLAIN), step) == (PLAIN, "full")


def test_several_codings_come_off_in_reverse_order() -> None:
    body = coded("br", coded("gzip", PLAIN))
    assert decoded("gzip, identity , br", body, 100) == (PLAIN, "full")


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_that_follow_each_other(name: str) -> None:
    body = coded(name, PLAIN[:1000]) + coded(name, b"") + coded(name, PLAIN[1000:])
    for step in (7, 10**9):
        assert decoded(name, body, step) == (PLAIN, "full")


def test_what_was_flushed_is_put_out_at_once() -> None:
    compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    decoder = BodyDecoder("gzip")
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        assert (
            decoder.feed(compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)) == event
        )


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_broken_body_is_noted_once_and_for_all(name: str) -> None:
    body = bytearray(coded(name, random.Random(2).randbytes(50_000)))  # noqa: S311  # test data
    body[: len(body) // 2] = bytes(len(body) // 2)
    decoder = BodyDecoder(name)
    decoder.feed(bytes(body))
    assert decoder.coverage == "not read: a body that breaks its content coding"
    assert decoder.feed(coded(name, PLAIN)) == b""


@pytest.mark.parametrize("encoding", ["compress", "gzip, secret", "gzip, " * 4 + "gzip"])
def test_an_unknown_coding_is_noted(encoding: str) -> None:
    decoder = BodyDecoder(encoding)
    assert decoder.feed(b"x") == b""
    assert decoder.coverage == "not read: a content coding that is not known here"


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_a_bomb_is_stopped(name: str) -> None:
    body = coded(name, bytes(40 * 2**20))
    decoder = BodyDecoder(name, max_ratio=100)
    plain = decoder.feed(body)
    assert decoder.coverage == "not read: a body that decodes to too much"
    assert len(plain) <= max(2**20, 100 * len(body)) + 2 * 2**20


def test_the_total_is_bounded() -> None:
    decoder = BodyDecoder("gzip", max_size=10_000)
    assert len(decoder.feed(coded("gzip", PLAIN))) <= 10_000
    assert decoder.coverage == "not read: a body that decodes to too much"


def test_a_bomb_in_a_bomb_is_stopped() -> None:
    inner = coded("gzip", b"") * 200_000  # decodes to nothing, at length
    decoder = BodyDecoder("gzip, gzip", max_size=2**20)
    assert decoder.feed(coded("gzip", inner)) == b""
    assert decoder.coverage == "not read: a body that decodes to too much"


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]), st.lists(st.binary(max_size=40))
)
def test_any_bytes_are_taken(encoding: str, chunks: list[bytes]) -> None:
    decoder = BodyDecoder(encoding)
    for chunk in chunks:
        decoder.feed(chunk)
