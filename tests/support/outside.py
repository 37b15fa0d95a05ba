"""Claude Code behind a forward listener alone, and all that it calls."""

import base64
import contextlib
import os
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from proctor.identity import local
from proctor.testing import gateway, tls
from proctor.testing.http1 import Received
from proctor.testing.ports import free_ports
from proctor.testing.service import Answer
from proctor.testing.standin import KEY, StandIn, serving
from proctor.testing.tls import Files
from tests.support import npmregistry, pyindex
from tests.support.errand import Errand
from tests.support.gitserver import GitServer
from tests.support.held import eventually
from tests.support.installation import REPOSITORY
from tests.support.mcpserver import McpServer
from tests.support.outward import Outward, Plan, outward
from tests.support.web import Site, Web, answer_json

SHIPPED = ("anthropic.yaml", "claude-code.yaml", "egress.yaml", "mcp.yaml")
PASSWORD = "lemon-Tree-41-very-yellow"
"""Of the ticket system. Claude never sees it."""
STOLEN = "sk-of-somebody-else-0123456789"
METADATA = "0xA9FEA9FE"
"""169.254.169.254, as inet_aton(3) reads it."""


def tickets(request: Received) -> Answer:
    """An internal API that wants a password."""
    wanted = "Basic " + base64.b64encode(f"proctor:{PASSWORD}".encode()).decode()
    if request.header("authorization") != wanted:
        return answer_json({"error": "Who are you?"}, 401)
    return answer_json({"tickets": ["Buy lemons"], "method": request.method})


