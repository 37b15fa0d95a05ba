"""What kind of address an address is, and whether a destination may lead to it.

The table follows the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) and is
written out, since `ipaddress.is_global` differs between Python's versions. It is stricter than they
are in two places: IPv6 is public only within 2000::/3, the one block that IANA gives out (RFC 4291,
2.4); and 192.0.0.0/24 and 2001::/23 are closed as a whole, with the anycast addresses in them.

Some IPv6 addresses carry an IPv4 address that a translator or tunnel sends on to; those are looked
through. A translator with a prefix of its own (RFC 6052, 2.2) cannot be told from outside.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from proctor.egress.hosts import HostPattern

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network


class AddressClass(StrEnum):
    """Kinds of addresses; only `public` is reached without being named."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared"
    LINK_LOCAL = "link-local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    TRANSITION = "transition"
    RESERVED = "reserved"


_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # Amazon, Google, Azure, Oracle, DigitalOcean, OpenStack, …
            "169.254.170.2",  # Amazon ECS: the task's credentials
            "169.254.170.23",  # Amazon EKS: the pod's credentials
            "169.254.42.42",  # Scaleway
            "169.254.0.23",  # Tencent
            "169.254.10.10",  # Tencent
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's platform, on a public address
            "192.0.0.192",  # Oracle Classic
            "fd00:ec2::254",  # Amazon
            "fd00:ec2::23",  # Amazon EKS
            "fd20:ce::254",  # Google
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd00:42::42",  # Scaleway
            "fd00:a9fe:a9fe::1",  # Linode
            "fd00:100::100:200",  # Alibaba
            "fe80::a9fe:a9fe",  # OpenStack
        ),
    )
)
# The first entry that holds an address counts.
_IPV4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", AddressClass.UNSPECIFIED),  # RFC 791, 3.2; Linux takes 0.0.0.0 as loopback
        ("10.0.0.0/8", AddressClass.PRIVATE),  # RFC 1918
        ("100.64.0.0/10", AddressClass.SHARED),  # RFC 6598
        ("127.0.0.0/8", AddressClass.LOOPBACK),  # RFC 1122, 3.2.1.3
        ("169.254.0.0/16", AddressClass.LINK_LOCAL),  # RFC 3927
        ("172.16.0.0/12", AddressClass.PRIVATE),  # RFC 1918
        ("192.0.0.0/24", AddressClass.RESERVED),  # RFC 6890, 2.1
        ("192.0.2.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
        ("192.88.99.0/24", AddressClass.TRANSITION),  # RFC 7526
        ("192.168.0.0/16", AddressClass.PRIVATE),  # RFC 1918
        ("198.18.0.0/15", AddressClass.BENCHMARKING),  # RFC 2544
        ("198.51.100.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
        ("203.0.113.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
        ("224.0.0.0/4", AddressClass.MULTICAST),  # RFC 1112
        ("240.0.0.0/4", AddressClass.RESERVED),  # RFC 1112, 4; and broadcast, RFC 919
        ("0.0.0.0/0", AddressClass.PUBLIC),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
_TEREDO = IPv6Network("2001::/32")  # RFC 4380
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291, 2.5.5.1
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")  # RFC 2765, 2.1
_IPV6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::1/128", AddressClass.LOOPBACK),  # RFC 4291, 2.5.3
        ("::/128", AddressClass.UNSPECIFIED),  # RFC 4291, 2.5.2
        (_COMPATIBLE, AddressClass.TRANSITION),
        (_TRANSLATED, AddressClass.TRANSITION),
        (_NAT64, AddressClass.PUBLIC),  # the IPv4 address it carries decides
        (_NAT64_LOCAL, AddressClass.TRANSITION),
        ("2001:2::/48", AddressClass.BENCHMARKING),  # RFC 5180
        (_TEREDO, AddressClass.TRANSITION),
        ("2001::/23", AddressClass.RESERVED),  # RFC 2928: ORCHID and others
        ("2001:db8::/32", AddressClass.DOCUMENTATION),  # RFC 3849
        (_SIX_TO_FOUR, AddressClass.TRANSITION),
        ("3fff::/20", AddressClass.DOCUMENTATION),  # RFC 9637
        ("2000::/3", AddressClass.PUBLIC),
        ("fc00::/7", AddressClass.PRIVATE),  # RFC 4193
        ("fe80::/10", AddressClass.LINK_LOCAL),  # RFC 4291, 2.5.6
        ("ff00::/8", AddressClass.MULTICAST),  # RFC 4291, 2.7
        ("::/0", AddressClass.RESERVED),
    )
)
_PRIVATE_SUFFIXES = (".internal", ".home.arpa")  # ICANN 2024-07-29 (SAC113); RFC 8375


def parse_network(text: str) -> Network:
    """A network such as `10.0.0.0/8`, or one address.

    Raises:
        ValueError: It is something else; the text says what is expected.
    """
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            "an address or a network such as 10.0.0.0/8, with no bit set behind its length"
        ) from None


