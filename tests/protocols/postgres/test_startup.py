"""First packets, at any chunking."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.postgres.startup import (
    MAX_PACKET,
    SSL_REQUEST,
    CancelRequest,
    First,
    GssRequest,
    Opening,
    SslRequest,
    Startup,
    negotiate,
    read_startup,
    write_cancel,
    write_startup,
)

GSS_REQUEST = struct.pack("!II", 8, 1234 << 16 | 5680)


def packet(body: bytes, version: int = 3 << 16) -> bytes:
    return struct.pack("!II", len(body) + 8, version) + body


def test_a_start_is_read() -> None:
    startup = read_startup(packet(b"user\0bob\0database\0orders\0\0"))
    assert startup == Startup(minor=0, parameters={"user": "bob", "database": "orders"})
    assert not negotiate(startup)


def test_of_a_parameter_that_comes_twice_the_last_counts() -> None:
    assert read_startup(packet(b"user\0bob\0user\0carol\0\0")).parameters == {"user": "carol"}


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_the_versions_that_are_spoken_need_no_word(minor: int) -> None:
    startup = read_startup(packet(b"user\0bob\0\0", 3 << 16 | minor))
    assert (startup.minor, startup.agreed) == (minor, minor)
    assert not negotiate(startup)


def test_a_newer_version_and_unknown_options_are_negotiated_down() -> None:
    body = b"user\0bob\0_pq_.test\0x\0_pq_.other\0\0\0"
    startup = read_startup(packet(body, 3 << 16 | 9999))
    assert startup.parameters == {"user": "bob"}
    assert startup.agreed == 2
    names = b"_pq_.test\0_pq_.other\0"
    assert negotiate(startup) == struct.pack("!cIII", b"v", 12 + len(names), 196610, 2) + names


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (packet(b"\0", 2 << 16), "pg-version"),
        (packet(b"\0", 4 << 16), "pg-version"),
        (packet(b""), "pg-protocol"),
        (packet(b"user\0bob\0"), "pg-protocol"),
        (packet(b"user\0bob\0\0x"), "pg-protocol"),
        (packet(b"user\0bob\0x\0\0"), "pg-protocol"),
        (packet(b"user\0bob\0\0\0\0"), "pg-protocol"),
        (packet(b"user\0b\xff\0\0"), "pg-parameter"),
        (packet(b"b\xff\0bob\0\0"), "pg-parameter"),
        (struct.pack("!II", 7, 3 << 16), "pg-protocol"),
        (struct.pack("!I", 0), "pg-protocol"),
        (struct.pack("!I", MAX_PACKET + 5), "pg-protocol"),
        (struct.pack("!I", 0xFFFFFFFF), "pg-protocol"),
        (b"GET / HTTP/1.1\r\n", "pg-protocol"),
        (packet(b"", 1234 << 16 | 5678), "pg-protocol"),
        (packet(b"1234", 1234 << 16 | 5678), "pg-protocol"),
        (packet(bytes(4 + 257), 1234 << 16 | 5678), "pg-protocol"),
        (packet(b"x", 1234 << 16 | 5679), "pg-protocol"),
        (SSL_REQUEST + b"x", "pg-protocol"),
        (SSL_REQUEST + packet(b"user\0bob\0\0"), "pg-protocol"),
        (GSS_REQUEST + b"x", "pg-protocol"),
    ],
)
def test_what_is_no_first_packet_is_refused(raw: bytes, code: str) -> None:
    opening = Opening()
    opening.feed(raw)
    with pytest.raises(ClientError) as raised:
        opening.take()
    assert raised.value.code == code


def test_encryption_is_asked_for_once_of_each_kind() -> None:
    opening = Opening()
    for request, kind in ((SSL_REQUEST, SslRequest), (GSS_REQUEST, GssRequest)):
        opening.feed(request)
        assert isinstance(opening.take(), kind)
    opening.feed(SSL_REQUEST)
    with pytest.raises(ClientError, match=r"not spoken here; got 1234\.5679"):
        opening.take()


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST])
def test_nobody_asks_for_encryption_inside_tls(request_: bytes) -> None:
    opening = Opening()
    opening.secured()
    opening.feed(request_)
    with pytest.raises(ClientError, match="not spoken here"):
        opening.take()


@pytest.mark.parametrize("size", [1, 4, 32, 256])
def test_a_cancel_is_read(size: int) -> None:
    opening = Opening()
    opening.feed(write_cancel(4242, b"s" * size))
    assert opening.take() == CancelRequest(pid=4242, secret=b"s" * size)
    assert opening.done


def test_a_secret_shows_nowhere() -> None:
    assert "hidden" not in repr(CancelRequest(pid=1, secret=b"hidden"))


def test_what_is_written_is_read() -> None:
    parameters = {"user": "alice", "application_name": "größe", "options": ""}
    assert read_startup(write_startup(parameters)).parameters == parameters


@pytest.mark.parametrize("value", ["a\0b", "x" * MAX_PACKET])
def test_what_cannot_be_written_is_refused(value: str) -> None:
    with pytest.raises(ClientError, match="cannot be sent"):
        write_startup({"user": value})


def taken(*chunks: bytes) -> list[First]:
    opening = Opening()
    found: list[First] = []
    for chunk in chunks:
        opening.feed(chunk)
        while (first := opening.take()) is not None:
            found.append(first)
    return found


def test_every_cut_reads_the_same() -> None:
    raw = packet(b"user\0bob\0database\0orders\0\0")
    for cut in range(len(raw) + 1):
        assert taken(raw[:cut], raw[cut:]) == taken(raw)


@given(st.binary(max_size=64))
def test_bytes_give_a_packet_or_an_error(body: bytes) -> None:
    for version in (3 << 16, 3 << 16 | 2, 1234 << 16 | 5678):
        raw = packet(body, version)
        try:
            whole = taken(raw)
        except ClientError:
            with pytest.raises(ClientError):
                taken(*(bytes([byte]) for byte in raw))
        else:
            assert taken(*(bytes([byte]) for byte in raw)) == whole


_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)


@given(st.dictionaries(_TEXT.filter(lambda name: name and not name.startswith("_pq_.")), _TEXT))
def test_any_parameters_survive(parameters: dict[str, str]) -> None:
    assert read_startup(write_startup(parameters)).parameters == parameters
