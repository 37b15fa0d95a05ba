"""WebSockets through a real gateway: a reverse listener, a proxy's tunnel, and the record."""

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from proctor.testing import gateway as program
from proctor.testing import tls
from proctor.testing.ports import free_ports
from tests.support import websockets
from tests.support.outward import Outward, Plan, outward
from tests.support.websockets import Upstream, closing

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REAL_KEY = "sk-the-real-key-of-the-feed"
SECRET = "ghp_" + "x4Kq9Zt2Lw7Vb1Nc8Md3Rf6Yh5Jg0Ps" + "aB12"
RULES = """\
rules:
  - {id: all-http, on: http.request, then: allow}
  - {id: talk, on: ws.message, then: allow}
  - id: no-orders
    on: ws.message
    when: ws.direction == "client" && has(ws.json.do) && ws.json.do == "order"
    then: deny
    reason: Orders are not placed from here.
"""


@dataclass(slots=True, kw_only=True)
class World:
    """A gateway with two ways to a feed, one in the clear and one over TLS."""

    out: Outward
    plain: Upstream
    secure: Upstream

    def reverse(self) -> int:
        return int(self.out.gateway.listeners["feed"].rpartition(":")[2])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("websocket")
    files = tls.make(folder / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    (port,) = free_ports(1)
    with websockets.upstream() as plain, websockets.upstream(context) as secure:
        feed = {
            "name": "feed",
            "kind": "reverse",
            "listen": f"127.0.0.1:{port}",
            "upstream": f"http://127.0.0.1:{plain.port}",
            "speaks": "http",
            "credential": "feed",
            "websocket": True,
        }
        there = {
            "host": "localhost",
            "port": secure.port,
            "addresses": ["127.0.0.0/8", "::1"],
            "upstream_tls": {"ca": str(files.ca)},
        }
        plan = Plan(
            destinations=[{**there, "path": "/open/**", "websocket": True}, there],
            listeners=[feed],
            credentials=[{"name": "feed", "header": "x-api-key", "value": {"env": "FEED_KEY"}}],
            env={"FEED_KEY": REAL_KEY},
            rules=RULES,
        )
        with outward(folder / "home", plan) as out:
            yield World(out=out, plain=plain, secure=secure)


def test_a_reverse_listener_and_all_that_is_on_record(world: World) -> None:
    port, token = world.reverse(), world.out.token()
    with websockets.client(port, "/feed", token) as connection:
        connection.send('{"do": "watch", "what": "tickets"}')
        assert connection.recv(10) == '{"do": "watch", "what": "tickets"}'
        connection.send(f'{{"note": "the token is {SECRET}"}}')
        back = str(connection.recv(10))
        assert SECRET not in back
        connection.send('{"do": "order"}')
        code, words = closing(connection)
    assert (code, words) == (1008, "proctor: no-orders: Orders are not placed from here.")
    assert world.plain.headers[-1]["x-api-key"] == REAL_KEY
    assert SECRET not in str(world.plain.heard)
    assert len(world.plain.heard) == 2
    (flow,) = _rows(world, "select * from flows where path = '/feed' and ended_at is not null")
    assert (flow["protocol"], flow["status"]) == ("websocket", 101)
    assert "Orders are not placed" in flow["error"]
    said = _rows(world, "select * from messages order by n")
    assert [(row["n"], row["direction"], row["verdict"]) for row in said] == [
        (1, "client", "allow"),
        (2, "server", "allow"),
        (3, "client", "allow"),
        (4, "server", "allow"),
        (5, "client", "deny"),
    ]
    assert json.loads(said[0]["content"])["what"] == "tickets"
    assert said[4]["content"] == '{"do": "order"}'
    verdicts = _rows(
        world, "select verdict, rule_id from decisions where action_kind = 'ws.message'"
    )
    assert {"verdict": "deny", "rule_id": "no-orders"} in verdicts
    found = _rows(world, "select * from findings where detector <> ''")
    found = [row for row in found if row["flow_id"] == flow["flow_id"]]
    assert found
    assert all(row["action"] == "mask" for row in found)
    shown = program.command("show", flow["flow_id"], cwd=world.out.folder)
    assert shown.returncode == 0, shown.stderr
    for words in ("client → server", "client ← server", "no-orders", "tickets", "open for"):
        assert words in shown.stdout.replace("failed after", "open for"), shown.stdout
    assert SECRET not in shown.stdout
    told = program.command("show", flow["flow_id"], "--format", "json", cwd=world.out.folder)
    (turn,) = json.loads(told.stdout)["turns"]
    assert [each["n"] for each in turn["messages"]] == [1, 2, 3, 4, 5]
    assert turn["messages"][4]["verdict"] == "deny"
    assert program.command("verify", cwd=world.out.folder).returncode == 0


def _rows(world: World, sql: str) -> list[dict[str, Any]]:
    until = time.monotonic() + 30
    while not (rows := world.out.query(sql)) and time.monotonic() < until:
        pass
    return rows


def test_inside_a_tunnel(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.out.ca))
    url = f"wss://localhost:{world.secure.port}/open/chat"
    with connect(url, proxy=world.out.proxy(), ssl=context, open_timeout=30) as connection:
        assert connection.protocol.extensions == []
        for said in ("hello", b"\x00\x01", "x " * 100_000):
            connection.send(said)
            assert connection.recv(10) == said
        assert connection.ping().wait(30)
        connection.send(SECRET[:15])
        assert connection.recv(10) == SECRET[:15]
        connection.send(SECRET[15:])
        code, words = closing(connection)
    assert code == 1008
    assert "completes a secret" in words
    assert SECRET[15:] not in world.secure.heard


def test_none_where_the_destination_does_not_say_so(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.out.ca))
    url = f"wss://localhost:{world.secure.port}/shut/chat"
    with pytest.raises(InvalidStatus) as caught:
        connect(url, proxy=world.out.proxy(), ssl=context, open_timeout=30)
    assert caught.value.response.status_code == 501
