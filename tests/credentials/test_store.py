"""Every kind of credential, from where it is kept into a request."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from OpenSSL import SSL

from proctor.credentials.echo import Echo
from proctor.credentials.injection import PutHeader, basic, bearer
from proctor.credentials.settings import CredentialSettings
from proctor.credentials.store import Credentials
from proctor.errors import ConfigurationError, InternalError, UpstreamError
from proctor.fields import SecretSource
from proctor.identity.fetch import HttpFetch
from proctor.runtime.tls import Contexts, Trusted, connect
from proctor.testing import tls
from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET
from tests.support.authserver import AuthServer

ENVIRONMENT = {
    "KEY": "Zx9",
    "AKID": "AKIDEXAMPLE",
    "SIGN": "Zx9-signs",
    "TEMP": "Zx9-session",
    "CLIENT": CLIENT_SECRET,
}
NEVER = 1e12
AWS = {
    "region": "eu-central-1",
    "service": "execute-api",
    "access_key": {"env": "AKID"},
    "secret_key": {"env": "SIGN"},
}


def item(**data: Any) -> CredentialSettings:
    return CredentialSettings.model_validate({"name": "a", **data})


def oauth(url: str, **more: Any) -> CredentialSettings:
    plain = {"token_endpoint": url, "client_id": CLIENT_ID, "client_secret": {"env": "CLIENT"}}
    return item(oauth=plain | more)


def drive(
    settings: Sequence[CredentialSettings],
    use: Callable[[Credentials], Awaitable[None]],
    **more: Any,
) -> None:
    async def main() -> None:
        fetch = HttpFetch(total=5, step=5)
        credentials = Credentials(settings, fetch=fetch, environment=ENVIRONMENT, **more)
        try:
            await credentials.start()
            await use(credentials)
        finally:
            await credentials.close()
            await fetch.close()

    asyncio.run(main())


def applied(credentials: Credentials) -> http.Request:
    request = http.Request.make("GET", "https://h.example.com/p?q")
    request.headers["host"] = "h.example.com"
    injection = credentials.ready("a", "alice", None)
    assert injection is not None
    assert injection is credentials.ready("a", "bob", "other")  # made once
    injection.apply(request)
    return request


@pytest.mark.parametrize(
    ("data", "header", "value"),
    [
        ({"header": "x-api-key", "value": {"env": "KEY"}}, "x-api-key", "Zx9"),
        ({"header": "authorization", "value": {"env": "KEY"}}, "authorization", "Bearer Zx9"),
        ({"user": "svc", "password": {"env": "KEY"}}, "authorization", "Basic c3ZjOlp4OQ=="),
    ],
)
def test_headers(data: dict[str, Any], header: str, value: str) -> None:
    async def use(credentials: Credentials) -> None:
        assert applied(credentials).headers[header] == value
        injection = credentials.ready("a", "alice", None)
        assert isinstance(injection, PutHeader)
        assert injection.field == (header.encode(), value.encode())
        assert credentials.certificate("a") is None
        credentials.rejected("a", "alice", None)  # nothing that could be got anew
        assert credentials.ready("a", "alice", None) is await credentials.fetch("a", "x", None, 0)

    drive([item(**data)], use)


def test_queries() -> None:
    async def use(credentials: Credentials) -> None:
        assert applied(credentials).path == "/p?q&api_key=Zx9"
        assert not isinstance(credentials.ready("a", "alice", None), PutHeader)

    drive([item(query="api_key", value={"env": "KEY"})], use)


@pytest.mark.parametrize("session", [None, "Zx9-session"])
def test_signatures(session: str | None) -> None:
    async def use(credentials: Credentials) -> None:
        headers = applied(credentials).headers
        assert headers["authorization"].startswith(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/execute-api/aws4_request"
        )
        assert headers["x-amz-date"] == "20150830T123600Z"
        assert headers.get("x-amz-security-token") == session
        assert "Zx9-signs" not in str(headers)

    more = {"session_token": {"env": "TEMP"}} if session else {}
    drive([item(aws=AWS | more)], use, clock=lambda: 1440938160.0)


def test_a_new_value_is_put_in_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def write(text: str) -> None:
        new = tmp_path / "new"
        new.write_text(text)
        new.chmod(0o600)
        new.replace(path)

    async def use(credentials: Credentials) -> None:
        assert applied(credentials).headers["x-api-key"] == "one"
        write("two")
        await credentials.refresh()
        assert applied(credentials).headers["x-api-key"] == "two"

    write("one")
    drive([item(header="x-api-key", value={"file": str(path)})], use)


def test_what_was_read_is_known_again_and_what_it_took_the_place_of(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    old, new, key = "Zq81vT-hJ2mW9-old", "Wm4pBx9-K2aQ7-new", "AKIDEXAMPLE"

    def write(text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)

    async def use(credentials: Credentials) -> None:
        write(new)
        await credentials.refresh()
        echo = Echo(credentials.known(None, None))
        code = basic("bot", new).field[1]
        said = f"{old} {new} {key} ".encode() + code
        assert echo.whole(said) == b"%b %b %b Basic %b" % (
            b"*" * len(old),
            b"*" * len(new),
            key.encode(),
            b"*" * (len(code) - 6),
        )

    write(old)
    signed = {**AWS, "secret_key": {"file": str(path)}}
    two = [item(user="bot", password={"file": str(path)}), item(aws=signed)]
    drive([two[0], two[1].model_copy(update={"name": "b"})], use)


def test_what_a_login_has_just_got_is_known_again(tmp_path: Path) -> None:
    """At once, whoever looks at all of them from time to time."""
    turn, program = tmp_path / "turn", tmp_path / "mint"
    program.write_text(f"#!/bin/sh\ncat {turn}\n")
    program.chmod(0o700)
    now = [0.0]
    credentials = Credentials(
        [item(user="bot", password={"command": [str(program)]})], clock=lambda: now[0]
    )

    async def use() -> None:
        for number, value in enumerate(("Zq81vT-hJ2mW9-old", "Wm4pBx9-K2aQ7-new")):
            now[0] = 1000.0 * number
            turn.write_text(json.dumps({"value": value, "expires_at": now[0] + 1000}))
            assert (await credentials.login("a"))[1].value == value
            echo = Echo(credentials.known(None, None))
            assert echo.whole(value.encode()) == b"*" * len(value)

    asyncio.run(use())


def test_a_token_that_was_got_is_known_again() -> None:
    token = "Zq81vT-hJ2mW9-token"

    async def use(credentials: Credentials) -> None:
        echo = Echo(credentials.known("a", bearer(token)))
        assert token.encode() not in echo.whole(token.encode())
        assert [each.detector for each in echo.findings] == ["proctor:credential/a"]
        assert not Echo(credentials.known(None, None)).whole(token.encode()).startswith(b"*")

    with AuthServer() as server:
        drive([oauth(server.url)], use)


def test_before_the_start_there_is_none() -> None:
    credentials = Credentials(
        [item(header="x-api-key", value={"env": "KEY"})], environment=ENVIRONMENT
    )
    assert credentials.ready("a", "alice", None) is None
    with pytest.raises(InternalError) as caught:
        asyncio.run(credentials.fetch("a", "alice", None, NEVER))
    assert (caught.value.code, caught.value.status) == ("credential-unavailable", 503)


def test_nothing_starts_without_a_value() -> None:
    async def use(*_: object) -> None:
        raise AssertionError

    for data in (
        {"header": "x", "value": {"env": "NONE"}},
        {"aws": AWS | {"session_token": {"env": "NONE"}}},
        {
            "oauth": {
                "token_endpoint": "https://idp",
                "client_id": "x",
                "client_secret": {"env": "N"},
            }
        },
    ):
        with pytest.raises(ConfigurationError) as caught:
            drive([item(**data)], use)
        assert caught.value.code == "secret-missing"


def test_a_token_is_there_soon_after_the_start() -> None:
    async def use(credentials: Credentials) -> None:
        found = await credentials.fetch("a", "alice", None, NEVER)
        assert credentials.ready("a", "bob", None) is found
        assert applied(credentials).headers["authorization"] == "Bearer t1"

    with AuthServer() as server:
        drive([oauth(server.url)], use)
        assert len(server.asked) == 1


def test_a_token_on_behalf_of_the_caller() -> None:
    async def use(credentials: Credentials) -> None:
        await credentials.fetch("a", "alice", "alices", NEVER)
        assert credentials.ready("a", "alice", None) is None
        assert credentials.ready("a", "bob", "bobs") is None
        assert credentials.ready("a", "alice", "alices") is not None

    with AuthServer() as server:
        drive([oauth(server.url, grant="token_exchange")], use)
        assert [fields["subject_token"] for fields in server.asked] == ["alices"]


def test_a_server_that_fails_keeps_nothing_from_starting() -> None:
    async def use(credentials: Credentials) -> None:
        assert credentials.ready("a", "alice", None) is None
        with pytest.raises(UpstreamError) as caught:
            await credentials.fetch("a", "alice", None, NEVER)
        assert caught.value.code == "token-unavailable"

    with AuthServer() as server:
        server.status = 500
        drive([oauth(server.url)], use)


def test_tokens_need_somebody_who_asks() -> None:
    with pytest.raises(ValueError, match="fetch"):
        Credentials([oauth("https://idp/token")])


def test_a_client_certificate_for_a_server_that_wants_one(tmp_path: Path) -> None:
    files = tls.make(tmp_path)
    settings = item(cert=str(files.cert), key=str(files.key))

    async def use(credentials: Credentials) -> None:
        assert set(applied(credentials).headers) == {"host", "content-length"}
        shown = credentials.certificate("a")
        assert shown == (files.cert, files.key)
        assert await greeted(files, *shown) == b"CN=localhost"
        with pytest.raises((SSL.Error, ConnectionError)):
            await greeted(files, None, None)

    drive([settings], use)


async def greeted(files: tls.Files, cert: Path | None, key: Path | None) -> bytes:
    """Who a TLS server says that the client is."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peercert")
        writer.write("".join(f"CN={value}" for ((_, value),) in peer["subject"]).encode())
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.drain()
        writer.close()

    context = files.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.ca)
    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        trusted = Contexts().trusted(Trusted(ca=files.ca, cert=cert, key=key))
        client = connect(trusted, "127.0.0.1", (b"http/1.1",))
        try:
            return await _receive(client, reader, writer)
        finally:
            writer.close()


