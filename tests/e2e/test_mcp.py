"""MCP through one gateway: the SDK's client and server, rules, people, and the record."""

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from proctor.identity import local
from proctor.testing import tls
from proctor.testing.ports import free_ports
from proctor.testing.tls import Files
from tests.support.held import eventually
from tests.support.outward import Outward, Plan, outward

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Its pydantic is newer than mitmproxy lets in under Python 3.12.
pytest.importorskip("mcp", reason="the MCP SDK is not installed")

import httpx2  # noqa: E402 - comes with the SDK
from mcp import Client  # noqa: E402 - imports the SDK

from tests.support import mcpclient  # noqa: E402 - the same
from tests.support.mcpclient import LEGACY, MODERN  # noqa: E402 - the same
from tests.support.mcpserver import DESCRIBED, McpServer  # noqa: E402 - the same

RULES = """\
rules:
  - {id: all-mcp, on: mcp.call, then: allow}
  - {id: no-failing, on: mcp.call, match: mcp__strict__fail, then: deny, reason: It only fails.}
  - {id: small, on: mcp.call, match: "mcp__strict__count(to:9*)", then: deny, reason: Too far.}
  - {id: no-notes, on: mcp.call, when: 'mcp.server == "strict" && mcp.uri.startsWith("note://")',
     then: deny, reason: Notes are private.}
  - {id: no-prompts, on: mcp.call, when: 'mcp.server == "strict" && mcp.method == "prompts/get"',
     then: deny, reason: No prompts.}
  - {id: no-sampling, on: mcp.call,
     when: 'mcp.server == "strict" && mcp.method == "sampling/createMessage"',
     then: deny, reason: The model is not the server's.}
  - id: ask
    on: mcp.call
    match: mcp__strict__add
    then: hold
    approval: {from: [reviewers], wait: 20s, ttl: 10m}
    reason: Somebody looks first.
  - id: ask-back
    on: mcp.call
    when: 'mcp.server == "strict" && mcp.method == "elicitation/create"'
    then: hold
    approval: {from: [reviewers], wait: 20s, ttl: 10m}
"""
DOORS = ["plain", "events", "tls", "forward"]


