"""Signing in and out, through a provider that checks what a provider checks."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from proctor.identity.jose import base64url
from proctor.identity.local import FILE, make
from proctor.testing.issuer import Signer
from tests.support.signing import (
    ADDRESS,
    CLIENT,
    SECRET,
    Provider,
    Rig,
    csrf_of,
    rig,
)

COOKIE = "proctor-9090"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture(autouse=True)
def _anew(provider: Provider) -> None:
    provider.subject, provider.groups = "alice", ["dba"]
    provider.said, provider.userinfo = {}, {}
    provider.document.pop("authorization_response_iss_parameter_supported", None)
    provider.document.pop("token_endpoint_auth_methods_supported", None)
    provider.forms.clear()
    provider.asked.clear()
    provider.authorizations.clear()


def test_a_person_signs_in_and_is_who_they_are(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            begun = await browser.get("/?x=1")
            assert begun.status_code == 303
            assert begun.headers["location"] == "/login/start?next=%2F%3Fx%3D1"
            begun = await browser.get(begun.headers["location"])
            asked = parse_qs(urlsplit(begun.headers["location"]).query)
            assert asked["client_id"] == [CLIENT]
            assert asked["response_type"] == ["code"]
            assert asked["code_challenge_method"] == ["S256"]
            assert asked["redirect_uri"] == [f"{ADDRESS}/login/callback"]
            assert asked["max_age"] == ["28800"]
            assert asked["scope"] == ["openid profile"]
            assert "prompt" not in asked
            assert "acr_values" not in asked
            done = await one.back(browser, begun)
            assert done.status_code == 303
            assert done.headers["location"] == "/?x=1"
            cookie = next(
                each for each in done.headers.get_list("set-cookie") if f"{COOKIE}=" in each
            )
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert "Path=/" in cookie
            assert "Secure" not in cookie
            assert "Domain" not in cookie
            assert "hello alice" in (await browser.get("/")).text
            me = (await browser.get("/api/v1/me")).json()
            assert me["subject"] == "alice"
            assert me["roles"] == ["reviewer"]
            assert me["via"] == "console"

    asyncio.run(go())


def test_the_client_authenticates_and_brings_its_verifier(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)

    asyncio.run(go())
    (form,) = provider.forms
    assert form["grant_type"] == "authorization_code"
    assert form["redirect_uri"] == f"{ADDRESS}/login/callback"
    assert len(form["code_verifier"]) == 64
    assert "client_secret" not in form
    assert provider.authorizations[0].startswith("Basic ")


def test_a_public_client_says_who_it_is(provider: Provider, tmp_path: Path) -> None:
    async def go() -> int:
        async with (
            rig(provider, tmp_path, client_secret=None) as one,
            one.browser() as browser,
        ):
            return (await one.sign_in(browser)).status_code

    assert asyncio.run(go()) == 303
    assert provider.forms[0]["client_id"] == CLIENT
    assert provider.authorizations == [""]


def test_a_secret_goes_by_post_where_the_issuer_takes_nothing_else(
    provider: Provider, tmp_path: Path
) -> None:
    provider.document["token_endpoint_auth_methods_supported"] = ["client_secret_post"]

    async def go() -> int:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            return (await one.sign_in(browser)).status_code

    assert asyncio.run(go()) == 303
    assert provider.forms[0]["client_secret"] == SECRET
    assert provider.authorizations == [""]


def test_nobody_is_signed_in_before(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            answer = await browser.get("/api/v1/me")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "signin-missing"
            answer = await browser.get("/", headers={"hx-request": "true"})
            assert answer.status_code == 401
            assert answer.headers["hx-redirect"] == "/login"
            answer = await browser.get("/", headers={"accept": "text/event-stream"})
            assert answer.status_code == 401
            answer = await browser.post("/", data={"csrf": "x"})
            assert answer.status_code == 401
            browser.cookies.set(COOKIE, "A" * 43)
            assert (await browser.get("/api/v1/me")).status_code == 401

    asyncio.run(go())


async def _finish(one: Rig, browser: httpx.AsyncClient, **changed: str | None) -> httpx.Response:
    """A callback with changed parameters; None leaves one out."""
    begun = await browser.get("/login/start")
    back = one.provider.authorize(begun.headers["location"])
    answer: dict[str, Any] = {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()}
    answer = {k: v for k, v in {**answer, **changed}.items() if v is not None}
    return await browser.get("/login/callback", params=answer)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": None}, "signin-state"),
        ({"state": "x" * 43}, "signin-state"),
        ({"code": None}, "signin-refused"),
        ({"code": "another"}, "signin-refused"),
        ({"error": "access_denied"}, "signin-refused"),
        ({"iss": "https://other.example"}, "signin-issuer"),
    ],
)
def test_an_answer_to_no_sign_in_of_ours(
    provider: Provider, tmp_path: Path, changed: dict[str, str | None], code: str
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            answer = await _finish(one, browser, **changed)
            assert answer.status_code == 401
            assert code in answer.text
            assert COOKIE not in browser.cookies

    asyncio.run(go())


def test_an_issuer_that_names_itself_has_to(provider: Provider, tmp_path: Path) -> None:
    provider.document["authorization_response_iss_parameter_supported"] = True

    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            assert "signin-issuer" in (await _finish(one, browser)).text
            good = await _finish(one, browser, iss=provider.url)
            assert good.status_code == 303

    asyncio.run(go())


def test_a_parameter_that_stands_twice(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            begun = await browser.get("/login/start")
            back = provider.authorize(begun.headers["location"]).removeprefix(ADDRESS)
            answer = await browser.get(f"{back}&code=other")
            assert "signin-state" in answer.text

    asyncio.run(go())


def test_a_sign_in_is_finished_once_and_by_its_own_browser(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            async with one.browser() as mine, one.browser() as others:
                begun = await mine.get("/login/start")
                path = provider.authorize(begun.headers["location"]).removeprefix(ADDRESS)
                # Login CSRF: alice's answer in somebody else's browser, with a sign-in of its own.
                await others.get("/login/start")
                answer = await others.get(path)
                assert "signin-state" in answer.text
                # And it is used up by that: the browser it was meant for begins anew.
                assert "signin-state" in (await mine.get(path)).text
                assert (await one.sign_in(mine)).status_code == 303
            async with one.browser() as browser:
                begun = await browser.get("/login/start")
                path = provider.authorize(begun.headers["location"]).removeprefix(ADDRESS)
                assert (await browser.get(path)).status_code == 303
                assert "signin-state" in (await browser.get(path)).text

    asyncio.run(go())


def test_a_sign_in_is_not_waited_for_for_ever(provider: Provider, tmp_path: Path) -> None:
    async def go() -> str:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            begun = await browser.get("/login/start")
            one.clock.ahead = 601
            return (await one.back(browser, begun)).text

    assert "signin-state" in asyncio.run(go())


def test_a_verifier_that_is_not_the_challenge_s(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            begun = await browser.get("/login/start")
            where = begun.headers["location"].replace("code_challenge=", "code_challenge=A")
            path = provider.authorize(where).removeprefix(ADDRESS)
            answer = await browser.get(path)
            assert answer.status_code == 401
            assert "signin-refused" in answer.text

    asyncio.run(go())


def at(seconds: int) -> timedelta:
    """So long from when the token is made."""
    return timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"nonce": "another"}, "signin-nonce"),
        ({"nonce": None}, "signin-nonce"),
        ({"audience": "proctor"}, "token-audience"),
        ({"audience": "proctor-console"}, "token-audience"),
        ({"aud": [CLIENT, "wiki"]}, "token-audience"),
        ({"azp": "wiki"}, "signin-claims"),
        ({"iss": "https://other.example"}, "token-issuer"),
        ({"events": {}}, "signin-claims"),
        ({"token_use": "access"}, "signin-claims"),
        ({"exp": at(-10)}, "token-expired"),
        ({"iat": at(500), "exp": at(900)}, "token-not-yet-valid"),
        ({"iat": at(-3000)}, "signin-claims"),
        ({"auth_time": None}, "signin-auth-time"),
        ({"auth_time": "now"}, "token-claims"),
        ({"auth_time": at(900)}, "signin-claims"),
        ({"sub": ""}, "token-subject"),
        ({"_claim_names": {"groups": "src1"}}, "token-groups-overage"),
    ],
)
def test_an_id_token_that_signs_nobody_in(
    provider: Provider, tmp_path: Path, said: dict[str, Any], code: str
) -> None:
    provider.said = said

    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            answer = await one.sign_in(browser)
            assert answer.status_code == 401
            assert f'data-code="{code}"' in answer.text
            assert COOKIE not in browser.cookies

    asyncio.run(go())


def test_an_id_token_that_somebody_else_signed(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forger = Signer(kid=provider.signers[-1].kid)
    made = provider.id_token

    def forged(**claims: Any) -> str:
        _, payload, _ = made(**claims).split(".")
        header = {"alg": forger.algorithm, "kid": forger.kid, "typ": "JWT"}
        return forger.sign(header, base64url(payload))

    async def go() -> httpx.Response:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)  # its keys are known from here on
            monkeypatch.setattr(provider, "id_token", forged)
            return await one.sign_in(browser)

    answer = asyncio.run(go())
    assert answer.status_code == 401
    assert 'data-code="token-signature"' in answer.text


def test_a_sign_in_from_too_long_ago_is_made_anew(provider: Provider, tmp_path: Path) -> None:
    provider.said = {"auth_time": at(-30000)}

    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            again = await one.sign_in(browser, "/?a")
            assert again.status_code == 303
            asked = parse_qs(urlsplit(again.headers["location"]).query)
            assert asked["prompt"] == ["login"]
            # An issuer that does not ask again is not asked for ever.
            answer = await one.back(browser, again)
            assert answer.status_code == 401
            assert "signin-too-old" in answer.text
            provider.said = {}
            again = await one.sign_in(browser, "/?a")
            assert again.headers["location"] == "/?a"

    asyncio.run(go())


def test_the_way_of_signing_in_has_to_be_strong_enough(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, acr=("mfa", "phr")) as one, one.browser() as browser:
            provider.said = {"acr": "pwd"}
            assert "signin-acr" in (await one.sign_in(browser)).text
            provider.said = {}
            assert "signin-acr" in (await one.sign_in(browser)).text
            assert provider.asked[0]["acr_values"] == "mfa phr"
            provider.said = {"acr": "phr"}
            assert (await one.sign_in(browser)).status_code == 303

    asyncio.run(go())


def test_groups_and_the_human_may_come_from_userinfo(provider: Provider, tmp_path: Path) -> None:
    provider.groups = None
    provider.userinfo = {"groups": ["root"], "human": "alice@corp", "auth_time": 1}

    async def go() -> dict[str, Any]:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            found: dict[str, Any] = (await browser.get("/api/v1/me")).json()
            return found

    me = asyncio.run(go())
    assert me["groups"] == ["root"]
    assert me["roles"] == ["admin"]
    assert me["human"] == "alice@corp"


def test_userinfo_of_somebody_else(provider: Provider, tmp_path: Path) -> None:
    provider.groups = None
    provider.userinfo = {"sub": "mallory", "groups": ["root"]}

    async def go() -> httpx.Response:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            return await one.sign_in(browser)

    answer = asyncio.run(go())
    assert answer.status_code == 503
    assert "issuer-invalid" in answer.text


def test_a_session_has_a_new_name_after_every_sign_in(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            browser.cookies.set(COOKIE, "F" * 43, domain="127.0.0.1")
            await one.sign_in(browser)
            first = browser.cookies[COOKIE]
            assert first != "F" * 43
            provider.subject = "bob"
            await one.sign_in(browser)
            assert browser.cookies[COOKIE] != first
            assert "hello bob" in (await browser.get("/")).text
            # What somebody may have kept of the one before is worth nothing.
            async with one.browser() as other:
                other.cookies.set(COOKIE, first, domain="127.0.0.1")
                assert (await other.get("/")).status_code == 303

    asyncio.run(go())


def test_signing_out_ends_it_and_tells_the_issuer(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            kept = browser.cookies[COOKIE]
            csrf = csrf_of(await browser.get("/"))
            assert (await browser.get("/logout")).status_code == 405
            assert (await browser.post("/logout", data={"csrf": "0" * 64})).status_code == 403
            left = await browser.post("/logout", data={"csrf": csrf})
            assert left.headers["location"] == "/login?out=1"
            assert COOKIE not in browser.cookies
            told = await browser.get("/login?out=1")
            assert told.headers["refresh"].startswith(f"0;url={provider.url}/logout?client_id=")
            browser.cookies.set(COOKIE, kept, domain="127.0.0.1")
            assert (await browser.get("/")).status_code == 303

    asyncio.run(go())


@pytest.mark.parametrize(
    "after",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\r\nset-cookie: x=y",
        "",
        "evil",
        "/" + "a" * 5000,
    ],
)
def test_a_sign_in_leads_nowhere_else(provider: Provider, tmp_path: Path, after: str) -> None:
    async def go() -> str:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            page = await browser.get("/login", params={"next": after})
            assert "evil" not in page.text
            answer = await one.sign_in(browser, after)
            return str(answer.headers["location"])

    assert asyncio.run(go()) == "/"


def test_a_browser_that_came_by_another_name_is_sent_to_the_one_that_counts(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            async with one.browser("http://localhost:9090") as browser:
                answer = await browser.get("/login/start?next=%2Fx")
                assert answer.headers["location"] == f"{ADDRESS}/login/start?next=%2Fx"

    asyncio.run(go())


def test_beginning_has_a_limit(provider: Provider, tmp_path: Path) -> None:
    async def go() -> list[int]:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            return [(await browser.get("/login/start")).status_code for _ in range(32)]

    found = asyncio.run(go())
    assert found[:30] == [303] * 30
    assert found[31] == 429


def test_an_issuer_that_does_not_answer(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            # No port of ours: refused at once.
            object.__setattr__(one.house.issuer, "issuer", "http://127.0.0.1:9")
            answer = await browser.get("/login/start")
            assert answer.status_code == 503
            assert "issuer-unreachable" in answer.text

    asyncio.run(go())


def test_where_nobody_can_sign_in_the_page_says_so(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, issuer=False) as one, one.browser() as browser:
            assert (await browser.get("/login/start")).headers["location"] == "/login?next=%2F"
            assert "Nobody can sign in here" in (await browser.get("/login")).text
            assert "signin-state" in (await browser.get("/login/callback?state=x&code=y")).text

    asyncio.run(go())


def _local(folder: Path, audience: str = "proctor-console") -> str:
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    made = make(folder / "state" / FILE)
    return made.issue(subject="alice", groups=["dba"], audience=audience, ttl=600, now=time.time())


def test_under_dev_a_local_token_signs_in(provider: Provider, tmp_path: Path) -> None:
    token = _local(tmp_path)

    async def go() -> None:
        async with rig(provider, tmp_path, issuer=False, dev=True) as one, one.browser() as browser:
            page = await browser.get("/login?next=/x")
            form = {"token": token, "next": "/x", "csrf": csrf_of(page)}
            wrong = await browser.post("/login/token", data={**form, "csrf": "0" * 64})
            assert wrong.status_code == 403
            done = await browser.post("/login/token", data=form)
            assert (done.status_code, done.headers["location"]) == (303, "/x")
            assert (await browser.get("/api/v1/me")).json()["dev"] is True
            assert (await one.api(token, "GET", "me")).status_code == 200

    asyncio.run(go())


def test_without_dev_a_local_token_does_nothing(provider: Provider, tmp_path: Path) -> None:
    token = _local(tmp_path)

    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            page = await browser.get("/login")
            assert "/login/token" not in page.text
            done = await browser.post("/login/token", data={"token": token, "csrf": "0" * 64})
            assert done.status_code == 403
            assert "signin-local" in done.text
            answer = await one.api(token, "GET", "me")
            assert answer.status_code == 401
            assert answer.json()["code"] == "signin-local"

    asyncio.run(go())


def test_under_dev_an_agent_s_local_token_does_nothing_still(
    provider: Provider, tmp_path: Path
) -> None:
    token = _local(tmp_path, audience="proctor")

    async def go() -> None:
        async with rig(provider, tmp_path, dev=True) as one:
            answer = await one.api(token, "GET", "me")
            assert answer.json()["code"] == "token-audience"

    asyncio.run(go())
