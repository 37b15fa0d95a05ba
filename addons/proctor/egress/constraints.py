"""For which hosts the installation's own authority may sign (RFC 5280, 4.2.1.10).

A client checks the constraints that stand in the authority's certificate, so a stolen key is worth
nothing for any other host. proctor keeps to them, too, and says so before a client would.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from cryptography import x509
from pydantic import BeforeValidator, Field

from proctor.fields import Settings

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_PERMITTED = 64

_EVERY_ADDRESS = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_EVERY_NAME = ""
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*",
    re.ASCII,
)
_EXPECTED = "a name such as corp.example, with all below it, or a network such as 10.0.0.0/8"


def _permitted(value: object) -> object:
    text = value if isinstance(value, str) else ""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    # A stray dot or star would make a constraint that clients read differently.
    if not is_name(text):
        raise ValueError(_EXPECTED)
    return text


def is_name(text: str) -> bool:
    """Whether a text is a host's canonical name: lower case, no address in any spelling."""
    # A name whose last label is a number is an IPv4 address or nothing (WHATWG URL, 3.5).
    last = text.rpartition(".")[2]
    return _NAME.fullmatch(text) is not None and not re.fullmatch(r"\d+|0x[0-9a-f]*", last)


class CaSettings(Settings):
    """The authority that signs certificates for hosts behind a forward listener.

    Attributes:
        permitted: Names, each with all below it, and networks that it may sign for; empty for
            any. Stands in the certificate of an authority that is made from then on.
    """

    permitted: Annotated[
        tuple[Annotated[str, BeforeValidator(_permitted)], ...], Field(max_length=MAX_PERMITTED)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Names and networks that are permitted; neither: every host is."""

    names: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, permitted: Sequence[str]) -> Self:
        """From `ca.permitted`, as validated."""
        names, networks = [], []
        for text in dict.fromkeys(permitted):
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError:
                names.append(text)
        return cls(names=tuple(names), networks=tuple(networks))

    @classmethod
    def read(cls, certificate: x509.Certificate) -> Self:
        """From an authority's certificate that proctor made.

        Raises:
            ValueError: They are of a kind that proctor does not make.
        """
        try:
            found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        except x509.ExtensionNotFound:
            return cls()
        permitted = found.value.permitted_subtrees or []
        result = cls(
            names=tuple(item.value for item in permitted if isinstance(item, x509.DNSName)),
            networks=tuple(
                item.value
                for item in permitted
                if isinstance(item, x509.IPAddress)
                and isinstance(item.value, ipaddress.IPv4Network | ipaddress.IPv6Network)
            ),
        )
        if not found.critical or result.extension() != found.value:
            raise ValueError("constraints of another kind")
        return result

    def extension(self) -> x509.NameConstraints | None:
        """As it stands in a certificate; None where every host is permitted."""
        if not (self.names or self.networks):
            return None
        permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in self.names]
        permitted += [x509.IPAddress(network) for network in self.networks]
        # What is permitted binds its own kind of name only, so the other kind is excluded whole.
        excluded: list[x509.GeneralName] = []
        if not self.names:
            excluded.append(x509.DNSName(_EVERY_NAME))
        if not self.networks:
            excluded += [x509.IPAddress(network) for network in _EVERY_ADDRESS]
        return x509.NameConstraints(
            permitted_subtrees=permitted, excluded_subtrees=excluded or None
        )

    def permits(self, host: str) -> bool:
        """Whether a canonical host may be signed for."""
        if not (self.names or self.networks):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return any(host == name or host.endswith(f".{name}") for name in self.names)
        return any(
            address in network for network in self.networks if network.version == address.version
        )

    def __str__(self) -> str:
        return ", ".join([*self.names, *map(str, self.networks)]) or "none"
