"""Rules tried over what a real gateway recorded: on the command line, and in the console."""

import json
import random
import re
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import ToolParam
from playwright.sync_api import expect

from proctor.identity import local
from proctor.testing import gateway as program
from proctor.testing.http1 import Received
from proctor.testing.ports import free_ports
from proctor.testing.service import MODELS, Answer
from proctor.testing.standin import KEY, StandIn, serving
from tests.support.leaks import contents, found
from tests.support.outward import Outward, Plan, outward
from tests.support.reviewing import Person, chromium
from tests.support.web import Web, answer_json, echo

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_rng = random.Random(61)  # noqa: S311 - repeatable, not secret


def _made(length: int) -> str:
    return "".join(_rng.choices(string.ascii_letters + string.digits, k=length))


SERVICE = "svc-" + _made(24)
"""What proctor puts in on the way to the API and to the server of tools."""
MAIL = "alice.liddell@" + "shop-mail.com"
PLANTED = {
    "the service's": SERVICE,
    "the model's": KEY,
    "a mail": MAIL,
    "a header": "ghp_" + _made(36),
    "a query": "glpat-" + _made(20),
    "json": "ghp_" + _made(36),
    "authorization": _made(30),
    "cookie": _made(30),
    "x-session": _made(30),
}
RULES = """\
rules:
  - {id: all, on: [http.request, mcp.call, llm.tool_use], then: allow}
  - {id: mails, on: mcp.call, match: mcp__desk__send, then: allow, restore: [EMAIL_ADDRESS]}
  - {id: no-drop, on: mcp.call, match: "mcp__desk__drop", then: deny, reason: Never.}
  - {id: no-deleting, on: http.request, when: 'http.method == "DELETE"', then: deny, reason: No.}
  - {id: no-wget, on: llm.tool_use, match: "Bash(wget *)", then: deny, reason: No.}
"""
TIGHTENED = f"""\
rules:
  - {{id: many-tokens, on: llm.request, when: llm.max_tokens > 1000, then: deny}}
  - id: status
    on: llm.tool_use
    match: Bash(git status)
    then: hold
    approval: {{from: [ops]}}
  - id: kind
    on: http.request
    when: '"x-kind" in http.headers && http.headers["x-kind"] == "a"'
    then: deny
  - id: page
    on: http.request
    when: 'has(http.query.page) && http.query.page == "2"'
    then: deny
  - id: large
    on: http.request
    when: has(http.json.amount) && http.json.amount > 500
    then: deny
  - {{id: sec, on: mcp.call, match: "mcp__desk__create(project:SEC*)", then: deny}}
  - id: found
    on: llm.request
    when: findings.exists(f, f.type == "EMAIL_ADDRESS")
    then: deny
  - {{id: other, on: llm.request, when: 'llm.model == "{MODELS[1]}"', then: deny}}
"""
STOPPED = {
    ("newly-denied", "llm.request", "many-tokens", "bob"),
    ("newly-denied", "llm.request", "found", "alice"),
    ("newly-held", "llm.tool_use", "status", "alice"),
    ("newly-denied", "http.request", "kind", "alice"),
    ("newly-denied", "http.request", "page", "bob"),
    ("newly-denied", "http.request", "large", "alice"),
    ("newly-denied", "mcp.call", "sec", "bob"),
}
TOOLS = [
    ToolParam(name=name, input_schema={"type": "object", "properties": {}})
    for name in ("Bash", "Read", "Write")
]


def desk(request: Received) -> Answer:
    """A server of tools that does whatever it is told."""
    said = json.loads(request.body)
    if "id" not in said:
        return Answer(status=202, headers={}, body=b"")
    match said["method"]:
        case "tools/list":
            names = ("create", "send", "drop")
            schema = {"type": "object"}
            given: dict[str, Any] = {"tools": [{"name": n, "inputSchema": schema} for n in names]}
        case "tools/call":
            given = {"content": [{"type": "text", "text": "done"}]}
        case _:
            given = {}
    return answer_json({"jsonrpc": "2.0", "id": said["id"], "result": given})


