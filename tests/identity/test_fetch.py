"""How issuers are asked: over real sockets on loopback."""

import asyncio
import base64
from pathlib import Path

import httpx
import pytest

from proctor.identity.fetch import FetchError, Form, HttpFetch, Reply
from proctor.testing.issuer import Failure, StandInIssuer
from proctor.testing.tls import make

LIMIT = 64 * 1024


async def ask(
    url: str,
    *,
    limit: int = LIMIT,
    ca: Path | None = None,
    form: Form | None = None,
    total: float = 10.0,
) -> Reply:
    fetch = HttpFetch(total=total)
    try:
        return await fetch(url, limit=limit, ca=ca, form=form)
    finally:
        await fetch.close()


def test_a_document_is_fetched() -> None:
    with StandInIssuer() as issuer:
        reply = asyncio.run(ask(f"{issuer.url}/jwks"))
        assert reply.status == 200
        assert b"keys" in reply.body
        assert "keys" not in repr(reply)


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (Failure.HUGE, "more than"),
        (Failure.COMPRESSED, "compressed"),
        (Failure.CUT, "RemoteProtocolError"),
        (Failure.HANG, "within 0.2 s"),
    ],
)
def test_answers_out_of_bounds_are_none(failure: Failure, problem: str) -> None:
    with StandInIssuer() as issuer:
        issuer.failure = failure
        with pytest.raises(FetchError, match=problem):
            asyncio.run(ask(f"{issuer.url}/jwks", total=0.2 if failure is Failure.HANG else 10.0))


def test_the_limit_is_exact() -> None:
    with StandInIssuer() as issuer:
        size = len(asyncio.run(ask(f"{issuer.url}/jwks")).body)
        assert len(asyncio.run(ask(f"{issuer.url}/jwks", limit=size)).body) == size
        with pytest.raises(FetchError):
            asyncio.run(ask(f"{issuer.url}/jwks", limit=size - 1))


def test_redirects_are_not_followed() -> None:
    with StandInIssuer() as issuer:
        issuer.failure = Failure.REDIRECT
        assert asyncio.run(ask(f"{issuer.url}/elsewhere")).status == 302
        assert issuer.requests == ["GET /elsewhere"]


def test_the_hosts_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with StandInIssuer() as issuer:
        assert asyncio.run(ask(f"{issuer.url}/jwks")).status == 200


def test_a_certificate_must_come_from_the_ca_that_is_named(tmp_path: Path) -> None:
    tls, other = make(tmp_path / "a"), make(tmp_path / "b")
    with StandInIssuer(tls=tls) as issuer:
        url = f"{issuer.url}/jwks"
        assert asyncio.run(ask(url, ca=tls.ca)).status == 200
        for ca in (None, other.ca):
            with pytest.raises(FetchError, match="certificate verify failed"):
                asyncio.run(ask(url, ca=ca))
    with pytest.raises(FetchError, match="CA file"):
        asyncio.run(ask(url, ca=tmp_path / "missing.pem"))


def test_nobody_there() -> None:
    with StandInIssuer() as issuer:
        url = f"{issuer.url}/jwks"
    with pytest.raises(FetchError, match="ConnectError"):
        asyncio.run(ask(url))
    with pytest.raises(FetchError):
        asyncio.run(ask("http://127.0.0.1:port/"))
    with pytest.raises(FetchError):
        asyncio.run(ask(f"http://{'a' * 64}.localhost/"))


def test_a_form_carries_the_clients_name_and_secret_encoded() -> None:
    form = Form(fields={"token": "opaque token"}, client_id="a:b", client_secret="p%+ ä")
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    async def main() -> None:
        fetch = HttpFetch()
        fetch._clients[None] = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        await fetch("https://idp.example/introspect", limit=LIMIT, form=form)
        await fetch.close()

    asyncio.run(main())
    (request,) = seen
    assert request.method == "POST"
    assert request.content == b"token=opaque+token"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    encoded = request.headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded) == b"a%3Ab:p%25%2B+%C3%A4"
    assert "p%+" not in repr(form)
    assert "opaque" not in repr(form)


def test_a_client_without_a_secret_does_not_authenticate_and_a_token_goes_in_its_header() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    async def main() -> None:
        fetch = HttpFetch()
        fetch._clients[None] = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        form = Form(fields={"client_id": "a"}, client_id="a")
        await fetch("https://idp.example/token", limit=LIMIT, form=form)
        await fetch.bearer("https://idp.example/userinfo", "the-token", limit=LIMIT)
        with pytest.raises(FetchError, match="more than 1 bytes"):
            await fetch.bearer("https://idp.example/userinfo", "the-token", limit=1)
        await fetch.close()

    asyncio.run(main())
    posted, got, _ = seen
    assert "authorization" not in posted.headers
    assert posted.content == b"client_id=a"
    assert got.method == "GET"
    assert got.headers["authorization"] == "Bearer the-token"
