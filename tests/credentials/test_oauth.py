"""Asking an authorization server for a token."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from proctor.credentials.oauth import EXCHANGE, UNSAID, Token, TokenEndpoint, read_key
from proctor.credentials.settings import ACCESS_TOKEN, OAuthSettings
from proctor.errors import ConfigurationError, UpstreamError
from proctor.fields import SecretSource
from proctor.identity.fetch import HttpFetch, Reply
from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET
from tests.support.authserver import AuthServer

NOW = 1000.0
GENERATED: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def settings(url: str = "https://idp/token", **more: Any) -> OAuthSettings:
    given_ = {"token_endpoint": url, "client_id": CLIENT_ID, "client_secret": {"env": "S"}}
    return OAuthSettings.model_validate(given_ | more)


def endpoint(found: OAuthSettings, fetch: Any) -> TokenEndpoint:
    async def secret(_source: SecretSource, _name: str) -> str:
        return CLIENT_SECRET

    return TokenEndpoint("crm", found, fetch=fetch, secret=secret, clock=lambda: NOW)


def ask(found: OAuthSettings, subject: str | None = None) -> Token:
    async def main() -> Token:
        fetch = HttpFetch(total=5, step=5)
        try:
            return await endpoint(found, fetch).ask(subject)
        finally:
            await fetch.close()

    return asyncio.run(main())


def read(body: object, status: int = 200, **more: Any) -> Token:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return endpoint(settings(**more), None)._read(Reply(status=status, body=raw), NOW)


def refused(work: Callable[[], object]) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        work()
    for error in (caught.value, caught.value.__cause__, caught.value.__context__):
        assert "Zx9" not in f"{error} {error!r}"
    assert CLIENT_SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("way", ["basic", "post"])
def test_client_credentials(way: str) -> None:
    more = {"scopes": ("read", "a:b"), "audience": "crm", "resource": "https://crm/?a=b"}
    with AuthServer() as server:
        token = ask(settings(server.url, client_auth=way, **more))
    assert (token.value, token.got_at, token.expires_at) == ("t1", NOW, NOW + 90)
    (asked,) = server.asked
    assert asked.pop("client_id", None) == ("proctor" if way == "post" else None)
    assert asked == {
        "grant_type": "client_credentials",
        "scope": "read a:b",
        "audience": "crm",
        "resource": "https://crm/?a=b",
    }


@pytest.mark.parametrize("asked_for", [None, "urn:ietf:params:oauth:token-type:access_token"])
def test_an_exchange(asked_for: str | None) -> None:
    more = {"requested_token_type": asked_for} if asked_for else {}
    with AuthServer() as server:
        token = ask(settings(server.url, grant="token_exchange", **more), "alice's & own")
    assert token.value == "t1"
    assert server.asked == [
        {
            "grant_type": EXCHANGE,
            "subject_token": "alice's & own",
            "subject_token_type": ACCESS_TOKEN,
            **more,
        }
    ]


def test_an_exchange_by_a_public_client() -> None:
    """The server tells it by its name (RFC 6749, 3.2.1), and this one wants more."""
    with AuthServer() as server:
        error = refused(
            lambda: ask(settings(server.url, grant="token_exchange", client_secret=None), "Zx9")
        )
    assert server.asked[0]["client_id"] == CLIENT_ID
    assert error.got == "status 401, invalid_client"


def keys(folder: Path, algorithm: str) -> tuple[Path, Path]:
    key = GENERATED[algorithm]()
    private, public = folder / "key.pem", folder / "public.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


@pytest.mark.parametrize("algorithm", GENERATED)
def test_a_client_that_proves_itself_by_a_key(tmp_path: Path, algorithm: str) -> None:
    private, public = keys(tmp_path, algorithm)
    assert read_key(private, "crm")[1] == algorithm
    with AuthServer(public) as server:
        found = settings(
            server.url,
            client_secret=None,
            client_auth="private_key",
            private_key=private,
            key_id="k",
        )
        assert ask(found).value == "t1"
        assert ask(found).value == "t2"  # never the same assertion twice
    private.chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        ask(found)
    assert caught.value.code == "open-to-others"


@pytest.mark.parametrize(
    "content",
    [b"", b"Zx9", b"-----BEGIN PRIVATE KEY-----\nZx9=\n-----END"],
    ids=lambda _: "x",  # the folder is named for the test, and messages name the folder
)
def test_no_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        read_key(path, "crm")
    assert caught.value.code == "key-unusable"
    assert "Zx9" not in f"{caught.value} {caught.value.__cause__}"


def test_a_key_on_another_curve(tmp_path: Path) -> None:
    GENERATED["P-384"] = lambda: ec.generate_private_key(ec.SECP384R1())
    try:
        private, _ = keys(tmp_path, "P-384")
    finally:
        del GENERATED["P-384"]
    with pytest.raises(ConfigurationError, match="P-256"):
        read_key(private, "crm")


@pytest.mark.parametrize(
    ("status", "error", "code", "got"),
    [
        (400, "invalid_scope", "token-refused", "status 400, invalid_scope"),
        (401, "invalid_client", "token-refused", "status 401, invalid_client"),
        (400, "Zx9 is wrong", "token-refused", "status 400, another error"),
        (403, None, "token-refused", "status 403, another error"),
        (500, None, "token-unavailable", "status 500"),
        (302, None, "token-unavailable", "status 302"),
        (429, None, "token-unavailable", "status 429"),
    ],
)
def test_refusals(status: int, error: object, code: str, got: str) -> None:
    found = refused(lambda: read({"error": error, "error_description": "Zx9"}, status))
    assert (found.code, found.got) == (code, got)
    assert refused(lambda: read(b"<p>Zx9", status)).code == code


def test_nobody_answers() -> None:
    with AuthServer() as server:
        url = server.url
    error = refused(lambda: ask(settings(url)))
    assert (error.code, error.status) == ("token-unavailable", 503)


GOOD = {"access_token": "Zx9", "token_type": "bearer", "expires_in": 100}


@pytest.mark.parametrize(
    ("change", "lives"),
    [
        ({}, 90),
        ({"expires_in": "100"}, 90),
        ({"expires_in": 10}, 9),
        ({"expires_in": 3600}, 3570),
        ({"expires_in": None}, UNSAID - 30),
        ({"expires_in": 10**400}, 86370),
        ({"token_type": "BEARER"}, 90),
    ],
)
def test_answers(change: dict[str, Any], lives: float) -> None:
    body = json.dumps({k: v for k, v in (GOOD | change).items() if v is not None}).encode()
    token = read(body)
    assert token.expires_at == NOW + lives
    assert "Zx9" not in repr(token)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Zx9",
        b"[]",
        b'{"access_token":"Zx9","access_token":"Zx9","token_type":"bearer"}',
        GOOD | {"token_type": None},
        GOOD | {"token_type": "N_A"},
        GOOD | {"token_type": "DPoP"},
        GOOD | {"access_token": None},
        GOOD | {"access_token": ""},
        GOOD | {"access_token": "Zx9\r\nx: y"},
        GOOD | {"access_token": "Zx9 Zx9"},
        GOOD | {"access_token": "Zx9é"},
        GOOD | {"access_token": "Zx9" * 10_000},
        GOOD | {"expires_in": 0},
        GOOD | {"expires_in": -1},
        GOOD | {"expires_in": True},
        GOOD | {"expires_in": "soon"},
        GOOD | {"expires_in": "1" * 5000},
        GOOD | {"expires_in": []},
    ],
    ids=lambda _: "x",
)
def test_no_answers(body: object) -> None:
    assert refused(lambda: read(body)).code == "token-unusable"


@pytest.mark.parametrize(
    ("issued", "asked_for", "good"),
    [
        (None, None, True),
        (ACCESS_TOKEN, None, True),
        ("urn:ietf:params:oauth:token-type:jwt", None, True),
        ("urn:ietf:params:oauth:token-type:refresh_token", None, False),
        (ACCESS_TOKEN, "urn:x:y", False),
        ("urn:x:y", "urn:x:y", True),
    ],
)
def test_what_an_exchange_gave(issued: str | None, asked_for: str | None, good: bool) -> None:  # noqa: FBT001 - a parameter
    more: dict[str, Any] = {"requested_token_type": asked_for} if asked_for else {}
    body = GOOD | ({"issued_token_type": issued} if issued else {})

    def work() -> Token:
        return read(body, grant="token_exchange", **more)

    if good:
        assert work().value == "Zx9"
    else:
        assert refused(work).code == "token-unusable"


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


@given(
    st.binary(max_size=80)
    | st.dictionaries(st.sampled_from([*GOOD, "error"]), VALUES).map(
        lambda d: json.dumps(d).encode()
    ),
    st.sampled_from([200, 400, 401, 500]),
)
def test_any_answer_is_a_token_or_refused(body: bytes, status: int) -> None:
    try:
        token = read(body, status)
    except UpstreamError:
        return
    assert status == 200
    assert token.value.isprintable()
    assert token.value.isascii()
    assert NOW < token.expires_at <= NOW + 86400


def test_the_answer_is_bounded() -> None:
    with AuthServer() as server:
        server.body = b" " * 100_000
        assert refused(lambda: ask(settings(server.url))).code == "token-unavailable"
