"""The API: who gets in, what is handed to the desk, and how it answers."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.model import ApprovalError, KillScope, Role, State, Via
from tests.approval.samples import grant, kill, pending
from tests.support.cases import policy
from tests.support.signing import CLIENT, Provider, rig

RULES = """
rules:
  - id: shell
    on: llm.tool_use
    match: Bash(rm *)
    then: hold
    approval: {from: [dba], grant: 1h}
  - id: strict
    on: llm.tool_use
    match: Bash(dd *)
    then: hold
    approval: {from: [dba]}
  - {id: rest, on: llm.tool_use, then: allow}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"audience": "proctor"}, "token-audience"),  # an agent's
        ({"audience": CLIENT}, "token-audience"),
        ({"auth_time": None}, "signin-auth-time"),  # a machine's
        ({"auth_time": timedelta(seconds=-28900)}, "signin-too-old"),
        ({"auth_time": timedelta(seconds=1000)}, "signin-claims"),
        ({"iss": "https://other.example"}, "token-issuer"),
        ({"iss": None}, "token-issuer"),
        ({"iss": "local"}, "signin-local"),
        ({"exp": timedelta(seconds=-1)}, "token-expired"),
        ({"acr": "pwd"}, "signin-acr"),
        ({"token_use": "id"}, "token-type"),
    ],
)
def test_tokens_that_decide_nothing(
    provider: Provider, tmp_path: Path, changed: dict[str, Any], code: str
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, acr=("mfa",)) as one:
            good = await one.api(provider.bearer(acr="mfa"), "GET", "me")
            assert good.json()["via"] == "token"
            token = provider.bearer(**{"acr": "mfa", **changed})
            answer = await one.api(token, "POST", "approvals/ap_x/approve")
            assert (answer.status_code, answer.json()["code"]) == (401, code)
            assert answer.headers["content-type"] == "application/problem+json"
            assert token not in answer.text
            assert one.desk.calls == []

    asyncio.run(go())


