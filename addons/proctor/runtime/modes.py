"""How mitmproxy names a listener of ours, and the door behind each; belongs to mitm.py."""

from typing import Protocol

from mitmproxy import http
from mitmproxy.connection import Client, Connection
from mitmproxy.proxy import mode_specs
from mitmproxy.proxy.layers.http._http2 import Http2Server

from proctor.runtime.door import Door

doors: dict[str, Door] = {}
"""Listener → what stands behind it."""


class Handler(Protocol):
    """What is asked of a live connection's handler."""

    def patient(self) -> None:
        """A request has come: the connection may idle as long as any."""
        ...

    def linger(self) -> None:
        """Close the connection once the client has had time to read a refusal."""
        ...

    def abandon(self) -> None:
        """Close the connection, whatever it is doing."""
        ...

    def nudge(self, nudged: http.HTTPFlow) -> None:
        """Tell the layer of a flow that something has happened outside."""
        ...

    def stop_reading(self, connection: Connection) -> None:
        """Read nothing more of a connection: what it has said is not worked off yet."""
        ...

    def read_on(self, connection: Connection) -> None:
        """Read on."""
        ...

    def speaks(self, speaker: Http2Server) -> None:
        """Mind what this keeps back of answers."""
        ...


handlers: dict[Client, Handler] = {}
"""The handler of each live client connection of ours."""


def nudge(nudged: http.HTTPFlow) -> None:
    """Have an exchange look whether something was decided, or it was ended by hand."""
    if handler := handlers.get(nudged.client_conn):
        handler.nudge(nudged)


def linger(client: Client) -> None:
    """Close a client's connection once it has had time to read what it was told."""
    if handler := handlers.get(client):
        handler.linger()


def open_door(listener: str, door: Door) -> None:
    """From now on `door` stands behind the listener of this name."""
    doors[listener] = door


class ProctorMode(mode_specs.ProxyMode):
    """`proctor:NAME@HOST:PORT`, a listener of ours."""

    description = "proctor"
    transport_protocol = mode_specs.TCP

    def __post_init__(self) -> None:
        """Refuse a mode that names no listener."""
        if not self.data:
            raise ValueError("expected proctor:NAME@HOST:PORT, got no listener's name")