async def _receive(
    client: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    while True:
        try:
            return client.recv(1024)
        except SSL.WantReadError:
            with contextlib.suppress(SSL.WantReadError):
                writer.write(client.bio_read(65536))
            data = await reader.read(65536)
            if not data:
                raise ConnectionResetError from None
            client.bio_write(data)


def test_files_that_cannot_be_used_are_told_at_the_start(tmp_path: Path) -> None:
    async def use(*_: object) -> None:
        raise AssertionError

    one, two = tls.make(tmp_path / "1"), tls.make(tmp_path / "2")
    with pytest.raises(ConfigurationError) as caught:
        drive([item(cert=str(one.cert), key=str(two.key))], use)
    assert caught.value.code == "tls-files"
    keyed = {
        "token_endpoint": "https://idp/token",
        "client_id": "proctor",
        "client_auth": "private_key",
        "private_key": str(one.cert),
    }
    one.cert.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        drive([item(oauth=keyed)], use)
    assert caught.value.code == "key-unusable"


def test_secrets_of_our_own() -> None:
    async def use(credentials: Credentials) -> None:
        assert await credentials.secret(SecretSource(env="KEY")) == "Zx9"

    drive([], use)


def test_no_repr_shows_a_value() -> None:
    async def use(credentials: Credentials) -> None:
        applied(credentials)
        inside = f"{credentials!r} {credentials._made!r} {credentials._secrets!r}"
        assert "Zx9" not in inside

    drive([item(aws=AWS)], use)
