"""A stand-in authorization server on loopback: RFC 6749, 4.4 and RFC 8693, and ways to fail."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proctor.credentials.oauth import ASSERTION, EXCHANGE
from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET, is_client


class AuthServer:
    """Gives `t1`, `t2`, … to whoever proves to be the client; listens from `with` on.

    Attributes:
        asked: The fields of each question, in order, without secrets and assertions.
        changes: What to say differently; None takes something out.
        status: What to answer with instead of 200.
        body: What to answer instead of an object.
        public_key: PEM; then the client proves itself by assertions.
        gate: Cleared, answers wait for it.
    """

    def __init__(self, public_key: Path | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        self.changes: dict[str, Any] = {}
        self.status = 200
        self.body: bytes | None = None
        self.public_key = public_key
        self.gate = threading.Event()
        self.gate.set()
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """The token endpoint."""
        if self._server is None:
            raise RuntimeError("the server does not listen yet")
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.gate.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, fields: dict[str, str], authorization: str) -> tuple[int, bytes]:
        """Status and body for one request."""
        with self._lock:
            proved = self._proved(fields, authorization)
            self.asked.append(fields)
            count = len(self.asked)
        self.gate.wait(30)
        if self.body is not None:
            return self.status, self.body
        if not proved:
            return 401, b'{"error":"invalid_client"}'
        if self.status != 200:
            return self.status, json.dumps({"error": "invalid_grant", **self.changes}).encode()
        full: dict[str, Any] = {
            "access_token": f"t{count}",
            "token_type": "Bearer",
            "expires_in": 100,
            **self.changes,
        }
        if fields["grant_type"] == EXCHANGE:
            full = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", **full}
        return 200, json.dumps({k: v for k, v in full.items() if v is not None}).encode()

    def _proved(self, fields: dict[str, str], authorization: str) -> bool:
        secret, assertion = fields.pop("client_secret", None), fields.pop("client_assertion", "")
        if self.public_key is not None:
            return self._signed(fields, assertion)
        if secret is not None:  # RFC 6749, 2.3: one way only
            by_post = (fields["client_id"], secret) == (CLIENT_ID, CLIENT_SECRET)
            return by_post and not authorization
        return is_client(authorization)

    def _signed(self, fields: Mapping[str, str], assertion: str) -> bool:
        """RFC 7523, 3."""
        assert self.public_key is not None
        claims = jwt.decode(
            assertion,
            load_pem_public_key(self.public_key.read_bytes()),  # type: ignore[arg-type]  # one of several keys
            algorithms=["ES256", "RS256", "EdDSA"],
            audience=self.url,
            options={"verify_exp": False, "verify_iat": False},
        )
        fresh = claims["jti"] not in self._seen
        self._seen.add(claims["jti"])
        named = claims["iss"] == claims["sub"] == fields.get("client_id", CLIENT_ID) == CLIENT_ID
        return fresh and named and fields["client_assertion_type"] == ASSERTION


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: AuthServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        authorization = self.headers.get("Authorization", "")
        status, content = self.server.owner.answer(dict(pairs), authorization)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""
