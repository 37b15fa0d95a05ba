"""What clients trust: the installation's own authorities, alone or beside the public ones."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import certifi
from cryptography.hazmat.primitives.serialization import Encoding

from proctor.egress.certificates import Ca
from proctor.errors import ConfigurationError

SYSTEM = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Arch
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # SUSE
    Path("/etc/ssl/cert.pem"),  # Alpine, macOS
)
"""Where systems keep the authorities they trust, a company's own among them."""

_MAX_BYTES = 16 * 1024 * 1024
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def own(cas: Sequence[Ca]) -> bytes:
    """The installation's own authorities as PEM."""
    return b"".join(ca.pem for ca in cas)


def complete(cas: Sequence[Ca], system: Sequence[Path] = SYSTEM) -> bytes:
    """This system's authorities and our own, for clients that take one file for all.

    Args:
        cas: Our own.
        system: The first of these that is there; certifi's where none is.

    Raises:
        ConfigurationError: `ca-roots`, the file cannot be read.
    """
    path = next((path for path in system if path.is_file()), Path(certifi.where()))
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    if len(raw) > _MAX_BYTES:
        raise _unreadable(path, f"more than {_MAX_BYTES} bytes")
    ours = {_plain(ca.pem) for ca in cas}
    roots = [block for block in _BLOCK.findall(raw) if _plain(block) not in ours]
    if not roots:
        raise _unreadable(path, "no certificate")
    return b"\n".join(roots) + b"\n" + own(cas)


def as_der(ca: Ca) -> bytes:
    """One authority as DER, as Windows, Java and phones take it."""
    return ca.certificate.public_bytes(Encoding.DER)


def write(path: Path, data: bytes) -> None:
    """Write a file that everyone may read: whole, or not at all.

    Raises:
        ConfigurationError: `ca-export`, it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                os.fchmod(handle, 0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "ca-export",
            "The certificates cannot be written",
            got=error.strerror or type(error).__name__,
            where=str(path),
        ) from None


def _plain(block: bytes) -> bytes:
    return b"".join(block.split())


def _unreadable(path: Path, got: str) -> ConfigurationError:
    return ConfigurationError(
        "ca-roots",
        "The authorities that this system trusts cannot be read",
        got=got,
        expected="certificates as PEM",
        where=str(path),
    )
