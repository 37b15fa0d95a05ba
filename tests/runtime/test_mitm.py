"""Reaches into mitmproxy's insides: each is used here as production uses it, through a live proxy.

An upgrade of mitmproxy that moves one of them fails here first.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from mitmproxy import http, options, optmanager
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from proctor.errors import ProctorError
from proctor.runtime.door import Inside, Refusal, Site, Spool, Stage, Talk
from proctor.runtime.http1 import MAX_HEAD
from proctor.runtime.modes import nudge
from proctor.runtime.quick import quicken
from tests.support.live import Live, live, read_answer
from tests.support.origin import OK, Origin
from tests.support.scripted import Conversation, Scripted

GET = b"GET /x HTTP/1.1\r\nhost: proxy\r\n\r\n"


class StubDoor:
    """Lets everything out unchanged, except what a test says."""

    def __init__(self, upstream: int, **hooks: Stage) -> None:
        self.upstream = upstream
        self.hooks = hooks
        self.out: Callable[[http.HTTPFlow], http.Request | None] = lambda flow: flow.request
        self.instead: dict[str, http.Response] = {}
        self.failed: list[BaseException] = []
        self.heard: list[str] = []
        self.left: list[http.HTTPFlow] = []
        self.ends: ProctorError | None = None
        self.begins: list[Refusal] = []

    def site(self, listener: str) -> Site:
        return Site(
            name=listener,
            tls=False,
            forward=False,
            upstream=("127.0.0.1", self.upstream),
            first_request=5,
            connections=3,
        )

    def stages(self, hook: str) -> tuple[Stage, ...]:
        return (self.hooks[hook],) if hook in self.hooks else ()

    def owns(self, addon: object) -> bool:
        return False

    def outbound(self, flow: http.HTTPFlow) -> http.Request | None:
        return self.out(flow)

    def inbound(self, flow: http.HTTPFlow) -> http.Response | None:
        return self.instead.pop(flow.id, None)

    def refuse(self, flow: http.HTTPFlow, error: BaseException) -> None:
        self.failed.append(error)
        flow.response = http.Response.make(503, b"refused")

    def inside(self, flow: http.HTTPFlow) -> Inside:
        raise NotImplementedError

    def spool(self, flow: http.HTTPFlow) -> Spool | None:
        return None

    def early(self, flow: http.HTTPFlow) -> Refusal | None:
        return self.begins.pop(0) if self.begins else None

    def talk(self, flow: http.HTTPFlow) -> Talk | None:
        return None

    def gone(self, flow: http.HTTPFlow) -> None:
        self.left.append(flow)

    def words(self, flow: http.HTTPFlow) -> Refusal | None:
        return None

    def ending(self, flow: http.HTTPFlow) -> ProctorError | None:
        return self.ends

    def refusal(self, listener: str, status: int, message: str) -> Refusal:
        self.heard.append(message)
        body = b"shaped %d" % status
        return Refusal(status=status, headers=((b"content-type", b"text/plain"),), body=body)


KIND = (b"content-type", b"text/plain")
LATER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


def _raise(_data: Any) -> None:
    raise RuntimeError("broken on purpose")


async def _raise_later(_data: Any) -> None:
    await asyncio.sleep(0)
    raise RuntimeError("broken on purpose, later")


def test_a_request_goes_through() -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        assert proxy.request("a", GET).endswith(b"\r\n\r\nok")
    assert len(origin.requests) == 1


def test_keep_alive_and_pipelined_requests_come_in_order() -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.ports["a"]), 30) as connection:
            for _ in range(3):
                connection.sendall(GET)
                assert read_answer(connection).endswith(b"ok")
            connection.sendall(GET + GET)
            answer = read_answer(connection) + read_answer(connection)
    assert answer.count(b"200 OK") == 2
    assert (len(origin.requests), origin.connections) == (5, 1)


@pytest.mark.parametrize("fail", [_raise, _raise_later])
@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_a_stage_that_raises_refuses_and_nothing_leaves(hook: str, fail: Stage) -> None:
    with Origin() as origin:
        door = StubDoor(origin.port, **{hook: fail})
        with live({"a": door}) as proxy:
            assert b" 503 " in proxy.request("a", GET)
    assert len(door.failed) == 1
    assert (origin.connections, origin.received) == (0, b"")


@pytest.mark.parametrize("hook", ["client_connected", "server_connect"])
def test_a_connection_hook_that_raises_dials_nothing(hook: str) -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port, **{hook: _raise})}) as proxy:
        answer = proxy.request("a", GET)
    assert b"200 OK" not in answer
    assert origin.connections == 0


def test_what_is_not_cleared_does_not_leave() -> None:
    with Origin() as origin:
        door = StubDoor(origin.port)
        door.out = lambda _flow: None
        with live({"a": door}) as proxy:
            sent = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
            answer = proxy.request("a", sent)
    assert b" 502 " in answer
    assert answer.endswith(b"shaped 502")
    assert origin.received == b""


def test_the_copy_that_leaves_is_not_the_flow_s() -> None:
    seen: list[http.Request] = []

    def out(flow: http.HTTPFlow) -> http.Request:
        copy = flow.request.copy()
        copy.headers["x-secret"] = "injected"
        seen.append(flow.request)
        return copy

    with Origin() as origin:
        door = StubDoor(origin.port)
        door.out = out
        with live({"a": door}) as proxy:
            proxy.request("a", GET)
    assert b"x-secret: injected" in origin.received
    assert "x-secret" not in seen[0].headers


def test_trailers_do_not_crash_and_do_not_leave() -> None:
    body = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-a\r\n\r\n"
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        answer = proxy.request("a", body + b"3\r\nabc\r\n0\r\nx-a: 1\r\n\r\n")
    assert answer.endswith(b"shaped 400")
    assert origin.received == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NOT HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * (MAX_HEAD + 10), 431),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_listener_s_shape(sent: bytes, status: int) -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port)}, body_size_limit="1000000") as proxy:
        answer = proxy.request("a", sent)
    assert answer.endswith(b"shaped %d" % status), answer
    assert origin.received == b""


def test_an_upstream_that_is_not_there_is_a_refusal_in_shape() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with live({"a": StubDoor(port)}) as proxy:
        assert proxy.request("a", GET).endswith(b"shaped 502")


def test_an_async_stage_holds_only_its_own_exchange() -> None:
    release = asyncio.Event()

    async def hold(flow: http.HTTPFlow) -> None:
        if flow.request.path == "/x":
            await release.wait()

    def stage(flow: http.HTTPFlow) -> Awaitable[None]:
        return hold(flow)

    with Origin() as origin, live({"a": StubDoor(origin.port, request=stage)}) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.ports["a"]), 30) as held:
            held.sendall(GET)
            assert proxy.request("a", GET.replace(b"/x", b"/y")).endswith(b"ok")
            assert len(origin.requests) == 1
            proxy.loop.call_soon_threadsafe(release.set)
            assert read_answer(held).endswith(b"ok")


class Careless:
    """Somebody else's addon."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.seen.append(f"headers {flow.request.headers.get('authorization')}")

    def request(self, flow: http.HTTPFlow) -> None:
        self.seen.append("request")
        flow.request.headers["x-edited"] = "yes"
        raise RuntimeError("careless")