@dataclass(slots=True, kw_only=True)
class World:
    """A gateway before a model, an API and a server of tools."""

    out: Outward
    standin: StandIn
    web: Web
    tools: Web
    said: list[int] = field(default_factory=list[int])

    def model(self, who: str, prompt: str, max_tokens: int = 99) -> None:
        """A turn of the SDK's."""
        with anthropic.Anthropic(
            base_url=self.out.gateway.url("claude"),
            auth_token=self.out.token(who),
            max_retries=0,
            default_headers={"X-Claude-Code-Session-Id": f"run-of-{who}"},
        ) as client:
            client.messages.create(
                model=MODELS[0],
                max_tokens=max_tokens,
                tools=TOOLS,
                messages=[{"role": "user", "content": prompt}],
            )

    def api(self, who: str, method: str, path: str, **more: Any) -> None:
        """A request through the forward listener."""
        proxy = self.out.proxy(self.out.token(who))
        with httpx.Client(proxy=proxy, trust_env=False, timeout=30) as client:
            self.said.append(client.request(method, self.web.url + path, **more).status_code)

    def call(self, who: str, tool: str, **arguments: Any) -> None:
        """A call of a tool."""
        self.ask(who, "tools/call", {"name": tool, "arguments": arguments})

    def ask(self, who: str, method: str, params: dict[str, Any]) -> None:
        """A message to the server of tools."""
        done = httpx.post(
            self.out.gateway.url("tools") + "/desk",
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
            headers={
                "authorization": f"Bearer {self.out.token(who)}",
                "accept": "application/json, text/event-stream",
                "x-session": PLANTED["x-session"],
            },
            trust_env=False,
            timeout=30,
        )
        self.said.append(done.status_code)

    def backtest(self, rules: Path, *words: str) -> dict[str, Any]:
        """By the command that people use."""
        done = program.command("backtest", str(rules), *words, cwd=self.out.folder)
        assert done.stdout, done.stderr
        given: dict[str, Any] = json.loads(done.stdout)
        return given

    def play(self) -> None:
        """What alice and bob do."""
        planted = PLANTED
        self.model("alice", "run: git status")
        self.model("alice", "run: wget x")
        self.model("alice", f"say: hello\nWrite to {MAIL}, the key is {planted['json']}.")
        self.model("alice", f"read: /w/{MAIL}")  # into which it is put back
        self.model("bob", "read: /w/notes", max_tokens=2000)
        self.api("alice", "GET", "/a", headers={"x-kind": "a", "x-own": planted["a header"]})
        self.api("alice", "POST", "/o", json={"amount": 900, planted["json"]: [MAIL]})
        self.api("alice", "POST", "/o", json={"amount": 90, "key": planted["json"]})
        self.api("bob", "GET", f"/a?page=2&q={planted['a query']}&mail={MAIL}")
        self.api("bob", "DELETE", "/a", headers={"x-session": planted["x-session"]})
        own = {
            "authorization": f"Basic {planted['authorization']}",
            "cookie": f"sid={planted['cookie']}",
            "x-session": planted["x-session"],
        }
        self.api("bob", "GET", "/keyed/a", headers=own)
        self.ask("bob", "tools/list", {})
        self.call("bob", "create", project="SEC-1", key=planted["json"])
        self.call("bob", "create", project="OPS-1")
        self.call("bob", "send", to=MAIL)
        self.call("bob", "drop", what="all")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("backtest")
    with serving(StandIn()) as standin, Web(echo) as web, Web(desk) as tools:
        to = {"host": "localhost", "port": web.port, "plaintext": True}
        ports = free_ports(2)
        plan = Plan(
            destinations=[{**to, "path": "/keyed/**", "credential": "service"}, to],
            listeners=[
                {
                    "name": "claude", "kind": "reverse", "listen": f"127.0.0.1:{ports[0]}",
                    "upstream": standin.url, "speaks": "anthropic", "credential": "anthropic",
                },
                {
                    "name": "tools", "kind": "reverse", "listen": f"127.0.0.1:{ports[1]}",
                    "speaks": "mcp",
                    "routes": [
                        {"path": "/desk", "upstream": f"{tools.url}/mcp", "credential": "service"}
                    ],
                },
            ],
            credentials=[
                {"name": "anthropic", "header": "x-api-key", "value": {"env": "MODEL"}},
                {"name": "service", "header": "x-api-key", "value": {"env": "SERVICE"}},
            ],
            env={"MODEL": KEY, "SERVICE": SERVICE},
            rules=RULES,
            shipped=("anthropic.yaml", "claude-code.yaml"),
            more={"roles": {"auditor": {"groups": ["auditors"]}}},
        )  # fmt: skip
        with outward(folder / "home", plan, "--dev") as out:
            world = World(out=out, standin=standin, web=web, tools=tools)
            world.play()
            yield world


def test_rules_in_force_say_what_they_said(world: World) -> None:
    report = world.backtest(world.out.folder / "rules")
    assert world.said.count(451) == 1
    assert report["changes"]["unchanged"] == report["actions"] > 15
    assert report["kinds"].keys() == {"llm.request", "llm.tool_use", "http.request", "mcp.call"}


def test_tightened_rules_name_whom_they_would_have_stopped(world: World, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    for file in (world.out.folder / "rules").iterdir():
        (new / file.name).write_text(file.read_text())
    (new / "tightened.yaml").write_text(TIGHTENED)
    report = world.backtest(new, "--fail-on", "could-not-be-told")
    got = {
        (row["change"], row["kind"], row["rule"], row["principal"].rpartition("#")[2])
        for row in report["rows"]
    }
    assert got == STOPPED
    assert report["surprises"] == []


def test_what_rules_saw_holds_no_secret(world: World) -> None:
    arrived = b"".join(each.body for each in world.tools.requests)
    assert MAIL.encode() in arrived  # put back on the way out
    assert found(PLANTED, *contents(world.out.folder / "recordings")) == []


def test_an_auditor_sees_it_in_the_browser(world: World) -> None:
    issuer = local.make(world.out.folder / ".proctor" / local.FILE)
    token = issuer.issue(
        subject="carol", groups=["auditors"], audience="proctor-console", ttl=600, now=time.time()
    )
    with chromium() as browser:
        person = Person.sits_down(browser, f"http://{world.out.gateway.console}")
        wrong: list[str] = []
        person.page.on("console", lambda message: wrong.append(message.text))
        person.page.on("pageerror", lambda error: wrong.append(str(error)))
        person.pastes(token)
        person.page.goto(f"{person.address}/backtest")
        person.page.get_by_label("Rules, as in a file").fill(TIGHTENED)
        person.page.get_by_role("button", name="Try them").click()
        table = person.page.get_by_role("region", name="What changes")
        for name in ("many-tokens", "found", "status", "kind", "page", "large", "sec"):
            expect(table).to_contain_text(name)
        expect(table.locator("tbody tr")).to_have_count(len(STOPPED))
        expect(table).to_contain_text("bob")
        person.keeps("backtest")
        person.page.reload()  # what was tried is there to be changed
        expect(person.page.get_by_label("Rules, as in a file")).to_have_value(
            re.compile("many-tokens")
        )
        expect(person.page.get_by_role("button", name="Try them")).to_be_enabled()
        table.get_by_role("link").first.click()
        expect(person.page).to_have_url(re.compile("/sessions/one"))
        assert wrong == []
