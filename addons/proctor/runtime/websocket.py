"""What is said over a WebSocket: part of the reach into mitmproxy's insides (see mitm.py).

mitmproxy's own layer lets a message pass where an addon fails, unpacks without bounds and hands on
pings with whatever they hold. This one hands on messages alone, each once it was judged, in the
order in which they came; while one waits, those behind it wait, and so does their sender. Pings are
answered here. What the client sends and what the server sends does not wait for each other.

Either side's Close goes to the other after all that it has said. When both have closed, or one does
not keep to the protocol, or a message may not pass, both connections end.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mitmproxy import http
from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context

from proctor.errors import ClientError, InternalError, ProctorError, UpstreamError
from proctor.protocols.websocket.messages import (
    AWAY,
    BROKEN,
    VIOLATION,
    Close,
    FrameError,
    Message,
    Ping,
    Wire,
    shortened,
)
from proctor.runtime.door import Door, Talk
from proctor.runtime.modes import handlers
from proctor.runtime.tunnels import AGAIN, Nudged

MAX_WAITING: Final = 64
"""Messages of one side that may wait for the one that is being judged, and as many bytes as a
message may have; then their sender waits."""

CLOSING: Final = 10.0
"""Seconds that the other side has to answer a Close."""

LINGER: Final = 2.0
"""Seconds that a side has to close its connection once it was told to."""


@dataclass(slots=True, kw_only=True, eq=False)
class Crossing:
    """One message on its way.

    Attributes:
        flow: The request for the WebSocket.
        from_client: The client sends it, else the upstream.
        number: It is this one of all, both ways.
        message: As it came.
        passing: What goes on in its place; None: nothing does.
        code: What the connection is then closed with.
        words: And what its client is told.
        error: Why.
    """

    flow: http.HTTPFlow
    from_client: bool
    number: int
    message: Message = field(repr=False)
    passing: Message | None = field(default=None, repr=False)
    code: int = BROKEN
    words: str = "proctor: a part of it failed, so the message was not let through"
    error: ProctorError | None = None


@dataclass
class WsMessageHook(commands.StartHook):
    """A message has come, and must be judged."""

    crossing: Crossing


@dataclass
class WsEndedHook(commands.StartHook):
    """A WebSocket has ended."""

    talk: Talk


@dataclass(slots=True, eq=False)
class _Side:
    """The client, or the upstream.

    Attributes:
        connection: To it.
        wire: Reads and writes its frames.
        waiting: What it has said that was not worked off.
        size: Bytes of that.
        busy: One of its messages is being judged.
        closed: It has said Close, or is gone, and that was worked off.
        told: It was told Close, or is gone: nothing more can be sent to it.
        gone: Its connection has ended.
        stopped: Nothing is read of it for the moment.
    """

    connection: Connection
    wire: Wire
    waiting: deque[Message | Close] = field(default_factory=deque[Message | Close])
    size: int = 0
    busy: bool = False
    closed: bool = False
    told: bool = False
    gone: bool = False
    stopped: bool = False


class MessageLayer(layer.Layer):
    """One WebSocket.

    Args:
        context: Of the exchange that asked for it.
        talk: What is counted.
        door: What stands behind the listener.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, context: Context, talk: Talk, door: Door, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(context)
        self._talk = talk
        self._door = door
        self._clock = clock
        self._client = _Side(context.client, Wire(client=False, limit=talk.limit))
        self._server = _Side(context.server, Wire(client=True, limit=talk.limit))
        self._number = 0
        self._over = False
        self._deadline = 0.0

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.HookCompleted):
            if isinstance(event.command, WsMessageHook):
                yield from self._judged(event.command.crossing)
        elif isinstance(event, events.DataReceived):
            yield from self._received(self._of(event.connection), event.data)
        elif isinstance(event, events.ConnectionClosed):
            yield from self._gone(self._of(event.connection))
        elif isinstance(event, events.Wakeup):
            yield from self._woken()
        elif isinstance(event, Nudged):
            yield from self._looked_after()
        elif isinstance(event, events.Start):
            yield self._again()

    def _of(self, connection: Connection) -> _Side:
        return self._client if connection is self.context.client else self._server

    def _other(self, side: _Side) -> _Side:
        return self._server if side is self._client else self._client

    def _again(self) -> commands.Command:
        return commands.RequestWakeup(max(AGAIN, self._talk.until - self._clock()))

    def _woken(self) -> layer.CommandGenerator[None]:
        if self._over:
            yield from self._hang_up()
        elif self._deadline and self._clock() >= self._deadline:
            yield from self._end(AWAY, "")
        else:
            yield from self._looked_after()
            yield from self._armed()

    def _armed(self) -> layer.CommandGenerator[None]:
        """Have the token looked at again; once there is an end to wait for, that comes first."""
        if not self._over and not self._deadline:
            yield self._again()

    def _looked_after(self) -> layer.CommandGenerator[None]:
        """End it where it was ended by hand, or its token has expired."""
        if not self._over and (error := self._door.ending(self._talk.flow)):
            self._talk.error = error
            code = AWAY if isinstance(error, InternalError) else VIOLATION
            yield from self._end(code, told_of(error))

    def _received(self, side: _Side, data: bytes) -> layer.CommandGenerator[None]:
        if self._over:
            yield from self._late(side, data)
        elif not side.closed:
            side.wire.feed(data)
            yield from self._hear(side)

    def _late(self, side: _Side, data: bytes) -> layer.CommandGenerator[None]:
        """All that still matters is whether a side answers its Close (RFC 6455 7.1.1)."""
        side.wire.feed(data)
        try:
            side.closed = side.closed or any(isinstance(s, Close) for s in side.wire.heard())
        except FrameError:
            side.closed = True
        if self._client.closed and self._server.closed:
            yield from self._hang_up()

    def _hear(self, side: _Side) -> layer.CommandGenerator[None]:
        """Take what a side has said, as far as there is room for it."""
        try:
            for said in side.wire.heard():
                if isinstance(said, Ping):
                    yield from self._ponged(side, said)
                else:
                    side.waiting.append(said)
                    side.size += len(said.data) if isinstance(said, Message) else 0
                yield from self._next(side)
                if self._over:
                    return
                if len(side.waiting) >= MAX_WAITING or side.size >= self._talk.limit:
                    self._stop(side)
                    return
        except FrameError as error:
            self._talk.error = _broken(error, client=side is self._client)
            yield from self._end(error.code, f"proctor: {error.words}", to=side)

    def _ponged(self, side: _Side, ping: Ping) -> layer.CommandGenerator[None]:
        """Answer a Ping; the other side gets one that says nothing, so that it does not idle."""
        if not side.told:
            yield commands.SendData(side.connection, side.wire.pong(ping))
        other = self._other(side)
        if not other.told:
            yield commands.SendData(other.connection, other.wire.ping())

    def _next(self, side: _Side) -> layer.CommandGenerator[None]:
        """Have the next message of a side judged, unless one is."""
        if side.busy or self._over or not side.waiting:
            return
        said = side.waiting.popleft()
        if isinstance(said, Close):
            yield from self._closed(side, said)
            return
        side.size -= len(said.data)
        side.busy = True
        self._number += 1
        hook = WsMessageHook(
            Crossing(
                flow=self._talk.flow,
                from_client=side is self._client,
                number=self._number,
                message=said,
            )
        )
        # Not `True`: the layer goes on, and what waits is that message.
        hook.blocking = self  # type: ignore[assignment]  # as theirs, once they have paused
        yield hook

    def _judged(self, crossing: Crossing) -> layer.CommandGenerator[None]:
        """Hand a message on, or end the connection over it."""
        side = self._client if crossing.from_client else self._server
        side.busy = False
        if self._over:
            return
        if crossing.passing is None:
            self._talk.error = crossing.error or InternalError("stage-failed", crossing.words)
            yield from self._end(crossing.code, crossing.words)
            return
        other = self._other(side)
        if not other.told:
            if crossing.from_client:
                self._talk.sent += len(crossing.passing.data)
            else:
                self._talk.received += len(crossing.passing.data)
            yield commands.SendData(other.connection, other.wire.message(crossing.passing))
        yield from self._next(side)
        if not self._over:
            yield from self._go_on(side)

    def _stop(self, side: _Side) -> None:
        if not side.stopped:
            side.stopped = True
            if handler := handlers.get(self.context.client):
                handler.stop_reading(side.connection)

    def _go_on(self, side: _Side) -> layer.CommandGenerator[None]:
        """Hear what was read before there was room for it, then read on."""
        if side.stopped and len(side.waiting) < MAX_WAITING and side.size < self._talk.limit:
            side.stopped = False
            yield from self._hear(side)
            if not side.stopped and (handler := handlers.get(self.context.client)):
                handler.read_on(side.connection)

    def _gone(self, side: _Side) -> layer.CommandGenerator[None]:
        """A connection has ended; what it brought before is still to be worked off."""
        if self._over:
            if self._others_gone(side):
                yield from self._hang_up()
            return
        if side.closed:
            return
        side.told = side.gone = True
        if side is self._client:
            self._door.gone(self._talk.flow)  # nobody waits for a human any more
        side.waiting.append(Close(AWAY))
        yield from self._next(side)

    def _others_gone(self, side: _Side) -> bool:
        return not self._other(side).connection.state & ConnectionState.CAN_READ

    def _closed(self, side: _Side, close: Close) -> layer.CommandGenerator[None]:
        """A side has said its last."""
        side.closed = True
        side.waiting.clear()
        self._talk.code = self._talk.code or close.code
        other = self._other(side)
        if other.closed or side.gone:  # nobody is there to hear what else the other would say
            yield from self._end(close.code, "")
            return
        if not other.told:
            other.told = True
            yield commands.SendData(other.connection, other.wire.close(close.code))
        self._deadline = self._clock() + CLOSING
        yield commands.RequestWakeup(CLOSING)

    def _end(
        self, code: int, words: str, *, to: _Side | None = None
    ) -> layer.CommandGenerator[None]:
        """End it, on record before either side hears of it.

        Args:
            code: For the client, or the side that it is about.
            words: For the same.
            to: The side that it is about; the other one learns no more than that it is over.
        """
        self._over = True
        self._talk.code = self._talk.code or code
        yield WsEndedHook(self._talk)
        for side in (self._client, self._server):
            if not side.told:
                side.told = True
                about = side is (to or self._client)
                both = not words  # an ordinary end is the same for both
                data = side.wire.close(code if about or both else AWAY, shortened(words) * about)
                yield commands.SendData(side.connection, data)
            if side.stopped and (handler := handlers.get(self.context.client)):
                handler.read_on(side.connection)  # to be thrown away, up to its end
        if self._client.closed and self._server.closed:
            yield from self._hang_up()
        else:
            yield commands.RequestWakeup(LINGER)

    def _hang_up(self) -> layer.CommandGenerator[None]:
        for side in (self._server, self._client):
            if side.connection.state is not ConnectionState.CLOSED:
                yield commands.CloseConnection(side.connection)


def _broken(error: FrameError, *, client: bool) -> ProctorError:
    """What is on record where a side does not keep to the protocol."""
    if client:
        text = "The client of a WebSocket does not keep to the protocol"
        return ClientError("websocket-frames", text, got=error.words)
    text = "The upstream of a WebSocket does not keep to the protocol"
    return UpstreamError("websocket-frames", text, got=error.words)


def told_of(error: ProctorError) -> str:
    """What a client is told of an error, in a Close frame's few words."""
    rule = getattr(error, "rule_id", "") or error.code
    return f"proctor: {rule}: {error.message}"