@dataclass(slots=True, kw_only=True)
class World:
    """A gateway before MCP servers.

    Attributes:
        out: The installation.
        files: Of everything that speaks TLS.
        events: A server that answers with events.
        documents: One that answers with JSON.
        secure: One over TLS.
        changing: One whose tools change.
    """

    out: Outward
    files: Files
    events: McpServer
    documents: McpServer
    secure: McpServer
    changing: McpServer

    def url(self, door: str) -> str:
        """Where a client asks."""
        if door == "forward":
            return self.secure.url
        where = {
            "plain": ("tools", "/documents"),
            "events": ("tools", "/events"),
            "strict": ("tools", "/strict"),
            "changing": ("tools", "/changing"),
            "tls": ("safe", "/secure"),
        }
        listener, path = where[door]
        base = self.out.gateway.url(listener).replace("127.0.0.1", "localhost")
        return base.replace("http:", "https:") + path if door == "tls" else base + path

    @contextlib.asynccontextmanager
    async def client(self, door: str, mode: str, subject: str = "alice") -> AsyncIterator[Client]:
        """The SDK's client."""
        token = self.out.token(subject)
        how: dict[str, Any] = {"timeout": 30, "headers": {"authorization": f"Bearer {token}"}}
        if door == "forward":
            how = {"timeout": 30, "proxy": self.out.proxy(token)}
            how["verify"] = ssl.create_default_context(cafile=str(self.out.ca))
        if door == "tls":
            how |= {"verify": self.files.client_context(), "http2": True}
        async with httpx2.AsyncClient(**how) as http:
            async with mcpclient.connected(http, self.url(door), mode) as client:
                yield client

    def person(self) -> str:
        """Somebody who may decide, under --dev."""
        issuer = local.make(self.out.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject="bob",
            groups=["reviewers", "admins"],
            audience="proctor-console",
            ttl=600,
            now=time.time(),
        )

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Ask the console's API."""
        return httpx.request(
            method,
            f"http://{self.out.gateway.console}/api/v1/{path}",
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
        """Have somebody decide."""
        said = self.api("POST", f"approvals/{name}/{word}", {"reason": "seen"})
        assert said.is_success, said.text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mcp")
    files = tls.make(folder / "tls")
    with (
        McpServer() as events,
        McpServer(as_json=True) as documents,
        McpServer(tls=files) as secure,
        McpServer() as changing,
    ):
        trusting = {"upstream_tls": {"ca": str(files.ca)}}
        destination = {"host": "localhost", "port": secure.port, "path": "/mcp", "speaks": "mcp"}
        ports = free_ports(2)
        routes = {
            "events": events,
            "documents": documents,
            "strict": events,
            "changing": changing,
        }
        plan = Plan(
            destinations=[{**destination, "name": "outside", **trusting}],
            listeners=[
                {
                    "name": "tools",
                    "kind": "reverse",
                    "listen": f"127.0.0.1:{ports[0]}",
                    "speaks": "mcp",
                    "routes": [
                        {"path": f"/{name}", "upstream": each.url} for name, each in routes.items()
                    ],
                },
                {
                    "name": "safe",
                    "kind": "reverse",
                    "listen": f"127.0.0.1:{ports[1]}",
                    "tls": {"cert": str(files.cert), "key": str(files.key)},
                    "speaks": "mcp",
                    "routes": [{"path": "/secure", "upstream": secure.url, **trusting}],
                },
            ],
            rules=RULES,
            more={
                "roles": {"reviewer": {"groups": ["reviewers"]}, "admin": {"groups": ["admins"]}}
            },
        )
        with outward(folder / "home", plan, "--dev") as out:
            yield World(
                out=out,
                files=files,
                events=events,
                documents=documents,
                secure=secure,
                changing=changing,
            )
        failed = {"layer.failed", "stage.failed", "exit.stopped", "record.failed", "task.failed"}
        assert [line for line in out.gateway.log if line.get("event") in failed] == []


@pytest.mark.parametrize("mode", [LEGACY, MODERN, "auto"])
@pytest.mark.parametrize("door", DOORS)
def test_what_works_directly_works_through(world: World, door: str, mode: str) -> None:
    back = not (door == "plain" and mode == LEGACY)

    async def main() -> dict[str, Any]:
        async with world.client(door, mode) as client:
            return await mcpclient.use(client, back=back)

    got = asyncio.run(main())
    assert got == mcpclient.expected(DESCRIBED, back=back, streamed=door != "plain")


def test_many_calls_at_once(world: World) -> None:
    async def main() -> list[Any]:
        async with world.client("events", MODERN) as client:
            calls = (client.call_tool("add", {"a": number, "b": 1}) for number in range(200))
            return [each.structured_content for each in await asyncio.gather(*calls)]

    assert asyncio.run(main()) == [{"total": number + 1} for number in range(200)]


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_rules_say_what_is_listed_called_read_and_asked(world: World, mode: str) -> None:
    async def main() -> None:
        async with world.client("strict", mode) as client:
            names = {each.name for each in (await client.list_tools()).tools}
            assert names == set(DESCRIBED) - {"fail"}
            failed = await client.call_tool("fail", {})
            assert failed.is_error
            assert "It only fails." in mcpclient._text(failed.content)
            assert (await client.call_tool("count", {"to": 2})).is_error is not True
            far = await client.call_tool("count", {"to": 90})
            assert "Too far." in mcpclient._text(far.content)
            for asked in (client.read_resource("note://bob"), client.get_prompt("greet", {})):
                with pytest.raises(Exception, match=r"private|No prompts"):
                    await asked
            assert (await client.read_resource("readme://all")).contents
            if mode == LEGACY:
                # The server was told that its question cannot be asked, and says so.
                with pytest.raises(Exception, match="Method not found"):
                    await client.call_tool("ponder", {"question": "Why?"})
                return
            pondered = await client.call_tool("ponder", {"question": "Why?"})
            assert pondered.is_error
            assert "The model is not the server's." in mcpclient._text(pondered.content)

    before = len(world.events.heads)
    asyncio.run(main())
    called = [each[2].get("mcp-name") for each in world.events.heads[before:]]
    assert "fail" not in called
    assert "note://bob" not in called


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
@pytest.mark.parametrize("word", ["approve", "deny"])
def test_a_held_call_waits_for_a_human(world: World, mode: str, word: str) -> None:
    """The SDK waits as long as it takes; nothing of an answer comes before the decision."""
    number = hash((mode, word)) % 10**6

    async def main() -> Any:
        async with world.client("strict", mode) as client:
            return await client.call_tool("add", {"a": number, "b": 1})

    with ThreadPoolExecutor(1) as pool:
        answer: Future[Any] = pool.submit(asyncio.run, main())
        approval = world.held(str(number))
        assert approval["card"]["title"].endswith("mcp__strict__add")
        assert not answer.done()
        world.vote(approval["id"], word)
        came = answer.result(30)
    if word == "approve":
        assert came.structured_content == {"total": number + 1}
    else:
        assert came.is_error
        assert "seen" in mcpclient._text(came.content)


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_a_held_question_waits_for_a_human(world: World, mode: str) -> None:
    path = f"{mode}.txt"

    async def main() -> Any:
        async with world.client("strict", mode) as client:
            return await client.call_tool("delete", {"path": path})

    with ThreadPoolExecutor(1) as pool:
        answer: Future[Any] = pool.submit(asyncio.run, main())
        approval = world.held(path)
        assert "elicitation/create" in approval["card"]["title"]
        world.vote(approval["id"])
        assert mcpclient._text(answer.result(30).content) == f"{path} is gone: It is old."


def test_a_tool_that_changed_is_held_until_a_human_accepts_it(world: World) -> None:
    async def names() -> set[str]:
        async with world.client("changing", MODERN) as client:
            return {each.name for each in (await client.list_tools()).tools}

    async def call() -> Any:
        async with world.client("changing", MODERN) as client:
            return await client.call_tool("add", {"a": 40, "b": 2})

    assert asyncio.run(names()) == set(DESCRIBED)
    world.changing.change()
    assert asyncio.run(names()) == set(DESCRIBED) - {"add"}
    (pin,) = world.api("GET", "tools?open=1").json()["tools"]
    assert (pin["server"], pin["tool"]) == ("changing", "add")
    stale = {"digest": "0" * 64, "reason": "x"}
    assert world.api("POST", "tools/changing/add/accept", stale).status_code == 409
    with ThreadPoolExecutor(1) as pool:
        answer: Future[Any] = pool.submit(asyncio.run, call())
        approval = world.held("id_rsa")
        assert approval["card"]["parts"][0]["kind"] == "diff"
        world.vote(approval["id"])
        assert answer.result(30).structured_content == {"total": 42}
    assert asyncio.run(names()) == set(DESCRIBED)
    assert world.api("GET", "tools?open=1").json()["tools"] == []
    assert asyncio.run(call()).structured_content == {"total": 42}
    kinds = {
        row["kind"] for row in world.out.query("select kind from events where kind like 'tool.%'")
    }
    assert {"tool.new", "tool.changed", "tool.accepted"} <= kinds


def test_a_stranger_is_told_whose_token_is_wanted(world: World) -> None:
    url = world.url("events")
    said = httpx.post(url, json={}, trust_env=False, timeout=30)
    assert said.status_code == 401
    place = said.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    told = httpx.get(place, trust_env=False, timeout=30)
    assert told.json()["resource"] == url
    old = world.out.token(age=7200, ttl=60)
    expired = httpx.post(
        url, json={}, headers={"authorization": f"Bearer {old}"}, trust_env=False, timeout=30
    )
    assert expired.status_code == 401
    assert (
        httpx.get(place.replace("/events", "/nothing"), trust_env=False, timeout=30).status_code
        == 401
    )


def test_all_of_it_is_on_record(world: World) -> None:
    async def main() -> None:
        async with world.client("strict", MODERN, "carol") as client:
            await client.call_tool("count", {"to": 2})
            await client.call_tool("fail", {})

    asyncio.run(main())
    rows = eventually(
        lambda: (
            found
            if len(
                found := world.out.query(
                    "select name, source, verdict, rule_id, is_error from tool_calls"
                    " where principal like '%carol' order by seq"
                )
            )
            == 2
            else None
        )
    )
    assert [list(row.values()) for row in rows] == [
        ["mcp__strict__count", "mcp", "allow", "all-mcp", False],
        ["mcp__strict__fail", "mcp", "deny", "no-failing", None],
    ]
