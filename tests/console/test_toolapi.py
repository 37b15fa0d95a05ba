"""The API's tools: who gets in, and what is done."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from proctor.mcp.pins import Pins
from proctor.protocols.mcp.definitions import digest
from tests.support.signing import Clock, Provider, Rig, rig

FINE: dict[str, Any] = {"name": "search", "description": "Search the tickets."}
OTHER: dict[str, Any] = {"name": "search", "description": "Search all."}
NAMES = ("a/b", "accept", "x/accept", "a?b#c", "a b", "%2e", "\u202e", "é", "a//b", "...")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@asynccontextmanager
async def console(provider: Provider, folder: Path) -> AsyncIterator[tuple[Rig, Pins]]:
    pins = Pins(folder / "state", Clock())
    await pins.start()
    try:
        async with rig(provider, folder, pins=pins) as one:
            yield one, pins
    finally:
        await pins.close()


def test_listing_and_looking(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (one, pins):
            token = provider.bearer(groups=["dba"])
            assert (await one.api(token, "GET", "tools")).json() == {"tools": []}
            for each in (FINE, OTHER):
                pins.look("jira", each)
            pins.look("wiki", FINE)
            found = (await one.api(token, "GET", "tools")).json()["tools"]
            assert [(each["server"], each["open"]) for each in found] == [
                ("jira", True), ("wiki", False),
            ]  # fmt: skip
            assert "newest" not in found[0]
            for query, servers in (("open=1", ["jira"]), ("server=wiki", ["wiki"])):
                found = (await one.api(token, "GET", f"tools?{query}")).json()["tools"]
                assert [each["server"] for each in found] == servers
            whole = (await one.api(token, "GET", "tools/jira/search")).json()
            assert (whole["definition"], whole["newest"]) == (FINE, OTHER)
            assert (whole["accepted"], whole["seen"]) == (digest(FINE), digest(OTHER))
            assert (whole["compared"], whole["cut"], whole["standing"]) == (True, False, "changed")
            assert '+  "description": "Search all.",' in whole["diff"]
            answer = await one.api(token, "GET", "tools/jira/other")
            assert (answer.status_code, answer.json()["code"]) == (404, "pin-unknown")
            answer = await one.api(token, "GET", f"tools/jira/{'x' * 300}")
            assert answer.status_code == 404

    asyncio.run(go())


def test_accepting_rejecting_forgetting(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (one, pins):
            reviewer = provider.bearer(groups=["dba"])
            admin = provider.bearer("carol", groups=["root"])
            for each in (FINE, OTHER):
                pins.look("jira", each)

            async def post(token: str, verb: str, status: int, **body: Any) -> Any:
                path = f"tools/jira/search/{verb}"
                answer = await one.api(token, "POST", path, json=body)
                assert answer.status_code == status, answer.text
                return answer.json()

            stale = await post(reviewer, "accept", 409, digest=digest(FINE))
            assert stale["code"] == "pin-outdated"
            assert (await post(reviewer, "accept", 409))["code"] == "pin-outdated"
            done = await post(reviewer, "accept", 200, digest=digest(OTHER), reason=" Ours. ")
            assert (done["open"], done["reason"]) == (False, "Ours.")
            assert done["by"] == f"{provider.url}#alice"
            assert (await post(reviewer, "reject", 200, reason="No."))["open"] is True
            assert (await post(admin, "accept", 200, digest=digest(OTHER)))["open"] is False
            assert (await post(reviewer, "forget", 403))["code"] == "approval-role"
            assert await post(admin, "forget", 200) == {"server": "jira", "forgotten": ["search"]}
            assert (await post(admin, "forget", 404))["code"] == "pin-unknown"
            for each in (FINE, {**FINE, "name": "b"}):
                pins.look("jira", each)
            answer = await one.api(reviewer, "POST", "tools/jira/forget", json={})
            assert answer.status_code == 403
            answer = await one.api(admin, "POST", "tools/jira/forget", json={"reason": "Gone."})
            assert answer.json()["forgotten"] == ["b", "search"]
            assert pins.all() == []

    asyncio.run(go())


@pytest.mark.parametrize("name", NAMES)
def test_every_name_reaches_its_tool(provider: Provider, tmp_path: Path, name: str) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (one, pins):
            token = provider.bearer("carol", groups=["root"])
            for each in ({**FINE, "name": name}, {**OTHER, "name": name}, FINE):
                pins.look("jira", each)
            path = f"tools/jira/{quote(name)}"  # as the command line does
            found = await one.api(token, "GET", path)
            assert found.json()["tool"] == name
            sent = {"digest": found.json()["seen"]}
            assert (await one.api(token, "POST", f"{path}/accept", json=sent)).status_code == 200
            pin = pins.standing("jira", name)
            assert pin is not None
            assert pin.accepted == sent["digest"]
            done = await one.api(token, "POST", f"{path}/forget", json={})
            assert done.json()["forgotten"] == [name]
            assert [each.tool for each in pins.all()] == ["search"]

    asyncio.run(go())


def test_who_may_not(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (one, pins):
            for each in (FINE, OTHER):
                pins.look("jira", each)
            before = pins.all()
            body = {"digest": digest(OTHER)}
            for token, status in (
                ("agent-token", 401),
                (provider.bearer(audience="proctor"), 401),
                (provider.bearer(groups=["nobody"]), 403),
                (provider.bearer(groups=[]), 403),
            ):
                for method, path, sent in (
                    ("POST", "tools/jira/search/accept", body),
                    ("POST", "tools/jira/search/reject", {}),
                    ("POST", "tools/jira/search/forget", {}),
                    ("POST", "tools/jira/forget", {}),
                    ("GET", "tools", None),
                    ("GET", "tools/jira/search", None),
                ):
                    answer = await one.api(token, method, path, json=sent)
                    assert answer.status_code == status, (path, answer.text)
            assert pins.all() == before

    asyncio.run(go())


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"digest": 1}', b'{"digest": "a", "digest": "b"}', b'{"other": "a"}'],
)
def test_bodies_that_are_none(provider: Provider, tmp_path: Path, body: bytes) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (one, pins):
            pins.look("jira", FINE)
            answer = await one.api(
                provider.bearer(), "POST", "tools/jira/search/accept", content=body
            )
            assert answer.status_code in {400, 415}

    asyncio.run(go())


def test_reasons_have_an_end(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (one, pins):
            pins.look("jira", FINE)
            sent = {"reason": "x" * 2001}
            answer = await one.api(provider.bearer(), "POST", "tools/jira/search/reject", json=sent)
            assert (answer.status_code, answer.json()["code"]) == (400, "approval-reason")
            assert not pins.all()[0].open

    asyncio.run(go())


@pytest.mark.parametrize("pinned", [True, False])
def test_an_installation_without_mcp_has_none(
    provider: Provider, tmp_path: Path, *, pinned: bool
) -> None:
    async def go() -> None:
        async with console(provider, tmp_path) as (_, pins):
            async with rig(provider, tmp_path / "b", pins=pins if pinned else None) as one:
                token = provider.bearer()
                assert (await one.api(token, "GET", "tools")).json() == {"tools": []}
                answer = await one.api(token, "POST", "tools/a/b/accept", json={})
                assert (answer.status_code, answer.json()["code"]) == (404, "pin-unknown")

    asyncio.run(go())
