"""The forward listener: whose credential a request carries, and where a request ends."""

import json
import ssl

import pytest

from tests.support.forward import REAL_KEY, World, code
from tests.support.h2wire import Fields, H2Wire
from tests.support.held import fresh
from tests.support.leaks import contents, found

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


# Whose credential?


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/x", ("authorization: Bearer sk-stolen",)),
        ("/x", ("cookie: session=stolen",)),
        ("/x", ("x-api-key: sk-stolen",)),
        ("/x", ("X-Vault-Token: stolen",)),
        ("/x?api_key=stolen", ()),
        ("/x?a=1&ACCESS_TOKEN=stolen", ()),
        ("/x?X-Amz-Signature=stolen", ()),
        ("/x?%61pi_key=stolen", ()),
        ("/x?a=1;api_key=stolen", ("authorization: Basic eDp5",)),
    ],
)
def test_a_stolen_key_goes_nowhere(ours: World, path: str, headers: tuple[str, ...]) -> None:
    answer = ours.get(path, *headers)
    assert (answer[9:12], code(answer)) == (b"451", "client-credential")
    assert b"stolen" not in answer
    assert ours.untouched()


def test_the_client_s_own_is_replaced_by_the_real_one(ours: World) -> None:
    with ours.inside() as wire:
        wire.say("GET /x HTTP/1.1", f"host: {ours.secure}", "x-api-key: stolen", "cookie: a=b")
        answer = wire.say("GET /x?api_key=stolen HTTP/1.1", f"host: {ours.secure}")
    assert code(answer) == "client-credential"
    (got,) = ours.web.requests
    assert [value for name, value in got.headers if name != "host"] == [REAL_KEY]


def test_the_client_s_own_passes_as_it_was_sent(ours: World) -> None:
    sent = ("authorization: Basic eDp5", "cookie: a=b", "cookie: c=d", "x-api-key: k")
    assert ours.get("/own/x?api_key=mine", *sent).startswith(b"HTTP/1.1 200 ")
    (got,) = ours.plain.requests
    assert got.target == "/own/x?api_key=mine"
    kept = [f"{name}: {value}" for name, value in got.headers if name != "host"]
    assert kept == list(sent)


def test_the_real_key_is_seen_by_the_upstream_alone(ours: World) -> None:
    with ours.inside() as wire:
        answer = wire.say("GET /x HTTP/1.1", f"host: {ours.secure}")
    assert ours.web.requests[0].header("x-api-key") == REAL_KEY
    log = json.dumps(ours.out.gateway.log).encode()
    kept = contents(ours.out.folder / "recordings")
    assert found({"key": REAL_KEY, "token": ours.token}, answer, log, *kept) == []


# Framing.


@pytest.mark.parametrize(
    "more",
    [
        ("content-length: 5", "transfer-encoding: chunked"),
        ("content-length: 5", "content-length: 6"),
        ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding:\x0bchunked",),
        ("x: a\r b",),
        (" folded: 1",),
        ("content-length : 5",),
    ],
)
def test_one_request_is_one_request(ours: World, more: tuple[str, ...]) -> None:
    path = fresh("/smuggled/")
    smuggled = f"GET {path} HTTP/1.1\r\nhost: {ours.secure}\r\n\r\n".encode()
    with ours.inside() as wire:
        wire.say(
            "POST /x HTTP/1.1",
            f"host: {ours.secure}",
            *more,
            body=b"5\r\nhello\r\n0\r\n\r\n" + smuggled,
        )
    smuggled_in = [each for each in ours.web.requests if each.target == path]
    # Only what we, too, have read as a request, have judged and have on record.
    assert len(smuggled_in) <= len(ours.flows(f"path = '{path}' and verdict = 'allow'"))
    assert all(
        not (each.header("content-length") and each.header("transfer-encoding"))
        for each in ours.web.requests
    )