def test_other_addons_run_between_our_stages_and_may_fail() -> None:
    careless = Careless()

    def take(flow: http.HTTPFlow) -> None:
        del flow.request.headers["authorization"]

    def look(flow: http.HTTPFlow) -> None:
        careless.seen.append(f"judged {flow.request.headers['x-edited']}")

    door_hooks: dict[str, Stage] = {"requestheaders": take, "request": look}
    with Origin() as origin, live({"a": StubDoor(origin.port, **door_hooks)}, careless) as proxy:
        proxy.request("a", b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\n\r\n")
    assert careless.seen == ["headers None", "request", "judged yes"]
    assert b"x-edited: yes" in origin.received


def test_an_addon_added_while_running_is_seen() -> None:
    careless = Careless()
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        proxy.request("a", GET)
        _add(proxy, careless)
        proxy.request("a", GET)
    assert careless.seen == ["headers None", "request"]


def _add(proxy: Live, addon: object) -> None:
    async def add() -> None:
        await asyncio.sleep(0)
        proxy.master.addons.add(addon)

    proxy.do(add)


def test_a_client_that_sends_nothing_is_not_waited_for() -> None:
    class Hasty(StubDoor):
        def site(self, listener: str) -> Site:
            return replace(super().site(listener), first_request=0.05)

    with Origin() as origin, live({"a": Hasty(origin.port)}) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.ports["a"]), 30) as silent:
            assert silent.recv(1) == b""


