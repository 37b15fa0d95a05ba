"""The console as a client of an OpenID provider that is not ours, and of odd descriptions."""

import asyncio
import os
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from proctor.console.oidc import Attempt, read_endpoints
from proctor.errors import UpstreamError
from tests.support.signing import ADDRESS, Provider, rig

HERE = "https://idp.example"
GOOD = {"authorization_endpoint": f"{HERE}/a", "token_endpoint": f"{HERE}/t"}


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """Its issuer; alice is in dba."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, not ours to mend
        if os.environ.get("CI") == "true":
            made = import_module("oidc_provider_mock")  # its absence is a failure there
        else:
            made = pytest.importorskip("oidc_provider_mock", reason="no OpenID provider installed")
        alice = made.User(sub="alice", claims={"groups": ["dba"], "name": "Alice"})
        with made.run_server_in_thread(user_claims=[alice], require_nonce=True) as server:
            yield f"http://localhost:{server.server_port}"


class Named:
    """An issuer by its name."""

    def __init__(self, url: str) -> None:
        self.url = url


def test_a_person_signs_in_at_a_provider_of_others(mock: str, tmp_path: Path) -> None:
    async def go() -> None:
        provider: Any = Named(mock)
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            begun = await browser.get("/login/start?next=/x")
            where = begun.headers["location"]
            async with httpx.AsyncClient(trust_env=False, timeout=30) as theirs:
                back = await theirs.post(where, data={"sub": "alice"})
            path = back.headers["location"].removeprefix(ADDRESS)
            done = await browser.get(path)
            assert (done.status_code, done.headers["location"]) == (303, "/x"), done.text
            me = (await browser.get("/api/v1/me")).json()
            assert (me["subject"], me["name"], me["groups"]) == ("alice", "Alice", ["dba"])
            assert me["issuer"] == mock
            # A code is good once, at the provider, too.
            await browser.get("/login/start")
            query = {name: value[0] for name, value in parse_qs(urlsplit(path).query).items()}
            begun = await browser.get("/login/start")
            state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
            answer = await browser.get("/login/callback", params={**query, "state": state})
            assert answer.status_code == 401
            assert "signin-refused" in answer.text

    asyncio.run(go())


def test_somebody_who_says_no_there(mock: str, tmp_path: Path) -> None:
    async def go() -> None:
        provider: Any = Named(mock)
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            begun = await browser.get("/login/start")
            async with httpx.AsyncClient(trust_env=False, timeout=30) as theirs:
                back = await theirs.post(begun.headers["location"], data={"action": "deny"})
            answer = await browser.get(back.headers["location"].removeprefix(ADDRESS))
            assert answer.status_code == 401
            assert "access_denied" in answer.text

    asyncio.run(go())


@pytest.mark.parametrize(
    "changed",
    [
        {"authorization_endpoint": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://idp.example/t"},
        {"token_endpoint": 1},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://idp.example/a#b"},
        {"userinfo_endpoint": "http://127.0.0.1/u"},
        {"end_session_endpoint": "http://evil.example"},
    ],
)
def test_addresses_that_are_not_asked(changed: dict[str, Any]) -> None:
    document = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    with pytest.raises(UpstreamError) as caught:
        read_endpoints(document, HERE)
    assert caught.value.code == "issuer-invalid"


def test_what_is_not_said_is_not_there() -> None:
    found = read_endpoints(GOOD, HERE)
    assert found.userinfo is None
    assert found.end_session is None
    assert not found.by_post
    assert not found.names_itself


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ((500, b"{}"), "issuer-unreachable"),
        ((302, b"{}"), "issuer-unreachable"),
        ((200, b"<html>"), "issuer-invalid"),
        ((200, b'{"id_token": 1}'), "issuer-invalid"),
        ((200, b'{"id_token": "a", "id_token": "b"}'), "issuer-invalid"),
        ((200, b" " * 200_000), "issuer-unreachable"),
        ((200, b'{"id_token": "a.b.c"}'), "token-malformed"),
        ((401, b'{"error": "invalid_client"}'), "signin-refused"),
        ((400, b"\xff"), "signin-refused"),
    ],
)
def test_answers_of_a_token_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: tuple[int, bytes], code: str
) -> None:
    async def go() -> str:
        with Provider() as provider:
            monkeypatch.setattr(provider, "_redeem", lambda _: reply)
            async with rig(provider, tmp_path) as one, one.browser() as browser:
                answer = await one.sign_in(browser)
                assert answer.status_code in {401, 503}
                return answer.text

    assert f'data-code="{code}"' in asyncio.run(go())


def test_a_repr_shows_nothing() -> None:
    shown = repr(Attempt(state="aaa", nonce="bbb", verifier="ccc", url="https://ddd"))
    assert not any(word in shown for word in ("aaa", "bbb", "ccc", "ddd"))
