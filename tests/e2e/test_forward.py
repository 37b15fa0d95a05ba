"""The forward listener: clients that keep to the rules, those that do not, and their mistakes."""

import json
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from proctor.testing.http1 import Received
from tests.support import clients
from tests.support.forward import World, basic, code
from tests.support.web import answer_json

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


# Who?


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_token_is_a_password_or_a_bearer_s(ours: World, scheme: str) -> None:
    shown = basic(ours.token) if scheme == "Basic" else f"proxy-authorization: Bearer {ours.token}"
    with ours.wire() as wire:
        assert wire.connect(ours.secure, shown).startswith(b"HTTP/1.1 200 ")
        wire.wrap(ours.out.ca, "localhost")
        assert b" 200 " in wire.say("GET /in HTTP/1.1", f"host: {ours.secure}")
        url = f"http://localhost:{ours.plain.port}/plain"
    with ours.wire() as wire:
        assert wire.say(f"GET {url} HTTP/1.1", "host: x", shown).startswith(b"HTTP/1.1 200 ")
    for each in (*ours.web.requests, *ours.plain.requests):
        assert each.header("proxy-authorization") is None
    assert len(ours.web.requests) == len(ours.plain.requests) == 1


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ((), "token-missing"),
        (("proxy-authorization: Basic",), "token-missing"),
        (("proxy-authorization: Digest x",), "token-missing"),
        (("proxy-authorization: Basic !!!",), "token-missing"),
        (("authorization: Bearer {token}",), "token-missing"),
        (("x-api-key: {token}",), "token-missing"),
        (("proxy-authorization: Bearer nobody",), "token-malformed"),
        (("proxy-authorization: Bearer {old}",), "token-expired"),
        (
            ("proxy-authorization: Bearer {token}", "proxy-authorization: Bearer {token}"),
            "token-conflict",
        ),
    ],
)
def test_who_is_not_known_is_asked_to_say(ours: World, headers: tuple[str, ...], said: str) -> None:
    old = ours.out.token(age=600, ttl=300)
    shown = [each.format(token=ours.token, old=old) for each in headers]
    with ours.wire() as wire:
        for target in (ours.secure, "127.0.0.1:1", "169.254.169.254:80", ours.secure):
            answer = wire.connect(target, *shown)
            assert answer.startswith(b"HTTP/1.1 407 "), answer
            assert b'proxy-authenticate: Basic realm="proctor"' in answer
            assert code(answer) == said
        url = f"http://localhost:{ours.plain.port}/x"
        answer = wire.say(f"GET {url} HTTP/1.1", "host: x", *shown)
        assert answer.startswith(b"HTTP/1.1 407 "), answer
        # The next one may know better, on the same connection.
        assert wire.connect(ours.secure, token=ours.token).startswith(b"HTTP/1.1 200 ")
    assert ours.untouched()


def test_a_token_expires_inside_a_tunnel(ours: World) -> None:
    short = ours.out.token("carol", ttl=5)
    with ours.inside(token=short) as wire:
        request = ("GET /one HTTP/1.1", f"host: {ours.secure}")
        while (answer := wire.say(*request)).startswith(b"HTTP/1.1 200 "):
            threading.Event().wait(0.05)
        assert answer.startswith(b"HTTP/1.1 401 "), answer
        assert code(answer) == "token-expired"
        assert b"connection: close" in answer.lower()
        assert wire.gone()
    with ours.wire() as wire:
        assert wire.connect(ours.secure, token=short).startswith(b"HTTP/1.1 407 ")
        assert wire.connect(ours.secure, token=ours.token).startswith(b"HTTP/1.1 200 ")
    assert ours.flows("subject = 'carol' and status = 200")


def test_proxy_authorization_goes_no_further(ours: World) -> None:
    with ours.inside() as wire:
        answer = wire.say("GET /in HTTP/1.1", f"host: {ours.secure}", basic("another"))
        assert answer.startswith(b"HTTP/1.1 200 ")
    (inside,) = ours.web.requests
    assert [name for name, _ in inside.headers] == ["host", "x-api-key"]