@dataclass(slots=True, kw_only=True)
class Outside:
    """The gateway, and everything that is behind it; nothing else listens.

    Attributes:
        out: The installation, under --dev.
        home: Claude Code's.
        programs: `proctor` and `claude`.
        work: Where it works.
        model: The stand-in for the Messages API, over TLS.
        errand: What its model does.
        sites: `git`, `tickets`, `pip`, `npm`, over TLS.
        mcp: An MCP server, over TLS.
    """

    out: Outward
    home: Path
    programs: Path
    work: Path
    model: StandIn
    errand: Errand
    sites: Mapping[str, Web]
    mcp: McpServer

    def url(self, name: str) -> str:
        """Where a site is."""
        return self.sites[name].url

    def reached(self, name: str, path: str) -> int:
        """How often a path of a site was asked for."""
        return sum(each.target.startswith(path) for each in self.sites[name].requests)

    def connect(self, *options: str) -> list[str]:
        """The command that prints Claude Code's settings."""
        places = ["--config", str(self.out.folder / "proctor.yaml")]
        places += ["--ca", str(self.home / "proctor-ca.pem")]
        return ["proctor", "connect", "claude", *places, *options]

    def claude(
        self, *arguments: str, token: str | None, token_from: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """`claude -p` in a shell that evaluated what `proctor connect claude` prints.

        Args:
            arguments: For claude; the last is the prompt.
            token: The agent's; None for a shell in which none is set.
            token_from: The command that prints one instead.
        """
        *options, prompt = arguments
        given = self.connect(*(["--token-from", token_from] if token_from else []))
        env = {
            "HOME": str(self.home),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "IS_SANDBOX": "1",
        }
        return subprocess.run(
            [
                *("sh", "-ec", f'eval "$({shlex.join(given)})"; exec claude -p "$@"', "sh"),
                *("--tools", "Bash", "--allowedTools", "Bash,mcp__oracle", *options, "--", prompt),
            ],
            cwd=self.work,
            env=env | ({"PROCTOR_AGENT_TOKEN": token} if token is not None else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def listed_by(self, subject: str) -> list[str]:
        """The MCP server's tools as somebody else's agent gets them, without a session."""
        method = "tools/list"
        version = "2026-07-28"
        meta = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": {"name": "oracle", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": version,
            "mcp-method": method,
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}}
        trust = ssl.create_default_context(cafile=str(self.out.ca))
        proxy = self.out.proxy(self.out.token(subject))
        with httpx.Client(proxy=proxy, verify=trust, trust_env=False, timeout=30) as client:
            said = client.post(self.mcp.url, headers=headers, json=body)
        assert said.status_code == 200, said.text
        return [each["name"] for each in said.json()["result"]["tools"]]

    # Bob, who decides.

    def bobs(self) -> str:
        """His token for the console."""
        issuer = local.make(self.out.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject="bob",
            groups=["reviewers"],
            audience="proctor-console",
            ttl=600,
            now=time.time(),
        )

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What bob asks the console's API."""
        said = httpx.request(
            method,
            f"http://{self.out.gateway.console}/api/v1/{path}",
            json=body,
            headers={"authorization": f"Bearer {self.bobs()}"},
            timeout=30,
            trust_env=False,
        )
        assert said.is_success, said.text
        found: dict[str, Any] = said.json()
        return found

    def held(self, title: str, running: Future[subprocess.CompletedProcess[str]]) -> dict[str, Any]:
        """What is held and called so, once it is there; Claude Code is waiting for it."""

        def look() -> dict[str, Any] | None:
            assert not running.done(), running.result()
            waiting = self.api("GET", "approvals?state=pending")["approvals"]
            return next((each for each in waiting if each["card"]["title"] == title), None)

        return eventually(look, 60)

    def approves(self, approval: dict[str, Any]) -> None:
        """What bob has looked at."""
        self.api("POST", f"approvals/{approval['id']}/approve", {"reason": "I have seen it"})

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows from the record."""
        return self.out.query(sql)


@dataclass(slots=True, kw_only=True)
class _Places:
    files: Files
    destinations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def at(self, port: int, **more: Any) -> None:
        trust = {"upstream_tls": {"ca": str(self.files.ca)}}
        self.destinations.append({"host": "localhost", "port": port, **trust, **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """What a test has besides.

    Attributes:
        sites: Further ones, over TLS.
        ways: What destinations of sites say besides, by their names.
        destinations: Further ones.
        rules: Of the file rules/own.yaml.
        shipped: Names of shipped rules.
    """

    sites: Mapping[str, Site] = field(default_factory=dict[str, Site])
    ways: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    destinations: Sequence[Mapping[str, Any]] = ()
    rules: str = "rules: []\n"
    shipped: Sequence[str] = SHIPPED


@contextlib.contextmanager
def outside(folder: Path, more: More | None = None) -> Iterator[Outside]:
    """All of it, until the block ends."""
    more = more or More()
    files = tls.make(folder / "tls")
    git = GitServer(folder / "served")
    git.make("numbers")
    sites: dict[str, Site] = {
        "git": git,
        "tickets": tickets,
        "pip": pyindex.index,
        "npm": npmregistry.registry,
        **more.sites,
    }
    errand = Errand()
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(
            serving(StandIn(script=errand), tls=files.server_context()),
        )
        mcp = stack.enter_context(McpServer(tls=files))
        webs = {
            name: stack.enter_context(Web(site, tls=files.server_context()))
            for name, site in sites.items()
        }
        places = _Places(files=files)
        port = int(model.url.rpartition(":")[2])
        places.at(port, speaks="anthropic", credential="anthropic")
        places.at(mcp.port, speaks="mcp", path="/mcp", name="oracle")
        places.at(webs["tickets"].port, path="/v1/**", credential="tickets")
        for name in ("git", "pip", "npm", *more.sites):
            places.at(webs[name].port, **more.ways.get(name, {}))
        plan = Plan(
            destinations=[*places.destinations, *more.destinations],
            port=free_ports(1)[0],
            credentials=[
                {"name": "anthropic", "header": "x-api-key", "value": {"env": "MODEL_KEY"}},
                {"name": "tickets", "user": "proctor", "password": {"env": "TICKETS_PASSWORD"}},
            ],
            rules=more.rules,
            shipped=more.shipped,
            more={"roles": {"reviewer": {"groups": ["reviewers"]}}},
            env={"MODEL_KEY": KEY, "TICKETS_PASSWORD": PASSWORD},
        )
        out = stack.enter_context(outward(folder / "home", plan, "--dev"))
        made = {name: folder / name for name in ("agent", "programs", "work")}
        for each in made.values():
            each.mkdir()
        _install(made["programs"])
        (made["work"] / "found.key").write_text(STOLEN)
        bundle = ("--format", "bundle", "--out", str(made["agent"] / "proctor-ca.pem"))
        exported = gateway.command("ca", "export", *bundle, cwd=out.folder)
        assert exported.returncode == 0, exported.stderr
        yield Outside(
            out=out,
            home=made["agent"],
            programs=made["programs"],
            work=made["work"],
            model=model,
            errand=errand,
            sites=webs,
            mcp=mcp,
        )


def _install(programs: Path) -> None:
    """`proctor` and `claude`, for a PATH."""
    code = "from proctor.cli import main; main()"
    command = f"PYTHONPATH='{REPOSITORY / 'addons'}' exec '{sys.executable}' -c '{code}' \"$@\""
    (programs / "proctor").write_text(f"#!/bin/sh\n{command}\n")
    (programs / "proctor").chmod(0o755)
    (programs / "claude").symlink_to(REPOSITORY / ".npm/node_modules/.bin/claude")
