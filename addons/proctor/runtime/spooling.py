"""A request's body that goes to disk instead of into memory, and from there to the upstream.

Belongs to mitm.py: another reach into mitmproxy's insides. The layer reads and writes as for any
other request, but what stands in the flow is the body's head alone. The rest is sent piece by
piece, each once the one before it has left, so that memory holds no more than one.
"""

from dataclasses import dataclass
from typing import Final

from mitmproxy import flow
from mitmproxy.connection import Connection
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    HttpErrorHook,
    HttpStream,
    RequestData,
    RequestEndOfMessage,
    RequestProtocolError,
    ResponseProtocolError,
    SendHttp,
)
from mitmproxy.proxy.layers.http._events import ErrorCode
from mitmproxy.utils import human

from proctor.errors import ProctorError
from proctor.runtime.door import Door, Spool
from proctor.runtime.wording import MESSAGES

PATIENCE: Final = 4 * 2**30
"""Bytes of a refused request's body that are read and dropped."""


class Drain(commands.Command):
    """Go on once what was written to a connection has left.

    Not one of mitmproxy's commands about a connection: of those a layer of TLS knows its own alone.
    """

    blocking = True

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


@dataclass(repr=False)
class DrainCompleted(events.CommandCompleted):
    """It has left, or never will."""

    command: Drain
    reply: None = None


class SpoolStream(HttpStream):
    """One exchange whose request may go to disk.

    Args:
        context: Of the connection.
        stream_id: Its number there.
        door: Says which.
    """

    def __init__(self, context: Context, stream_id: int, door: Door) -> None:
        super().__init__(context, stream_id)
        self._door = door
        self._spool: Spool | None = None
        self._spilt = False
        self._ignored = 0

    def at_head(self) -> bool:
        """Whether the request's body has not begun."""
        return bool(self.client_state == self.state_wait_for_request_headers)

    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:  # noqa: FBT001
        """Of a request's head, only after it is known whose body it is: see `oversized`."""
        if request and self.at_head():
            return False
        large = yield from super().check_body_size(request)
        return bool(large)

    def oversized(self) -> layer.CommandGenerator[bool]:
        """Whether a body is announced that is too large for memory, and has been refused."""
        self._spool = self._door.spool(self.flow)
        most = human.parse_size(self.context.options.body_size_limit)
        try:
            size = expected_http_body_size(self.flow.request)
        except ValueError:  # framing that cannot be read is refused elsewhere
            return False
        if self._spool or most is None or size is None or size <= most:
            return False
        code = ErrorCode.REQUEST_TOO_LARGE
        self.flow.error = flow.Error(MESSAGES[code])
        yield HttpErrorHook(self.flow)
        refusal = ResponseProtocolError(self.stream_id, MESSAGES[code], code)
        yield SendHttp(refusal, self.context.client)
        self.client_state = self.state_errored
        self.flow.live = False
        return True

    def state_consume_request_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Into memory, or to disk."""
        if self._spool is None or not isinstance(event, RequestData | RequestEndOfMessage):
            yield from super().state_consume_request_body(event)
            return
        try:
            if isinstance(event, RequestData):
                if self._spilt:
                    self._ignore(event.data)
                else:
                    self._spool.feed(event.data)
                return
            if not self._spilt:
                self._spool.finish()
        except ProctorError as error:
            # The client is heard out: most only read an answer when they have said everything.
            self._door.refuse(self.flow, error)
            self._spilt = True
            if isinstance(event, RequestData):
                return
        self.request_body_buf += b"" if self._spilt else self._spool.head
        yield from self._with_rest(super().state_consume_request_body(event), self._spool)

    def _ignore(self, data: bytes) -> None:
        """Hear a client out, but not for ever."""
        self._ignored += len(data)
        if self._ignored > PATIENCE:
            raise RuntimeError("a refused request that does not end")  # ends the connection

    def _with_rest(
        self, steps: layer.CommandGenerator[None], spool: Spool
    ) -> layer.CommandGenerator[None]:
        """Send what is on disk before the request's end."""
        reply = None
        while True:
            try:
                command = steps.send(reply)
            except StopIteration:
                return
            sending = command.event if isinstance(command, SendHttp) else None
            if isinstance(sending, RequestEndOfMessage) and not (yield from self._rest_sent(spool)):
                return
            reply = yield command

    def _rest_sent(self, spool: Spool) -> layer.CommandGenerator[bool]:
        """Whether all of it was sent; where that was stopped, the upstream has no whole request."""
        server = self.context.server
        for piece in spool.pieces():
            if ending := self._door.ending(self.flow):
                stopped = RequestProtocolError(self.stream_id, ending.message, ErrorCode.CANCEL)
                yield SendHttp(stopped, server)
                code = ErrorCode.GENERIC_SERVER_ERROR
                cut = ResponseProtocolError(self.stream_id, str(ending), code)
                yield from self.handle_protocol_error(cut)
                return False
            yield SendHttp(RequestData(self.stream_id, piece), server)
            yield Drain(server)
        return True
