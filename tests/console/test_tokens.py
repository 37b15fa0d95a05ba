"""The command line's token: from the browser's yes to the API."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.support.signing import Provider, Rig, csrf_of, rig

VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {"cli": "43210", "challenge": CHALLENGE, "state": "s" * 43}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


async def _code(one: Rig, browser: httpx.AsyncClient, **changed: str) -> httpx.Response:
    """From the address that `proctor login` opens to the redirect to it."""
    opened = await browser.get("/login", params=ASKED)
    assert opened.status_code == 303
    begun = await browser.get(opened.headers["location"])
    if begun.status_code == 303:
        begun = await browser.get(begun.headers["location"])
        done = await one.back(browser, begun)
        begun = await browser.get(done.headers["location"])
    assert "Let the command line on this computer act for you?" in begun.text
    policy = begun.headers["content-security-policy"]
    assert "form-action 'self' http://127.0.0.1:43210;" in policy
    form = {**ASKED, "answer": "yes", "csrf": csrf_of(begun), **changed}
    return await browser.post("/login/cli", data=form)


async def _redeem(browser: httpx.AsyncClient, code: str, verifier: str = VERIFIER) -> Any:
    return await browser.post("/api/v1/token", json={"code": code, "verifier": verifier})


def test_the_command_line_gets_a_token(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            answer = await _code(one, browser)
            assert answer.status_code == 303
            where = urlsplit(answer.headers["location"])
            assert (where.scheme, where.netloc, where.path) == ("http", "127.0.0.1:43210", "/")
            query = parse_qs(where.query)
            assert query["state"] == [ASKED["state"]]
            async with one.browser() as program:
                given = (await _redeem(program, query["code"][0])).json()
                assert set(given) == {"token", "expires_at", "name", "subject"}
                assert given["token"].startswith("pct_")
                assert given["subject"] == "alice"
                # Once.
                again = await _redeem(program, query["code"][0])
                assert (again.status_code, again.json()["code"]) == (400, "login-code")
            me = (await one.api(given["token"], "GET", "me")).json()
            assert me["via"] == "cli"
            assert me["expires_at"] == given["expires_at"]
            assert me["roles"] == ["reviewer"]
            # The next time nobody has to sign in anew.
            assert (await _code(one, browser)).status_code == 303
            # It is no cookie, and a cookie is no token.
            async with one.browser() as other:
                other.cookies.set("proctor-9090", given["token"][4:], domain="127.0.0.1")
                assert (await other.get("/")).status_code == 303
            cookie = browser.cookies["proctor-9090"]
            for token in (cookie, f"pct_{cookie}"):
                assert (await one.api(token, "GET", "me")).status_code == 401
            # Signing out.
            assert (await one.api(given["token"], "DELETE", "token")).status_code == 204
            gone = await one.api(given["token"], "GET", "me")
            assert (gone.status_code, gone.json()["code"]) == (401, "signin-ended")

    asyncio.run(go())


def test_a_code_is_for_who_has_the_verifier_and_has_one_guess(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            for wrong in ("w" * 64, CHALLENGE, "", "ü" * 64):
                where = (await _code(one, browser)).headers["location"]
                code = parse_qs(urlsplit(where).query)["code"][0]
                assert (await _redeem(browser, code, wrong)).status_code == 400
                assert (await _redeem(browser, code)).status_code == 400

    asyncio.run(go())


def test_a_code_is_good_for_a_minute(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            where = (await _code(one, browser)).headers["location"]
            one.clock.ahead = 61
            answer = await _redeem(browser, parse_qs(urlsplit(where).query)["code"][0])
            assert answer.json()["code"] == "login-code"

    asyncio.run(go())


def test_a_token_ends_with_its_sign_in(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with (
            rig(provider, tmp_path, max_age=600.0, idle=60.0) as one,
            one.browser() as browser,
        ):
            where = (await _code(one, browser)).headers["location"]
            code = parse_qs(urlsplit(where).query)["code"][0]
            token = (await _redeem(browser, code)).json()["token"]
            one.clock.ahead = 500
            assert (await one.api(token, "GET", "me")).status_code == 200
            one.clock.ahead = 601
            assert (await one.api(token, "GET", "me")).json()["code"] == "signin-ended"

    asyncio.run(go())


def test_no_leads_to_no_code(provider: Provider, tmp_path: Path) -> None:
    async def go() -> str:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            return str((await _code(one, browser, answer="no")).headers["location"])

    assert parse_qs(urlsplit(asyncio.run(go())).query)["error"] == ["access_denied"]


def test_yes_needs_the_page_s_own_token(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            assert (await _code(one, browser, csrf="0" * 64)).status_code == 403
            assert (await browser.get("/login/cli", params=ASKED)).status_code == 200
            async with one.browser() as stranger:
                answer = await stranger.post("/login/cli", data={**ASKED, "answer": "yes"})
                assert answer.status_code == 401

    asyncio.run(go())


@pytest.mark.parametrize(
    "changed",
    [
        {"cli": "0"},
        {"cli": "65536"},
        {"cli": "80@evil.example"},
        {"cli": "8080/x"},
        {"cli": "٨٠٨٠"},
        {"cli": ""},
        {"challenge": "short"},
        {"challenge": "!" * 43},
        {"state": "x"},
        {"state": "s" * 20 + "&code=evil"},
    ],
)
def test_nothing_but_loopback_gets_a_code(
    provider: Provider, tmp_path: Path, changed: dict[str, str]
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            for path in ("/login", "/login/cli"):
                if path == "/login/cli":
                    await one.sign_in(browser)
                answer = await browser.get(path, params={**ASKED, **changed})
                assert answer.status_code == 400
                assert "login-request" in answer.text
            csrf = csrf_of(await browser.get("/"))
            form = {**ASKED, "answer": "yes", "csrf": csrf, **changed}
            assert (await browser.post("/login/cli", data=form)).status_code == 400

    asyncio.run(go())


def test_only_the_command_line_s_token_can_be_ended(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            answer = await one.api(provider.bearer(), "DELETE", "token")
            assert answer.json()["code"] == "login-request"

    asyncio.run(go())
