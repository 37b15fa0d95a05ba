"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a client (RFC 5802, RFC 7677, RFC 5929).

PostgreSQL takes the user's name from the StartupMessage, so that `n=` stays empty (55.3.1).
"""

import base64
import binascii
import hmac
import re
import secrets
import stringprep
import unicodedata
from functools import lru_cache
from hashlib import pbkdf2_hmac, sha256
from typing import Final

from proctor.errors import UpstreamError

PLAIN: Final = "SCRAM-SHA-256"
PLUS: Final = "SCRAM-SHA-256-PLUS"

MAX_ITERATIONS: Final = 200_000
"""What a server may ask for: about 60 ms of one core. PostgreSQL's default is 4,096."""

_FIRST: Final = re.compile(rb"r=([!-+\--~]{1,512}),s=([A-Za-z0-9+/=]{1,512}),i=([1-9]\d{0,8})")
_FINAL: Final = re.compile(rb"v=([A-Za-z0-9+/=]{1,128})")


class Scram:
    """One exchange.

    Args:
        password: The secret.
        binding: What the channel is bound to (`tls-server-end-point`), for PLUS.
        could_bind: This side can bind though the server has not offered it: a server that did
            offer it, to somebody in between, then refuses (RFC 5802, 6).
        nonce: For tests.
    """

    def __init__(
        self, password: str, *, binding: bytes | None, could_bind: bool, nonce: str = ""
    ) -> None:
        self._password = password
        self._binding = binding
        if binding is not None:
            self._gs2 = b"p=tls-server-end-point,,"
        else:
            self._gs2 = b"y,," if could_bind else b"n,,"
        self._nonce = (nonce or base64.b64encode(secrets.token_bytes(18)).decode()).encode()
        self._bare = b"n=,r=" + self._nonce
        self._signature = b""

    @property
    def mechanism(self) -> str:
        """The name to ask for."""
        return PLAIN if self._binding is None else PLUS

    def first(self) -> bytes:
        """client-first-message."""
        return self._gs2 + self._bare

    def final(self, server_first: bytes) -> bytes:
        """client-final-message.

        Raises:
            UpstreamError: Code `upstream-authentication`.
        """
        match = _FIRST.fullmatch(server_first)
        if match is None:
            raise refused("a SCRAM challenge that cannot be read")
        nonce, salt64, count = match.groups()
        iterations = int(count)
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce):
            raise refused("a SCRAM challenge to somebody else")
        if iterations > MAX_ITERATIONS:
            raise refused(f"{iterations} iterations of SCRAM")
        client_key, server_key = _keys(self._password, _decoded(salt64), iterations)
        bound = base64.b64encode(self._gs2 + (self._binding or b""))
        without_proof = b"c=%b,r=%b" % (bound, nonce)
        message = b",".join((self._bare, server_first, without_proof))
        signature = hmac.digest(sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._signature = hmac.digest(server_key, message, "sha256")
        return without_proof + b",p=" + base64.b64encode(proof)

    def verify(self, server_final: bytes) -> None:
        """See that the server knows the password, too.

        Raises:
            UpstreamError: Code `upstream-authentication`: it does not.
        """
        match = _FINAL.fullmatch(server_final)
        if match is None or not self._signature:
            raise refused("an end of SCRAM that cannot be read")
        if not hmac.compare_digest(_decoded(match[1]), self._signature):
            raise refused("a server that does not know the password")


# PBKDF2 takes a millisecond; a server asks the same of every connection of one credential.
@lru_cache(maxsize=32)
def _keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    salted = pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(
        salted, b"Server Key", "sha256"
    )


def prepared(password: str) -> bytes:
    """SASLprep (RFC 4013), or the password as it is where that forbids it, as PostgreSQL does."""
    if password.isascii():
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    found = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return (found if found and _permitted(found) else password).encode("utf-8", "surrogatepass")


def _permitted(text: str) -> bool:
    """Prohibited output and bidirectional characters (RFC 4013, 2.3 and 2.4)."""
    tables = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(table(char) for char in text for table in tables):
        return False
    if not any(map(stringprep.in_table_d1, text)):
        return True
    return (
        stringprep.in_table_d1(text[0])
        and stringprep.in_table_d1(text[-1])
        and not any(map(stringprep.in_table_d2, text))
    )


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise refused("base64 that cannot be read") from None


def refused(got: str) -> UpstreamError:
    """What the server wants of its client is not done."""
    return UpstreamError(
        "upstream-authentication",
        "The database server's way to sign in cannot be gone",
        got=got,
        hint="Its pg_hba.conf and proctor's `upstream_tls` have to fit.",
    )
