"""A whole OpenID provider that is not ours: discovery, keys and tokens as others write them."""

import asyncio
import os
import time
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from proctor.errors import AuthenticationError
from proctor.identity.authenticator import Authenticator
from proctor.identity.fetch import HttpFetch
from proctor.model import Principal
from proctor.settings import IssuerSettings

CALLBACK = "http://127.0.0.1/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Its issuer; alice is in two groups."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, not ours to mend
        if os.environ.get("CI") == "true":
            mock = import_module("oidc_provider_mock")  # its absence is a failure there
        else:
            mock = pytest.importorskip("oidc_provider_mock", reason="no OpenID provider installed")
        alice = mock.User(sub="alice", claims={"groups": ["/team/dba", "dev"]})
        with mock.run_server_in_thread(user_claims=[alice]) as server:
            yield f"http://localhost:{server.server_port}"


def sign_in(issuer: str, subject: str, client_id: str) -> str:
    """The ID token of a sign-in (OIDC Core 3.1)."""
    client = httpx.Client(base_url=issuer, trust_env=False, timeout=30)
    with client:
        asked: dict[str, Any] = {
            "client_id": client_id,
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": CALLBACK,
        }
        answer = client.post("/oauth2/authorize", params=asked, data={"sub": subject})
        (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        answer = client.post("/oauth2/token", data=form, auth=(client_id, "secret"))
        return str(answer.json()["id_token"])


async def admit(issuer: str, token: str) -> Principal:
    fetch = HttpFetch()
    settings = IssuerSettings(issuer=issuer, audience="proctor", groups="groups")
    authenticator = Authenticator([settings], fetch=fetch, clock=time.time, local_keys=None)
    try:
        return await authenticator.authenticate(token)
    finally:
        await authenticator.close()
        await fetch.close()


def test_its_tokens_are_taken(provider: str) -> None:
    principal = asyncio.run(admit(provider, sign_in(provider, "alice", "proctor")))
    assert principal.key == f"{provider}#alice"
    assert principal.groups == ("/team/dba", "dev")
    assert principal.expires_at - principal.issued_at == pytest.approx(3600, abs=2)


def test_its_tokens_for_others_are_refused(provider: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        asyncio.run(admit(provider, sign_in(provider, "alice", "wiki")))
    assert caught.value.code == "token-audience"
    assert '"wiki"' in caught.value.got


def test_another_name_for_the_same_place_is_another_issuer(provider: str) -> None:
    token = sign_in(provider, "alice", "proctor")
    with pytest.raises(AuthenticationError) as caught:
        asyncio.run(admit(provider.replace("localhost", "127.0.0.1"), token))
    assert caught.value.code == "token-issuer"
