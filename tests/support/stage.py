"""A gateway between clients and upstreams of which a test says every byte."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from proctor.testing.gateway import Gateway, running
from proctor.testing.ports import free_ports
from proctor.testing.standin import StandIn, serving
from proctor.testing.tls import Files, make
from tests.support.installation import Installation
from tests.support.live import read_answer
from tests.support.scripted import Scripted
from tests.support.stock import BODY, CONTEXT

MIB = 1024 * 1024
PATIENCE = 30
MORE = """\
  - name: raw
    kind: reverse
    listen: 127.0.0.1:0
    upstream: http://127.0.0.1:{port}
    speaks: http
  - name: safe
    kind: reverse
    listen: 127.0.0.1:0
    tls: {{cert: {files.cert}, key: {files.key}}}
    upstream: http://127.0.0.1:{port}
    speaks: http
  - name: claude2
    kind: reverse
    listen: 127.0.0.1:0
    tls: {{cert: {files.cert}, key: {files.key}}}
    upstream: {standin}
    speaks: anthropic
    credential: anthropic
identity:
"""
PLAIN = "{raw: {profile: none}, safe: {profile: none}}"
RULE = """\
rules:
  - {id: raw, on: http.request, when: 'action.listener in ["raw", "safe"]', then: allow}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A gateway with one listener for the stand-in and two for bytes of a test's choosing."""

    gateway: Gateway
    installed: Installation
    origin: Scripted
    files: Files
    token: str

    def address(self, listener: str) -> tuple[str, int]:
        host, _, port = self.gateway.listeners[listener].rpartition(":")
        return host, int(port)

    def connect(self, listener: str) -> socket.socket:
        return socket.create_connection(self.address(listener), PATIENCE)

    def head(self, method: str = "GET", path: str = "/x", *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "host: x", f"authorization: Bearer {self.token}"]
        return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")

    def send(self, data: bytes, listener: str = "raw") -> bytes:
        with self.connect(listener) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            return read_answer(connection)

    def well(self) -> None:
        """A normal request passes."""
        headers = {"authorization": f"Bearer {self.token}", "anthropic-version": "2023-06-01"}
        url = self.gateway.url("claude") + "/v1/messages"
        answer = httpx.post(url, json=BODY, headers=headers, timeout=PATIENCE, verify=CONTEXT)
        assert answer.status_code == 200
        assert self.gateway.process.poll() is None

    def flow(self, path: str) -> dict[str, Any]:
        """What the record says of the one flow with this path, once it is there."""
        pause = threading.Event()
        for _ in range(300):
            rows = self.installed.query(
                "select error, coverage, response_bytes from flows "
                "where path = $session and ended_at is not null",
                path,
            )
            if rows:
                (row,) = rows
                return row
            pause.wait(0.1)
        raise AssertionError(f"{path} is not on record")


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage in this folder; at its end nothing may have failed inside proctor."""
    files = make(folder / "tls")
    with serving(StandIn()) as standin, Scripted() as origin:
        installed = Installation.build(folder / "home", standin)
        more = MORE.format(port=origin.port, files=files, standin=standin.url)
        for port in free_ports(3):
            more = more.replace("127.0.0.1:0\n", f"127.0.0.1:{port}\n", 1)
        text = installed.config.read_text().replace("identity:\n", more)
        text = text.replace("limits: {drain: 5s}", "limits: {drain: 5s, body: 1MiB, head: 2s}")
        # Bytes of a test's choosing pass as they are; tests/stages has redaction on the wire.
        text = text.replace("redaction: {", f"redaction: {{listeners: {PLAIN}, ")
        installed.config.write_text(text)
        (installed.folder / "rules/raw.yaml").write_text(RULE)
        with running(installed.config, env=installed.env) as gateway:
            yield Stage(
                gateway=gateway,
                installed=installed,
                origin=origin,
                files=files,
                token=installed.token(),
            )
        assert gateway.process.returncode == 0
        failed = [
            line
            for line in gateway.log
            if line.get("event") in {"layer.failed", "stage.failed", "exit.stopped", None}
            # An answer of 101 is refused by a stage that raises.
            and line.get("error") != "UpstreamError"
        ]
        assert not failed, "\n".join(line.get("traceback", str(line)) for line in failed)
