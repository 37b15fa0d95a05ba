"""What is inside a CONNECT: part of the reach into mitmproxy's insides (see mitm.py)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from mitmproxy import flow
from mitmproxy.connection import Connection, ConnectionState, Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._upstream_proxy import HttpUpstreamProxy

from proctor.errors import ProctorError
from proctor.runtime.door import Inside

HANDSHAKE: Final = 0x16
"""First byte of a client that speaks TLS (RFC 8446 5.1)."""

AGAIN: Final = 5.0
"""Seconds until it is asked again whether a token that should have expired still holds."""


class Tunnel(layer.Layer):
    """What a client says to an upstream through us: TLS, or HTTP in the clear.

    Args:
        context: Of the CONNECT.
        inside: Where the client wants to go.
        entrance: Makes the layer that reads what is inside; told whether that is TLS.
    """

    def __init__(
        self, context: Context, inside: Inside, entrance: Callable[[bool], layer.Layer]
    ) -> None:
        super().__init__(context)
        self._inside = inside
        self._entrance = entrance

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            tls = event.data[0] == HANDSHAKE
            self.context.server = Server(address=self._inside.address)
            self.context.server.tls = tls
            self.context.server.sni = self._inside.address[0]
            child = self._entrance(tls)
            yield from child.handle_event(events.Start())
            # As NextLayer does; not before, since the child does the same.
            self.handle_event = child.handle_event  # type: ignore[method-assign]
            self._take_over(child)
            yield from child.handle_event(event)
        elif isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.context.client)

    def _take_over(self, child: layer.Layer) -> None:
        """Leave out the layers around a CONNECT in HTTP/1: they have nothing more to say.

        Each byte would go through a second HTTP layer, unread, on its way in and out.
        """
        layers = self.context.layers
        for front, around in pairwise(layers):
            if isinstance(around, HttpLayer):
                front.handle_event = child.handle_event  # type: ignore[method-assign]
                return


@dataclass
class Nudged(events.Event):
    """Something is to be done in the midst of an exchange: see `Suite.nudge`."""

    flow: flow.Flow


@dataclass
class OpaqueEndedHook(commands.StartHook):
    """A tunnel that nobody reads has ended."""

    inside: Inside


class OpaqueTunnel(layer.Layer):
    """Bytes that nobody reads, both ways, until both sides have ended theirs.

    It ends with the token that opened it, since there is no request in it to be asked about.

    Args:
        context: Of the CONNECT.
        inside: What is counted.
        ending: Why it has to end here and now, or None.
        clock: Seconds since the epoch.

    Attributes:
        opened: Whether there is a connection to the destination; None as long as that is open.
    """

    def __init__(
        self,
        context: Context,
        inside: Inside,
        ending: Callable[[], ProctorError | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(context)
        self.opened: bool | None = None
        self._inside = inside
        self._ending = ending
        self._clock = clock
        self._ended = False

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._ended:
            return
        if isinstance(event, events.DataReceived):
            yield from self._pass(event)
        elif isinstance(event, events.ConnectionClosed):
            yield from self._closed(event.connection)
        elif isinstance(event, Nudged | events.Wakeup) and (error := self._ending()):
            yield from self._end(error)
        elif isinstance(event, events.Wakeup):
            yield self._again()
        elif isinstance(event, events.Start):
            self.opened = not (yield commands.OpenConnection(self.context.server))
            if self.opened:
                yield self._again()

    def _again(self) -> commands.Command:
        return commands.RequestWakeup(max(AGAIN, self._inside.until - self._clock()))

    def _pass(self, event: events.DataReceived) -> layer.CommandGenerator[None]:
        if event.connection is self.context.client:
            self._inside.sent += len(event.data)
            yield commands.SendData(self.context.server, event.data)
        else:
            self._inside.received += len(event.data)
            yield commands.SendData(self.context.client, event.data)

    def _closed(self, connection: Connection) -> layer.CommandGenerator[None]:
        """A side that has ended may still be told something, one that broke may not."""
        client, server = self.context.client, self.context.server
        other = server if connection is client else client
        broken = connection.state is ConnectionState.CLOSED
        if broken or not other.state & ConnectionState.CAN_READ:
            yield from self._end(None)
        else:
            yield commands.CloseTcpConnection(other, half_close=True)

    def _end(self, error: ProctorError | None) -> layer.CommandGenerator[None]:
        self._ended = True
        self._inside.error = error
        for each in (self.context.client, self.context.server):
            if each.state is not ConnectionState.CLOSED:
                yield commands.CloseConnection(each)
        yield OpaqueEndedHook(self._inside)


def reaching(tunnel: OpaqueTunnel) -> layer.Layer:
    """The outermost layer of such a tunnel: the company's own proxy, where that is on the way."""
    if not tunnel.context.server.via:
        return tunnel
    stack = HttpUpstreamProxy.make(tunnel.context, send_connect=True)
    stack /= tunnel
    return stack[0]
