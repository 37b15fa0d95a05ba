"""Every way in which a proxy must stay shut, for requests and for tunnels, through a live one."""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from proctor.egress.resolver import Resolver
from proctor.model import Decision, Deny
from proctor.stages.suite import ORDER
from proctor.units import Origin as Address
from tests.support.live import Live, read_answer
from tests.support.origin import OK, Origin
from tests.support.scripted import Scripted
from tests.support.stand import Stand, house, proxy_of, running
from tests.support.tunnel import Tunnel

HOOKS = ("http_connect", "requestheaders", "early_request", "request", "server_connect")
BREAKABLE = [(i, hook) for i, make in enumerate(ORDER) for hook in HOOKS if hasattr(make, hook)]
ASKED = [i for i, make in enumerate(ORDER) if any(hasattr(make, hook) for hook in HOOKS[:-1])]


def _raise(_data: object) -> None:
    raise RuntimeError("broken on purpose")


def _raise_later(_data: object) -> Awaitable[None]:
    async def later() -> None:
        raise RuntimeError("broken on purpose")

    return later()


def _other(_data: object) -> None:
    raise KeyError("broken on purpose")


def outward(port: int, **more: Any) -> Stand:
    """A proxy to this port of loopback: `localhost` is read, 127.0.0.1 is not."""
    return house(
        proxy_of(
            {"host": "localhost", "port": port, "plaintext": True},
            {"host": "127.0.0.1", "port": port, "speaks": "tunnel"},
            **more,
        ),
        resolver=Resolver(),
    )


def plain(port: int) -> bytes:
    return (
        b"GET http://localhost:%d/x HTTP/1.1\r\nhost: a\r\nproxy-authorization: Bearer a\r\n\r\n"
        % port
    )


def tunnel(port: int, host: str = "127.0.0.1") -> bytes:
    return b"CONNECT %s:%d HTTP/1.1\r\nhost: a\r\nproxy-authorization: Bearer a\r\n\r\n" % (
        host.encode(),
        port,
    )


def through(proxy: Live, first: bytes, port: int) -> bytes:
    """What is answered to a CONNECT and, where it is let in, to a request inside."""
    with socket.create_connection(("127.0.0.1", proxy.ports["egress"]), 30) as connection:
        connection.sendall(first)
        said = read_head(connection)
        if said.startswith(b"HTTP/1.1 200 "):
            connection.sendall(b"GET /x HTTP/1.1\r\nhost: localhost:%d\r\n\r\n" % port)
            said += read_answer(connection)
    return said


