"""One exchange inside mitmproxy: part of the reach into its insides (see mitm.py)."""

from collections.abc import Callable
from typing import Any

from mitmproxy import http
from mitmproxy.net.http import status_codes
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    DropStream,
    HttpConnectedHook,
    HttpResponseHook,
    RequestData,
    RequestEndOfMessage,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    SendHttp,
)
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import ErrorCode
from mitmproxy.utils import human

from proctor.errors import InternalError, ProctorError, UpstreamError
from proctor.runtime.door import Door, Inside, Talk
from proctor.runtime.http1 import MAX_HEAD
from proctor.runtime.modes import handlers
from proctor.runtime.spooling import Drain, SpoolStream
from proctor.runtime.tunnels import Nudged, OpaqueTunnel, reaching
from proctor.runtime.websocket import MessageLayer
from proctor.runtime.wording import MESSAGES


class GateStream(SpoolStream):
    """One exchange. Differs from its parent in how a refusal and a body's end are sent.

    Args:
        context: Of the connection.
        stream_id: Its number there.
        door: What stands behind the listener.
        tunnel: Makes the layer that reads what is behind a CONNECT.
    """

    def __init__(
        self,
        context: Context,
        stream_id: int,
        door: Door,
        tunnel: Callable[[Context, Inside], layer.Layer],
    ) -> None:
        super().__init__(context, stream_id, door)
        self._tunnel = tunnel
        self._end: ResponseEndOfMessage | None = None
        self._kept: list[HttpEvent] = []

    def check_killed(self, emit_error_hook: bool) -> layer.CommandGenerator[bool]:  # noqa: FBT001
        """Also answer at once what was refused by its headers, instead of reading a large body."""
        if self.at_head():
            if emit_error_hook and (yield from self.oversized()):
                return True
            response = self.flow.response
            if response and self._large():
                yield from self._refuse_now(response)
                return True
        return (yield from super().check_killed(emit_error_hook))

    def handle_connect_regular(self) -> layer.CommandGenerator[None]:
        """Let a client into a tunnel, or answer as the door has it."""
        if self.flow.response:
            if self.flow.response.status_code < status_codes.BAD_REQUEST:
                # Somebody else's: a tunnel would open in which nobody is asked about anything.
                error = InternalError("answered", "Another addon answered a CONNECT")
                self._door.refuse(self.flow, error)
        else:
            inside = self._door.inside(self.flow)
            self.context.server.address = inside.address
            if inside.opaque:
                self.context.server.via = inside.via
                self._opaque = OpaqueTunnel(self.context, inside, self._over)
                self.child_layer = reaching(self._opaque)
                self._handle_event = self._opening  # type: ignore[method-assign]  # as they do
                yield from self._opening(events.Start())
                return
            self.child_layer = self._tunnel(self.context, inside)
        yield from self.handle_connect_finish()  # type: ignore[no-untyped-call]  # theirs

    def _opening(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Answer once it is known whether the destination of an opaque tunnel can be reached."""
        yield from self._unread(event)
        if self._opaque.opened is None:
            return
        if self._opaque.opened:
            self._handle_event = self._unread  # type: ignore[method-assign]
            self.flow.response = http.Response.make(200)
            self.flow.response.reason, self.flow.response.headers.fields = (
                "Connection established",
                (),
            )
            yield HttpConnectedHook(self.flow)
            yield SendHttp(ResponseHeaders(self.stream_id, self.flow.response), self.context.client)
            yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        else:
            self._handle_event = self.state_errored  # type: ignore[method-assign, assignment]
            self.child_layer = None
            away = UpstreamError("unreachable", "The destination cannot be reached")
            self._door.refuse(self.flow, away)
            yield from self.handle_connect_finish()  # type: ignore[no-untyped-call]

    def _unread(self, event: events.Event) -> layer.CommandGenerator[None]:
        """As `passthrough`, but that each side ends for itself."""
        if isinstance(event, RequestData):
            event = events.DataReceived(self.context.client, event.data)
        elif isinstance(event, RequestEndOfMessage):
            event = events.ConnectionClosed(self.context.client)
        elif isinstance(event, HttpEvent):
            return
        if self.child_layer:
            yield from self.child_layer.handle_event(event)

    def _over(self) -> ProctorError | None:
        return self._door.ending(self.flow)

    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:  # noqa: FBT001
        """Bound what is kept in memory; of an answer that streams the length is no matter."""
        if request:
            return (yield from super().check_body_size(request))
        most = human.parse_size(self.context.options.body_size_limit)
        if most is None or len(self.response_body_buf) <= most:
            return False
        self.response_body_buf.clear()
        code = ErrorCode.RESPONSE_TOO_LARGE
        enough = RequestProtocolError(self.stream_id, MESSAGES[code], code)
        yield SendHttp(enough, self.context.server)
        yield from self.handle_protocol_error(
            ResponseProtocolError(self.stream_id, MESSAGES[code], code)
        )
        return True

    def _large(self) -> bool:
        length = self.flow.request.headers.get("content-length", "")
        chunked = "transfer-encoding" in self.flow.request.headers
        expects = "expect" in self.flow.request.headers
        return chunked or expects or (length.isdigit() and int(length) > MAX_HEAD)

    def _refuse_now(self, response: http.Response) -> layer.CommandGenerator[None]:
        client = self.context.client
        if client.alpn != b"h2":
            response.headers["connection"] = "close"
            if handler := handlers.get(client):
                handler.linger()
        self.flow.request.data.content = b""
        yield HttpResponseHook(self.flow)
        yield SendHttp(ResponseHeaders(self.stream_id, response), client)
        yield SendHttp(ResponseData(self.stream_id, response.raw_content or b""), client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), client)
        self.flow.live = False
        self.client_state = self.server_state = self.state_errored
        yield DropStream(self.stream_id)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, Nudged):
            yield from self._nudged()
        else:
            yield from super()._handle_event(event)

    def start_response_stream(self) -> layer.CommandGenerator[None]:
        """Of an answer that passes at its end only, the head waits too: that is one packet."""
        response = self.flow.response
        if response and getattr(response.stream, "late", False):
            self._kept = [ResponseHeaders(self.stream_id, response)]
            self.server_state = self.state_stream_response_body
        else:
            yield from super().start_response_stream()

    def _begun(self) -> layer.CommandGenerator[None]:
        """Send what was kept back."""
        kept, self._kept = self._kept, []
        for each in kept:
            yield SendHttp(each, self.context.client)

    def state_stream_response_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Cut off an answer that must not go on; other streams of the connection do.

        The end of one in which something waits for a human waits, too.
        """
        try:
            if isinstance(event, ResponseEndOfMessage):
                if not self._waits() and (rest := self._rest()):
                    data = ResponseData(self.stream_id, rest)
                    if self._kept:
                        self._kept.append(data)
                    else:
                        yield SendHttp(data, self.context.client)
                if self._waits():
                    if not self._silent():
                        yield from self._begun()
                    self._end = event
                    return
            yield from super().state_stream_response_body(event)
        except ProctorError as error:
            yield from self._cut(error)

    def _waits(self) -> bool:
        stream = self.flow.response.stream if self.flow.response else None
        return getattr(stream, "waits", False)

    def _talked(self, talk: Talk) -> layer.CommandGenerator[None]:
        """From here on there are messages, and they pass through a layer of ours."""
        self.child_layer = MessageLayer(self.context, talk, self._door)
        self._handle_event = self.passthrough  # type: ignore[method-assign]  # as they do
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    def _silent(self) -> bool:
        stream = self.flow.response.stream if self.flow.response else None
        return getattr(stream, "silent", False)

    def _rest(self) -> bytes:
        """What an answer's end brings; a body of JSON is judged only then."""
        stream = self.flow.response.stream if self.flow.response else None
        end: Callable[[], bytes] = getattr(stream, "end", bytes)
        return end()

    def _nudged(self) -> layer.CommandGenerator[None]:
        """Something was decided, a waiting client is to hear of us, or it was ended by hand."""
        flow = getattr(self, "flow", None)
        if flow is None or self.state_errored in {self.client_state, self.server_state}:
            return
        streaming = self.server_state == self.state_stream_response_body
        ending = self._door.ending(flow)
        if ending:
            if streaming and flow.response:
                said = flow.response.stream.cut(ending)
                yield from self._begun()
                yield SendHttp(ResponseData(self.stream_id, said), self.context.client)
            if self.client_state == self.state_done and self.server_state != self.state_done:
                yield from self._cut(ending)
        elif streaming and flow.response and hasattr(flow.response.stream, "released"):
            try:
                goes_on = yield from self._released(flow.response.stream)
            except ProctorError as error:
                yield from self._cut(error)
                return
            if goes_on and self._end and not self._waits():
                end, self._end = self._end, None
                yield from self.state_stream_response_body(end)

    def _released(self, stream: Any) -> layer.CommandGenerator[bool]:
        """Pass on what may go by now; whether the exchange goes on.

        Of what lies on disk memory holds one piece at a time.
        """
        data = stream.released()
        if data:
            yield from self._begun()
        while data:
            yield SendHttp(ResponseData(self.stream_id, data), self.context.client)
            if not getattr(stream, "more", False):
                break
            yield Drain(self.context.client)
            if self._door.ending(self.flow):
                yield from self._nudged()
                return False
            data = stream.released()
        return True

    def _cut(self, error: ProctorError) -> layer.CommandGenerator[None]:
        yield from self._begun()
        enough = RequestProtocolError(self.stream_id, error.message, ErrorCode.CANCEL)
        yield SendHttp(enough, self.context.server)
        code = ErrorCode.GENERIC_SERVER_ERROR
        cut = ResponseProtocolError(self.stream_id, str(error), code)
        yield from self.handle_protocol_error(cut)

    def flow_done(self) -> layer.CommandGenerator[None]:
        """The record is durable by now: what was kept of the body may go."""
        if talk := self._door.talk(self.flow):
            yield from self._talked(talk)
            return
        yield from self._begun()
        tail = getattr(self.flow.response.stream, "tail", b"") if self.flow.response else b""
        if tail:
            yield SendHttp(ResponseData(self.stream_id, tail), self.context.client)
        yield from super().flow_done()