def test_a_streamed_answer_of_known_length_keeps_its_last_byte_until_the_record() -> None:
    recorded = asyncio.Event()

    class Tap:
        tail = b""

        def __call__(self, data: bytes) -> bytes | list[bytes]:
            if not data:
                return []
            self.tail, data = data[-1:], self.tail + data[:-1]
            return data

    def headers(flow: http.HTTPFlow) -> None:
        assert flow.response
        flow.response.stream = Tap()

    async def wait(_flow: http.HTTPFlow) -> None:
        await recorded.wait()

    door_hooks: dict[str, Stage] = {"responseheaders": headers, "response": wait}
    with Origin() as origin, live({"a": StubDoor(origin.port, **door_hooks)}) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.ports["a"]), 30) as connection:
            connection.sendall(GET)
            got = connection.recv(65536)
            while not got.endswith(b"\r\n\r\no"):
                got += connection.recv(65536)
            proxy.loop.call_soon_threadsafe(recorded.set)
            assert connection.recv(10) == b"k"


def test_http2_without_tls_is_refused() -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        answer = proxy.request("a", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"shaped 400" in answer
    assert origin.received == b""


def test_httpx_agrees() -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        got = httpx.post(
            f"http://127.0.0.1:{proxy.ports['a']}/v1", content=b"x" * 300_000, timeout=30
        )
    assert got.text == "ok"
    assert origin.requests[0].endswith(b"x" * 300_000)


def test_server_connect_sees_the_address() -> None:
    seen: list[Any] = []

    def note(data: ServerConnectionHookData) -> None:
        seen.append(data.server.address)

    with Origin() as origin, live({"a": StubDoor(origin.port, server_connect=note)}) as proxy:
        proxy.request("a", GET)
    assert seen == [("127.0.0.1", origin.port)]


def test_more_clients_than_may_be_are_turned_away() -> None:
    with Origin() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        address = ("127.0.0.1", proxy.ports["a"])
        with contextlib.ExitStack() as kept:
            for _ in range(3):
                connection = kept.enter_context(socket.create_connection(address, 5))
                connection.sendall(GET)
                assert read_answer(connection).endswith(b"ok")
            assert proxy.request("a", GET) == b""
        while not (answer := proxy.request("a", GET)):
            pass  # until the others' going has been noticed
    assert answer.endswith(b"ok")


@pytest.mark.parametrize("status", [100, 102, 103])
def test_what_announces_an_answer_is_not_the_answer(status: int) -> None:
    early = b"HTTP/1.1 %d Early\r\nlink: </a>\r\n\r\n" % status
    with Origin(early * 2 + OK) as origin, live({"a": StubDoor(origin.port)}) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.ports["a"]), 30) as connection:
            for _ in range(3):
                connection.sendall(GET)
                assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
    assert len(origin.requests) == 3


def test_trailers_of_an_answer_are_left_out() -> None:
    answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: 1\r\n\r\n"
    with Origin(answer) as origin, live({"a": StubDoor(origin.port)}) as proxy:
        assert b"ok" in proxy.request("a", GET)
        assert b"ok" in proxy.request("a", GET)


def test_an_answer_s_head_is_bounded() -> None:
    with Origin(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000) as origin:
        with live({"a": StubDoor(origin.port)}) as proxy:
            assert proxy.request("a", GET).startswith(b"HTTP/1.1 502 ")


