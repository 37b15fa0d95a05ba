"""HTTP/1 as mitmproxy speaks it, with the bounds and refusals that it lacks.

Belongs to mitm.py: another reach into mitmproxy's insides, with tests that fail on an upgrade.
"""

import re
from collections.abc import Callable

from mitmproxy.net.http import status_codes
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    RequestHeaders,
    RequestProtocolError,
    ResponseEndOfMessage,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import ErrorCode
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server

from proctor.runtime.door import Refusal

MAX_HEAD = 64 * 1024
"""Bytes of a request's head; mitmproxy itself sets no limit."""

MAX_AHEAD = 1024 * 1024
"""Bytes that a client may send behind a request that is not answered; it may wait for a human."""

MAX_ANSWER_HEAD = 256 * 1024
"""Bytes of an answer's head."""

_INFORMATIONAL = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}[ \r\n]")
_HEAD_END = re.compile(rb"\n\r?\n")


def _foreign_version(command: commands.Command) -> bool:
    """A request that calls itself other than HTTP/1: mitmproxy would take it for HTTP/2."""
    return (
        isinstance(command, ReceiveHttp)
        and isinstance(command.event, RequestHeaders)
        and command.event.request.http_version not in {"HTTP/1.1", "HTTP/1.0"}
    )


class BoundedHttp1Server(Http1Server):
    """HTTP/1 towards clients with a limit on the head and errors in the listener's protocol."""

    def __init__(self, context: Context, refusal: Callable[[int, str], Refusal]) -> None:
        super().__init__(context)
        self._refusal = refusal

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """Read a request's head; nothing but an error is sent while it is read."""
        if len(self.buf) > MAX_HEAD and b"\r\n\r\n" not in bytes(self.buf)[:MAX_HEAD]:
            yield commands.SendData(self.conn, self._error(431, "The request's head is too long."))
            yield commands.CloseConnection(self.conn)
            self.state = self.done
            return
        for command in super().read_headers(event):
            if isinstance(command, commands.SendData) or _foreign_version(command):
                text = "The request's head is not HTTP/1.1 as RFC 9112 has it."
                yield commands.SendData(self.conn, self._error(400, text))
                yield commands.CloseConnection(self.conn)
                self.state = self.done
                return
            yield command

    def wait(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Keep what is pipelined (RFC 9112 9.3.2) until it is its turn, up to a limit."""
        if isinstance(event, events.DataReceived) and len(self.buf) > MAX_AHEAD:
            text = "Too much was sent before the answer to an earlier request."
            self.state = self.done
            self.buf.maybe_extract_at_most(len(self.buf))
            yield commands.CloseConnection(self.conn)
            yield ReceiveHttp(
                RequestProtocolError(self.stream_id or 0, text, ErrorCode.CLIENT_DISCONNECTED)
            )
            return
        yield from super().wait(event)

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Read a body; trailers, which mitmproxy cannot read, end the connection clearly."""
        try:
            yield from super().read_body(event)
        except NotImplementedError:
            text = "Trailers are not accepted; send the fields as headers."
            yield commands.SendData(self.conn, self._error(400, text))
            yield commands.CloseConnection(self.conn)
            self.state = self.done
            yield ReceiveHttp(
                RequestProtocolError(self.stream_id, text, ErrorCode.GENERIC_CLIENT_ERROR)
            )

    def _error(self, status: int, message: str) -> bytes:
        refusal = self._refusal(status, message)
        reason = status_codes.RESPONSES.get(status, "")
        head = [f"HTTP/1.1 {status} {reason}".encode("ascii")]
        head += [name + b": " + value for name, value in refusal.headers]
        head += [b"content-length: %d" % len(refusal.body), b"connection: close", b"", b""]
        return b"\r\n".join(head) + refusal.body


class BoundedHttp1Client(Http1Client):
    """HTTP/1 towards upstreams: what announces an answer is not taken for the answer itself."""

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """Read an answer's head, past informational ones (RFC 9110 15.2)."""
        if isinstance(event, events.DataReceived) and self.request:
            head = bytes(self.buf)
            while _INFORMATIONAL.match(head) and self.buf.maybe_extract_lines() is not None:
                head = bytes(self.buf)
            if len(head) > MAX_ANSWER_HEAD and not _HEAD_END.search(head, 0, MAX_ANSWER_HEAD):
                yield commands.CloseConnection(self.conn)
                text = "The head of the upstream's answer is too long."
                yield ReceiveHttp(
                    ResponseProtocolError(self.stream_id or 0, text, ErrorCode.GENERIC_SERVER_ERROR)
                )
                self.state = self.done
                return
            if _INFORMATIONAL.match(head):
                return
        yield from super().read_headers(event)

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Read a body; trailers, which mitmproxy cannot pass on, are left out (RFC 9110 6.5.1)."""
        try:
            yield from super().read_body(event)
        except NotImplementedError:
            yield ReceiveHttp(ResponseEndOfMessage(self.stream_id or 0))
            yield from self.mark_done(response=True)
