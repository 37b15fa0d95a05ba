"""The layer between the sides of a WebSocket, without sockets: what waits, and how it ends.

Whole conversations, through sockets and stages, are in tests/stages/test_websocket.py.
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from mitmproxy import options
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, context, events
from mitmproxy.test import tflow

from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.protocols.websocket.messages import Close, Heard, Message, Ping, Wire
from proctor.runtime.door import Door, Talk
from proctor.runtime.tunnels import Nudged
from proctor.runtime.websocket import (
    CLOSING,
    MAX_WAITING,
    Crossing,
    MessageLayer,
    WsEndedHook,
    WsMessageHook,
    told_of,
)


class Stood:
    """A layer, and both sides' ends of it."""

    def __init__(self, limit: int = 1000) -> None:
        self.now = 1000.0
        self.ends: ProctorError | None = None
        self.left = 0
        flow = tflow.tflow()
        self.context = context.Context(flow.client_conn, options.Options())
        self.context.server = flow.server_conn
        self.context.server.state = self.context.client.state = ConnectionState.OPEN
        self.talk = Talk(flow=flow, limit=limit, until=2000.0)
        self.layer = MessageLayer(
            self.context, self.talk, cast("Door", self), clock=lambda: self.now
        )
        self.client = Wire(client=True, limit=10**9)
        self.server = Wire(client=False, limit=10**9)
        self.hooks: list[WsMessageHook] = []
        self.closed: list[str] = []
        self.wakeups: list[float] = []
        self.ended = 0
        self.feed(events.Start())

    def ending(self, _flow: object) -> ProctorError | None:
        return self.ends

    def gone(self, _flow: object) -> None:
        self.left += 1

    def feed(self, event: events.Event) -> list[Heard]:
        """Give the layer an event; what its two sides then hear."""
        waiting, heard = [event], list[Heard]()
        while waiting:
            for command in self.layer.handle_event(waiting.pop(0)):
                heard += self._obey(command, waiting)
        return heard

    def _obey(self, command: commands.Command, waiting: list[events.Event]) -> Iterator[Heard]:
        match command:
            case commands.SendData():
                side = self.client if command.connection is self.context.client else self.server
                side.feed(command.data)
                yield from side.heard()
            case WsMessageHook():
                self.hooks.append(command)
            case WsEndedHook():
                self.ended += 1
                waiting.insert(0, events.HookCompleted(command))
            case commands.CloseConnection():
                name = "client" if command.connection is self.context.client else "server"
                self.closed.append(name)
                command.connection.state = ConnectionState.CLOSED
            case commands.RequestWakeup():
                self.wakeups.append(command.delay)
            case _:
                raise AssertionError(command)

    def says(self, side: str, data: bytes) -> list[Heard]:
        mine = self.context.client if side == "client" else self.context.server
        return self.feed(events.DataReceived(mine, data))

    def judge(self, passing: Message | None = None, **more: Any) -> list[Heard]:
        """Decide about the message that has waited longest."""
        hook = self.hooks.pop(0)
        crossing: Crossing = hook.crossing
        crossing.passing = passing
        for name, value in more.items():
            setattr(crossing, name, value)
        return self.feed(events.HookCompleted(hook))


def text(words: str) -> Message:
    return Message(text=True, data=words.encode())


def test_messages_of_a_side_wait_for_each_other_and_not_for_the_other_side() -> None:
    it = Stood()
    assert it.says("client", it.client.message(text("one")) + it.client.message(text("two"))) == []
    assert it.says("server", it.server.message(text("back"))) == []
    assert [(h.crossing.number, h.crossing.from_client) for h in it.hooks] == [
        (1, True),
        (2, False),
    ]
    one, back = it.hooks
    it.hooks = [back, one]
    assert it.judge(text("back, changed")) == [text("back, changed")]
    assert it.judge(text("one")) == [text("one")]
    assert it.hooks[0].crossing.message == text("two")
    assert (it.talk.sent, it.talk.received) == (3, 13)


def test_pings_are_answered_while_a_message_waits_and_their_payload_does_not_pass() -> None:
    it = Stood()
    it.says("client", it.client.message(text("held")))
    assert it.says("client", b"\x89\x86\0\0\0\0secret") == [Ping(b"")]
    assert len(it.hooks) == 1


def test_what_is_not_passed_ends_it() -> None:
    it = Stood()
    it.says("client", it.client.message(text("no")) + it.client.message(text("behind")))
    error = RefusedError("policy-denied", "No.", rule_id="rule")
    heard = it.judge(None, code=1008, words=told_of(error), error=error)
    assert heard == [Close(1008), Close(1001)]
    assert (it.ended, it.talk.code, it.talk.error) == (1, 1008, error)
    assert it.hooks == []
    assert it.says("server", it.server.message(text("late"))) == []
    assert it.says("client", it.client.close(1008)) == []
    assert it.says("server", it.server.close(1001)) == []
    assert sorted(it.closed) == ["client", "server"]


