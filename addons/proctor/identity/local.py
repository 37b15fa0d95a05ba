"""The local issuer: keys in a file of ours, for trying proctor out on one's own machine.

Whoever can read the file can be anyone, so it is 0600 in a folder that is 0700, and is not used
otherwise.
"""

import contextlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from proctor.errors import ConfigurationError
from proctor.identity.jose import MAX_TOKEN, base64url, strict_object, to_base64url
from proctor.identity.keys import Key, parse_key
from proctor.runtime.permissions import make_folder
from proctor.settings import IssuerSettings

LOCAL = "local"
"""`iss` of tokens made here."""

FILE = "local-issuer.json"
"""Name of the key file in the folder `state`."""

MAX_TTL = 86400.0
"""Seconds that a token made here can live."""

_ALGORITHM = "ES256"
_TYPE = "at+jwt"
_GROUPS = "groups"
_MAX_FILE = 16 * 1024
_COORDINATE = 32  # bytes, RFC 7518, 6.2.1.2 for P-256
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def local_settings(settings: IssuerSettings) -> IssuerSettings:
    """The settings of the local issuer, with what its tokens are always like."""
    return settings.model_copy(
        update={"algorithms": (_ALGORITHM,), "typ": (_TYPE,), "groups": _GROUPS, "human": None}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalIssuer:
    """The keys of one file."""

    kid: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: Key

    def issue(
        self,
        *,
        subject: str,
        groups: Sequence[str],
        audience: str,
        ttl: float,
        now: float,
    ) -> str:
        """Make a token.

        Args:
            subject: `sub`, who it is for.
            groups: What the principal is a member of.
            audience: `aud`, as in proctor.yaml.
            ttl: Seconds it lives, at most a day.
            now: Seconds since the epoch.

        Raises:
            ConfigurationError: `token-ttl`, or `token-too-large` for the gateway to take.
        """
        if not 0 < ttl <= MAX_TTL:
            raise ConfigurationError(
                code="token-ttl",
                message="A local token cannot live that long",
                got=f"{ttl:g} s",
                expected="more than 0 and at most 24 h",
            )
        claims = {
            "iss": LOCAL,
            "sub": subject,
            "aud": audience,
            "iat": int(now),
            "exp": int(now + ttl),
            "jti": secrets.token_hex(16),
            _GROUPS: sorted(set(groups)),
        }
        headers = {"kid": self.kid, "typ": _TYPE}
        token = jwt.encode(claims, self.private, algorithm=_ALGORITHM, headers=headers)
        if len(token) > MAX_TOKEN:
            raise ConfigurationError(
                code="token-too-large",
                message="The token would be longer than the gateway reads",
                got=f"{len(token)} characters",
                expected=f"at most {MAX_TOKEN}",
                hint="Name fewer groups.",
            )
        return token


def make(path: Path) -> LocalIssuer:
    """The issuer of this file, which is made with new keys if it is not there.

    Raises:
        ConfigurationError: It, or its folder, is open to others or cannot be used.
    """
    try:
        make_folder(path.parent)
        _check_folder(path)
        if not path.exists():
            _write(path)
    except OSError as error:
        raise _unusable(path, error) from None
    return load(path)


def load(path: Path) -> LocalIssuer:
    """The issuer of this file.

    Raises:
        ConfigurationError: `local-keys-missing`, `open-to-others` or `local-keys-unusable`.
    """
    try:
        _check_folder(path)
        raw = _read(path)
    except FileNotFoundError:
        raise ConfigurationError(
            code="local-keys-missing",
            message="The local issuer has no keys yet",
            hint="`proctor token --local --subject NAME` makes them.",
            where=str(path),
        ) from None
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        return _parse(raw)
    except ValueError:
        raise ConfigurationError(
            code="local-keys-unusable",
            message="The local issuer's key file cannot be read",
            expected="the file as proctor made it",
            hint="Remove it; `proctor token --local` makes new keys.",
            where=str(path),
        ) from None


def _check_folder(path: Path) -> None:
    _check_private(path.parent.stat(), path.parent)


def _read(path: Path) -> bytes:
    # Neither a link to somewhere else, nor a pipe that would keep us waiting.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        _check_private(found, path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "no regular file")
        return file.read(_MAX_FILE + 1)


def _check_private(found: os.stat_result, path: Path) -> None:
    if found.st_mode & _OTHERS or found.st_uid != os.geteuid():
        raise ConfigurationError(
            code="open-to-others",
            message="The local issuer's keys are open to others, who could make tokens for anyone",
            got=f"mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid}",
            expected=f"no access for others, owner {os.geteuid()}",
            hint=f"Run chmod go= {path}, and remove the key file if others may have read it.",
            where=str(path),
        )


def _write(path: Path) -> None:
    """Make the file whole or not at all; who comes second keeps what the first has made."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_numbers()
    secret = private.private_numbers().private_value
    jwk = {"kty": "EC", "crv": "P-256", "x": _number(public.x), "y": _number(public.y)}
    # RFC 7638, 3: the members that make the key, in order.
    kid = to_base64url(
        sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest()
    )
    full = {**jwk, "d": _number(secret), "kid": kid, "alg": _ALGORITHM, "use": "sig"}
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(full, file)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _parse(raw: bytes) -> LocalIssuer:
    if len(raw) > _MAX_FILE:
        raise ValueError("too large")
    jwk: dict[str, Any] = strict_object(raw)
    secret = int.from_bytes(base64url(jwk.pop("d", None)))
    public = parse_key(jwk)
    if public is None or public.kid is None or not public.fits(_ALGORITHM):
        raise ValueError("no key")
    private = ec.derive_private_key(secret, ec.SECP256R1())
    if private.public_key() != public.material:
        raise ValueError("halves that do not belong together")
    return LocalIssuer(kid=public.kid, private=private, public=public)


def _number(value: int) -> str:
    return to_base64url(value.to_bytes(_COORDINATE))


def _unusable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        code="local-keys-unusable",
        message="The local issuer's key file cannot be used",
        got=error.strerror or type(error).__name__,
        expected="a regular file of ours, mode 0600, in a folder of ours, mode 0700",
        where=str(path),
    )
