"""A gateway whose clients go out through it: a forward listener, and what is behind it."""

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proctor.identity import local
from proctor.testing import gateway as program
from proctor.testing.gateway import Gateway
from tests.support.installation import CACHE, REPOSITORY

ALLOW = """\
rules:
  - {id: all-http, on: http.request, then: allow}
"""


@dataclass(slots=True, kw_only=True)
class Outward:
    """Where such a gateway lives.

    Attributes:
        folder: With proctor.yaml, rules/, recordings/ and .proctor/.
        gateway: The one that runs.
    """

    folder: Path
    gateway: Gateway

    def token(self, subject: str = "alice", *, age: float = 0, ttl: float = 600) -> str:
        """A token of the local issuer, made `age` seconds ago."""
        issuer = local.make(self.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject=subject, groups=["dev"], audience="proctor", ttl=ttl, now=time.time() - age
        )

    @property
    def address(self) -> str:
        """Host and port of the forward listener."""
        return self.gateway.listeners["egress"]

    @property
    def ca(self) -> Path:
        """A file with the installation's own authorities."""
        path = self.folder / "proctor-ca.pem"
        if not path.exists():
            done = program.command("ca", "export", "--out", str(path), cwd=self.folder)
            assert done.returncode == 0, done.stderr
        return path

    def proxy(self, token: str | None = None) -> str:
        """The proxy's URL, with a token as password."""
        return f"http://claude:{token or self.token()}@{self.address}"

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows from the record, by the command that people use."""
        done = program.command("query", sql, "--format", "json", cwd=self.folder)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


@dataclass(slots=True, kw_only=True)
class Plan:
    """What stands in its proctor.yaml, and beside it.

    Attributes:
        destinations: Of its forward listener `egress`.
        port: Where that listens; 0 takes a free one.
        listeners: More of them.
        credentials: As proctor.yaml has them.
        rules: Of the file rules/own.yaml.
        shipped: Names of shipped rules that stand beside it.
        more: Further keys.
        env: What its environment holds.
    """

    destinations: Sequence[Mapping[str, Any]]
    port: int = 0
    listeners: Sequence[Mapping[str, Any]] = ()
    credentials: Sequence[Mapping[str, Any]] = ()
    rules: str = ALLOW
    shipped: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    def write(self, folder: Path) -> Path:
        """Make the folder; returns its proctor.yaml."""
        rules = folder / "rules"
        rules.mkdir(parents=True)
        (rules / "own.yaml").write_text(self.rules)
        for name in self.shipped:
            shutil.copy(REPOSITORY / "rules" / name, rules)
        for name in ("recordings", ".proctor"):
            (folder / name).mkdir(mode=0o700)
        egress = {
            "name": "egress",
            "kind": "forward",
            "listen": f"127.0.0.1:{self.port}",
            "destinations": list(self.destinations),
        }
        local_issuer = {"issuer": "local", "audience": "proctor", "groups": "groups"}
        text = {
            "schema_version": 1,
            "listeners": [*([egress] if self.destinations else []), *self.listeners],
            "identity": {"issuers": [local_issuer]},
            "credentials": list(self.credentials),
            "rules": "rules/",
            "audit": {"path": "recordings/"},
            "redaction": {"cache": str(CACHE)},
            "limits": {"drain": "5s"},
            "console": {"listen": "127.0.0.1:0"},
            **self.more,
        }
        config = folder / "proctor.yaml"
        config.touch(mode=0o600)
        config.write_text(json.dumps(text, indent=2))
        return config


@contextlib.contextmanager
def outward(folder: Path, plan: Plan, *arguments: str) -> Iterator[Outward]:
    """Such a gateway, for as long as the block lasts."""
    config = plan.write(folder)
    with program.running(config, env=plan.env, arguments=arguments) as gateway:
        yield Outward(folder=folder, gateway=gateway)