def test_tokens_of_another_s_key_or_none(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        with Provider() as other:
            async with rig(provider, tmp_path) as one:
                forged = other.bearer(iss=provider.url)
                assert (await one.api(forged, "GET", "me")).status_code == 401
                assert (await one.api(other.bearer(), "GET", "me")).json()["code"] == "token-issuer"
                for token in ("opaque", "a.b.c", "pct_", "pct_" + "x" * 43, "x" * 20000):
                    answer = await one.api(token, "GET", "approvals")
                    assert answer.status_code == 401
                assert one.desk.calls == []

    asyncio.run(go())


def test_decisions_reach_the_desk_as_they_were_meant(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            one.desk.answers["decide"] = pending()
            token = provider.bearer(human="alice")
            body = {
                "reason": "seen",
                "grant_for": "90m",
                "uses": 3,
                "pattern": "Bash(rm -rf build)",
                "break_glass": True,
            }
            answer = await one.api(token, "POST", "approvals/ap_x/approve", json=body)
            assert answer.status_code == 200
            assert answer.json()["state"] == "pending"
            name, given, named = one.desk.calls[-1]
            assert (name, given[0]) == ("decide", "ap_x")
            assert given[1].subject == "alice"
            assert given[1].roles == {Role.REVIEWER}
            assert given[1].via is Via.TOKEN
            assert abs(given[1].signed_in_at.timestamp() - time.time()) < 60
            assert named == {
                "approve": True,
                "reason": "seen",
                "grant": timedelta(minutes=90),
                "uses": 3,
                "pattern": "Bash(rm -rf build)",
                "break_glass": True,
            }
            await one.api(token, "POST", "approvals/ap_x/approve")
            assert one.desk.calls[-1][2]["grant"] is None
            assert one.desk.calls[-1][2]["break_glass"] is False
            await one.api(token, "POST", "approvals/ap_x/deny", json={"reason": "no"})
            assert one.desk.calls[-1][2] == {"approve": False, "reason": "no"}

    asyncio.run(go())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("approvals/ap_x/approve", b"{"),
        ("approvals/ap_x/approve", b"[]"),
        ("approvals/ap_x/approve", b'{"reason": "a", "reason": "b"}'),
        ("approvals/ap_x/approve", b'{"break_glass": "true"}'),
        ("approvals/ap_x/approve", b'{"break_glass": 1}'),
        ("approvals/ap_x/approve", b'{"grant_for": "1h", "uses": true}'),
        ("approvals/ap_x/approve", b'{"grant_for": "1h", "uses": 1.5}'),
        ("approvals/ap_x/approve", b'{"grant_for": "for ever"}'),
        ("approvals/ap_x/approve", b'{"grant_for": "999999999d"}'),
        ("approvals/ap_x/approve", b'{"uses": 1}'),
        ("approvals/ap_x/approve", b'{"aprove": true}'),
        ("approvals/ap_x/deny", b'{"break_glass": true}'),
        ("approvals/ap_x/deny", b'{"reason": 1}'),
        ("approvals/ap_x/deny", b"[" * 50000),
        ("kills", b'{"scope": "everything"}'),
        ("grants/requests", b'{"rule": "shell", "kind": "tea", "for": "1h"}'),
    ],
)
def test_bodies_that_say_something_else(
    provider: Provider, tmp_path: Path, path: str, body: bytes
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            kind = {"content-type": "application/json"}
            async with one.browser() as client:
                headers = {"authorization": f"Bearer {provider.bearer()}", **kind}
                answer = await client.post(f"/api/v1/{path}", content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "body-invalid")
            assert one.desk.calls == []

    asyncio.run(go())


def test_what_the_desk_refuses_is_told(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            one.desk.answers["decide"] = ApprovalError(
                code="approval-not-yours",
                message="Whoever asked cannot decide it",
                got="alice",
                expected="another human",
                hint="Ask bob.",
                status=403,
            )
            answer = await one.api(provider.bearer(), "POST", "approvals/ap_x/approve")
            assert answer.status_code == 403
            assert answer.json() == {
                "type": "about:blank",
                "title": "Whoever asked cannot decide it",
                "status": 403,
                "code": "approval-not-yours",
                "detail": str(one.desk.answers["decide"]),
                "got": "alice",
                "expected": "another human",
                "hint": "Ask bob.",
            }

    asyncio.run(go())


def test_lists_and_single_things(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            broken = pending()
            one.desk.answers |= {
                "approvals": [pending(reason="\ud800 half a letter")],
                "unreviewed": [broken],
                "approval": pending(),
                "reviewed": pending(),
                "grants": [grant()],
                "kills": [kill()],
                "kill": kill(),
                "lift": kill(),
                "revoke": grant(),
                "reveal": {"input:1:<IBAN>": "DE02"},
            }
            token = provider.bearer()

            async def ask(method: str, path: str, **more: Any) -> tuple[Any, Any]:
                answer = await one.api(token, method, path, **more)
                assert answer.is_success, answer.text
                return answer.json(), one.desk.calls[-1]

            path = "approvals?state=pending,approved&state=used&session=s1&limit=7"
            found, _ = await ask("GET", path)
            assert len(found["approvals"]) == 1
            assert one.desk.calls[-2][2] == {
                "states": (State.PENDING, State.APPROVED, State.USED),
                "session": "s1",
                "limit": 7,
                "oldest_first": False,
            }
            assert found["unreviewed"] == [broken.id]
            await ask("GET", "approvals?oldest=1")
            assert one.desk.calls[-2][2]["oldest_first"] is True
            assert (await ask("GET", "approvals/ap_1"))[1][1][0] == "ap_1"
            found, call = await ask("GET", "grants")
            assert (len(found["grants"]), call[2]) == (1, {"open_only": True})
            assert (await ask("GET", "grants?all=1"))[1][2] == {"open_only": False}
            found, call = await ask("GET", "kills")
            assert (len(found["kills"]), call[2]) == (1, {"in_force": True})
            asked = {"scope": "principal", "target": "bot", "reason": "it loops"}
            found, call = await ask("POST", "kills", json=asked)
            assert call[1][0] is KillScope.PRINCIPAL
            assert (call[1][1], call[1][3]) == ("bot", "it loops")
            assert (await ask("DELETE", "kills/ki_1", json={"reason": "over"}))[1][1][2] == "over"
            assert (await ask("DELETE", "grants/gr_1"))[1][0] == "revoke"
            found, call = await ask("POST", "approvals/ap_1/reveal", json={"reason": "must"})
            assert found == {"values": {"input:1:<IBAN>": "DE02"}}
            assert call[1][2] == "must"
            assert (await ask("POST", "approvals/ap_1/reviewed"))[1][0] == "reviewed"
            for wrong in ("state=open", "limit=0", "limit=99999", "limit=x", "limit=-1"):
                assert (await one.api(token, "GET", f"approvals?{wrong}")).status_code == 400

    asyncio.run(go())


def _ask(**changed: Any) -> dict[str, Any]:
    asked = {"rule": "shell", "pattern": "Bash(rm -rf build)", "for": "1h", "reason": "to tidy"}
    return {name: value for name, value in {**asked, **changed}.items() if value is not None}


def test_access_can_be_asked_for_by_an_agent_and_decides_nothing(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, policy=policy(tmp_path, RULES)) as one:
            one.desk.answers["request_grant"] = pending()
            answer = await one.api("agent-token", "POST", "grants/requests", json=_ask())
            assert answer.status_code == 201
            ((name, (asked,), _),) = one.desk.calls
            assert name == "request_grant"
            assert asked.origin.value == "grant"
            assert asked.principal == "https://agents.example#bot"
            assert asked.identities == {"bot", "carol"}
            assert asked.for_ == timedelta(hours=1)
            assert asked.demands[0].rule_id == "shell"
            assert asked.reason == "to tidy"
            # And that token does nothing else.
            for method, path in (
                ("GET", "me"),
                ("GET", "approvals"),
                ("POST", "approvals/ap_x/approve"),
                ("DELETE", "grants/gr_x"),
                ("POST", "kills"),
                ("GET", "events"),
            ):
                answer = await one.api("agent-token", method, path)
                assert answer.status_code == 401
            assert len(one.desk.calls) == 1
            wrong = await one.api("another", "POST", "grants/requests", json=_ask())
            assert wrong.status_code == 401
            async with one.browser() as nobody:
                answer = await nobody.post("/api/v1/grants/requests", json=_ask())
                assert (answer.status_code, answer.json()["code"]) == (401, "token-missing")

    asyncio.run(go())


def test_neither_who_asks_nor_whom_it_is_for_can_decide_it(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, policy=policy(tmp_path, RULES)) as one:
            one.desk.answers["request_grant"] = pending()
            body = _ask(principal="https://idp.example#carol")
            token = provider.bearer("alice")
            assert (await one.api(token, "POST", "grants/requests", json=body)).is_success
            asked = one.desk.calls[-1][1][0]
            assert asked.principal == "https://idp.example#carol"
            assert asked.identities == {"carol", "alice"}
            answer = await one.api("agent-token", "POST", "grants/requests", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "grant-too-wide")

    asyncio.run(go())


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"rule": "strict"}, 403, "grant-too-wide"),
        ({"rule": "rest"}, 403, "grant-too-wide"),
        ({"rule": "none"}, 403, "grant-too-wide"),
        ({"kind": "http.request"}, 403, "grant-too-wide"),
        ({"for": "61m"}, 403, "grant-too-wide"),
        ({"uses": 0}, 403, "grant-too-wide"),
        ({"for": None}, 400, "body-invalid"),
        ({"pattern": " "}, 400, "body-invalid"),
        ({"pattern": "x" * 3000}, 400, "body-invalid"),
        ({"reason": "x" * 3000}, 400, "body-invalid"),
        ({"principal": "carol"}, 400, "body-invalid"),
        ({"principal": "a#" + "\u202e"}, 400, "body-invalid"),
    ],
)
def test_wishes_that_no_rule_allows(
    provider: Provider, tmp_path: Path, changed: dict[str, Any], status: int, code: str
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, policy=policy(tmp_path, RULES)) as one:
            body = _ask(**changed)
            answer = await one.api(provider.bearer(), "POST", "grants/requests", json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert one.desk.calls == []

    asyncio.run(go())


def test_asking_has_a_limit_for_each(provider: Provider, tmp_path: Path) -> None:
    async def go() -> list[int]:
        async with rig(provider, tmp_path, policy=policy(tmp_path, RULES)) as one:
            one.desk.answers["request_grant"] = pending()
            return [
                (await one.api("agent-token", "POST", "grants/requests", json=_ask())).status_code
                for _ in range(32)
            ]

    found = asyncio.run(go())
    assert found[:30] == [201] * 30
    assert found[31] == 429
