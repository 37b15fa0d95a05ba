"""One spelling for every host, before anything compares it.

A host is read as browsers read it (WHATWG URL, 3.5), so that `0xA9FEA9FE`, `2852039166` and
`169.254.43518` are the address they reach. Where it differs, it refuses more, or has fewer
spellings for one thing:
- Percent-encoding is refused instead of decoded.
- ASCII labels hold letters, digits, `-` and `_` only, the latter two anywhere.
- Names beyond ASCII are mapped by UTS 46 as in browsers (non-transitional: `faß.de` is
  `xn--fa-hia.de`), and then have to be valid by IDNA 2008; symbols and emoji are not.
- IPv6 may stand without brackets, but not in an authority.
- An IPv4-mapped IPv6 address is the IPv4 address, since that is what the kernel dials.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import idna

from proctor.errors import ClientError

_MAX_TEXT = 1024
_MAX_HOST = 253  # RFC 1035, 2.3.4: 255 bytes with the lengths of labels
_MAX_LABEL = 63
_MAX_PORT = 65535
_MAX_IPV4_PARTS = 4
_BYTE = 256
_NAME = re.compile(r"[a-z0-9_.-]*")
_IPV4_NUMBER = re.compile(r"0x(?P<hex>[0-9a-f]*)|(?P<octal>0[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class _Unreadable(Exception):  # noqa: N818 - never leaves this file
    """The text is no host. Its argument says why, and nothing of the text."""


def parse_host(text: str) -> str:
    """The canonical spelling of a host.

    Args:
        text: As a client wrote it: a name, an IPv4 address in any spelling, or an IPv6 address
            with or without brackets.

    Returns:
        A name in lower-case ASCII without a dot at the end, a dotted IPv4 address, or an IPv6
        address as in RFC 5952, without brackets.

    Raises:
        ClientError: `host-unreadable`; it holds nothing of the text.
    """
    try:
        return _host(text)
    except _Unreadable as error:
        raise _unreadable(str(error)) from None


def parse_authority(text: str, default_port: int | None) -> tuple[str, int]:
    """Host and port of a CONNECT target (RFC 9112, 3.2.3) or a Host header (RFC 9110, 7.2).

    Args:
        text: `host`, `host:port` or `[IPv6]:port`.
        default_port: Where the text names none; None if it has to (RFC 9110, 9.3.6: CONNECT).

    Returns:
        The canonical host, and a port from 1 to 65535.

    Raises:
        ClientError: `host-unreadable`; it holds nothing of the text.
    """
    host, separator, port = text.rpartition(":")
    if not separator or text.endswith("]"):
        if default_port is None:
            raise _unreadable("no port")
        host, port = text, str(default_port)
    if not _PORT.fullmatch(port) or int(port) > _MAX_PORT:
        raise _unreadable("a port that is no number from 1 to 65535")
    if ":" in host and not host.startswith("[") and "@" not in host:
        raise _unreadable("an IPv6 address without brackets")  # RFC 3986, 3.2.2
    return parse_host(host), int(port)


def is_address(host: str) -> bool:
    """Whether a canonical host is an IPv4 or IPv6 address."""
    # The last label of a canonical name is never a number; see `_ends_in_number`.
    return ":" in host or host.rpartition(".")[2].isdigit()


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Which hosts a destination means.

    Attributes:
        host: Canonical; for a wildcard, what stands behind `*.`.
        wildcard: Any depth of sub-domains of `host` is meant, and not `host` itself.
    """

    host: str
    wildcard: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """`api.internal`, an address, or `*.example.org`.

        Raises:
            ValueError: It is something else; the text says what is expected.
        """
        wildcard = text.startswith("*.")
        try:
            host = _host(text[2:] if wildcard else text)
        except _Unreadable as error:
            raise ValueError(f"a host such as api.internal or *.example.org, not {error}") from None
        if wildcard and (is_address(host) or "." not in host):
            raise ValueError("a wildcard over at least two labels, such as *.example.org")
        return cls(host, wildcard)

    @property
    def exact(self) -> bool:
        """Whether one host is meant."""
        return not self.wildcard

    @property
    def specificity(self) -> int:
        """Of two patterns that match a host, the greater one says more about it."""
        return len(self.host) + (0 if self.wildcard else _MAX_HOST + 1)

    def matches(self, host: str) -> bool:
        """Whether a canonical host is meant."""
        return host.endswith(f".{self.host}") if self.wildcard else host == self.host

    def __str__(self) -> str:
        return f"*.{self.host}" if self.wildcard else self.host


def _unreadable(got: str) -> ClientError:
    return ClientError(
        code="host-unreadable",
        message="The host cannot be read",
        got=got,
        expected="a name, an IPv4 address or an IPv6 address in brackets",
    )


@lru_cache(maxsize=1024)  # the same few are asked for all day; what cannot be read is not kept
def _host(text: str) -> str:
    if not text or len(text) > _MAX_TEXT:
        raise _Unreadable("nothing" if not text else "a text that is too long")
    if "@" in text:
        raise _Unreadable("a user before the host")
    if text.startswith("["):
        if not text.endswith("]"):
            raise _Unreadable("a bracket that is not closed")
        return _ipv6(text[1:-1])
    if ":" in text:
        return _ipv6(text)
    name = _mapped(text).removesuffix(".")
    if not _NAME.fullmatch(name):
        raise _Unreadable("a character that no host has")
    labels = name.split(".")
    if not all(labels):
        raise _Unreadable("an empty label")
    if max(map(len, labels)) > _MAX_LABEL or len(name) > _MAX_HOST:
        raise _Unreadable("a name that is too long")
    return _ipv4(labels) if _ends_in_number(labels[-1]) else name


def _mapped(text: str) -> str:
    """The ASCII form of a name, lower case (UTS 46, 4.2: ToASCII)."""
    name = text.lower() if text.isascii() else None
    if name is not None and "xn--" not in name:
        return name
    try:
        labels = (name or idna.uts46_remap(text, std3_rules=False)).split(".")
        return ".".join(
            idna.alabel(label).decode()
            if not label.isascii() or label.startswith("xn--")
            else label
            for label in labels
        )
    except UnicodeError:  # idna.IDNAError is one; its text holds the name
        raise _Unreadable("an international name that IDNA 2008 does not know") from None


def _ends_in_number(label: str) -> bool:
    """WHATWG URL, 3.5, "ends in a number": such a host is an IPv4 address or nothing."""
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None


def _ipv4(labels: list[str]) -> str:
    """WHATWG URL, 3.5, "IPv4 parser": the last part fills all bytes that the others leave."""
    if len(labels) > _MAX_IPV4_PARTS:
        raise _Unreadable("an IPv4 address of more than four parts")
    *head, last = map(_ipv4_number, labels)
    if any(part >= _BYTE for part in head) or last >= _BYTE ** (5 - len(labels)):
        raise _Unreadable("an IPv4 address with a part that is too large")
    value = last + sum(part << (24 - 8 * place) for place, part in enumerate(head))
    return str(ipaddress.IPv4Address(value))


def _ipv4_number(text: str) -> int:
    match = _IPV4_NUMBER.fullmatch(text)
    if match is None:
        raise _Unreadable("a name that ends in a number and is no IPv4 address")
    if match["hex"] is not None:
        return int(match["hex"] or "0", 16)
    return int(text, 8 if match["octal"] else 10)


def _ipv6(text: str) -> str:
    if "%" in text:
        raise _Unreadable("an IPv6 address with a zone")  # RFC 9844 leaves zones out of URIs
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise _Unreadable("no IPv6 address") from None
    return str(address.ipv4_mapped or address)
