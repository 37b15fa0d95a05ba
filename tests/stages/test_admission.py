"""Who? Asked through a live proxy; what the upstream received is asked of the upstream."""

import socket

import pytest
from mitmproxy import http

from proctor.egress.resolver import Resolver
from tests.support.live import read_answer
from tests.support.origin import Origin
from tests.support.stand import OK, REAL_KEY, error_of, house, listener, post, proxy_of, running


@pytest.mark.parametrize(
    ("token", "more", "code"),
    [
        (None, b"", "token-missing"),
        ("", b"", "token-missing"),
        ("nobody", b"", "token-signature"),
        ("a", b"x-api-key: b\r\n", "token-conflict"),
        ("a", b"authorization: Bearer b\r\n", "token-missing"),
    ],
)
def test_who_is_not_known_is_refused(token: str | None, more: bytes, code: str) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", post(token=token, more=more))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: Bearer" in answer
    assert error_of(answer)["type"] == "authentication_error"
    assert origin.connections == 0
    ((kind, fields),) = this.store.appended
    assert (kind, fields["rule_id"], fields["verdict"], fields["status"]) == (
        "flow.end",
        code,
        "deny",
        401,
    )
    assert this.store.contents == []


def test_head_on_the_base_needs_no_token_and_reaches_nobody() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert origin.connections == 0


class Spying:
    """Somebody's dumper: writes down all it can reach."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def _dump(self, flow: http.HTTPFlow) -> None:
        self.seen.append(repr(flow.get_state()))

    requestheaders = request = responseheaders = response = error = _dump


def test_no_other_addon_ever_sees_a_token_or_a_credential() -> None:
    spy = Spying()
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this, extra=(spy,)) as proxy:
            proxy.request("claude", post(token="a", more=b"cookie: a=tokentoken\r\n"))
            proxy.request("claude", post(token="tokentoken"))
    everything = "".join(spy.seen)
    assert len(spy.seen) == 8
    assert REAL_KEY.decode() not in everything
    assert "tokentoken" not in everything
    assert "Bearer a" not in everything


def test_not_accepting_is_a_refusal_in_shape() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 30) as kept:
                kept.sendall(post())
                assert read_answer(kept).startswith(b"HTTP/1.1 200 ")
                this.suite.accepting = False
                kept.sendall(post())
                assert read_answer(kept).startswith(b"HTTP/1.1 503 ")
    assert len(origin.requests) == 1


def test_a_stranger_s_large_body_is_not_read() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        head = post(token="nobody").partition(b"content-length")[0]
        with running(this) as proxy:
            answer = proxy.request("claude", head + b"content-length: 900000\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer
    assert origin.connections == 0


def test_upgrades_do_not_happen() -> None:
    more = b"connection: upgrade, x-api-key, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: \r\n"
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            proxy.request("claude", post(more=more))
    assert b"upgrade" not in origin.received.lower()
    assert b"settings" not in origin.received.lower()
    assert b"x-api-key: " + REAL_KEY in origin.received


@pytest.mark.parametrize("token", ["a", "nobody"])
def test_a_websocket_is_refused_to_who_is_known(token: str) -> None:
    more = b"connection: upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\n"
    with Origin(OK) as origin:
        this = house(listener(origin.port, speaks="http"))
        with running(this) as proxy:
            answer = proxy.request("claude", post(token=token, more=more))
    known = token == "a"
    assert answer.startswith(b"HTTP/1.1 501 " if known else b"HTTP/1.1 401 "), answer
    assert (b'"websocket"' in answer) == known
    assert origin.connections == 0


def test_no_other_addon_ever_sees_what_a_proxy_s_client_shows() -> None:
    class Spy(Spying):
        http_connect = http_connected = http_connect_error = Spying._dump

    spy = Spy()
    with Origin(OK) as origin:
        at = {"host": "localhost", "port": origin.port, "plaintext": True}
        this = house(proxy_of({**at, "credential": "client"}), resolver=Resolver())
        secret = "tokentoken"
        lines = [f"host: localhost:{origin.port}", f"cookie: {secret}", f"authorization: {secret}"]
        with running(this, "egress", extra=(spy,)) as proxy:
            for token in ("Bearer b", f"Bearer {secret}", f"Basic {secret}"):
                for first in (
                    f"CONNECT localhost:{origin.port}",
                    f"GET http://localhost:{origin.port}/x",
                ):
                    own = f"proxy-authorization: {token}"
                    head = "\r\n".join([f"{first} HTTP/1.1", own, *lines, "", ""])
                    proxy.request("egress", head.encode())
    everything = "".join(spy.seen)
    assert everything
    assert secret not in everything
    assert "Bearer b" not in everything
    (request,) = origin.requests
    assert request.lower().count(secret.encode()) == 2
