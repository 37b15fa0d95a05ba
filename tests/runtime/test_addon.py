"""Options are held, and what is not ours is turned away."""

import contextlib
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import exceptions, http
from mitmproxy.addons import clientplayback
from mitmproxy.proxy import mode_specs
from mitmproxy.test import tflow

from proctor.runtime import addon as module
from proctor.runtime.addon import ProctorAddon, Wall, settings_for
from proctor.settings import Limits
from tests.support.live import Live
from tests.support.origin import Origin
from tests.support.stand import OK, house, listener, post, running


def gateway(*names: str) -> Any:
    config = SimpleNamespace(
        listeners=[
            SimpleNamespace(name=name, listen=SimpleNamespace(host="127.0.0.1", port=1))
            for name in names
        ],
        limits=Limits(),
    )
    opened: list[dict[str, str]] = []
    return SimpleNamespace(
        config=config, listener_names=list(names), opened=opened.append, shut=lambda: None
    )


def test_settings_name_our_listeners_and_shut_what_streams() -> None:
    found = settings_for(gateway("a", "b"))
    assert found["mode"] == ["proctor:a@127.0.0.1:1", "proctor:b@127.0.0.1:1"]
    assert found["stream_large_bodies"] is None
    assert (found["rawtcp"], found["websocket"], found["validate_inbound_headers"]) == (
        False,
        False,
        True,
    )


def test_what_is_looked_for_is_made_ready_beside_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(module, "warm_beside", begun.append)
    monkeypatch.setattr(module, "listening", lambda: {"a": "127.0.0.1:1"})
    opened = gateway("a")
    ProctorAddon(opened).running()
    assert begun == [opened.config]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mode", ["regular@127.0.0.1:0"]),
        ("stream_large_bodies", "1k"),
        ("validate_inbound_headers", False),
        ("rawtcp", True),
        ("websocket", True),
        ("body_size_limit", None),
    ],
)
def test_options_that_would_open_a_way_are_held(option: str, value: object) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            held = ProctorAddon(gateway("claude"))
            held._held = {name: getattr(proxy.master.options, name) for name in held._held}

            async def add() -> None:
                proxy.master.addons.add(held)

            async def change() -> None:
                proxy.master.options.update(**{option: value})

            proxy.do(add)
            with pytest.raises(exceptions.OptionsError, match="is held at"):
                proxy.do(change)
            assert getattr(proxy.master.options, option) == held._held[option]


def test_a_replay_does_not_leave() -> None:
    """Mitmproxy's own replay dials by itself, past our listeners."""
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        seen: list[http.HTTPFlow] = []

        class Keep:
            def response(self, flow: http.HTTPFlow) -> None:
                seen.append(flow)

        playback = clientplayback.ClientPlayback()
        with running(this, extra=(Wall(), Keep(), playback)) as proxy:
            proxy.request("claude", post())
            again = seen[0].copy()
            _replay(proxy, playback, again)
    assert len(origin.requests) == 1
    assert again.error


def _replay(proxy: Live, playback: Any, flow: http.HTTPFlow) -> None:
    ended = threading.Event()

    class Tell:
        name = "tell"

        def error(self, flow: http.HTTPFlow) -> None:
            if flow.is_replay:
                ended.set()

    async def start() -> None:
        proxy.master.addons.add(Tell())
        playback.running()
        playback.start_replay([flow])

    proxy.do(start)
    assert ended.wait(30)

    async def stop() -> None:
        await playback.done()

    proxy.do(stop)


def test_nobody_else_s_listener_takes_a_connection() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this, extra=(Wall(),)) as proxy:
            port = _regular(proxy)
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\n\r\n" % origin.port)
                with contextlib.suppress(ConnectionResetError):  # closed all the same
                    assert connection.recv(100) == b""
    assert origin.connections == 0


def _regular(proxy: Live) -> int:
    """Open mitmproxy's own forward proxy beside ours."""

    async def open_() -> int:
        server: Any = proxy.master.addons.get("proxyserver")
        mode = mode_specs.ProxyMode.parse("regular@127.0.0.1:0")
        modes = [mode_specs.ProxyMode.parse(m) for m in proxy.master.options.mode]
        await server.servers.update([*modes, mode])
        return int(server.servers[mode].listen_addrs[0][1])

    return proxy.do(open_)


def test_a_wall_says_why() -> None:
    client = tflow.tclient_conn()
    Wall().client_connected(client)
    assert client.error
    data: Any = SimpleNamespace(client=client, server=tflow.tserver_conn())
    Wall().server_connect(data)
    assert "proctor.yaml" in data.server.error
