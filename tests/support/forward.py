"""A forward listener between clients that say every byte and upstreams that keep every byte."""

import base64
import contextlib
import dataclasses
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from proctor.identity import local
from proctor.testing import tls
from proctor.testing.http1 import Received
from proctor.testing.ports import free_ports
from proctor.testing.service import Answer
from proctor.testing.tls import Files
from tests.support.installation import CACHE
from tests.support.live import read_answer
from tests.support.outward import Outward, Plan, outward
from tests.support.scripted import Scripted
from tests.support.web import Web, echo

REAL_KEY = "sk-the-real-key-of-the-api"
RULES = """\
rules:
  - {id: all-http, on: http.request, then: allow}
  - {id: no-deleting, on: http.request, when: 'http.method == "DELETE"', then: deny, reason: Kept.}
  - id: held
    on: http.request
    when: http.path.startsWith("/held/") || principal.subject.startsWith("held-")
    then: hold
    approval: {from: [reviewers], wait: 20s, ttl: 10m}
  - id: no-tunnel
    on: http.request
    when: http.method == "CONNECT" && principal.subject == "barred"
    then: deny
    reason: Nobody passes unread.
"""


class Wire:
    """A connection to the proxy, and what is inside it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket: socket.socket = socket.create_connection((host.strip("[]"), int(port)), 30)

    def connect(self, target: str, *headers: str, token: str | None = None) -> bytes:
        """Ask for a tunnel; the head of the answer, or all of a refusal."""
        return self.say(f"CONNECT {target} HTTP/1.1", f"host: {target}", *headers, token=token)

    def say(self, *lines: str, body: bytes = b"", token: str | None = None) -> bytes:
        """Send a head and a body, and read the answer."""
        own = [f"proxy-authorization: Bearer {token}"] if token is not None else []
        head = "\r\n".join([*lines, *own, "", ""]).encode("latin-1")
        self.socket.sendall(head + body)
        return self.read(empty=lines[0].startswith("CONNECT "))

    def read(self, *, empty: bool = False) -> bytes:
        """One answer; that of a CONNECT that is let through has no body."""
        if not empty:
            return read_answer(self.socket)
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.socket.recv(1)
            if not more:
                return data
            data += more
        if data.startswith(b"HTTP/1.1 200"):
            return data
        length = int(data.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while length:
            more = self.socket.recv(length)
            data, length = data + more, length - len(more)
        return data

    def wrap(self, ca: Path, name: str | None, *protocols: str) -> None:
        """Speak TLS from here on; `name` is checked, and sent where it is no address."""
        context = ssl.create_default_context(cafile=str(ca))
        context.check_hostname = name is not None
        if protocols:
            context.set_alpn_protocols(list(protocols))
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def gone(self, seconds: float = 30) -> bool:
        """Whether the other side hangs up within this time."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def basic(token: str, user: str = "claude") -> str:
    """A header with the token as password."""
    return "proxy-authorization: Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def code(answer: bytes) -> str:
    """Of a refusal."""
    found: str = json.loads(answer.partition(b"\r\n\r\n")[2])["code"]
    return found


def discreet(request: Received) -> Answer:
    """Tell what arrived, but for the key."""
    kept = tuple((name, value) for name, value in request.headers if name != "x-api-key")
    return echo(dataclasses.replace(request, headers=kept))


