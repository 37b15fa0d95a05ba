"""Classes of addresses, and which a destination may lead to."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.egress.addresses import AddressClass, Network, address_class, parse_network, permitted
from proctor.egress.hosts import HostPattern

PUBLIC = HostPattern.parse("api.example.org")

CLASSES: dict[str, tuple[str, ...]] = {
    "public": (
        *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
        *("126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
        *("172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255"),
        *("192.169.0.0", "192.31.196.1", "192.52.193.1", "192.175.48.1", "198.17.255.255"),
        *("198.20.0.0", "198.51.99.255", "203.0.112.255", "223.255.255.255", "168.63.129.17"),
        *("2000::", "2001:200::", "2001:4860:4860::8888", "2606:4700::1111", "2620:4f:8000::1"),
        *("2003::", "2a00:1450::1", "3ffe:ffff::", "3fff:1000::", "64:ff9b::808:808"),
        *("::ffff:8.8.8.8",),
    ),
    "loopback": ("127.0.0.0", "127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"),
    "private": (
        *("10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0"),
        *("192.168.255.255", "fc00::", "fd00::1", "fdff:ffff::", "::ffff:10.0.0.1"),
    ),
    "shared": ("100.64.0.0", "100.100.100.100", "100.127.255.255"),
    "link-local": (
        *("169.254.0.0", "169.254.169.253", "169.254.255.255", "fe80::1", "febf::", "fe80::1%1"),
    ),
    "metadata": (
        *("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16"),
        *("192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fe80::a9fe:a9fe"),
        *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe"),
    ),
    "multicast": ("224.0.0.0", "239.255.255.255", "ff00::", "ff02::1", "::ffff:224.0.0.1"),
    "unspecified": ("0.0.0.0", "0.255.255.255", "::", "::ffff:0.0.0.0"),  # noqa: S104 - judged, not bound
    "documentation": (
        *("192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::", "3fff::", "3fff:fff::"),
    ),
    "benchmarking": ("198.18.0.0", "198.19.255.255", "2001:2::1"),
    "transition": (
        *("192.88.99.1", "::2", "::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b:1::1", "2001::1"),
        *("2002::1",),
    ),
    "reserved": (
        *("192.0.0.0", "192.0.0.9", "192.0.0.170", "240.0.0.0", "255.255.255.255", "2001:1::1"),
        *("2001:10::", "2001:20::", "2001:1ff:ffff::", "100::", "100:0:0:1::", "5f00::", "4000::"),
        *("fec0::1", "fbff::", "fe00::", "64:ff9b:0:1::1", "1::", "::1:0:0:0"),
    ),
}  # fmt: skip


def _nets(*texts: str) -> list[Network]:
    return [parse_network(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "name"), [(text, name) for name, texts in CLASSES.items() for text in texts]
)
def test_class(text: str, name: str) -> None:
    assert address_class(ip_address(text)).value == name
    assert permitted(ip_address(text), PUBLIC, ()) == ("" if name == "public" else name)


def test_every_class_is_tested() -> None:
    assert set(CLASSES) == set(AddressClass)


@given(st.ip_addresses())
def test_public_is_never_wider_than_the_standard_library(
    address: IPv4Address | IPv6Address,
) -> None:
    if address_class(address) is AddressClass.PUBLIC:
        assert address.is_global or address in ip_network("64:ff9b::/96")


CARRIERS = [
    # one that carries 169.254.169.254, and one that carries 8.8.8.8
    ("::ffff:169.254.169.254", "::ffff:8.8.8.8"),
    ("::a9fe:a9fe", "::808:808"),
    ("::ffff:0:a9fe:a9fe", "::ffff:0:808:808"),
    ("64:ff9b::a9fe:a9fe", "64:ff9b::808:808"),
    ("64:ff9b:1::a9fe:a9fe", "64:ff9b:1::808:808"),
    ("64:ff9b:1:abcd::a9fe:a9fe", "64:ff9b:1:abcd::808:808"),
    # RFC 6052, 2.4, has examples of prefixes of 48, 56 and 64 bits
    ("64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:808:8:800::"),
    ("64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:8:8:808::"),
    ("64:ff9b:1:0:a9:fea9:fe00:0", "64:ff9b:1:0:8:808:800:0"),
    ("2002:a9fe:a9fe::1", "2002:808:808::1"),
    # Teredo: by the server, and by the client, whose bits are inverted (RFC 4380, 4)
    ("2001:0:a9fe:a9fe::f7f7:f7f7", "2001:0:808:808::f7f7:f7f7"),
    ("2001:0:808:808::5601:5601", "2001:0:808:808::f7f7:f7f7"),
]


@pytest.mark.parametrize(("metadata", "public"), CARRIERS)
def test_an_address_that_is_carried(metadata: str, public: str) -> None:
    assert permitted(ip_address(metadata), PUBLIC, ()) != ""
    # That the carrier is named does not open what it carries.
    everything = _nets("::/0", "0.0.0.0/0")
    assert permitted(ip_address(metadata), PUBLIC, everything) == "metadata"
    assert permitted(ip_address(metadata), PUBLIC, [*everything, *_nets("169.254.169.254")]) == ""
    assert permitted(ip_address(public), PUBLIC, _nets("::/0")) == ""


@pytest.mark.parametrize(
    "text",
    [
        *("::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::127.0.0.1"),
        *("2002:7f00:1::", "2001:0:7f00:1::f7f7:f7f7", "2001:0:808:808::80ff:fffe"),
        *("::ffff:127.0.0.1", "64:ff9b:1:7f00:0:100::"),
    ],
)
def test_a_carried_loopback(text: str) -> None:
    assert permitted(ip_address(text), PUBLIC, ()) != ""
    assert permitted(ip_address(text), PUBLIC, _nets("::/0")) == "loopback"


def test_nat64_leads_to_public_addresses() -> None:
    assert permitted(ip_address("64:ff9b::808:808"), PUBLIC, ()) == ""
    assert permitted(ip_address("64:ff9b::a00:1"), PUBLIC, ()) == "private"
    assert permitted(ip_address("64:ff9b::a00:1"), PUBLIC, [ip_network("10.0.0.0/8")]) == ""


@pytest.mark.parametrize(
    ("address", "host", "networks", "refused"),
    [
        # named by a network
        ("10.1.2.3", "*.example.org", ("10.0.0.0/8",), ""),
        ("10.1.2.3", "api.example.org", ("192.168.0.0/16", "10.1.2.3"), ""),
        ("10.1.2.3", "api.example.org", ("10.1.2.4/32", "fd00::/8"), "private"),
        ("::ffff:10.1.2.3", "api.example.org", ("10.0.0.0/8",), ""),
        ("127.0.0.1", "api.example.org", ("127.0.0.0/8",), ""),
        ("fd00::1", "api.example.org", ("fd00::/8",), ""),
        # named by the host itself
        ("127.0.0.1", "127.0.0.1", (), ""),
        ("127.0.0.1", "0x7f.1", (), ""),
        ("::ffff:127.0.0.1", "127.0.0.1", (), ""),
        ("::1", "[::1]", (), ""),
        ("127.0.0.2", "127.0.0.1", (), "loopback"),
        ("10.1.2.3", "10.1.2.3", (), ""),
        # localhost is loopback and nothing else
        ("127.0.0.1", "localhost", (), ""),
        ("::1", "localhost", (), ""),
        ("10.1.2.3", "localhost", (), "private"),
        ("0.0.0.0", "localhost", (), "unspecified"),  # noqa: S104 - judged, not bound
        ("127.0.0.1", "db", (), "loopback"),
        ("127.0.0.1", "x.internal", (), "loopback"),
        ("127.0.0.1", "x.localhost", (), "loopback"),
        # names that exist in private networks only
        ("10.1.2.3", "x.internal", (), ""),
        ("10.1.2.3", "a.x.internal", (), ""),
        ("fd12::1", "x.internal", (), ""),
        ("192.168.1.1", "x.home.arpa", (), ""),
        ("172.16.1.1", "db", (), ""),
        ("10.1.2.3", "*.x.internal", (), "private"),
        ("10.1.2.3", "xinternal.example", (), "private"),
        ("10.1.2.3", "x.internal.example", (), "private"),
        ("10.1.2.3", "x.arpa", (), "private"),
        ("100.64.0.1", "x.internal", (), "shared"),
        ("169.254.1.1", "x.internal", (), "link-local"),
        # metadata is named alone
        ("169.254.169.254", "metadata.google.internal", (), "metadata"),
        ("169.254.169.254", "x.internal", ("169.254.0.0/16",), "metadata"),
        ("169.254.169.254", "x.internal", ("169.254.169.254/31",), "metadata"),
        ("169.254.169.254", "x.internal", ("0.0.0.0/0", "::/0"), "metadata"),
        ("169.254.169.254", "x.internal", ("169.254.169.254",), ""),
        ("169.254.169.254", "2852039166", (), ""),
        ("fd00:ec2::254", "x.internal", (), "metadata"),
        ("fd00:ec2::254", "x.internal", ("fd00::/8",), "metadata"),
        ("fd00:ec2::254", "x.internal", ("fd00:ec2::254/128",), ""),
        ("168.63.129.16", "api.example.org", ("168.63.129.0/24",), "metadata"),
    ],
)
def test_permitted(address: str, host: str, networks: tuple[str, ...], refused: str) -> None:
    pattern = HostPattern.parse(host)
    assert permitted(ip_address(address), pattern, _nets(*networks)) == refused


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1/8", "10.0.0.0/33", "0x7f.1", "::1%1/64", "1"])
def test_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"^an address or a network such as"):
        parse_network(text)