# How?


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl(ours: World, tmp_path: Path, version: str) -> None:
    clients.needs("curl")
    done = clients.run(
        {},
        tmp_path,
        *("curl", "-sS", "--max-time", "20", version, "--proxy", ours.out.proxy()),
        *("--cacert", str(ours.out.ca), "--write-out", "%{http_version}\n"),
        *(f"https://{ours.secure}/{n}" for n in range(3)),
    )
    assert done.returncode == 0, done.stderr
    spoken = "2" if version == "--http2" else "1.1"
    assert done.stdout.count(f"}}{spoken}\n") == 3, done.stdout
    assert [each.target for each in ours.web.requests] == ["/0", "/1", "/2"]


def test_a_proxy_that_speaks_tls(ours: World, tmp_path: Path) -> None:
    clients.needs("curl")
    port = ours.out.gateway.listeners["secure"].rpartition(":")[2]
    done = clients.run(
        {},
        tmp_path,
        *("curl", "-sS", "--max-time", "20", "--http2"),
        *("--proxy", f"https://claude:{ours.token}@localhost:{port}"),
        *("--proxy-cacert", str(ours.files.ca), "--cacert", str(ours.out.ca)),
        f"https://{ours.secure}/outer",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["target"] == "/outer"


def test_http2_streams_come_side_by_side(ours: World) -> None:
    with httpx.Client(
        http2=True,
        proxy=ours.out.proxy(),
        verify=ssl.create_default_context(cafile=str(ours.out.ca)),
        trust_env=False,
        timeout=30,
    ) as client:
        got = [client.get(f"https://{ours.secure}/{n}") for n in range(5)]
        other = client.get(f"https://{ours.secure}/x", headers={"host": "elsewhere"})
    assert {each.http_version for each in got} == {"HTTP/2"}
    assert len(ours.web.requests) == 5
    assert (other.status_code, other.json()["code"]) == (421, "host-mismatch")


def test_requests_follow_each_other_in_a_tunnel(ours: World) -> None:
    with ours.inside() as wire:
        for n in range(3):
            answer = wire.say(
                f"POST /{n} HTTP/1.1", f"host: {ours.secure}", "content-length: 1", body=b"a"
            )
            assert answer.startswith(b"HTTP/1.1 200 ")
    assert len({each.connection for each in ours.web.requests}) == 1


# Where?


@pytest.mark.parametrize(
    "target",
    [
        "169.254.169.254:80",
        "0xA9FEA9FE:80",
        "0xa9.0xfe.0xa9.0xfe:80",
        "2852039166:80",
        "0251.0376.0251.0376:80",
        "169.254.43518:80",
        "[::ffff:169.254.169.254]:80",
        "[::ffff:a9fe:a9fe]:80",
        "[64:ff9b::a9fe:a9fe]:80",
        "169.254.169.254.:80",
        "\uff11\uff16\uff19.254.169.254:80",
        "metadata.google.internal:80",
        "localhost:{plain_}",
        "127.1:22",
        "[::1]:22",
        "0:22",
        "0.0.0.0:{plain}",
        "[::]:{plain}",
        "[::ffff:127.0.0.1]:22",
        "2130706433:22",
        "127.0.0.9:{plain}",
        "elsewhere.example:443",
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:99999",
        "localhost:443x",
        "user@localhost:{web}",
        "localhost:{web}/",
        "localhost%2eexample:{web}",
        "[::1%25lo]:{plain}",
        "api.anthropic.com:443",
        "",
    ],
)
def test_nobody_goes_where_no_destination_is(ours: World, target: str) -> None:
    port = target.format(plain=ours.plain.port, plain_=ours.plain.port + 1, web=ours.web.port)
    with ours.wire() as wire:
        wire.socket.sendall(
            f"CONNECT {port} HTTP/1.1\r\nhost: {port}\r\n"
            f"proxy-authorization: Bearer {ours.token}\r\n\r\n".encode()
        )
        answer = wire.read(empty=True)
        assert answer[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 451 "}, answer
    scheme = "http"
    with ours.wire() as wire:
        wire.socket.sendall(
            f"GET {scheme}://{port}/ HTTP/1.1\r\nhost: {port}\r\n"
            f"proxy-authorization: Bearer {ours.token}\r\n\r\n".encode()
        )
        answer = wire.read()
        assert answer[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 451 "}, answer
    assert ours.untouched()


@pytest.mark.parametrize("host", ["LOCALHOST", "localhost.", "LocalHost.", "local%68ost"])
def test_a_host_in_another_spelling(ours: World, host: str) -> None:
    with ours.wire() as wire:
        answer = wire.say(
            f"GET http://{host}:{ours.plain.port}/x HTTP/1.1", "host: evil", token=ours.token
        )
    if "%" in host:
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert ours.untouched()
    else:
        (got,) = ours.plain.requests
        assert got.header("host") == f"localhost:{ours.plain.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::ffff:7f00:1]"])
def test_an_address_in_another_spelling(ours: World, host: str) -> None:
    with ours.wire() as wire:
        for path, status in (("/here/x", b"200"), ("/", b"451"), ("/herex", b"451")):
            answer = wire.say(
                f"GET http://{host}:{ours.plain.port}{path} HTTP/1.1", "host: a", token=ours.token
            )
            assert answer.startswith(b"HTTP/1.1 " + status), answer
    (got,) = ours.plain.requests
    assert got.header("host") == f"127.0.0.1:{ours.plain.port}"


def test_ipv6(ours: World) -> None:
    with socket.create_server(("::1", ours.plain.port), family=socket.AF_INET6) as there:
        with ours.wire() as wire:
            url = f"http://[0:0:0:0:0:0:0:1]:{ours.plain.port}/six"
            wire.socket.sendall(
                f"GET {url} HTTP/1.1\r\nproxy-authorization: Bearer {ours.token}\r\n\r\n".encode()
            )
            there.settimeout(30)
            connection, _ = there.accept()
            with connection:
                got = connection.recv(65536)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert wire.socket.recv(13) == b"HTTP/1.1 204 "
    assert got.startswith(b"GET /six HTTP/1.1\r\nHost: [::1]:%d\r\n" % ours.plain.port)


def test_a_name_that_leads_nowhere_that_is_permitted(ours: World) -> None:
    with ours.wire() as wire:
        url = f"http://example.internal:{ours.plain.port}/"
        answer = wire.say(f"GET {url} HTTP/1.1", "host: a", token=ours.token)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert code(answer) == "name-unresolved"


@pytest.mark.parametrize("where", ["http://169.254.169.254/latest", "http://0xa9fea9fe/"])
def test_a_redirect_is_a_request_of_its_own(
    ours: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def away(_request: Received) -> Any:
        return type(answer_json(0))(status=302, headers={"location": where}, body=b"")

    monkeypatch.setattr(ours.plain, "_site", away)
    with httpx.Client(
        proxy=ours.out.proxy(), trust_env=False, follow_redirects=True, timeout=30
    ) as client:
        got = client.get(f"http://localhost:{ours.plain.port}/start")
    assert (got.status_code, got.json()["code"]) == (451, "destination-unknown")
    assert len(ours.plain.requests) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/here/../own",
        "/here/%2e%2e/own",
        "/here/..%2fown",
        "/here/..;/own",
        "/here\\..\\own",
        "/%2e/here",
        "/here/%252e%252e/own",
        "/here/%c0%ae%c0%ae/own",
        "/here/%00",
        "//here/x",
        "/here%2fx",
        "/HERE/x",
    ],
)
def test_a_path_that_could_be_another_one(ours: World, path: str) -> None:
    with ours.wire() as wire:
        url = f"http://127.0.0.1:{ours.plain.port}{path}"
        answer = wire.say(f"GET {url} HTTP/1.1", "host: a", token=ours.token)
    assert code(answer) in {"path-ambiguous", "destination-unknown"}, answer
    assert ours.untouched()


