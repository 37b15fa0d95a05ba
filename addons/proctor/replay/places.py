"""The listeners through which something can be sent again."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from proctor.settings import Listener
from proctor.units import Address, parse_address

_SPOKEN: Final = frozenset({"anthropic", "http"})
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A listener through which something can be sent again.

    Attributes:
        speaks: `anthropic` or `http`.
        address: Its own, `host:port`.
        upstream: Where it leads.
        cert: The certificate that it shows; None where it speaks in the clear.
    """

    speaks: str = "anthropic"
    address: str
    upstream: str
    cert: Path | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'https' if self.cert else 'http'}://{self.address}"

    def trust(self) -> ssl.SSLContext:
        """What it must show: its own certificate and no other one, under any name.

        Raises:
            OSError, ValueError: The certificate cannot be read.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Its name need not be this address: what is pinned is the certificate itself.
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.cert:
            own, *_ = load_pem_x509_certificates(self.cert.read_bytes())
            context.load_verify_locations(cadata=own.public_bytes(Encoding.DER))
        return context


def places(listeners: Iterable[Listener], addresses: Mapping[str, str]) -> dict[str, Place]:
    """Where something can be sent again.

    Args:
        listeners: As configured.
        addresses: Where they are open, as `host:port`.
    """
    found: dict[str, Place] = {}
    for each in listeners:
        address = parse_address(addresses[each.name]) if each.name in addresses else None
        asks = each.tls is not None and each.tls.client_ca is not None  # for what we have not
        if address and each.speaks in _SPOKEN and each.upstream and not asks:
            # What is open everywhere is open here, too.
            host = _HERE.get(address.host, address.host)
            here = Address(host=host, port=address.port)
            found[each.name] = Place(
                speaks=str(each.speaks),
                address=str(here),
                upstream=str(each.upstream),
                cert=each.tls.cert if each.tls else None,
            )
    return found