def unmapped(address: Address) -> Address:
    """RFC 4291, 2.5.5.2: the kernel dials ::ffff:a.b.c.d as a.b.c.d, so that is what it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def address_class(address: Address) -> AddressClass:
    """The class of an address by itself; an IPv4-mapped one is the IPv4 address."""
    address = unmapped(address)
    if address in _METADATA:
        return AddressClass.METADATA
    table = _IPV4 if isinstance(address, IPv4Address) else _IPV6
    return next(kind for network, kind in table if address in network)


def permitted(address: Address, host: HostPattern, addresses: Sequence[Network]) -> str:
    """Whether a destination may lead to an address.

    It may where the address is public; or named in `addresses`; or the destination's host is that
    very address, or `localhost` and the address is loopback, or an exact name that exists in
    private networks only (`x.internal`, `x.home.arpa`, a single label) and the address is private.
    A metadata address is named by itself alone: a wider network does not do. Where it carries an
    IPv4 address, that one has to be permitted, too.

    Args:
        address: As resolved, to be dialled.
        host: The destination's.
        addresses: Networks that the destination names.

    Returns:
        Empty, or the class for which it is refused, such as `loopback`.
    """
    for part in _parts(address):
        kind = address_class(part)
        if kind is not AddressClass.PUBLIC and not _named(part, kind, host, addresses):
            return kind.value
    return ""


def entries(address: Address) -> str:
    """What a destination's `addresses` would have to hold, as a list in YAML."""
    return ", ".join(
        str(part) for part in _parts(address) if address_class(part) is not AddressClass.PUBLIC
    )


def _named(
    address: Address, kind: AddressClass, host: HostPattern, addresses: Sequence[Network]
) -> bool:
    if host.exact and host.host == str(address):
        return True
    if kind is AddressClass.METADATA:
        return any(net.num_addresses == 1 and address in net for net in addresses)
    if any(address in network for network in addresses):
        return True
    name = host.host if host.exact else ""
    if name == "localhost":
        return kind is AddressClass.LOOPBACK  # RFC 6761, 6.3
    private_only = name and ("." not in name or name.endswith(_PRIVATE_SUFFIXES))
    return kind is AddressClass.PRIVATE and bool(private_only)


def _parts(address: Address) -> tuple[Address, ...]:
    """The address, and those it carries."""
    address = unmapped(address)
    return (address, *_carried(address))


def _carried(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address) or int(address) <= 1:  # :: and ::1 carry nothing
        return
    value = int(address)
    low = IPv4Address(value & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        yield IPv4Address(value >> 80 & 0xFFFF_FFFF)
    elif address in _TEREDO:
        yield IPv4Address(value >> 64 & 0xFFFF_FFFF)  # the server
        yield IPv4Address(~value & 0xFFFF_FFFF)  # the client, inverted (RFC 4380, 4)
    elif address in _NAT64 or address in _TRANSLATED or address in _COMPATIBLE:
        yield low
    elif address in _NAT64_LOCAL:
        # RFC 6052, 2.2: the prefix may end before bit 96, and bits 64 to 71 lie between the parts.
        # Which it is cannot be told, so all readings count but those within 0.0.0.0/8, which is
        # what the wrong ones give for a prefix of zeros.
        shorter = (
            (value >> 64 & (1 << 64 - length) - 1) << length - 32
            | (value & (1 << 56) - 1) >> 88 - length
            for length in (48, 56, 64)
        )
        yield from (IPv4Address(part) for part in (int(low), *shorter) if part >> 24)