def test_a_rule_has_its_say(ours: World) -> None:
    with ours.inside() as wire:
        answer = wire.say("DELETE /x HTTP/1.1", f"host: {ours.secure}")
    assert (answer[9:12], code(answer)) == (b"451", "policy-denied")
    assert ours.untouched()
    assert ours.flows("method = 'DELETE'")[-1]["rule_id"] == "no-deleting"


# Inside a tunnel one may be in one place only.


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("GET /x HTTP/1.1", "host: elsewhere"), b"421"),
        (("GET /x HTTP/1.1", "host: localhost"), b"421"),
        (("GET /x HTTP/1.1", "host: localhost:1"), b"421"),
        (("GET /x HTTP/1.1", "host: {secure}", "host: elsewhere"), b"4"),
        (("GET /x HTTP/1.1", "host: {secure}, elsewhere"), b"4"),
        (("GET /x HTTP/1.1", "host: x@{secure}"), b"4"),
        (("GET /x HTTP/1.1",), b"4"),
        (("GET https://elsewhere/x HTTP/1.1", "host: {secure}"), b"421"),
        (("GET http://169.254.169.254/x HTTP/1.1", "host: {secure}"), b"421"),
        (("GET http://localhost:{plain}/x HTTP/1.1", "host: {secure}"), b"421"),
        (("CONNECT elsewhere:443 HTTP/1.1", "host: elsewhere:443"), b"400"),
        (("CONNECT {secure} HTTP/1.1", "host: {secure}"), b"400"),
    ],
)
def test_another_place_inside_a_tunnel(ours: World, lines: tuple[str, ...], status: bytes) -> None:
    with ours.inside() as wire:
        answer = wire.say(
            *(each.format(secure=ours.secure, plain=ours.plain.port) for each in lines)
        )
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert ours.untouched()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_absolute_form_inside_a_tunnel_is_the_tunnel_s(ours: World, scheme: str) -> None:
    with ours.inside() as wire:
        answer = wire.say(f"GET {scheme}://{ours.secure}/abs HTTP/1.1", "host: other")
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    (got,) = ours.web.requests
    assert (got.target, got.header("host")) == ("/abs", ours.secure)


