"""Headers, names of the host, where to go next, and how errors look."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.console.security import csp, local_path
from proctor.units import Address
from tests.support.signing import Provider, rig


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


def test_every_answer_has_the_headers(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            answers = [
                await browser.get("/"),
                await browser.get("/nothing"),
                await browser.get("/break"),
                await browser.get("/login"),
                await browser.get("/api/v1/me"),
                await browser.get("/api/v1/nothing"),
                await browser.get("/", headers={"host": "evil.example"}),
            ]
            assert [each.status_code for each in answers] == [200, 404, 500, 200, 200, 404, 421]
            for each in answers:
                headers = each.headers
                assert headers["content-security-policy"] == csp()
                assert headers["x-frame-options"] == "DENY"
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "same-origin"
                assert headers["cross-origin-opener-policy"] == "same-origin"
                assert headers["cache-control"] == "no-store"
                assert "strict-transport-security" not in headers
                assert "access-control-allow-origin" not in headers

    asyncio.run(go())


def test_nothing_may_be_loaded_framed_or_led_away() -> None:
    rules = dict(each.split(" ", 1) for each in csp().split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["form-action"] == "'self'"
    assert "unsafe" not in csp()


def test_over_tls_cookies_are_bound_to_the_host(provider: Provider, tmp_path: Path) -> None:
    async def go() -> httpx.Response:
        address = "https://console.internal"
        async with rig(provider, tmp_path, address=address) as one:
            async with one.browser(address) as browser:
                return await browser.get("/login/start")

    answer = asyncio.run(go())
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-proctor-443-login=")
    assert "; Secure" in cookie
    assert "Path=/;" in cookie


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:9090", 200),
        ("localhost:9090", 200),
        ("LOCALHOST:9090", 200),
        ("localhost", 200),
        ("[::1]:9090", 200),
        ("evil.example", 421),
        ("evil.example:9090", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:9090", 421),
        ("10.0.0.1:9090", 421),
        ("user@localhost:9090", 421),
        ("localhost:port", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_only_its_own_names_lead_to_the_console(
    provider: Provider, tmp_path: Path, host: str, known: int
) -> None:
    async def go() -> int:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            return (await browser.get("/login", headers={"host": host})).status_code

    assert asyncio.run(go()) == known


def test_a_console_on_all_addresses_is_known_by_numbers_and_its_name(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> list[int]:
        listen = Address(host="0.0.0.0", port=9090)  # noqa: S104 - nothing is bound
        address = "https://console.internal"
        async with (
            rig(provider, tmp_path, address=address, listen=listen, plaintext=True) as one,
            one.browser() as browser,
        ):
            hosts = ("10.0.0.1:9090", "console.internal", "evil.example", "localhost")
            return [
                (await browser.get("/login", headers={"host": host})).status_code for host in hosts
            ]

    assert asyncio.run(go()) == [200, 200, 421, 421]


def test_an_accident_is_told_in_plain_words(
    provider: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            answer = await browser.get("/break")
            assert answer.status_code == 500
            assert "console-failed" in answer.text
            for word in ("RuntimeError", "accident", "sk-secret", "Traceback", "/signing.py"):
                assert word not in answer.text
            one.desk.answers["kills"] = RuntimeError("the words of an accident")
            answer = await browser.get("/api/v1/kills")
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "console-failed"
            assert "accident" not in json.dumps(answer.json())

    asyncio.run(go())
    assert "The console failed" in caplog.text


@given(st.text(max_size=40) | st.text(alphabet="/\\.:@a?#%\t\r\n", max_size=12))
def test_a_path_after_a_sign_in_stays_here(text: str) -> None:
    found = local_path(text)
    assert found.startswith("/")
    assert found.isascii()
    assert found.isprintable()
    where = urlsplit(urljoin("http://127.0.0.1:9090/login", found))
    assert where.netloc == "127.0.0.1:9090"
    assert found[1:2] not in {"/", "\\"}
    assert found in {text, "/"}


@pytest.mark.parametrize("good", ["/", "/approvals/ap_x?then=deny", "/a//b", "/a%2F%2Fb"])
def test_a_path_of_ours_is_kept(good: str) -> None:
    assert local_path(good) == good
