"""proctor as the client of a server: how it signs in (PostgreSQL, 54.2.1 and 54.3)."""

from hashlib import md5
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from proctor.errors import UpstreamError
from proctor.protocols.postgres.messages import message
from proctor.protocols.postgres.scram import PLAIN, PLUS, Scram, refused


class _Asked:
    """Kinds of AuthenticationRequests (54.7)."""

    OK: Final = 0
    CLEARTEXT: Final = 3
    MD5: Final = 5
    SASL: Final = 10
    SASL_CONTINUE: Final = 11
    SASL_FINAL: Final = 12


_AFTER_SASL: Final = (_Asked.OK, _Asked.SASL_CONTINUE, _Asked.SASL_FINAL)
_NAMES: Final = {2: "Kerberos", 6: "SCM", 7: "GSSAPI", 9: "SSPI"}
_RESPONSE: Final = ord("p")
_SALT: Final = 4


class Authentication:
    """Answers a server's AuthenticationRequests.

    Args:
        user: Who signs in.
        password: Its secret; None where there is none (trust, peer, a certificate).
        private: Nobody else can read along: TLS, or a socket of this machine's.
        binding: The server's certificate as SCRAM binds to it; None without TLS, or where there is
            no way to (RFC 5929, 4.1).
    """

    def __init__(
        self, user: str, password: str | None, *, private: bool, binding: bytes | None
    ) -> None:
        self._user = user
        self._password = password
        self._private = private
        self._binding = binding
        self._scram: Scram | None = None
        self._proved = False
        self.done = False

    def answer(self, body: bytes) -> bytes:
        """Take the body of an AuthenticationRequest; what to send for it, or nothing.

        Raises:
            UpstreamError: Codes `upstream-authentication`, `upstream-credential`.
        """
        if len(body) < _SALT or self.done:
            raise refused("an authentication request that cannot be read")
        kind, rest = int.from_bytes(body[:4], "big"), body[4:]
        if self._scram and kind not in _AFTER_SASL:
            raise refused("another way in the middle of SCRAM")
        match kind:
            case _Asked.OK:
                if self._scram and not self._proved:
                    raise refused("an end of SCRAM without its proof")
                self.done = True
                return b""
            case _Asked.CLEARTEXT:
                return self._cleartext()
            case _Asked.MD5:
                return self._md5(rest)
            case _Asked.SASL:
                return self._sasl(rest)
            case _Asked.SASL_CONTINUE if self._scram and not self._proved:
                return message(_RESPONSE, self._scram.final(rest))
            case _Asked.SASL_FINAL if self._scram and not self._proved:
                self._scram.verify(rest)
                self._proved = True
                return b""
            case _:
                raise refused(_NAMES.get(kind, f"authentication request {kind}"))

    def _cleartext(self) -> bytes:
        if not self._private:
            raise refused("a password in the clear, and no TLS")
        return message(_RESPONSE, self._secret().encode() + b"\0")

    def _md5(self, salt: bytes) -> bytes:
        if len(salt) != _SALT:
            raise refused("a salt of another length")
        inner = _hex(self._secret().encode() + self._user.encode())
        return message(_RESPONSE, b"md5" + _hex(inner + salt) + b"\0")

    def _sasl(self, body: bytes) -> bytes:
        offered = body.removesuffix(b"\0").split(b"\0")[:-1]
        plus = PLUS.encode() in offered
        if not plus and PLAIN.encode() not in offered:
            raise refused("SASL without SCRAM-SHA-256")
        # Where both are to be had, the one that a man in the middle cannot hand on (RFC 5802, 6).
        self._scram = scram = Scram(
            self._secret(),
            binding=self._binding if plus else None,
            could_bind=self._binding is not None,
        )
        if not plus or self._binding is not None:
            chosen = scram.mechanism.encode()
        elif PLAIN.encode() in offered:
            chosen = PLAIN.encode()
        else:
            raise refused("SCRAM-SHA-256-PLUS alone, and nothing to bind it to")
        first = scram.first()
        return message(_RESPONSE, b"%b\0%b%b" % (chosen, len(first).to_bytes(4, "big"), first))

    def _secret(self) -> str:
        if self._password is None:
            raise UpstreamError(
                "upstream-credential",
                "The database server asks for a password, and the credential has none",
            )
        return self._password


def end_point(certificate: bytes) -> bytes | None:
    """`tls-server-end-point` of a certificate in DER (RFC 5929, 4.1); None where it has none."""
    try:
        found = x509.load_der_x509_certificate(certificate)
        algorithm = found.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return found.fingerprint(algorithm)


def _hex(data: bytes) -> bytes:
    return md5(data, usedforsecurity=False).hexdigest().encode()
