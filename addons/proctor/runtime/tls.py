"""TLS towards clients and upstreams, per listener, from the listener's own files.

Certificates are read again when their files change, so that a renewal needs no restart.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi
from OpenSSL import SSL

from proctor.errors import ConfigurationError

NO_COMMON_NAME = 0x20 | 0x4
"""X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS (RFC 9525 6)."""

OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a listener shows to clients.

    Attributes:
        cert: Chain, in PEM.
        key: Fits it.
        client_ca: Clients must show a certificate of these.
        h2: HTTP/2 is offered.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None
    h2: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What a listener asks of its upstream, and shows to it."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Contexts:
    """OpenSSL contexts by their files, made again when a file changes."""

    def __init__(self) -> None:
        self._made: dict[Served | Trusted, tuple[tuple[int, ...], SSL.Context]] = {}

    def served(self, files: Served) -> SSL.Context:
        """The context for clients.

        Raises:
            ConfigurationError: A file cannot be read or does not fit.
        """
        return self._get(files, (files.cert, files.key, files.client_ca))

    def trusted(self, files: Trusted) -> SSL.Context:
        """The context for the upstream; certifi's authorities where no own `ca` is named."""
        return self._get(files, (files.ca, files.cert, files.key))

    def _get(self, files: Served | Trusted, paths: Sequence[Path | None]) -> SSL.Context:
        try:
            age = tuple(path.stat().st_mtime_ns for path in paths if path)
            known = self._made.get(files)
            if known and known[0] == age:
                return known[1]
            context = _served(files) if isinstance(files, Served) else _trusted(files)
        except (OSError, SSL.Error) as error:
            names = ", ".join(str(path) for path in paths if path)
            raise ConfigurationError(
                "tls-files",
                "A TLS file cannot be used",
                got=f"{type(error).__name__} with {names}",
                expected="readable PEM files, the key fitting the certificate",
            ) from error
        self._made[files] = (age, context)
        return context


def _served(files: Served) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(OPTIONS)
    context.use_certificate_chain_file(str(files.cert))
    context.use_privatekey_file(str(files.key))
    context.check_privatekey()
    context.set_alpn_select_callback(select if files.h2 else _select_h1)
    context.set_session_id(b"proctor")
    if files.client_ca:
        context.load_verify_locations(str(files.client_ca))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    return context


def select(_connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    """Choose HTTP/2 where it is offered (RFC 7301)."""
    for protocol in (b"h2", b"http/1.1"):
        if protocol in offered:
            return protocol
    return b""


def _select_h1(_connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    return b"http/1.1" if b"http/1.1" in offered else b""


def _trusted(files: Trusted) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(OPTIONS)
    context.set_verify(SSL.VERIFY_PEER)
    context.load_verify_locations(str(files.ca or certifi.where()))
    if files.cert:
        context.use_certificate_chain_file(str(files.cert))
        context.use_privatekey_file(str(files.key or files.cert))
        context.check_privatekey()
    return context


def accept(context: SSL.Context) -> SSL.Connection:
    """A connection that waits for a client's hello."""
    connection = SSL.Connection(context)
    connection.set_accept_state()
    return connection


def connect(context: SSL.Context, host: str, protocols: Sequence[bytes]) -> SSL.Connection:
    """A connection to `host`, whose certificate must name it (RFC 9525)."""
    connection = SSL.Connection(context)
    library = SSL._lib  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way
    parameters = library.SSL_get0_param(connection._ssl)  # noqa: SLF001 - the same
    library.X509_VERIFY_PARAM_set_hostflags(parameters, NO_COMMON_NAME)
    try:
        address = ipaddress.ip_address(host).packed
    except ValueError:
        name = host.encode("idna")
        connection.set_tlsext_host_name(name)
        done = library.X509_VERIFY_PARAM_set1_host(parameters, name, len(name))
    else:
        # RFC 6066 3: an address is no HostName, so there is no SNI for it.
        done = library.X509_VERIFY_PARAM_set1_ip(parameters, address, len(address))
    if done != 1:
        raise ConfigurationError("tls-name", "A host's name cannot be verified", got=host)
    connection.set_alpn_protos(list(protocols))
    connection.set_connect_state()
    return connection