def test_a_hook_that_did_nothing_ends_it() -> None:
    it = Stood()
    it.says("client", it.client.message(text("x")))
    assert it.judge() == [Close(1011), Close(1001)]
    assert it.talk.error is not None
    assert it.talk.error.code == "stage-failed"


def test_a_close_comes_after_what_was_said_before_it() -> None:
    it = Stood()
    assert it.says("client", it.client.message(text("last")) + it.client.close(4000)) == []
    assert it.judge(text("last")) == [text("last"), Close(4000)]
    it.says("server", it.server.message(text("answer")))
    assert it.judge(text("answer")) == [text("answer")]
    assert it.ended == 0
    assert it.says("server", it.server.close(4000)) == [Close(4000)]
    assert (it.ended, it.talk.code, it.talk.error) == (1, 4000, None)
    assert sorted(it.closed) == ["client", "server"]


def test_who_does_not_answer_a_close_is_not_waited_for() -> None:
    it = Stood()
    assert it.says("client", it.client.close(1000)) == [Close(1000)]
    assert it.wakeups[-1] == CLOSING
    it.now += CLOSING
    it.feed(events.Wakeup(commands.RequestWakeup(CLOSING)))
    assert it.ended == 1
    it.feed(events.Wakeup(commands.RequestWakeup(CLOSING)))
    assert sorted(it.closed) == ["client", "server"]


def test_a_client_that_is_gone_waits_for_no_human() -> None:
    it = Stood()
    it.says("client", it.client.message(text("held")))
    it.feed(events.ConnectionClosed(it.context.client))
    assert it.left == 1
    assert it.ended == 0
    assert it.judge(None, code=1008) == [Close(1001)]
    assert it.ended == 1


def test_a_server_that_is_gone_has_said_what_it_said() -> None:
    it = Stood()
    it.says("server", it.server.message(text("bye")))
    it.feed(events.ConnectionClosed(it.context.server))
    assert it.judge(text("bye")) == [text("bye"), Close(1001)]
    assert it.left == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("killed", "Ended.", rule_id="kill"), 1008),
        (InternalError("not-accepting", "proctor is stopping"), 1001),
    ],
)
def test_it_is_ended_from_outside(error: ProctorError, code: int) -> None:
    it = Stood()
    assert it.feed(Nudged(it.talk.flow)) == []
    it.says("client", it.client.message(text("held")))
    it.ends = error
    assert it.feed(Nudged(it.talk.flow)) == [Close(code), Close(1001)]
    assert it.judge(text("held")) == []


def test_a_token_is_looked_at_when_it_should_have_expired() -> None:
    it = Stood()
    assert it.wakeups == [1000.0]
    it.now = 2000.0
    assert it.feed(events.Wakeup(commands.RequestWakeup(1))) == []
    assert it.wakeups[-1] == 5.0
    it.ends = RefusedError("token-expired", "Expired.", rule_id="x")
    assert it.feed(events.Wakeup(commands.RequestWakeup(1))) == [Close(1008), Close(1001)]


@pytest.mark.parametrize(("side", "codes"), [("client", [1002, 1001]), ("server", [1001, 1002])])
def test_a_side_that_does_not_keep_to_the_protocol(side: str, codes: list[int]) -> None:
    it = Stood()
    masked = it.server if side == "client" else it.client  # the wrong way round
    heard = it.says(side, masked.message(text("x")))
    assert [each.code for each in heard if isinstance(each, Close)] == codes
    assert it.talk.error is not None
    assert it.talk.error.code == "websocket-frames"
    assert it.hooks == []


def test_what_waits_is_bounded() -> None:
    it = Stood()
    data = b"".join(it.client.message(text(str(n))) for n in range(3 * MAX_WAITING))
    it.says("client", data)
    side = it.layer._client
    assert (len(side.waiting), side.stopped) == (MAX_WAITING, True)
    heard: list[Heard] = []
    while it.hooks:
        heard += it.judge(it.hooks[0].crossing.message)
        assert len(side.waiting) <= MAX_WAITING
    assert heard == [text(str(n)) for n in range(3 * MAX_WAITING)]
    assert not side.stopped


def test_waiting_bytes_are_bounded() -> None:
    it = Stood(limit=1000)
    it.says("client", b"".join(it.client.message(text("x" * 900)) for _ in range(20)))
    side = it.layer._client
    assert side.size <= 1900
    assert side.stopped
    for _ in range(20):
        assert it.judge(it.hooks[0].crossing.message) == [text("x" * 900)]
    assert not side.stopped


def test_nothing_that_was_said_stands_in_a_repr() -> None:
    it = Stood()
    it.says("client", it.client.message(text("secret")))
    assert "secret" not in repr(it.hooks[0].crossing)