def test_a_held_flow_that_is_killed_wakes() -> None:
    class Holder:
        def request(self, flow: http.HTTPFlow) -> None:
            flow.intercept()
            asyncio.get_running_loop().call_soon(flow.kill)

    with Origin() as origin, live({"a": StubDoor(origin.port)}, Holder()) as proxy:
        assert proxy.request("a", GET).startswith(b"HTTP/1.1 503 ")
    assert not origin.connections


def test_what_is_swapped_for_speed_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [(b"A", b"1"), (b"b", b"2"), (b"a", b"\xff")]
    asked: list[str | bytes] = ["a", "A", b"a", "B", "c", ""]

    def told() -> list[Any]:
        headers = http.Headers(fields)
        option = options.Options()
        return [
            *((headers.get_all(name), name in headers, headers.get(name)) for name in asked),
            headers.get("c", "other"),
            option.listen_host,
            option.mode,
            option.mode is option.mode,
        ]

    plain = told()
    for owner, name in (
        (http.Headers, "get_all"),
        (http.Headers, "__contains__"),
        (http.Headers, "get"),
        (http.MessageData, "__post_init__"),
        (optmanager._Option, "current"),
        (Context, "fork"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back afterwards
    quicken()
    assert told() == plain
    stem = Context(tflow.tclient_conn(), options.Options())
    stem.layers.append(cast("Any", None))
    branch = stem.fork()
    assert vars(branch) == vars(stem)
    branch.layers.clear()
    assert stem.layers == [None]


@pytest.mark.parametrize("refused", [False, True])
def test_an_answer_to_head_has_no_body(*, refused: bool) -> None:
    """Bytes behind its head would be the next answer to the client (RFC 9110 9.3.2)."""
    head = GET.replace(b"GET", b"HEAD", 1)
    with Origin(OK.replace(b"ok", b"")) as origin:
        door = StubDoor(origin.port, **({"request": _raise} if refused else {}))
        with live({"a": door}) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.ports["a"]), 30) as connection:
                for _ in range(2):
                    connection.sendall(head)
                    got = b""
                    while not got.endswith(b"\r\n\r\n"):
                        got += connection.recv(65536)
                    assert got.startswith(b"HTTP/1.1 503 " if refused else b"HTTP/1.1 200 ")
                    assert got.count(b"\r\n\r\n") == 1


def test_an_upstream_s_failure_on_head_has_no_body() -> None:
    with Scripted() as origin, live({"a": StubDoor(origin.port)}) as proxy:
        origin.script = lambda conversation: conversation.send(conversation.head()[:4])
        got = proxy.request("a", GET.replace(b"GET", b"HEAD", 1))
    assert got.startswith(b"HTTP/1.1 502 ")
    assert got.endswith(b"\r\n\r\n")


def test_what_an_upstream_sends_instead_of_http_is_not_quoted() -> None:
    with Scripted() as origin:
        door = StubDoor(origin.port)

        def blurt(conversation: Conversation) -> None:
            conversation.request()
            conversation.send(b"unheard-of words")

        origin.script = blurt
        with live({"a": door}) as proxy:
            proxy.request("a", GET)
    assert door.heard == ["unexpected server response"]


def test_an_answer_that_begins_while_its_request_waits_has_no_length() -> None:
    # A client of HTTP/2 breaks off what turns out longer than was said; git then waits for ever.
    with Origin(LATER) as origin:
        door = StubDoor(origin.port)

        async def wait(flow: http.HTTPFlow) -> None:
            for word in (b"wait ", b"still "):
                door.begins.append(Refusal(status=200, headers=(KIND,), body=word))
                nudge(flow)
                await asyncio.sleep(0)
            assert (door.begins, origin.requests) == ([], [])

        door.hooks["request"] = wait
        with live({"a": door}) as proxy:
            answer = proxy.request("a", GET)
    assert b"content-length" not in answer.lower()
    assert answer.endswith(b"\r\n\r\nwait still ok")
    assert door.failed == []
