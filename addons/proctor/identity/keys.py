"""Public keys of an issuer: JWK sets (RFC 7517, 7518, 8037), each key bound to its algorithms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWTError
from jwt.algorithms import Algorithm, get_default_algorithms

from proctor.identity.jose import Jws, base64url, strict_object

MAX_SET = 1024 * 1024
"""Bytes of the largest key set that is read."""

MAX_KEYS = 100
"""Keys in the largest set."""

_MAX_TRIED = 8
_RSA_BITS = range(2048, 8192 + 1)  # RFC 7518, 3.3: 2048 or more; more than 8192 costs too much

# RFC 7518, 3.1 and RFC 8037, 3.1. Symmetric algorithms are not here: whoever checks could sign.
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Algorithms that can be configured: key type and curve of each."""

_PUBLIC = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_SECRET = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")  # RFC 7518, 6
_READERS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}

# CVE-2017-15361: in such a key n is a power of 65537 modulo every one of these.
_ROCA_POWERS = {
    prime: {pow(65537, exponent, prime) for exponent in range(prime - 1)}
    for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
}


def _implementations() -> dict[str, Algorithm]:
    return {name: it for name, it in get_default_algorithms().items() if name in ALGORITHMS}


_IMPLEMENTATIONS = _implementations()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One public key for signatures.

    Attributes:
        kid: Its name in the set, or None.
        kty: RSA, EC or OKP.
        crv: Its curve, or None for RSA.
        alg: The only algorithm it is for, or None for all of its type.
        material: The key itself.
    """

    kid: str | None
    kty: str
    crv: str | None
    alg: str | None
    material: Any = field(repr=False)

    def fits(self, algorithm: str) -> bool:
        """Whether a token of this algorithm may be verified with this key (RFC 8725, 3.1)."""
        return ALGORITHMS.get(algorithm) == (self.kty, self.crv) and self.alg in {None, algorithm}

    def verifies(self, jws: Jws) -> bool:
        """Whether the token's signature is this key's, by the token's algorithm, which fits."""
        if not self.fits(jws.algorithm):
            return False
        implementation = _IMPLEMENTATIONS[jws.algorithm]
        return implementation.verify(jws.signing_input, self.material, jws.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The keys an issuer signs with."""

    keys: tuple[Key, ...]

    def find(self, jws: Jws) -> tuple[Key, ...]:
        """Keys that may have signed the token, most often one.

        A token without `kid` (RFC 7515, 4.1.4: optional) may have been signed by any that fits.
        One whose `kid` fits two keys was signed by neither: which one is meant is not said.
        """
        fitting = [key for key in self.keys if key.fits(jws.algorithm)]
        if jws.kid is None:
            return tuple(fitting[:_MAX_TRIED])
        named = [key for key in fitting if key.kid == jws.kid]
        return tuple(named) if len(named) == 1 else ()


def parse_key_set(raw: bytes) -> KeySet:
    """Read a JWK set.

    Keys for other uses, of unknown types or with wrong parts are passed over (RFC 7517, 5).

    Args:
        raw: The document, UTF-8, at most 1 MiB.

    Raises:
        ValueError: It is no key set, is too large, or publishes a secret; the text shows none.
    """
    if len(raw) > MAX_SET:
        raise ValueError(f"a key set of more than {MAX_SET} bytes")
    try:
        members = strict_object(raw).get("keys")
    except ValueError as error:
        raise ValueError(f"a key set with {error}") from None
    if not isinstance(members, list) or not all(isinstance(jwk, dict) for jwk in members):
        raise ValueError("a key set without a list of keys")
    if len(members) > MAX_KEYS:
        raise ValueError(f"a key set of {len(members)} keys")
    if any(name in jwk for jwk in members for name in _SECRET):
        raise ValueError("a key set that publishes a secret key")
    keys = [key for jwk in members if (key := parse_key(jwk)) is not None]
    if not keys:
        raise ValueError("a key set without a key for signatures")
    return KeySet(keys=tuple(keys))


def parse_key(jwk: Mapping[str, Any]) -> Key | None:
    """Read one public key; None if it is not for signatures, unknown to us, or weak."""
    kty, crv, alg, kid = (jwk.get(name) for name in ("kty", "crv", "alg", "kid"))
    if not _for_signatures(jwk) or not isinstance(kty, str) or kty not in _PUBLIC:
        return None
    if not (kid is None or isinstance(kid, str)) or not (alg is None or isinstance(alg, str)):
        return None
    public = {name: jwk.get(name) for name in _PUBLIC[kty]}
    curve = None if kty == "RSA" else crv
    try:
        for part in public.values():
            base64url(part)
        material = _IMPLEMENTATIONS[_READERS[kty]].from_jwk({"kty": kty, "crv": curve, **public})
    except (PyJWTError, ValueError, TypeError):
        return None
    if isinstance(material, RSAPublicKey) and _weak(material):
        return None
    key = Key(kid=kid, kty=kty, crv=curve, alg=alg, material=material)
    return key if any(key.fits(algorithm) for algorithm in ALGORITHMS) else None


def _for_signatures(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])  # RFC 7517, 4.3
    listed = isinstance(operations, list) and "verify" in operations
    return listed and jwk.get("use", "sig") == "sig"  # RFC 7517, 4.2


def _weak(key: RSAPublicKey) -> bool:
    return key.key_size not in _RSA_BITS or _roca(key.public_numbers().n)


def _roca(modulus: int) -> bool:
    return all(modulus % prime in powers for prime, powers in _ROCA_POWERS.items())
