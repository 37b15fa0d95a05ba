"""The certificates of the installation's own authority: itself, and the leaves it signs.

All keys are on P-256: a leaf costs a quarter of the time that RSA 2048 takes, and a client's
handshake an eighth.
"""

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proctor.egress.constraints import Constraints, is_name
from proctor.errors import ClientError, ConfigurationError

CA_LIFE = timedelta(days=5 * 365)
LEAF_LIFE = timedelta(days=7)
SKEW = timedelta(hours=1)
"""A client's clock may be so far behind ours."""

_ID = 8
_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
# No common name: a client that looks at it would read a host there (RFC 9525, 2).
_LEAF_SUBJECT = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "proctor")])


class Role(StrEnum):
    """What an authority does at this moment."""

    SIGNS = "signs"
    NEXT = "next"
    OLD = "old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ca:
    """One authority.

    Attributes:
        role: What it does.
        certificate: Its own, signed by itself.
        constraints: As in the certificate.
        key: Its private key; None once it is old.
    """

    role: Role
    certificate: x509.Certificate
    constraints: Constraints
    key: ec.EllipticCurvePrivateKey | None = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        """Its short name, which is in the subject, too: the beginning of its key's digest."""
        extensions = self.certificate.extensions
        return _short(extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as DER, in hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def begins(self) -> datetime:
        """When it becomes good; aware."""
        return self.certificate.not_valid_before_utc

    @property
    def ends(self) -> datetime:
        """When it is good no longer; aware."""
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


def make_ca(constraints: Constraints, role: Role, now: datetime) -> Ca:
    """A new authority with a key of its own.

    Args:
        constraints: For which hosts it may sign.
        role: Of the new authority.
        now: Aware.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "proctor"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"proctor CA {_short(identifier)}"),
        ]
    )
    builder = (
        _builder(name, name, key.public_key(), key.public_key())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + CA_LIFE)
        # It signs leaves of servers, and nothing else (RFC 5280, 4.2.1.9 and 4.2.1.12).
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(_SERVERS, critical=False)
    )
    extension = constraints.extension()
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    return Ca(role=role, certificate=certificate, constraints=constraints, key=key)


def make_leaf(
    ca: Ca, host: str, public_key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.Certificate:
    """A certificate for one host, as the CA/Browser Forum and Apple take it.

    Args:
        ca: The authority that signs.
        host: Canonical name or address.
        public_key: The server's.
        now: Aware.

    Returns:
        It ends with the authority, or after a week.

    Raises:
        ClientError: `ca-host`, no host can be called so.
        ConfigurationError: `ca-expired`.
    """
    if ca.key is None or not ca.begins <= now < ca.ends:
        raise ConfigurationError(
            "ca-expired",
            "The installation's own authority is not good at this time",
            got=f"{ca.begins:%Y-%m-%d} to {ca.ends:%Y-%m-%d}",
            hint="Look at this machine's clock; if it is right, `proctor ca rotate` says how to go"
            " on.",
        )
    names = x509.SubjectAlternativeName([_general_name(host)])
    return (
        _builder(_LEAF_SUBJECT, ca.certificate.subject, public_key, ca.key.public_key())
        .not_valid_before(max(now - SKEW, ca.begins))
        .not_valid_after(min(now + LEAF_LIFE, ca.ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(_SERVERS, critical=False)
        .add_extension(names, critical=False)
        .sign(ca.key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    if is_name(host):
        return x509.DNSName(host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    # An IPv6 address with a zone means something on one machine only (RFC 4007, 6).
    if address is None or "%" in host:
        raise ClientError(
            "ca-host",
            "There is no certificate for such a host",
            expected="a canonical name or address, without port and brackets",
        )
    return x509.IPAddress(address)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    # RFC 5280, 4.2.1.1 and 4.2.1.2 want both identifiers, and Python 3.13 insists.
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _short(identifier: x509.SubjectKeyIdentifier) -> str:
    return identifier.digest.hex()[:_ID]
