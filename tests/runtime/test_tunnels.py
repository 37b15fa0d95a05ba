"""What is inside a CONNECT, event by event."""

from typing import Any

import pytest
from mitmproxy import options
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow

from proctor.errors import ProctorError, RefusedError
from proctor.runtime.door import Inside
from proctor.runtime.tunnels import (
    AGAIN,
    Nudged,
    OpaqueEndedHook,
    OpaqueTunnel,
    Tunnel,
    reaching,
)


def context() -> Context:
    client = Client(
        peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN
    )
    made = Context(client, options.Options())
    made.server = Server(address=("pinned.internal", 443))
    return made


def inside(until: float = 0) -> Inside:
    return Inside(
        flow=tflow.tflow(), address=("api.internal", 443), opaque=True, via=None, until=until
    )


class Opaque:
    """A tunnel that nobody reads, and what it commands."""

    def __init__(self, until: float = 0) -> None:
        self.context = context()
        self.client, self.server = self.context.client, self.context.server
        self.inside = inside(until)
        self.error: ProctorError | None = None
        self.layer = OpaqueTunnel(
            self.context, self.inside, lambda: self.error, clock=lambda: 1000.0
        )
        (opening,) = self.tell(events.Start())
        assert isinstance(opening, commands.OpenConnection)
        assert self.layer.opened is None
        self.server.state = ConnectionState.OPEN
        (self.wakeup,) = self.tell(events.OpenConnectionCompleted(opening, None))
        assert self.layer.opened

    def tell(self, event: events.Event) -> list[commands.Command]:
        """An event; what is commanded is done to the connections as their handler does."""
        found = []
        for command in self.layer.handle_event(event):
            found.append(command)
            if isinstance(command, commands.CloseConnection):
                half = isinstance(command, commands.CloseTcpConnection) and command.half_close
                command.connection.state &= ~(
                    ConnectionState.CAN_WRITE if half else ConnectionState.OPEN
                )
        return found

    def data(self, side: Any, data: bytes) -> list[commands.Command]:
        return self.tell(events.DataReceived(side, data))

    def ends(self, side: Any) -> list[commands.Command]:
        side.state &= ~ConnectionState.CAN_READ
        return self.tell(events.ConnectionClosed(side))

    def breaks(self, side: Any) -> list[commands.Command]:
        side.state = ConnectionState.CLOSED
        return self.tell(events.ConnectionClosed(side))


def shut(found: list[commands.Command]) -> list[tuple[str, bool]]:
    """Which sides are shut, and whether by half; an end is told of last, and once."""
    ends = [each for each in found if isinstance(each, OpaqueEndedHook)]
    assert ends == (found[-1:] if ends else [])
    return [
        (type(each.connection).__name__, getattr(each, "half_close", False))
        for each in found
        if isinstance(each, commands.CloseConnection)
    ]


def test_a_destination_that_is_not_there() -> None:
    own = context()
    this = OpaqueTunnel(own, inside(), lambda: None)
    (opening,) = this.handle_event(events.Start())
    assert isinstance(opening, commands.OpenConnection)
    assert list(this.handle_event(events.OpenConnectionCompleted(opening, "refused"))) == []
    assert this.opened is False


def test_the_company_s_own_proxy_is_asked_first() -> None:
    own = context()
    assert own.server.address
    this = OpaqueTunnel(own, inside(), lambda: None)
    assert reaching(this) is this
    own.server.via = ("http", ("proxy.corp", 3128))
    outermost = reaching(this)
    (opening,) = outermost.handle_event(events.Start())
    assert isinstance(opening, commands.OpenConnection)
    assert isinstance(opening.connection, Server)
    assert opening.connection.address == ("proxy.corp", 3128)


def test_bytes_pass_and_are_counted() -> None:
    this = Opaque()
    for side, other in ((this.client, this.server), (this.server, this.client)):
        (sent,) = this.data(side, b"\0abc")
        assert isinstance(sent, commands.SendData)
        assert (sent.connection, sent.data) == (other, b"\0abc")
    assert (this.inside.sent, this.inside.received) == (4, 4)


@pytest.mark.parametrize("first", ["client", "server"])
def test_each_side_ends_for_itself(first: str) -> None:
    this = Opaque()
    one, two = (this.client, this.server) if first == "client" else (this.server, this.client)
    found = this.ends(one)
    assert shut(found) == [(type(two).__name__, True)]
    assert not any(isinstance(each, OpaqueEndedHook) for each in found)
    assert len(this.data(two, b"more")) == 1
    found = this.ends(two)
    assert isinstance(found[-1], OpaqueEndedHook)
    assert this.data(one, b"late") == []
    assert this.inside.error is None


@pytest.mark.parametrize("first", ["client", "server"])
def test_what_breaks_ends_both(first: str) -> None:
    this = Opaque()
    one, two = (this.client, this.server) if first == "client" else (this.server, this.client)
    found = this.breaks(one)
    assert shut(found) == [(type(two).__name__, False)]
    assert this.breaks(two) == [], "it is told of once"


def test_it_ends_where_it_has_to() -> None:
    this = Opaque()
    assert this.tell(Nudged(this.inside.flow)) == []
    this.error = RefusedError("killed", "Enough")
    found = this.tell(Nudged(this.inside.flow))
    assert shut(found) == [("Client", False), ("Server", False)]
    assert this.inside.error is this.error


@pytest.mark.parametrize(("until", "delay"), [(1060.0, 60.0), (1000.0, AGAIN), (0.0, AGAIN)])
def test_it_is_asked_again_when_its_token_expires(until: float, delay: float) -> None:
    this = Opaque(until)
    assert isinstance(this.wakeup, commands.RequestWakeup)
    assert this.wakeup.delay == delay
    (again,) = this.tell(events.Wakeup(this.wakeup))
    assert isinstance(again, commands.RequestWakeup), "it still holds"
    this.error = RefusedError("token-expired", "Over")
    assert len(shut(this.tell(events.Wakeup(again)))) == 2


class Child(layer.Layer):
    """Keeps what it is told."""

    def __init__(self, own: Context) -> None:
        super().__init__(own)
        self.told: list[events.Event] = []

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        self.told.append(event)
        yield from ()


@pytest.mark.parametrize(("data", "tls"), [(b"\x16\x03", True), (b"GET / ", False), (b"\0", False)])
def test_the_first_byte_says_whether_it_is_tls(data: bytes, *, tls: bool) -> None:
    own = context()
    made: list[tuple[bool, Child]] = []

    def entrance(spoken: bool) -> layer.Layer:  # noqa: FBT001 - as its caller has it
        made.append((spoken, Child(own)))
        return made[-1][1]

    this = Tunnel(own, inside(), entrance)
    assert list(this.handle_event(events.Start())) == []
    assert made == []
    first = events.DataReceived(own.client, data)
    assert list(this.handle_event(first)) == []
    ((spoken, child),) = made
    assert spoken == tls
    assert (own.server.address, own.server.tls, own.server.sni) == (
        ("api.internal", 443),
        tls,
        "api.internal",
    )
    second = events.DataReceived(own.client, b"more")
    list(this.handle_event(second))
    assert child.told[1:] == [first, second]


def test_who_leaves_before_saying_anything_is_let_go() -> None:
    own = context()
    this = Tunnel(own, inside(), lambda _tls: Child(own))
    list(this.handle_event(events.Start()))
    (command,) = this.handle_event(events.ConnectionClosed(own.client))
    assert isinstance(command, commands.CloseConnection)
    assert command.connection is own.client
