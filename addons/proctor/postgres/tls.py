"""TLS inside a connection: `ssl.MemoryBIO`, since neither side begins with it (54.2.12).

asyncio's own `start_tls` hung on pauses under uvloop, and holds one more task a connection.
"""

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proctor.errors import ClientError, ConfigurationError, UpstreamError
from proctor.protocols.postgres.entrance import ALPN

_READ: Final = 16 * 1024  # a record holds no more (RFC 8446, 5.1)

type Context = Callable[[], ssl.SSLContext]
"""The context of the moment: files of certificates change under way."""


class Tls:
    """One side of TLS.

    Args:
        context: Certificates and trust.
        server_name: Whom a client asks for, and the certificate must name; None for a server.

    Attributes:
        ready: The handshake is over.
        over: The other side has said that nothing more will come.
    """

    __slots__ = ("_bio_in", "_bio_out", "_object", "over", "ready")

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self._bio_in = ssl.MemoryBIO()
        self._bio_out = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._bio_in,
            self._bio_out,
            server_side=server_name is None,
            server_hostname=server_name,
        )
        self.ready = False
        self.over = False

    def receive(self, data: bytes) -> bytes:
        """Take what came over the wire; what it says.

        Handshakes go on by it, so that something to send may be there afterwards.

        Raises:
            ssl.SSLError: The handshake failed, or what came is no TLS.
        """
        self._bio_in.write(data)
        if not self.ready and not self.shake():
            return b""
        found, pending = self._object, self._bio_in
        parts: list[bytes] = []
        try:
            while data := found.read(_READ):
                parts.append(data)
                if not pending.pending and not found.pending():
                    break
            else:
                self.over = True  # close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # the same, once this side has closed
            self.over = True
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def shake(self) -> bool:
        """Go on with the handshake; whether it is over.

        Raises:
            ssl.SSLError: It failed.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.ready = True
        return True

    def encrypt(self, data: bytes) -> None:
        """Take what is to be sent; `outgoing` has it then."""
        if data:
            self._object.write(data)

    def outgoing(self) -> bytes:
        """What is to be sent over the wire."""
        return self._bio_out.read() if self._bio_out.pending else b""

    def close(self) -> None:
        """Say that nothing more will come (close_notify); the other's is not waited for."""
        with contextlib.suppress(ssl.SSLError):
            self._object.unwrap()

    @property
    def protocol(self) -> str | None:
        """What was agreed on by ALPN."""
        return self._object.selected_alpn_protocol()

    @property
    def certificate(self) -> bytes | None:
        """The other side's, in DER."""
        return self._object.getpeercert(binary_form=True)


class Contexts:
    """Contexts by their files, made again when one of these changes."""

    def __init__(self) -> None:
        self._made: dict[tuple[Path | None, ...], tuple[tuple[int, ...], ssl.SSLContext]] = {}

    def served(self, cert: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
        """For clients, who show a certificate of `client_ca` where there is one.

        Raises:
            ConfigurationError: A file cannot be read or does not fit.
        """

        def make() -> ssl.SSLContext:
            context = _context(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key, password=_none)
            if client_ca:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            return context

        return self._get((cert, key, client_ca, None), make)

    def trusted(
        self, ca: Path | None = None, cert: Path | None = None, key: Path | None = None
    ) -> ssl.SSLContext:
        """For servers; the system's authorities where no `ca` is named.

        Raises:
            ConfigurationError: A file cannot be read or does not fit.
        """

        def make() -> ssl.SSLContext:
            context = _context(ssl.PROTOCOL_TLS_CLIENT)
            context.hostname_checks_common_name = False  # RFC 9525, 2
            if ca:
                context.load_verify_locations(ca)
            else:
                context.load_default_certs()
            if cert:
                context.load_cert_chain(cert, key, password=_none)
            return context

        return self._get((None, ca, cert, key), make)

    def _get(
        self, paths: tuple[Path | None, ...], make: Callable[[], ssl.SSLContext]
    ) -> ssl.SSLContext:
        try:
            age = tuple(path.stat().st_mtime_ns for path in paths if path)
            known = self._made.get(paths)
            if known and known[0] == age:
                return known[1]
            context = make()
        except OSError as error:  # ssl.SSLError is one
            names = ", ".join(str(path) for path in paths if path)
            raise ConfigurationError(
                "tls-files",
                "A TLS file cannot be used",
                got=f"{type(error).__name__} with {names}",
                expected="readable PEM files, the key fitting the certificate",
            ) from error
        self._made[paths] = (age, context)
        return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([ALPN])
    return context


def _none() -> str:
    """An encrypted key would have OpenSSL ask at the terminal."""
    return ""


def client_failed(error: ssl.SSLError) -> ClientError:
    """A client's handshake failed."""
    return ClientError("tls-handshake", "The TLS handshake failed", got=_reason(error))


def upstream_failed(error: ssl.SSLError, name: str) -> UpstreamError:
    """The server's handshake failed, or its certificate is not to be trusted."""
    return UpstreamError(
        "upstream-tls",
        f"The database server {name} cannot be trusted",
        got=_reason(error),
        expected="a certificate for this name, of an authority that `upstream_tls.ca` names",
    )


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or "an error of TLS").lower().replace("_", " ")
