"""What looks like personal data and is nobody's: addresses set aside for documents, and others.

Each rule stands for a kind, by the standard that sets it aside or by the way it is written, and
gets the whole text and a place in it.
"""

import ipaddress
import re
from typing import Final

# RFC 2606, section 3; RFC 6761, sections 6.2 to 6.5
_RESERVED_LABELS: Final = frozenset(("example", "test", "invalid", "localhost", "localdomain"))
_RESERVED_UNDER: Final = frozenset(("com", "net", "org", "edu"))  # example.com
# Mail to these reaches nobody; the version control hosts' users are no mailboxes.
_NOBODY: Final = re.compile(r"(?:.*[.+_-])?(?:no-?reply|do-?not-?reply)(?:[.+_-].*)?")
_VERSION_CONTROL: Final = frozenset(("git", "hg", "svn"))

_RESERVED_V4: Final = tuple(
    (int(network.network_address), int(network.netmask))
    for network in map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # RFC 6890: this network
            "127.0.0.0/8",  # RFC 1122: loopback
            "169.254.0.0/16",  # RFC 3927: link-local, and the clouds' metadata
            "192.0.0.0/24",  # RFC 6890: protocol assignments
            "192.0.2.0/24",  # RFC 5737: documentation
            "198.51.100.0/24",
            "203.0.113.0/24",
            "233.252.0.0/24",  # RFC 6676: documentation, multicast
            "198.18.0.0/15",  # RFC 2544: benchmarks
            "224.0.0.0/4",  # RFC 5771: multicast
            "240.0.0.0/4",  # RFC 1112: reserved; broadcast and netmasks lie here
        ),
    )
)
_RESERVED_BY_OCTET: Final = tuple(
    tuple(
        (network, mask) for network, mask in _RESERVED_V4 if octet & (mask >> 24) == network >> 24
    )
    for octet in range(256)
)
_HOSTS_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2000::/3",  # RFC 4291: global unicast
            "fc00::/7",  # RFC 4193: unique local
            "fe80::/10",  # RFC 4291: link-local, which often holds a MAC address
        ),
    )
)
_DOCUMENTATION_V6: Final = tuple(
    map(ipaddress.IPv6Network, ("2001:db8::/32", "3fff::/20"))  # RFC 3849, RFC 9637
)
_EMBEDDED_V6: Final = tuple(
    map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96"))  # RFC 4291, RFC 6052
)
_VERSION: Final = re.compile(
    # The word, or that of a document's part
    r"\b(?:version|release|revision|sections?|chapter|clause|rfc ?[0-9]{1,5})[\"'\w]{0,12}"
    r"[\s,-]{0,3}[:=(]{0,3}\s{0,3}[\"']?$"
)
_VERSION_WORD: Final = re.compile("version|release|revision|section|chapter|clause|rfc")
_REQUIREMENT: Final = re.compile(r"[\w\]][=~!<>]=$")  # PEP 508: name==1.2.3.4
_PRODUCT: Final = re.compile(  # RFC 9110, section 10.1.5: Product/1.2.3.4
    r"(?:^|[\s\"'(])[A-Z][\w.+-]{1,24}/$"
)
_LONGER: Final = re.compile(
    # An object identifier, or the name of a file
    r"\.(?:[0-9]|(?:tar|t?gz|zip|whl|jar|deb|rpm|exe|dll|so|dmg|msi|nupkg|pom)\b)|[0-9A-Za-z_]"
)
_PLAIN_V4: Final = re.compile(
    r"(?:[1-9]?[0-9]|1[0-9]{2}|2[0-9]{2})(?:\.(?:[1-9]?[0-9]|1[0-9]{2}|2[0-9]{2})){3}"
)
_BEFORE: Final = 48
_DIGITS: Final = frozenset("0123456789")

_JOINED: Final = (re.compile(r"[0-9][.:/-]$|\+$"), re.compile("[.:/-][0-9]"))
_SPACED: Final = (re.compile(r"[0-9][.:/ -]$|\+$"), re.compile("[.:/ -][0-9]"))
"""What makes a number a part of a row: what stands before it, and behind."""

_SEPARATED: Final = re.compile(r"[0-9A-Fa-f]{2}[:.-]$|[0-9A-Za-z]$|_$")
_GOES_ON: Final = re.compile(r"[:.-][0-9A-Fa-f]{2}|[0-9A-Za-z_]")


def email(text: str, start: int, end: int) -> bool:
    """Whether an e-mail address may be somebody's."""
    local, _, domain = text[start:end].lower().rpartition("@")
    labels = domain.split(".")
    return not (
        labels[-1] in _RESERVED_LABELS
        or (labels[-1] in _RESERVED_UNDER and labels[-2:-1] == ["example"])
        or local in _VERSION_CONTROL
        or ("reply" in local and _NOBODY.fullmatch(local))
    )


def ip(text: str, start: int, end: int) -> bool:
    """Whether an IP address may be a host's: no version, no object identifier, nothing reserved."""
    before = text[max(0, start - _BEFORE) : start]
    within = before[-1:] == "." and before[-2:-1] in _DIGITS
    if within or _LONGER.match(text, end) or _is_version(before):
        return False
    value = text[start:end]
    if _PLAIN_V4.fullmatch(value):
        first, second, third, fourth = map(int, value.split("."))
        return _v4(first << 24 | second << 16 | third << 8 | fourth)
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        return False
    network = interface.network
    if network.prefixlen < interface.max_prefixlen and interface.ip == network.network_address:
        return False  # RFC 4632: a network, not a host
    if isinstance(interface, ipaddress.IPv6Interface):
        return _v6(interface.ip)
    return _v4(int(interface))


def _is_version(before: str) -> bool:
    last = before[-1:]
    if last == "/":
        return _PRODUCT.search(before) is not None
    if last == "=" and _REQUIREMENT.search(before):
        return True
    if last == "\u00a7" or before.endswith("\u00a7 "):
        return True
    lower = before.lower()
    return _VERSION_WORD.search(lower) is not None and _VERSION.search(lower) is not None


def _v4(address: int) -> bool:
    if address & 0x00FFFFFF == 0:  # a network of its own, or a version such as 4.0.0.0
        return False
    return not any(address & mask == network for network, mask in _RESERVED_BY_OCTET[address >> 24])


def _v6(address: ipaddress.IPv6Address) -> bool:
    if any(address in network for network in _EMBEDDED_V6):
        return _v4(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _DOCUMENTATION_V6):
        return False
    return any(address in network for network in _HOSTS_V6)


def mac(text: str, start: int, end: int) -> bool:
    """Whether a MAC address stands alone (a fingerprint goes on), and is not for documents."""
    if _SEPARATED.search(text[max(0, start - 3) : start]) or _GOES_ON.match(text, end):
        return False
    digits = re.sub("[^0-9a-f]", "", text[start:end].lower())
    # RFC 9542, section 2.1.4: 00-00-5E-00-53-00 to -FF, and the multicast ones beside them
    if digits.startswith(("00005e0053", "01005e9010")):
        return False
    return len(set(digits)) > 1


def ssn(text: str, start: int, end: int) -> bool:
    """Whether a social security number stands alone, not within a longer row of numbers."""
    row = _SPACED if " " in text[start:end] else _JOINED
    before, after = row
    return not (before.search(text[max(0, start - 2) : start]) or after.match(text, end))