def test_another_name_in_the_tls_of_a_tunnel(ours: World) -> None:
    with ours.wire() as wire:
        wire.connect(ours.secure, token=ours.out.token("fronter"))
        with pytest.raises((ConnectionError, ssl.SSLError)):
            wire.wrap(ours.out.ca, "elsewhere.example")
    (row,) = ours.flows("subject = 'fronter'")
    assert (row["verdict"], row["rule_id"], row["method"]) == ("deny", "host-mismatch", "CONNECT")
    assert ours.untouched()


def test_http_in_the_clear_inside_a_tunnel(ours: World) -> None:
    target = f"localhost:{ours.plain.port}"
    with ours.wire() as wire:
        wire.connect(target, token=ours.token)
        assert b" 200 " in wire.say("GET /clear HTTP/1.1", f"host: {target}")
    with ours.wire() as wire:  # where TLS is spoken behind it, it is in front of it
        wire.connect(ours.secure, token=ours.token)
        answer = wire.say("GET /clear HTTP/1.1", f"host: {ours.secure}")
        assert code(answer) == "destination-unknown"
    assert [each.target for each in ours.plain.requests] == ["/clear"]
    assert ours.web.requests == []


@pytest.mark.parametrize(
    "data",
    [b"SSH-2.0-x\r\n", b"\0\0\0\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\0\5hello"],
)
def test_neither_tls_nor_http(ours: World, data: bytes) -> None:
    with ours.wire() as wire:
        wire.connect(ours.secure, token=ours.token)
        wire.socket.sendall(data)
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.gone()
    assert ours.untouched()


def test_a_client_that_does_not_trust_us_is_told_of_in_the_log(ours: World) -> None:
    with ours.wire() as wire:
        wire.connect(ours.secure, token=ours.token)
        with pytest.raises(ssl.SSLCertVerificationError):
            wire.wrap(ours.files.ca, "localhost")
    line = ours.out.gateway.wait_for("tunnel.tls")
    assert line["host"] == "localhost"
    assert "proctor ca export" in line["message"]


# Origin form, and what is no request to a proxy at all.


def test_origin_form_to_the_proxy(ours: World) -> None:
    with ours.wire() as wire:
        answer = wire.say("GET /x HTTP/1.1", "host: 169.254.169.254", token=ours.token)
        assert code(answer) == "destination-unknown"
    with ours.wire() as wire:
        answer = wire.say("GET /x HTTP/1.1", f"host: localhost:{ours.plain.port}")
        assert answer.startswith(b"HTTP/1.1 407 ")
    assert ours.untouched()


def test_a_websocket_is_refused(ours: World) -> None:
    upgrade = ("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13")
    with ours.inside() as wire:
        answer = wire.say("GET /ws HTTP/1.1", f"host: {ours.secure}", *upgrade)
    assert (answer[9:12], code(answer)) == (b"501", "websocket")
    assert ours.untouched()
