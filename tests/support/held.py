"""Two gateways on one store, held actions, people who decide, and upstreams that say every byte."""

import contextlib
import json
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from proctor.identity import local
from proctor.testing.gateway import Gateway, command, running
from proctor.testing.issuer import StandInIssuer
from proctor.testing.ports import free_ports
from tests.support.installation import CACHE
from tests.support.scripted import Scripted
from tests.support.stock import CONTEXT

PATIENCE = 40.0
CONFIG = """\
schema_version: 1
listeners:
  - {{name: things, kind: reverse, listen: 127.0.0.1:{ports[0]}, upstream: {things}, speaks: http}}
  - {{name: aside, kind: reverse, listen: 127.0.0.1:{ports[1]}, upstream: {things}, speaks: http}}
  - {{name: model, kind: reverse, listen: 127.0.0.1:{ports[2]}, upstream: {model},
     speaks: anthropic}}
  - {{name: unseen, kind: reverse, listen: 127.0.0.1:{ports[3]}, upstream: {model},
     speaks: anthropic}}
identity:
  issuers:
    - {{issuer: {issuer}, audience: proctor, groups: groups, human: person}}
    - {{issuer: local, audience: proctor, groups: groups}}
roles:
  reviewer: {{groups: [reviewers, others]}}
  admin: {{groups: [admins]}}
  break_glass: {{groups: [firefighters]}}
rules: rules/
audit: {{path: recordings/}}
redaction: {{cache: {cache}, listeners: {{unseen: {{profile: none}}, things: {{profile: none}}}}}}
limits: {{drain: 5s}}
console: {{listen: "127.0.0.1:0", issuer: {issuer}, client_id: console}}
"""
RULES = """\
rules:
  - {id: calls, on: llm.request, then: allow}
  - {id: tools, on: llm.tool_use, then: allow}
  - id: shell
    on: llm.tool_use
    match: Bash(rm *)
    then: hold
    approval: {from: [reviewers], wait: 30s, ttl: 10m}
    reason: Somebody looks at it first.
  - {id: no-cat, on: llm.tool_use, match: Bash(cat *), then: deny, reason: Nothing is read.}
  - id: held
    on: http.request
    when: http.path.startsWith("/held/")
    then: hold
    approval: {from: [reviewers], wait: 30s, ttl: 10m}
    reason: Somebody looks at it first.
  - id: short
    on: http.request
    when: http.path.startsWith("/short/")
    then: hold
    approval: {from: [reviewers], wait: 1s, ttl: 2s}
  - id: two
    on: http.request
    when: http.path.startsWith("/two/")
    then: hold
    approval: {from: [reviewers], count: 2, wait: 30s, ttl: 10m, reason: required}
  - id: granted
    on: http.request
    when: http.path.startsWith("/granted/")
    then: hold
    approval: {from: [reviewers], wait: 30s, ttl: 10m, grant: 10m}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API said."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """Of an error."""
        found: str = self.body.get("code", "")
        return found


@dataclass(slots=True, kw_only=True)
class House:
    """Both gateways and all around them.

    Attributes:
        folder: The installation.
        earnest: The gateway that runs as it should.
        dev: Another one, under --dev.
        issuer: Whom people and agents sign in with.
        things: What is behind `things` and `aside`.
        model: What is behind `model` and `unseen`.
    """

    folder: Path
    earnest: Gateway
    dev: Gateway
    issuer: StandInIssuer
    things: Scripted
    model: Scripted
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(32))

    # Agents.

    def agent(self, subject: str = "alice", **claims: Any) -> str:
        """An agent's token."""
        return self.issuer.token(subject, groups=["dev"], **claims)

    def local(self, subject: str, *groups: str, audience: str = "proctor-console") -> str:
        """A token of the local issuer."""
        issuer = local.make(self.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject=subject, groups=list(groups), audience=audience, ttl=600, now=time.time()
        )

    def send(
        self,
        path: str,
        *,
        body: bytes = b"{}",
        token: str = "",
        listener: str = "things",
        method: str = "POST",
        gateway: Gateway | None = None,
        **headers: str,
    ) -> httpx.Response:
        """One request of an agent, and its answer."""
        own = {"authorization": f"Bearer {token or self.agent()}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(timeout=PATIENCE, trust_env=False, verify=CONTEXT) as client:
            return client.request(
                method,
                (gateway or self.earnest).url(listener) + path,
                content=body,
                headers=own | named,
            )

    def earnest_connection(self, listener: str) -> socket.socket:
        """A bare connection."""
        host, _, port = self.earnest.listeners[listener].rpartition(":")
        return socket.create_connection((host, int(port)), PATIENCE)

    def sending(self, path: str, **how: Any) -> "Future[httpx.Response]":
        """The same, while the test goes on."""
        return self.pool.submit(self.send, path, **how)

    def reached(self, path: str) -> int:
        """How often this path reached the upstream."""
        mark = f" {path} ".encode()
        return sum(mark in request.split(b"\r\n")[0] for request in self.things.requests)

    # People.

    def person(self, subject: str = "bob", *groups: str, **claims: Any) -> str:
        """A token of somebody who has just signed in for the console."""
        now = int(time.time())
        asked: dict[str, Any] = {"audience": "proctor-console", "auth_time": now, **claims}
        return self.issuer.token(subject, groups=list(groups or ("reviewers",)), **asked)

    def api(
        self,
        method: str,
        path: str,
        token: str,
        body: dict[str, Any] | None = None,
        gateway: Gateway | None = None,
    ) -> Answer:
        """Ask the console's API."""
        said = httpx.request(
            method,
            f"http://{(gateway or self.earnest).console}/api/v1/{path}",
            json=body,
            headers={"authorization": f"Bearer {token}"},
            timeout=PATIENCE,
            trust_env=False,
            verify=CONTEXT,
        )
        return Answer(status=said.status_code, body=said.json())

    def vote(
        self,
        name: str,
        token: str,
        word: str = "approve",
        *,
        gateway: Gateway | None = None,
        **body: Any,
    ) -> Answer:
        """Approve or deny."""
        asked = {"reason": "seen"} | body
        return self.api("POST", f"approvals/{name}/{word}", token, asked, gateway)

    def get(self, name: str, gateway: Gateway | None = None) -> dict[str, Any]:
        """An approval, as an auditor sees it."""
        found: dict[str, Any] = self.api(
            "GET", f"approvals/{name}", self.person("dave", "admins"), gateway=gateway
        ).body
        return found

    def held(self, mark: str, *, beside: tuple[str, ...] = ()) -> dict[str, Any]:
        """The pending approval whose card shows this, once it is there."""

        def look() -> dict[str, Any] | None:
            said = self.api("GET", "approvals?state=pending", self.person("dave", "admins"))
            for each in said.body["approvals"]:
                if mark in json.dumps(each["card"]) and each["id"] not in beside:
                    found: dict[str, Any] = each
                    return found
            return None

        return eventually(look)

    def end(self, name: str) -> None:
        """Deny what is left over."""
        self.vote(name, self.person("erin"), "deny")

    def query(self, sql: str, column: str) -> set[str]:
        """One column of what the record says."""
        done = command("query", sql, "--limit", "0", "--format", "json", cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return {row[column] for row in json.loads(done.stdout)}

    def more(self) -> Path:
        """The configuration of one more gateway on the same store."""
        return configured(self.folder, "third", self.issuer.url, self.things.port, self.model.port)

    # Rules.

    def rules(self, text: str) -> None:
        """Put these in force in both gateways."""
        file = self.folder / "rules" / "rules.yaml"
        file.write_text(text)
        for each in (self.earnest, self.dev):
            each.process.send_signal(signal.SIGHUP)

        def known() -> bool | None:
            # Both say by their metrics which rules they have.
            return len({_policy(each) for each in (self.earnest, self.dev)}) == 1 or None

        eventually(known)


def _policy(gateway: Gateway) -> str:
    said = httpx.get(
        f"http://{gateway.console}/metrics", timeout=PATIENCE, trust_env=False, verify=CONTEXT
    ).text
    return next(line for line in said.splitlines() if line.startswith("proctor_policy_info"))


def eventually[T](look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """What `look` returns once that is not None."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > end:
            raise AssertionError(f"nothing in {seconds:.0f} s")
        pause.wait(0.02)
    return found


def refused(answer: httpx.Response, code: str) -> bool:
    """That the answer is this refusal."""
    assert answer.status_code >= 400, answer.text
    assert answer.json()["code"] == code, answer.text
    return True


def well(house: House) -> None:
    """Nothing has failed inside proctor."""
    failed = {"layer.failed", "stage.failed", "exit.stopped"}
    for gateway in (house.earnest, house.dev):
        assert [line for line in gateway.log if line.get("event") in failed] == []


def fresh(prefix: str = "/held/") -> str:
    """A path that nobody has used."""
    return prefix + uuid.uuid4().hex[:12]


def install(folder: Path, issuer: str, things: int, model: int) -> None:
    """Everything but the configuration, which each gateway has for itself."""
    for name in ("rules", "recordings", ".proctor"):
        (folder / name).mkdir(mode=0o700, parents=True)
    (folder / "rules" / "rules.yaml").write_text(RULES)
    for name in ("proctor", "second"):
        configured(folder, name, issuer, things, model)


def configured(folder: Path, name: str, issuer: str, things: int, model: int) -> Path:
    """The configuration of one gateway, with ports of its own."""
    config = folder / f"{name}.yaml"
    config.touch(mode=0o600)
    config.write_text(
        CONFIG.format(
            ports=free_ports(4),
            things=f"http://127.0.0.1:{things}",
            model=f"http://127.0.0.1:{model}",
            issuer=issuer,
            cache=CACHE,
        )
    )
    return config


@contextlib.contextmanager
def housed(folder: Path) -> Iterator[House]:
    """Both gateways, until the block ends."""
    with StandInIssuer() as issuer, Scripted() as things, Scripted() as model:
        install(folder, issuer.url, things.port, model.port)
        with (
            running(folder / "proctor.yaml", env={}) as earnest,
            running(folder / "second.yaml", env={}, arguments=["--dev"]) as dev,
        ):
            house = House(
                folder=folder,
                earnest=earnest,
                dev=dev,
                issuer=issuer,
                things=things,
                model=model,
            )
            with house.pool:
                yield house