@pytest.mark.parametrize(
    ("more", "body", "trailers"),
    [
        ([("content-length", "0")], SMUGGLED, None),
        ([("content-length", "9999")], SMUGGLED, None),
        ([("content-length", "3"), ("content-length", "4")], b"abc", None),
        ([("transfer-encoding", "chunked")], b"0\r\n\r\n" + SMUGGLED, None),
        ([("x", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n")], b"", None),
        ([("x\r\ny", "a")], b"", None),
        ([("x: y", "a")], b"", None),
        ([("connection", "x-api-key")], b"", None),
        ([("proxy-authorization", "Bearer x")], b"", None),
        ([], b"abc", [("x-api-key", "stolen")]),
        ([(":path", "/smuggled")], b"", None),
    ],
)
def test_http2_is_one_request(
    ours: World, more: Fields, body: bytes, trailers: Fields | None
) -> None:
    with ours.inside(ours.secure, "h2") as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        client = H2Wire(wire.socket)
        start = [(":method", "POST"), (":scheme", "https"), (":authority", ours.secure)]
        status = client.ask([*start, (":path", "/x"), *more], body, trailers)
    assert status is None or status in {200, 400}
    assert len(ours.web.requests) == (status == 200)
    for each in ours.web.requests:
        assert (each.target, each.body) == ("/x", body)
        assert {name for name, _ in each.headers} <= {"host", "x-api-key", "content-length"}
        assert each.header("x-api-key") == REAL_KEY


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({":authority": "elsewhere"}, 421),
        ({":authority": "169.254.169.254"}, 421),
        ({":authority": "u@{secure}"}, 400),
        ({":authority": ""}, 400),
        ({":scheme": "http"}, 200),
        ({":method": "CONNECT"}, 400),
        ({":path": "//elsewhere/x"}, 200),
        ({":path": "/a/../x"}, 400),
        ({":path": "https://elsewhere/x"}, 400),
        ({":path": "*"}, 400),
    ],
)
def test_http2_stays_in_its_tunnel(ours: World, changed: dict[str, str], status: int) -> None:
    fields = {":method": "GET", ":scheme": "https", ":authority": "{secure}", ":path": "/x"}
    with ours.inside(ours.secure, "h2") as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        sent = [(k, v.format(secure=ours.secure)) for k, v in (fields | changed).items()]
        got = H2Wire(wire.socket).ask(sent)
    assert got in {status, None}
    assert [each.header("host") for each in ours.web.requests] == [ours.secure] * (got == 200)


def test_a_head_that_is_too_long(ours: World) -> None:
    with ours.inside() as wire:
        answer = wire.say("GET /x HTTP/1.1", f"host: {ours.secure}", "x: " + "y" * 70_000)
    assert answer.startswith(b"HTTP/1.1 431 ")
    with ours.wire() as wire:
        answer = wire.connect(ours.secure, *(f"x-{n}: y" for n in range(10_000)), token=ours.token)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert ours.untouched()


def test_a_body_that_is_too_long(ours: World) -> None:
    with ours.inside() as wire:
        wire.socket.sendall(
            f"POST /x HTTP/1.1\r\nhost: {ours.secure}\r\ncontent-length: 9999999\r\n\r\n".encode()
        )
        assert wire.read().startswith(b"HTTP/1.1 413 ")
    assert ours.untouched()


def test_trailers_of_requests(ours: World) -> None:
    body = b"3\r\nabc\r\n0\r\nx-api-key: stolen\r\n\r\n"
    with ours.inside() as wire:
        answer = wire.say(
            "POST /x HTTP/1.1", f"host: {ours.secure}", "transfer-encoding: chunked", body=body
        )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert ours.untouched()


def test_two_hundred_at_once(ours: World) -> None:
    wires = [ours.wire() for _ in range(200)]
    target = f"localhost:{ours.plain.port}"
    for wire in wires:
        own = f"proxy-authorization: Bearer {ours.token}"
        wire.socket.sendall(
            f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{own}\r\n\r\n".encode()
        )
    for wire in wires:
        assert wire.read(empty=True).startswith(b"HTTP/1.1 200 ")
        wire.socket.sendall(f"GET /many HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    for wire in wires:
        assert wire.read().startswith(b"HTTP/1.1 200 ")
        wire.socket.close()
    assert len(ours.plain.requests) == 200
