"""A stand-in OpenID provider on loopback: discovery, keys, introspection, and ways to fail.

    with StandInIssuer() as issuer:
        token = issuer.token("alice", groups=["dba"])

It signs whatever it is asked to, for whoever asks: for tests only.
"""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from proctor.identity.jose import to_base64url
from proctor.testing.tls import Files

CLIENT_ID = "proctor"
CLIENT_SECRET = "stand-in secret: % and +"  # noqa: S105 - of a stand-in, with what must be encoded

_HUGE = 4 * 1024 * 1024
_PATIENCE = 30.0


class Failure(StrEnum):
    """How the issuer fails."""

    NONE = "none"
    STATUS = "status"
    REDIRECT = "redirect"
    GARBAGE = "garbage"
    HUGE = "huge"
    COMPRESSED = "compressed"
    CUT = "cut"
    HANG = "hang"


class Signer:
    """A private key with a name."""

    def __init__(self, algorithm: str = "ES256", kid: str | None = None) -> None:
        """A new key for one algorithm of those that proctor takes."""
        self.algorithm = algorithm
        self.kid = kid or secrets.token_hex(8)
        self._implementation = get_default_algorithms()[algorithm]
        self._private = _generate(algorithm)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half as a JWK (RFC 7517)."""
        public = json.loads(self._implementation.to_jwk(self._private.public_key()))
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, header: bytes | Mapping[str, Any], payload: bytes) -> str:
        """Sign anything at all (RFC 7515, 5.1), also what no issuer would."""
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        signed = f"{to_base64url(raw)}.{to_base64url(payload)}"
        signature = self._implementation.sign(signed.encode(), self._private)
        return f"{signed}.{to_base64url(signature)}"


class StandInIssuer:
    """The issuer, listening from `with` on.

    Attributes:
        requests: Method and path of all that was asked, in order.
        failure: How it fails from now on.
        signers: Keys it publishes; the last one signs.
        document: What to say differently in the description.
    """

    def __init__(
        self, *, algorithm: str = "ES256", path: str = "", tls: Files | None = None
    ) -> None:
        """It does not listen yet.

        Args:
            algorithm: What it signs with.
            path: Behind host and port in its name, such as `/realms/corp`.
            tls: Its certificate; None for plain HTTP.
        """
        self.requests: list[str] = []
        self.failure = Failure.NONE
        self.signers = [Signer(algorithm)]
        self.document: dict[str, Any] = {}
        self._path = path
        self._tls = tls
        self._opaque: dict[str, dict[str, Any]] = {}
        self._closing = threading.Event()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Its name, `iss`."""
        if self._server is None:
            raise RuntimeError("the issuer does not listen yet")
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_port}{self._path}"

    def __enter__(self) -> Self:
        self._server = _Server(self)
        if self._tls is not None:
            context = self._tls.server_context()
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.01},
            name="issuer",
            daemon=True,
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def rotate(self, *, keep: bool = True) -> Signer:
        """Sign with a new key from now on; without `keep` the old ones are published no more."""
        new = Signer(self.signers[-1].algorithm)
        self.signers = [*self.signers, new] if keep else [new]
        return new

    def claims(
        self,
        subject: str,
        *,
        groups: Sequence[str] = (),
        audience: str = "proctor",
        ttl: float = 3600.0,
        now: float | None = None,
        **claims: Any,
    ) -> dict[str, Any]:
        """What a token says.

        Args:
            subject: `sub`.
            groups: `groups`.
            audience: `aud`.
            ttl: Seconds from `iat` to `exp`.
            now: `iat`, seconds since the epoch; None for the time it is.
            claims: Others; None takes one out.
        """
        issued_at = int(time.time() if now is None else now)
        full = {
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "iat": issued_at,
            "exp": int(issued_at + ttl),
            "groups": list(groups),
            **claims,
        }
        return {name: value for name, value in full.items() if value is not None}

    def token(
        self, subject: str, *, headers: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A signed access token (RFC 9068); `claims` are those of `claims`.

        Args:
            subject: `sub`.
            headers: Header parameters to say differently; None takes one out.
            claims: See `claims`.
        """
        signer = self.signers[-1]
        header = {"alg": signer.algorithm, "kid": signer.kid, "typ": "at+jwt", **(headers or {})}
        header = {name: value for name, value in header.items() if value is not None}
        return signer.sign(header, json.dumps(self.claims(subject, **claims)).encode())

    def opaque(self, subject: str, **claims: Any) -> str:
        """An opaque token, which only introspection can read; `claims` are those of `claims`."""
        token = secrets.token_urlsafe(24)
        self._opaque[token] = {"active": True, **self.claims(subject, **claims)}
        return token

    def revoke(self, token: str) -> None:
        """Let an opaque token be active no more."""
        self._opaque.pop(token, None)

    def answer(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        """Status and body for one request."""
        self.requests.append(f"{method} {path}")
        well_known = {
            f"{self._path}/.well-known/openid-configuration",
            f"/.well-known/oauth-authorization-server{self._path}",
        }
        if path in well_known:
            return 200, json.dumps(self._description()).encode()
        if path == f"{self._path}/jwks":
            return 200, json.dumps({"keys": [signer.jwk for signer in self.signers]}).encode()
        if path == f"{self._path}/introspect" and method == "POST":
            return self._introspect(body, authorization)
        return 404, b"{}"

    def wait_for_close(self) -> None:
        """Keep a client waiting until the issuer goes."""
        self._closing.wait(_PATIENCE)

    def _description(self) -> dict[str, Any]:
        full = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            **self.document,
        }
        return {name: value for name, value in full.items() if value is not None}

    def _introspect(self, body: bytes, authorization: str) -> tuple[int, bytes]:
        if not is_client(authorization):
            return 401, b'{"error":"invalid_client"}'
        (token,) = parse_qs(body.decode()).get("token", [""])
        return 200, json.dumps(self._opaque.get(token, {"active": False})).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, issuer: StandInIssuer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = issuer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""

    def _answer(self) -> None:
        issuer = self.server.issuer
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status, content = issuer.answer(
            self.command, self.path, body, self.headers.get("Authorization", "")
        )
        headers = {"Content-Type": "application/json"}
        length = None
        match issuer.failure:
            case Failure.NONE:
                pass
            case Failure.STATUS:
                status, content = 500, b"{}"
            case Failure.REDIRECT:
                status, headers["Location"] = 302, f"{issuer.url}/jwks"
            case Failure.GARBAGE:
                content = b"<html>Sign in to the guest network</html>"
            case Failure.HUGE:
                content = b" " * _HUGE
            case Failure.COMPRESSED:
                headers["Content-Encoding"] = "gzip"
            case Failure.CUT:
                length = len(content) + 1
            case Failure.HANG:
                issuer.wait_for_close()
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) if length is None else length))
            self.end_headers()
            self.wfile.write(content)


def _generate(
    algorithm: str,
) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    curves: dict[str, ec.EllipticCurve] = {
        "ES256": ec.SECP256R1(),
        "ES384": ec.SECP384R1(),
        "ES512": ec.SECP521R1(),
    }
    if algorithm in curves:
        return ec.generate_private_key(curves[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def is_client(authorization: str) -> bool:
    """Whether this is the stand-in's client (RFC 6749, 2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    with contextlib.suppress(ValueError):
        padded = credentials.replace("+", "-").replace("/", "_")
        decoded = jwt.utils.base64url_decode(padded.rstrip("=")).decode()
        client_id, _, secret = decoded.partition(":")
        known = (unquote_plus(client_id), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)
        return scheme == "Basic" and known
    return False
