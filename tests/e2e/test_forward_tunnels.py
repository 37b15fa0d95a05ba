"""Tunnels that nobody reads, what ends a tunnel, and what waits for a human in one."""

import hashlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from proctor.testing.http1 import Received
from proctor.testing.service import Answer
from tests.support.forward import World, code, world
from tests.support.held import eventually
from tests.support.scripted import Conversation, Script
from tests.support.web import echo

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LARGE = os.urandom(1024) * 10 * 1024


def until(release: threading.Event) -> Script:
    """An upstream that says nothing until it is released."""

    def script(_conversation: Conversation) -> None:
        release.wait(120)

    return script


def read(source: socket.socket) -> bytes:
    """All that comes."""
    pieces = []
    while data := source.recv(65536):
        pieces.append(data)
    return b"".join(pieces)


def row(ours: World, subject: str) -> dict[str, object]:
    """What the record says of somebody's one tunnel, once it has ended."""

    def look() -> dict[str, object] | None:
        found = ours.flows(f"subject = '{subject}' and ended_at is not null")
        return found[0] if found else None

    return eventually(look)


def test_bytes_pass_as_they_are_and_each_side_ends_for_itself(ours: World) -> None:
    heard: list[bytes] = []

    def script(conversation: Conversation) -> None:
        heard.append(read(conversation.connection))  # to the client's end
        conversation.send(LARGE[::-1])

    ours.pinned.script = script
    with ours.opaque(token=ours.out.token("large")) as wire:
        wire.socket.sendall(LARGE)
        wire.socket.shutdown(socket.SHUT_WR)
        back = read(wire.socket)
    assert hashlib.sha256(heard[0]).digest() == hashlib.sha256(LARGE).digest()
    assert back == LARGE[::-1]
    found = row(ours, "large")
    assert (found["method"], found["host"], found["status"]) == ("CONNECT", "127.0.0.1", 200)
    assert (found["request_bytes"], found["response_bytes"]) == (len(LARGE), len(LARGE))
    assert (found["coverage"], found["error"]) == ("none: passed unread", None)


def test_a_server_that_ends_first_may_still_be_told(ours: World) -> None:
    heard: list[bytes] = []

    def script(conversation: Conversation) -> None:
        conversation.send(b"bye")
        conversation.connection.shutdown(socket.SHUT_WR)
        heard.append(read(conversation.connection))

    ours.pinned.script = script
    with ours.opaque(token=ours.out.token("late")) as wire:
        assert read(wire.socket) == b"bye"
        wire.socket.sendall(b"late")
        wire.socket.shutdown(socket.SHUT_WR)
        assert row(ours, "late")["request_bytes"] == 4
    assert heard == [b"late"]


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_side_that_breaks_ends_the_other(ours: World, side: str) -> None:
    gone = threading.Event()

    def script(conversation: Conversation) -> None:
        conversation.connection.recv(1)
        conversation.send(b"a")
        if side == "server":
            _break(conversation.connection)
        elif conversation.wait_gone():
            gone.set()

    ours.pinned.script = script
    with ours.opaque(token=ours.out.token(f"broken-{side}")) as wire:
        wire.socket.sendall(b"x")
        if side == "client":
            assert wire.socket.recv(1) == b"a"
            _break(wire.socket)
            assert gone.wait(30)
        else:
            assert wire.gone()
    assert row(ours, f"broken-{side}")["request_bytes"] == 1


