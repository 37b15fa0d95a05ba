"""What the guard lets through, by hostile requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from proctor.console.guard import MAX_BODY
from tests.support.signing import Provider, csrf_of, rig


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:9090"}, 200),
        ({"origin": "http://127.0.0.1:9090", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_another_site_s_form_is_refused_even_with_the_token(
    provider: Provider, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async def go() -> int:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            csrf = csrf_of(await browser.get("/"))
            return (await browser.post("/", data={"csrf": csrf}, headers=headers)).status_code

    assert asyncio.run(go()) == status


def test_unsafe_requests_need_the_token_of_their_own_session(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            async with one.browser() as browser, one.browser() as other:
                await one.sign_in(browser)
                await one.sign_in(other)
                mine, theirs = csrf_of(await browser.get("/")), csrf_of(await other.get("/"))
                assert mine != theirs
                path, body = "/api/v1/kills", {"scope": "all", "reason": "x"}
                for wrong in (None, "", theirs, "ü", browser.cookies["proctor-9090"]):
                    headers = {} if wrong is None else {b"x-csrf-token": wrong.encode()}
                    answer = await browser.post(path, json=body, headers=headers)
                    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
                twice = f"csrf={mine}&csrf={mine}"
                kind = {"content-type": "application/x-www-form-urlencoded"}
                assert (await browser.post("/", content=twice, headers=kind)).status_code == 403
                assert (await browser.post("/", data={"csrf": mine})).status_code == 200
                assert (await browser.delete("/api/v1/kills/ki_x")).status_code == 403
                assert one.desk.calls == []

    asyncio.run(go())


def test_a_token_needs_no_csrf_and_wins_over_a_cookie(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            headers = {"authorization": f"Bearer {provider.bearer('bob')}"}
            me = await browser.get("/api/v1/me", headers=headers)
            assert me.json()["subject"] == "bob"
            wrong = await browser.get("/api/v1/me", headers={"authorization": "Bearer x.y.z"})
            assert wrong.status_code == 401
            # A page is no API: there a token is nothing.
            async with one.browser() as other:
                assert (await other.get("/", headers=headers)).status_code == 303

    asyncio.run(go())


def test_what_comes_from_mitmproxy_is_labelled(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            token = provider.bearer()
            for agent, via in (("proctor-ui/1.0", "ui"), ("x proctor-ui/1.0", "token")):
                headers = {"authorization": f"Bearer {token}", "user-agent": agent}
                me = (await browser.get("/api/v1/me", headers=headers)).json()
                assert me["via"] == via
            label = {"user-agent": "proctor-ui/1.0"}
            page = await browser.get("/api/v1/me", headers=label)
            assert page.json()["via"] == "console"
            wrong = label | {"authorization": "Bearer pct_wrong"}
            assert (await browser.get("/api/v1/me", headers=wrong)).status_code == 401

    asyncio.run(go())


def test_a_session_nobody_uses_ends(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, idle=600.0) as one, one.browser() as browser:
            await one.sign_in(browser)
            for minute in range(1, 20):
                one.clock.ahead = 60.0 * minute
                assert (await browser.get("/")).status_code == 200
            for minute in range(20, 29):
                one.clock.ahead = 60.0 * minute
                # What a page does by itself is no click.
                for alone in ({"accept": "text/event-stream"}, {"hx-request": "true"}):
                    assert (await browser.get("/", headers=alone)).status_code == 200
            one.clock.ahead += 70.0
            assert (await browser.get("/")).status_code == 303

    asyncio.run(go())


def test_a_session_ends_whoever_clicks(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, max_age=600.0) as one, one.browser() as browser:
            await one.sign_in(browser)
            one.clock.ahead = 590
            assert (await browser.get("/")).status_code == 200
            one.clock.ahead = 600
            assert (await browser.get("/")).status_code == 303

    asyncio.run(go())


def test_bodies_are_small_and_of_a_known_type(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            path, token = "/api/v1/kills", provider.bearer()
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

            async def ask(content: bytes | AsyncIterator[bytes], **more: str) -> tuple[int, str]:
                answer = await browser.post(path, content=content, headers=headers | more)
                return answer.status_code, answer.json()["code"]

            async def chunks() -> AsyncIterator[bytes]:
                for _ in range(MAX_BODY // 1000 + 1):
                    yield b" " * 1000

            assert await ask(b" " * (MAX_BODY + 1)) == (413, "body-too-large")
            assert await ask(chunks()) == (413, "body-too-large")
            assert await ask(b"{}", **{"content-length": "9" * 40}) == (413, "body-too-large")
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                assert await ask(b"{}", **{"content-type": kind}) == (415, "body-type")
            form = await browser.post("/", files={"csrf": b"x"})
            assert form.status_code == 415
            # Nobody who is not known makes us read much, either.
            answer = await browser.post("/api/v1/token", content=b" " * (MAX_BODY + 1))
            assert answer.status_code == 413

    asyncio.run(go())


def test_wrong_tokens_have_a_limit_that_locks_nobody_out(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            wrong = provider.bearer(audience="proctor")
            found = [(await one.api(wrong, "GET", "me")).status_code for _ in range(32)]
            assert found[:30] == [401] * 30
            assert found[31] == 429
            # Sessions are found by a hash, which costs nothing and can not be guessed.
            assert (await browser.get("/api/v1/me")).status_code == 200

    asyncio.run(go())