def read_head(connection: socket.socket) -> bytes:
    """An answer's head, or what there is of it."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (more := connection.recv(1)):
        head += more
    return head


@pytest.mark.parametrize("fail", [_raise, _raise_later, _other])
@pytest.mark.parametrize(
    ("stage", "hook"), [each for each in BREAKABLE if each[1] != "http_connect"]
)
def test_every_stage_that_raises_shuts_the_way_of_a_request(
    stage: int, hook: str, fail: Callable[[object], Any]
) -> None:
    with Origin(OK) as origin:
        this = outward(origin.port)
        setattr(this.suite.stages_in_order[stage], hook, fail)
        with running(this, "egress") as proxy:
            answer = proxy.request("egress", plain(origin.port))
            inside = through(proxy, tunnel(origin.port, "localhost"), origin.port)
    for said in (answer, inside.removeprefix(b"HTTP/1.1 200 Connection established\r\n\r\n")):
        assert said.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 502 ")), said
    assert (origin.received, len(origin.requests)) == (b"", 0)


@pytest.mark.parametrize("fail", [_raise, _raise_later, _other])
@pytest.mark.parametrize(
    ("stage", "hook"), [x for x in BREAKABLE if x[1] not in {"requestheaders", "early_request"}]
)
def test_every_stage_that_raises_shuts_a_tunnel(
    stage: int, hook: str, fail: Callable[[object], Any]
) -> None:
    with Origin(OK) as origin:
        this = outward(origin.port)
        setattr(this.suite.stages_in_order[stage], hook, fail)
        with running(this, "egress") as proxy:
            answer = through(proxy, tunnel(origin.port), origin.port)
    assert answer.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 502 ")), answer
    assert (origin.received, len(origin.requests)) == (b"", 0)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("stage", ASKED)
def test_every_stage_that_is_missing_shuts_the_way(stage: int, host: str) -> None:
    with Origin(OK) as origin:
        this = outward(origin.port)
        order = this.suite.stages_in_order
        this.suite.stages_in_order = order[:stage] + order[stage + 1 :]
        with running(this, "egress") as proxy:
            answer = through(proxy, tunnel(origin.port, host), origin.port)
            answer += proxy.request("egress", plain(origin.port)) if host == "localhost" else b""
    if stage == len(ORDER) - 1:
        # Without exit as a stage the wire still asks it; the launcher refuses to start so.
        assert answer.startswith(b"HTTP/1.1 200 ")
    else:
        assert origin.received == b"", answer
        assert b"\r\n\r\nok" not in answer


@pytest.mark.parametrize("what", ["host", "port", "path", "method", "scheme"])
@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_another_addon_cannot_send_a_request_elsewhere(what: str, hook: str) -> None:
    class Editor:
        def edit(self, flow: http.HTTPFlow) -> None:
            changed = {
                "host": "127.0.0.1",
                "port": 1,
                "path": "/y",
                "method": "PUT",
                "scheme": "https",
            }
            setattr(flow.request, what, changed[what])

    editor = Editor()
    setattr(editor, hook, editor.edit)
    with Origin(OK) as origin:
        this = outward(origin.port)
        with running(this, "egress", extra=(editor,)) as proxy:
            answer = proxy.request("egress", plain(origin.port))
    if what in {"path", "method"}:  # judged as it is then
        assert this.rules.cases[0].action.http
        seen = this.rules.cases[0].action.http
        assert (seen.method, seen.path) in {("GET", "/y"), ("PUT", "/x")}
    else:
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert origin.connections == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("what", ["answer", "clear", "host"])
def test_another_addon_cannot_open_a_tunnel(what: str, host: str) -> None:
    """Nor have it lead elsewhere."""

    class Helpful:
        def http_connect(self, flow: http.HTTPFlow) -> None:
            match what:
                case "answer":
                    flow.response = http.Response.make(200)
                case "clear":
                    flow.response = None
                case "host":
                    flow.request.host, flow.request.port = "localhost", other.port

    with Origin(OK) as origin, Origin(OK) as other:
        this = outward(origin.port)
        if what != "host":
            no = Decision(verdict=Deny(rule_id="no", reason="no"))
            this.rules.answers["egress"] = no
        with running(this, "egress", extra=(Helpful(),)) as proxy:
            answer = through(proxy, tunnel(origin.port, host), origin.port)
    assert other.received == b""
    if what != "host":
        assert origin.received == b""
        assert b"\r\n\r\nok" not in answer


def test_another_addon_cannot_change_what_is_dialled() -> None:
    class Elsewhere:
        def server_connect(self, data: ServerConnectionHookData) -> None:
            data.server.address = ("127.0.0.1", other.port)

    with Origin(OK) as origin, Origin(OK) as other:
        this = outward(origin.port)
        with running(this, "egress", extra=(Elsewhere(),)) as proxy:
            proxy.request("egress", plain(origin.port))
            through(proxy, tunnel(origin.port), origin.port)
    assert other.connections == 0
    assert origin.requests


def test_nobody_dials_for_what_was_refused() -> None:
    dialled: list[Any] = []

    class Watcher:
        def server_connect(self, data: ServerConnectionHookData) -> None:
            dialled.append(data.server.address)

    with Origin(OK) as origin:
        this = outward(origin.port)
        this.rules.answers["egress"] = Decision(verdict=Deny(rule_id="no", reason="no"))
        with running(this, "egress", extra=(Watcher(),)) as proxy:
            for first in (tunnel(origin.port), tunnel(origin.port, "localhost"), tunnel(1)):
                through(proxy, first, origin.port)
            proxy.request("egress", plain(origin.port))
    assert (dialled, origin.connections) == ([], 0)


def test_nothing_of_a_tunnel_is_left_behind() -> None:
    with Scripted() as origin:
        origin.script = lambda conversation: conversation.send(b"a")
        this = outward(origin.port)
        with running(this, "egress") as proxy:
            for first in (tunnel(origin.port), tunnel(origin.port, "localhost"), tunnel(1)):
                for _ in range(3):
                    through(proxy, first, origin.port)
        suite = this.suite
        assert (suite.open_exchanges, suite._tunnels, suite._inside) == (0, {}, {})
        assert suite._of_client == {}


# The company's own proxy on the way.


def via(port: int, *destinations: dict[str, Any]) -> Stand:
    company = Address(scheme="http", host="127.0.0.1", port=port)
    return house(proxy_of(*destinations, via=company), resolver=Resolver())


def test_the_company_s_proxy_is_asked_for_nothing_but_what_may_be() -> None:
    with Tunnel() as company, Origin(OK) as origin:
        this = via(company.port, {"host": "localhost", "port": origin.port, "plaintext": True})
        with running(this, "egress") as proxy:
            for url in ("http://169.254.169.254/", "http://0xa9fea9fe/", "http://localhost:1/"):
                head = f"GET {url} HTTP/1.1\r\nhost: a\r\nproxy-authorization: Bearer a\r\n\r\n"
                answer = proxy.request("egress", head.encode())
                assert b'"destination-unknown"' in answer
    assert (company.passed, company.asked, origin.connections) == ([], 0, 0)


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_the_company_s_proxy_is_asked_for_what_was_judged(host: str) -> None:
    asked: list[bytes] = []

    def company(conversation: Any) -> None:
        asked.append(conversation.head())

    class Elsewhere:
        def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
            flow.request.headers["proxy-authorization"] = "Basic eDp5"
            flow.request.host = "elsewhere"
            flow.request.authority = "elsewhere:1"
            flow.request.headers["host"] = "elsewhere:1"

    with Scripted() as proxied:
        proxied.script = company
        this = via(proxied.port, {"host": host, "port": 80, "plaintext": True})
        with running(this, "egress", extra=(Elsewhere(),)) as proxy:
            name = f"[{host}]" if ":" in host else host
            head = (
                f"GET http://{name}/ HTTP/1.1\r\nhost: a\r\nproxy-authorization: Bearer a\r\n\r\n"
            )
            assert proxy.request("egress", head.encode()).startswith(b"HTTP/1.1 502 ")
    (head_there,) = asked
    assert head_there.startswith(f"CONNECT {name}:80 HTTP/1.1\r\n".encode())
    assert b"elsewhere" not in head_there
    assert b"Basic eDp5" in head_there