def _break(connection: socket.socket) -> None:
    """Hang up with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_a_client_that_does_not_read_holds_nobody_else_up(ours: World) -> None:
    sent: list[int] = [0]

    def script(conversation: Conversation) -> None:
        conversation.connection.settimeout(1)
        for _ in range(2000):
            conversation.send(LARGE[: 1 << 17])
            sent[0] += 1 << 17

    ours.pinned.script = script
    with ours.opaque() as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Until the upstream is not read any more: what waits for the client is bounded.
        eventually(lambda: ours.get("/beside").startswith(b"HTTP/1.1 200 ") or None)
        before = -1
        while before != sent[0]:
            before = sent[0]
            assert ours.get("/beside").startswith(b"HTTP/1.1 200 ")
            ours.flows("true")
        assert sent[0] < 64 << 20


def test_an_upstream_that_is_not_there(ours: World) -> None:
    with ours.wire() as wire:
        answer = wire.connect("127.0.0.1:1", token=ours.token)
        assert (answer[9:12], code(answer)) == (b"502", "unreachable")
        # The client may ask for another one on the same connection.
        assert wire.connect(ours.secure, token=ours.token).startswith(b"HTTP/1.1 200 ")


def test_a_rule_may_say_no(ours: World) -> None:
    with ours.wire() as wire:
        target = f"127.0.0.1:{ours.pinned.port}"
        answer = wire.connect(target, token=ours.out.token("barred"))
        assert (answer[9:12], code(answer)) == (b"451", "policy-denied")
        answer = wire.say("GET /x HTTP/1.1", f"host: {target}")
        assert answer.startswith(b"HTTP/1.1 407 "), "it is in no tunnel"
    assert not ours.pinned.connections
    assert row(ours, "barred")["rule_id"] == "no-tunnel"


def test_nothing_is_asked_in_an_opaque_tunnel_by_name_of_another(ours: World) -> None:
    """A destination that is passed through is none for requests."""
    with ours.wire() as wire:
        url = f"http://127.0.0.1:{ours.pinned.port}/x"
        answer = wire.say(f"GET {url} HTTP/1.1", "host: x", token=ours.token)
    assert code(answer) == "destination-unknown"
    assert not ours.pinned.connections


def pending(ours: World, mark: str) -> str:
    """The approval that waits for somebody and whose card shows this."""

    def look() -> str | None:
        for each in ours.api("GET", "approvals?state=pending", ["admins"])["approvals"]:
            if mark in str(each["card"]):
                found: str = each["id"]
                return found
        return None

    return eventually(look)


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_a_tunnel_waits_for_a_human(ours: World, word: str) -> None:
    ours.pinned.script = lambda conversation: conversation.send(b"hello")
    with ours.wire() as wire, ThreadPoolExecutor(1) as pool:
        target = f"127.0.0.1:{ours.pinned.port}"
        answer = pool.submit(wire.connect, target, token=ours.out.token(f"held-{word}"))
        name = pending(ours, f"127.0.0.1:{ours.pinned.port}")
        assert not ours.pinned.connections
        ours.api("POST", f"approvals/{name}/{word}", ["reviewers"], {"reason": "seen"})
        if word == "approve":
            assert answer.result(30).startswith(b"HTTP/1.1 200 ")
            assert read(wire.socket) == b"hello"
            wire.socket.close()
        else:
            assert answer.result(30).startswith(b"HTTP/1.1 451 ")
    assert row(ours, f"held-{word}")["verdict"] == ("hold" if word == "approve" else "deny")
    assert ours.pinned.connections == (word == "approve")


def test_a_request_in_a_tunnel_waits_for_a_human(ours: World) -> None:
    with ours.inside() as wire, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(
            wire.say, "POST /held/1 HTTP/1.1", f"host: {ours.secure}", "content-length: 0"
        )
        name = pending(ours, "/held/1")
        assert ours.web.requests == []
        ours.api("POST", f"approvals/{name}/approve", ["reviewers"], {"reason": "seen"})
        assert answer.result(30).startswith(b"HTTP/1.1 200 ")
    assert [each.target for each in ours.web.requests] == ["/held/1"]


def test_a_client_that_goes_takes_what_waits_in_its_tunnel_along(ours: World) -> None:
    with ours.inside() as wire:
        head = f"POST /held/gone HTTP/1.1\r\nhost: {ours.secure}\r\ncontent-length: 0\r\n\r\n"
        wire.socket.sendall(head.encode())
        name = pending(ours, "/held/gone")
    eventually(
        lambda: ours.api("GET", f"approvals/{name}", ["admins"])["state"] != "pending" or None
    )
    assert ours.web.requests == []


# What ends a tunnel.


def test_a_kill_ends_what_runs(ours: World, monkeypatch: pytest.MonkeyPatch) -> None:
    release, asked = threading.Event(), threading.Event()
    ours.pinned.script = until(release)
    who = ours.out.token("mallory")

    def slowly(request: Received) -> Answer:
        asked.set()
        release.wait(120)
        return echo(request)

    monkeypatch.setattr(ours.web, "_site", slowly)
    with (
        ours.opaque(token=who) as opaque,
        ours.inside(token=who) as inside,
        ours.opaque() as other,
    ):
        inside.socket.sendall(f"GET /k HTTP/1.1\r\nhost: {ours.secure}\r\n\r\n".encode())
        assert asked.wait(30)
        order = {"scope": "principal", "target": "local#mallory", "reason": "enough"}
        kill = ours.api("POST", "kills", ["admins"], order)["id"]
        # What they wait for has not come, so it is the kill that ends them.
        assert opaque.gone()
        answer = inside.read()
        assert (answer[9:12], code(answer)) == (b"451", "killed")
        with ours.wire() as wire:
            assert code(wire.connect(ours.secure, token=who)) == "killed"
        assert not other.gone(0.05)
        ours.api("DELETE", f"kills/{kill}", ["admins"], {"reason": "over"})
        release.set()

    def look() -> list[dict[str, Any]] | None:
        rows = ours.flows("subject = 'mallory' and error is not null")
        return rows if len(rows) == 3 else None

    found = eventually(look)
    assert all("enough" in each["error"] for each in found), found


def test_an_opaque_tunnel_ends_with_its_token(ours: World) -> None:
    release = threading.Event()
    ours.pinned.script = until(release)
    with ours.opaque(token=ours.out.token("short", ttl=5)) as wire:
        assert wire.gone()
    release.set()
    assert "expired" in str(row(ours, "short")["error"])


def test_tunnels_are_closed_at_the_end_of_the_drain(tmp_path: Path) -> None:
    with world(tmp_path / "ending") as ours:
        release = threading.Event()
        ours.pinned.script = until(release)
        with ours.opaque(token=ours.out.token("open")) as opaque, ours.inside() as inside:
            ours.out.gateway.terminate()
            ours.out.gateway.wait_for("draining")
            answer = inside.say("GET /x HTTP/1.1", f"host: {ours.secure}")
            assert code(answer) == "not-accepting"
            assert opaque.gone()
            assert ours.out.gateway.wait() == 0
        release.set()
        (found,) = ours.flows("subject = 'open' and ended_at is not null")
        assert found["coverage"] == "none: passed unread"
        ours.well()
