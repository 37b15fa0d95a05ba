"""A whole proctor with one PostgreSQL listener before a test's server."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from psycopg.conninfo import make_conninfo

from proctor.identity import local
from proctor.testing import gateway
from proctor.testing.gateway import Gateway
from tests.postgres.server import ORDERS_APP, PASSWORDS, Server
from tests.support.held import eventually
from tests.support.installation import CACHE

LISTENER = "orders-db"
ALLOW_ALL = "rules:\n  - {id: all, on: sql.statement, then: allow}\n"

_CONFIG = """\
schema_version: 1
listeners:
{before}  - name: {name}
    kind: postgres
    listen: 127.0.0.1:0
    upstream: 127.0.0.1:{port}
    upstream_plaintext: true
    credential: orders
{listener}
identity:
  issuers: [{{issuer: local, audience: proctor, groups: groups}}]
credentials:
  - {{name: orders, user: {user}, password: {{env: ORDERS_PASSWORD}}}}
{credentials}roles: {{reviewer: {{groups: [reviewers]}}, admin: {{groups: [admins]}}}}
console: {{listen: 127.0.0.1:0}}
rules: rules/
audit: {{path: recordings/}}
redaction: {redaction}
limits: {{drain: 2s}}
{more}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """The running gateway and where its listener is.

    Attributes:
        gateway: Its process.
        folder: Where it lives.
        host: Of the listener.
        port: Of the listener.
        user: Whom clients say they are, and the role that proctor signs in with.
    """

    gateway: Gateway
    folder: Path
    host: str
    port: int
    user: str

    def token(self, subject: str = "alice", *, ttl: float = 43_200, age: float = 0) -> str:
        """A token of the local issuer, as clients give it for a password."""
        issuer = local.make(self.folder / ".proctor" / local.FILE)
        now = time.time() - age
        return issuer.issue(subject=subject, groups=["dev"], audience="proctor", ttl=ttl, now=now)

    def dsn(self, database: str = "postgres", **more: str | int) -> str:
        """A libpq connection string."""
        own: dict[str, Any] = {"host": self.host, "port": self.port, "user": self.user}
        own |= {"dbname": database, "password": self.token(), "connect_timeout": 60}
        return make_conninfo(**(own | {"sslmode": "disable", "gssencmode": "disable"} | more))

    def person(self) -> str:
        """A token of bob's, who may decide, under --dev."""
        issuer = local.make(self.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject="bob",
            groups=["reviewers", "admins"],
            audience="proctor-console",
            ttl=600,
            now=time.time(),
        )

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Ask the console's API as bob."""
        return httpx.request(
            method,
            f"http://{self.gateway.console}/api/v1/{path}",
            json=body,
            headers={"authorization": f"Bearer {self.person()}"},
            timeout=30,
            trust_env=False,
        )

    def held(self, mark: str) -> dict[str, Any]:
        """The pending approval whose card shows this, once it is there."""

        def look() -> dict[str, Any] | None:
            said = self.api("GET", "approvals?state=pending").json()
            found = (each for each in said["approvals"] if mark in json.dumps(each["card"]))
            return next(found, None)

        return eventually(look)

    def vote(self, name: str, word: str = "approve") -> None:
        """Have bob decide."""
        said = self.api("POST", f"approvals/{name}/{word}", {"reason": "seen"})
        assert said.is_success, said.text

    def recorded(self, columns: str, where: str = "true") -> list[dict[str, Any]]:
        """Statements on record, in order."""
        return self.asked(
            f"SELECT {columns} FROM statements WHERE {where} ORDER BY ts, seq"  # noqa: S608
        )

    def asked(self, sql: str) -> list[dict[str, Any]]:
        """What the record answers to a query."""
        said = gateway.command(
            *("query", "--config", "proctor.yaml", "--format", "json", sql), cwd=self.folder
        )
        assert said.returncode == 0, said.stderr
        found: list[dict[str, Any]] = json.loads(said.stdout)
        return found


@contextmanager
def through(
    server: Server,
    *,
    rules: str = ALLOW_ALL,
    listener: str = "unknown_functions: allow",
    user: str = ORDERS_APP,
    more: str = "",
    before: str = "",
    credentials: str = "",
    redaction: str = "{profile: none}",
    env: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = ("--dev",),
) -> Iterator[Through]:
    """Run proctor for as long as the block lasts.

    Args:
        server: The upstream.
        rules: A rule file's text.
        listener: Further lines of the listener's settings.
        user: The role that proctor signs in with, one of PASSWORDS.
        more: Further lines of proctor.yaml.
        before: Listeners before this one.
        credentials: More of them.
        redaction: What is looked for, and what is done with it.
        env: Further variables of the gateway.
        arguments: Of `proctor run`; with --dev, `vote` may decide.
    """
    folder = Path(tempfile.mkdtemp(prefix="proctor-gateway-"))
    try:
        (folder / "rules").mkdir()
        (folder / "rules/all.yaml").write_text(rules)
        for name in ("recordings", ".proctor"):
            (folder / name).mkdir(mode=0o700)
        config = folder / "proctor.yaml"
        config.touch(mode=0o600)
        indented = "".join(f"    {line}\n" for line in listener.splitlines())
        config.write_text(
            _CONFIG.format(
                name=LISTENER,
                port=server.port,
                listener=indented,
                user=user,
                more=more,
                before=before,
                credentials=credentials,
                redaction=redaction.replace("{", f"{{cache: {CACHE}, ", 1),
            )
        )
        own = {"ORDERS_PASSWORD": PASSWORDS[user], **(env or {})}
        with gateway.running(config, env=own, arguments=arguments) as running:
            host, _, port = running.listeners[LISTENER].rpartition(":")
            yield Through(gateway=running, folder=folder, host=host, port=int(port), user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
