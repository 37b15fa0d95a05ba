"""WebSockets through the stages: what fails, what is hostile, what waits, and how it ends."""

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from proctor.approval.model import Kill, KillScope, State
from proctor.errors import InternalError
from proctor.model import Case, Decision, Hold
from proctor.protocols.websocket.messages import Close
from proctor.runtime.websocket import Crossing
from tests.protocols.websocket.test_messages import frame
from tests.support.desks import NOW, FakeDesk, terms
from tests.support.screened import KEY, MAIL
from tests.support.talking import ended, messages, port, stood
from tests.support.websockets import client, closing, raw, read


class ThrownError(Exception):
    """Anything."""


@pytest.mark.parametrize("where", ["before", "look", "decide", "record", "hook"])
def test_a_stage_that_throws_hands_nothing_on(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thrown(*_: object, **__: object) -> Any:
        raise ThrownError

    with stood(tmp_path) as (this, proxy, server), client(port(proxy)) as connection:
        connection.send("one")
        assert connection.recv(10) == "one"
        if where == "look":
            monkeypatch.setattr("proctor.stages.websocket.look_at", thrown)
        elif where == "before":
            monkeypatch.setattr(this.suite.gate, "recall", thrown)
        elif where == "decide":
            monkeypatch.setattr(this.suite.gate, "decide", thrown)
        elif where == "record":
            monkeypatch.setattr(this.suite.gate, "message", thrown)
        else:
            monkeypatch.setattr("proctor.stages.websocket._Passage", thrown)
        connection.send("two")
        assert closing(connection)[0] == 1011
        ended(this)
        assert server.heard == ["one"]


def test_a_stage_that_is_missing_hands_nothing_on(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server):
        stages = this.suite.stages_in_order
        this.suite.stages_in_order = tuple(
            each for each in stages if each.name != "proctor_websocket"
        )
        with pytest.raises(InvalidStatus), client(port(proxy)):
            pass
    assert server.heard == []


def test_a_message_nobody_was_asked_about_is_not_handed_on(tmp_path: Path) -> None:
    """As where the hook is there and does nothing."""

    async def nothing(_crossing: Crossing) -> None:
        return

    with stood(tmp_path) as (this, proxy, server):
        (stage,) = (s for s in this.suite.stages_in_order if s.name == "proctor_websocket")
        stage.ws_message = nothing
        with client(port(proxy)) as connection:
            connection.send("one")
            assert closing(connection)[0] == 1011
        assert server.heard == []


def test_a_token_that_no_longer_holds_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stood(tmp_path) as (this, proxy, server), client(port(proxy)) as connection:
        connection.send("one")
        assert connection.recv(10) == "one"
        monkeypatch.setattr(this.suite.gate, "recall", lambda _token: None)

        async def stranger(_token: str) -> Any:
            raise InternalError("x", "y")

        monkeypatch.setattr(this.suite.gate, "admit", stranger)
        connection.send("two")
        assert closing(connection)[0] == 1011
        assert server.heard == ["one"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(1, b"\xff"), 1007),
        (frame(1, b"a", mask=False), 1002),
        (frame(1, b"a", rsv=4), 1002),
        (frame(8, b"a"), 1002),
        (frame(2, b"x" * 1_100_000), 1009),
        (frame(2, b"x" * 900_000, fin=False) + frame(0, b"x" * 900_000, fin=False), 1009),
    ],
)
def test_a_client_that_does_not_keep_to_the_protocol(
    tmp_path: Path, said: bytes, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor.runtime.websocket.LINGER", 0.3)
    with stood(tmp_path) as (this, proxy, server), raw(port(proxy)) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(said)
        got = read(connection)
        end = ended(this)
        server.done.wait(30)
    assert got[-1:] in ([Close(code)], [])  # or reset, where it goes on to send
    assert end["error"].startswith("websocket-frames: ")
    assert server.heard == []
    assert server.closed == [1001]


def test_pings_are_answered_and_do_not_pass(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server), raw(port(proxy)) as connection:
        connection.sendall(frame(9, KEY.encode()) + frame(10, KEY.encode()) + frame(8, b"\x03\xe8"))
        data = b""
        while part := connection.recv(1000):
            data += part
        ended(this)
    assert data.startswith(b"\x8a" + bytes([len(KEY)]) + KEY.encode())
    assert server.closed == [1000]


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_close_codes_pass_and_words_do_not(tmp_path: Path, code: int) -> None:
    with stood(tmp_path) as (this, proxy, server):
        with client(port(proxy)) as connection:
            connection.close(code, "the words " + KEY)
        ended(this)
        server.done.wait(30)
    assert server.closed == [code]


def test_a_client_that_is_gone(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server):
        with raw(port(proxy)) as connection:
            connection.sendall(frame(1, b"bye"))
            connection.shutdown(socket.SHUT_WR)
            read(connection)
        ended(this)
        server.done.wait(30)
    assert server.heard == ["bye"]
    assert server.closed == [1001]
    assert this.suite.open_exchanges == 0


def test_many_messages_in_order_and_a_slow_judge_stops_reading(tmp_path: Path) -> None:
    with stood(tmp_path, screened=False) as (this, proxy, server):
        server.answer = lambda _said: None
        with client(port(proxy)) as connection:
            for n in range(500):
                connection.send(f"{n}:" + "x " * 5_000)
        ended(this)
    assert [str(said).partition(":")[0] for said in server.heard] == [str(n) for n in range(500)]


def held(case: Case) -> Decision | None:
    ws = case.action.ws
    if ws and ws.direction == "client" and isinstance(ws.json, dict):
        verdict = Hold(rule_id="held", reason="A human has to look.", terms=(terms(),))
        return Decision(verdict=verdict)
    return None


def test_a_held_message_waits_and_those_behind_it_and_pings_do_not(tmp_path: Path) -> None:
    desk = FakeDesk()
    with stood(tmp_path, held, desk=desk) as (this, proxy, server):
        with client(port(proxy)) as connection:
            connection.send(json.dumps({"publish": MAIL}))
            connection.send("behind it")
            (approval,) = proxy.do(lambda: desk.pending(1))
            assert connection.ping().wait(30)
            assert server.heard == []
            card = approval.asking.card
            assert card.title.startswith("WebSocket http://127.0.0.1:")
            assert '"publish": "EMAIL_ADDRESS_' in card.parts[-1].text
            assert [hidden.type for hidden in card.hidden] == []
            assert approval.asking.demands[0].rule_id == "held"
            proxy.do(lambda: desk.change(approval.id, State.APPROVED))
            assert str(connection.recv(10)).startswith('{"publish": "EMAIL_ADDRESS_')
            assert connection.recv(10) == "behind it"
        ended(this)
    told = messages(this)[0]
    assert (told["verdict"], told["approval_id"]) == ("hold", approval.id)
    assert len(server.heard) == 2


def test_a_rejected_message_ends_the_connection(tmp_path: Path) -> None:
    desk = FakeDesk()
    with stood(tmp_path, held, desk=desk) as (this, proxy, server):
        with client(port(proxy)) as connection:
            connection.send('{"a": 1}')
            (approval,) = proxy.do(lambda: desk.pending(1))
            proxy.do(lambda: desk.change(approval.id, State.DENIED, "not today"))
            code, words = closing(connection)
        ended(this)
    assert (code, server.heard) == (1008, [])
    assert words.startswith("proctor: held: ")
    assert messages(this)[-1]["verdict"] == "deny"


def test_who_is_gone_waits_for_nobody(tmp_path: Path) -> None:
    desk = FakeDesk()
    with stood(tmp_path, held, desk=desk) as (this, proxy, server):
        with raw(port(proxy)) as connection:
            connection.sendall(frame(1, b'{"a": 1}'))
            proxy.do(lambda: desk.pending(1))
        ended(this)
        server.done.wait(30)
    assert server.heard == []
    assert this.suite.open_exchanges == 0


def test_a_kill_ends_it(tmp_path: Path) -> None:
    desk = FakeDesk()
    with stood(tmp_path, desk=desk) as (this, proxy, server):
        with client(port(proxy)) as connection:
            connection.send("one")
            assert connection.recv(10) == "one"
            kill = Kill(
                id="ki_1", scope=KillScope.ALL, target="", by="carol", reason="Fire drill.", at=NOW
            )

            async def end() -> None:
                desk.kill = kill
                this.suite.kill(kill)

            proxy.do(end)
            code, words = closing(connection)
        ended(this)
        server.done.wait(30)
    assert code == 1008
    assert words.startswith("proctor: ")
    assert server.heard == ["one"]
    assert server.closed == [1001]


def test_what_waits_is_bounded_by_not_reading(tmp_path: Path) -> None:
    desk = FakeDesk()
    with stood(tmp_path, held, desk=desk, screened=False) as (_, proxy, server):
        server.answer = lambda _said: None
        with raw(port(proxy)) as connection:
            connection.sendall(frame(1, b'{"a": 1}'))
            (approval,) = proxy.do(lambda: desk.pending(1))
            # Far more than may wait: the sender is stopped, and nothing is thrown away.
            piece, sent = frame(1, b"x" * 60_000), 0
            connection.settimeout(1)
            with contextlib.suppress(TimeoutError):
                for _ in range(1000):
                    connection.sendall(piece)
                    sent += 1
            assert 1 <= sent < 900
            assert server.heard == []
            proxy.do(lambda: desk.change(approval.id, State.APPROVED))
            until = time.monotonic() + 30
            while len(server.heard) < sent and time.monotonic() < until:
                threading.Event().wait(0.05)
        assert len(server.heard) >= sent


def test_it_ends_when_the_gateway_stops(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, _), client(port(proxy)) as connection:
        connection.send("one")
        assert connection.recv(10) == "one"

        async def stop() -> None:
            this.suite.stop_waiting()

        proxy.do(stop)
        assert closing(connection) == (1001, "proctor: not-accepting: proctor is stopping")
        ended(this)
        assert this.suite.open_exchanges == 0