@dataclass(slots=True, kw_only=True)
class World:
    """The gateway, and what is behind it.

    Attributes:
        out: The installation.
        files: Of the upstreams, which the destinations trust.
        web: An API over TLS, of which proctor has the key.
        plain: One in the clear.
        pinned: What is behind the tunnels that nobody reads.
    """

    out: Outward
    files: Files
    web: Web
    plain: Web
    pinned: Scripted
    token: str = field(default="", repr=False)

    @property
    def secure(self) -> str:
        """Host and port of the API over TLS."""
        return f"localhost:{self.web.port}"

    def wire(self) -> Wire:
        """A new connection to the proxy."""
        return Wire(self.out.address)

    def inside(self, target: str = "", *protocols: str, token: str = "") -> Wire:
        """A connection that has come through a tunnel and speaks TLS there."""
        wire = self.wire()
        target = target or self.secure
        answer = wire.connect(target, token=token or self.token)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        wire.wrap(self.out.ca, target.rpartition(":")[0], *protocols)
        return wire

    def opaque(self, *, token: str = "") -> Wire:
        """A connection that has come through a tunnel that nobody reads."""
        wire = self.wire()
        answer = wire.connect(f"127.0.0.1:{self.pinned.port}", token=token or self.token)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return wire

    def get(self, path: str, *headers: str, token: str | None = None) -> bytes:
        """A request in absolute form to the API in the clear."""
        with self.wire() as wire:
            return wire.say(
                f"GET http://localhost:{self.plain.port}{path} HTTP/1.1",
                "host: x",
                *headers,
                token=self.token if token is None else token,
            )

    def person(self, *groups: str) -> str:
        """Somebody who may decide, under --dev."""
        issuer = local.make(self.out.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject="bob", groups=list(groups), audience="proctor-console", ttl=600, now=time.time()
        )

    def api(
        self, method: str, path: str, groups: Sequence[str], body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask the console's API."""
        said = httpx.request(
            method,
            f"http://{self.out.gateway.console}/api/v1/{path}",
            json=body,
            headers={"authorization": f"Bearer {self.person(*groups)}"},
            timeout=30,
            trust_env=False,
        )
        assert said.is_success, said.text
        found: dict[str, Any] = said.json()
        return found

    def flows(self, where: str) -> list[dict[str, Any]]:
        """What the record says."""
        return self.out.query(f"select * from flows where {where} order by ts")  # noqa: S608 - of a test

    def untouched(self) -> bool:
        """Whether nothing has reached an upstream."""
        return not (self.web.requests or self.plain.requests or self.pinned.connections)

    def well(self) -> None:
        """Nothing has failed inside proctor."""
        failed = {"layer.failed", "stage.failed", "exit.stopped", "record.failed"}
        assert [line for line in self.out.gateway.log if line.get("event") in failed] == []


def tunnel(host: str, port: int) -> Mapping[str, Any]:
    """A destination that is passed through unread."""
    return {"host": host, "port": port, "speaks": "tunnel"}


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """All of it, until the block ends."""
    files = tls.make(folder / "tls")
    with Web(discreet, tls=files.server_context()) as web, Web() as plain, Scripted() as pinned:
        trusting = {"upstream_tls": {"ca": str(files.ca)}}
        plan = Plan(
            destinations=[
                {"host": "localhost", "port": web.port, "credential": "api", **trusting},
                {"host": "localhost", "port": plain.port, "plaintext": True},
                {
                    "host": "localhost",
                    "port": plain.port,
                    "plaintext": True,
                    "path": "/own/**",
                    "credential": "client",
                },
                {"host": "127.0.0.1", "port": plain.port, "plaintext": True, "path": "/here/**"},
                {"host": "example.internal", "port": plain.port, "plaintext": True},
                {"host": "::1", "port": plain.port, "plaintext": True},
                *(tunnel("127.0.0.1", port) for port in (pinned.port, 1)),
            ],
            credentials=[{"name": "api", "header": "x-api-key", "value": {"env": "REAL_KEY"}}],
            env={"REAL_KEY": REAL_KEY},
            rules=RULES,
            listeners=[
                {
                    "name": "secure",
                    "kind": "forward",
                    "listen": f"127.0.0.1:{free_ports(1)[0]}",
                    "tls": {"cert": str(files.cert), "key": str(files.key)},
                    "destinations": [{"host": "localhost", "port": web.port, **trusting}],
                }
            ],
            more={
                "identity": {
                    "issuers": [
                        {"issuer": "local", "audience": "proctor", "groups": "groups", "leeway": 0}
                    ]
                },
                "roles": {"reviewer": {"groups": ["reviewers"]}, "admin": {"groups": ["admins"]}},
                "redaction": {"cache": str(CACHE), "listeners": {"egress": {"profile": "none"}}},
                "limits": {"drain": "2s", "body": "1MiB"},
            },
        )
        with outward(folder / "home", plan, "--dev") as out:
            yield World(
                out=out, files=files, web=web, plain=plain, pinned=pinned, token=out.token()
            )
