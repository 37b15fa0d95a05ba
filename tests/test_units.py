"""Addresses, sizes and durations as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.units import (
    Address,
    Origin,
    format_size,
    is_loopback,
    parse_address,
    parse_duration,
    parse_origin,
    parse_size,
    plural,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:8080", "::1", 8080),
        ("localhost:0", "localhost", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),  # noqa: S104 - parsed, not bound
        ("gateway-1.corp:1", "gateway-1.corp", 1),
    ],
)
def test_address(text: str, host: str, port: int) -> None:
    address = parse_address(text)
    assert address == Address(host=host, port=port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", ":8080", "8080", "localhost", "localhost:", "::1:8080", "[::1]", "[::1]8080"),
        *("[127.0.0.1]:1", "[localhost]:1", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8o"),
        *("1.2.3:80", "1.2.3.4.5:80", "a b:80", "a/b:80", "-a:80", "[fe80::1%eth0]:80"),
        *("127.0.0.1:٣", "höst:80", "a..b:80", "127.0.0.1:8080\n", "http://x:80"),
    ],
)
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^host:port"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "yes"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),  # noqa: S104 - parsed, not bound
        ("::", False),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback(host: str, yes: bool) -> None:  # noqa: FBT001 - a table
    assert is_loopback(host) is yes
    assert Address(host=host, port=1).loopback is yes
    assert Origin(scheme="http", host=host, port=1).loopback is yes


@pytest.mark.parametrize(
    ("text", "origin", "again"),
    [
        ("https://api.anthropic.com", ("https", "api.anthropic.com", 443), None),
        ("https://api.anthropic.com/", ("https", "api.anthropic.com", 443), None),
        ("HTTPS://API.anthropic.com:8443", ("https", "api.anthropic.com", 8443), None),
        ("http://[::1]:8080", ("http", "::1", 8080), "http://[::1]:8080"),
        ("http://127.0.0.1:80", ("http", "127.0.0.1", 80), "http://127.0.0.1"),
    ],
)
def test_origin(text: str, origin: tuple[str, str, int], again: str | None) -> None:
    found = parse_origin(text)
    assert (found.scheme, found.host, found.port) == origin
    assert found.tls is (origin[0] == "https")
    assert str(found) == (again or text.lower().rstrip("/"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "api.anthropic.com", "ftp://x", "https://", "https:///x", "https://x/v1"),
        *(
            "https://u:p@x",
            "https://x?",
            "https://x?a=b",
            "https://x#",
            "https://x:",
            "https://x:0",
        ),
        *("https://x:99999", "https://x\n.evil", "https://x y", "https://ex\tample", "https://é"),
        *("https://[::1", "https://[x]", "https://x\\y", "https://1.2.3", "https://@x"),
        *("https://[fe80::1%25eth0]/", "https://x//", "https://x;y"),
    ],
)
def test_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match=r"^an address such as https://host"):
        parse_origin(text)


def test_origin_of_other_schemes() -> None:
    with pytest.raises(ValueError, match="such as http://host"):
        parse_origin("https://x", schemes=("http",))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("4m", 240),
        ("1.5h", 5400),
        ("365d", 31536000),
        (2, 2),
        (0.5, 0.5),
    ],
)
def test_duration(value: str | float, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize("value", ["", "0s", "-1s", "30", "30 s", "s", "1w", "1e3s", 0, -1, True])
def test_no_duration(value: str | float) -> None:
    with pytest.raises(ValueError, match="a time such as"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [("64MiB", 67108864), ("1GB", 10**9), ("1.5 KiB", 1536), ("7B", 7), (12, 12), ("1TiB", 2**40)],
)
def test_size(value: str | int, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["", "0B", "64", "64mib", "MiB", "-1MiB", "1  MiB", 0, -5, True])
def test_no_size(value: str | int) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        parse_size(value)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**41, "2.0 TiB")]
)
def test_size_for_people(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.text() | st.text("[]:.0123456789abhtps/@?#%- \n"))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_address, parse_origin, parse_duration, parse_size):
        with contextlib.suppress(ValueError):
            parse(text)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_ip_address_survives(ip: object, port: int) -> None:
    address = Address(host=str(ip), port=port)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (4031, "4,031 rows")])
def test_how_many(count: int, said: str) -> None:
    assert plural(count, "row") == said
