"""Every reach into mitmproxy's insides (with http1.py, quick.py, flows.py): upgrades fail loudly.

mitmproxy is built to show and change traffic, and fails open: an addon that raises is logged and
skipped. Here our listeners get a server, a connection handler and an HTTP layer of their own, so
that, under the stock tools too:

- our stages run beside the addon chain, not in it: `-s` reloads, other addons and user interfaces
  cannot remove or reorder them. Who is asking is settled before any other addon sees a request
  (the token is gone by then), all else after every other addon and after any edit by hand;
- a stage that raises denies, by the kind of thing it was asked about;
- nothing leaves for an upstream unless the door clears the exact bytes at the moment of sending,
  which is also where the real credential is put in, on a copy that no addon ever sees;
- refusals have the protocol's own shape, and what mitmproxy leaves unbounded is bounded.

The same handler is what makes us faster than stock: hooks are looked up in a table, synchronous
ones run inline, and only a stage that really waits gets a task.
"""

import asyncio
import collections
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, cast

from mitmproxy import ctx, flow, hooks, http
from mitmproxy.connection import Client, Connection, ConnectionState
from mitmproxy.proxy import commands, events, layer, mode_servers, server_hooks
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import (
    HttpLayer,
    HTTPMode,
    HttpStream,
    RequestData,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import ErrorCode
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.server import ConnectionIO

from proctor.runtime.beginning import Beginning
from proctor.runtime.dispatch import Plan, dispatch_of, note, run_foreign
from proctor.runtime.door import Door, Inside, Refusal, Stage
from proctor.runtime.flows import resumed
from proctor.runtime.http1 import BoundedHttp1Client, BoundedHttp1Server
from proctor.runtime.modes import ProctorMode, doors, handlers
from proctor.runtime.pausing import PausingHandler
from proctor.runtime.spooling import Drain, DrainCompleted
from proctor.runtime.streams import GateStream
from proctor.runtime.tunnels import Nudged, Tunnel
from proctor.runtime.websocket import Crossing
from proctor.runtime.wording import MESSAGES, told

logger = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds a connection stays after a refusal that came before the request had ended."""

READ_AHEAD = 256 * 1024
"""Bytes of a client's that may wait to be read; asyncio's own 64 KiB stops a turn at each piece."""

BACKLOG = 2048
CONNECTIONS_PER_UPSTREAM = 1000


class ProctorServer(mode_servers.AsyncioServerInstance[ProctorMode]):
    """Accepts connections and hands them to our handler."""

    async def listen(self, host: str, port: int) -> list[Any]:
        """Open the socket; a port of 0 is chosen by the system.

        Returns:
            The one server.
        """
        return [
            await asyncio.start_server(
                self.handle_stream,
                host,
                port,
                backlog=BACKLOG,
                limit=READ_AHEAD,
            )
        ]

    def make_top_layer(self, context: Context) -> layer.Layer:
        """TLS where the listener has it, and HTTP: nothing is guessed from the bytes."""
        site = doors[self.mode.data].site(self.mode.data)
        mode = HTTPMode.regular if site.forward else HTTPMode.transparent
        context.server.address = site.upstream
        context.server.sni = site.upstream[0]
        return _Entrance(context, tls=site.tls, mode=mode)

    async def handle_stream(self, reader: Any, writer: Any = None) -> None:
        """Serve one connection."""
        door = doors[self.mode.data]
        if len(handlers) >= door.site(self.mode.data).connections and self._full():
            writer.close()
            return
        handler = GateHandler(ctx.master, reader, writer, ctx.options, self.mode, door)
        handler.layer = self.make_top_layer(handler.layer.context)
        with self.manager.register_connection(handler.client.id, handler):
            await handler.handle_client()

    def _full(self) -> bool:
        """Whether as many clients are connected here as may be."""
        taken = sum(client.proxy_mode is self.mode for client in list(handlers))
        return taken >= doors[self.mode.data].site(self.mode.data).connections


class _Entrance(layer.Layer):
    """The outermost layer, and the one inside TLS, once that has settled which HTTP it is."""

    def __init__(self, context: Context, *, tls: bool, mode: HTTPMode) -> None:
        super().__init__(context)
        self._tls = tls
        self._mode = mode

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        child: layer.Layer
        if self._tls:
            child = tunnel = ClientTLSLayer(self.context)
            tunnel.child_layer = _Entrance(self.context, tls=False, mode=self._mode)
        else:
            child = GateHttpLayer(self.context, self._mode)
        self.handle_event = child.handle_event  # type: ignore[method-assign]  # as NextLayer does
        yield from child.handle_event(event)


class GateHandler(PausingHandler):
    """One connection. Hooks run here; the chain's own fail-open dispatch is not used."""

    def __init__(  # noqa: PLR0913, PLR0917 - mitmproxy's own, and the door
        self, master: Any, reader: Any, writer: Any, options: Any, mode: ProctorMode, door: Door
    ) -> None:
        super().__init__(master, reader, writer, options, mode)
        self.max_conns = collections.defaultdict(
            lambda: asyncio.Semaphore(CONNECTIONS_PER_UPSTREAM)
        )
        self._door = door
        self._site = door.site(mode.data)
        self._dispatch = dispatch_of(master.addons, door)
        self._events: collections.deque[events.Event] = collections.deque()
        self._outgoing: dict[Connection, list[bytes]] = {}
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._patience: asyncio.TimerHandle | None = None

    async def handle_client(self) -> None:
        """Serve until the client goes; who sends no request in time is not waited for."""
        self._patience = self._loop.call_later(self._site.first_request, self.abandon)
        handlers[self.client] = self
        try:
            await super().handle_client()
        finally:
            self.patient()
            handlers.pop(self.client, None)

    def patient(self) -> None:
        """A request has come: the connection may idle as long as any."""
        if self._patience:
            self._patience.cancel()
            self._patience = None

    def abandon(self) -> None:
        """Close the connection, whatever it is doing."""
        transport = self.transports.get(self.client)
        if transport and transport.handler:
            transport.handler.cancel("abandoned")

    def nudge(self, nudged: http.HTTPFlow) -> None:
        """Tell the layer of a flow that something has happened outside."""
        self._spawn(self.server_event(Nudged(nudged)))

    def linger(self) -> None:
        """Close the connection once the client has had time to read a refusal."""
        self.patient()
        self._patience = self._loop.call_later(LINGER, self.abandon)

    async def server_event(self, event: events.Event) -> None:
        """Feed the layers. What happens meanwhile queues up: layers are not re-entrant."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                self._step(self._events.popleft())
            self._send()
        finally:
            self._busy = False

    def _send(self) -> None:
        """Write what one event has led to in one go: a head and its body are one packet."""
        for connection, pieces in self._outgoing.items():
            transport = self.transports.get(connection)
            if transport and transport.writer and not transport.writer.is_closing():
                transport.writer.write(b"".join(pieces))
        self._outgoing.clear()

    def _step(self, event: events.Event) -> None:
        self.timeout_watchdog.register_activity()
        try:
            for command in self.layer.handle_event(event):
                self._obey(command)
        except Exception:
            # A layer that raises has lost its place in the protocol: nothing more may pass.
            logger.exception("a protocol layer failed", extra={"event": "layer.failed"})
            self.abandon()

    def _obey(self, command: commands.Command) -> None:
        if isinstance(command, commands.StartHook):
            self._start_hook(command)
        elif isinstance(command, commands.SendData):
            if command.connection in self.transports:
                self._outgoing.setdefault(command.connection, []).append(command.data)
        elif isinstance(command, commands.OpenConnection):
            task = self._spawn(self.open_connection(command), eager=False)
            self.transports[command.connection] = ConnectionIO(handler=task)
        elif isinstance(command, commands.RequestWakeup):
            self.wakeup_timer.add(self._spawn(self.wakeup(command), eager=False))
        elif isinstance(command, Drain):
            self._spawn(self._drain(command), eager=False)
        elif isinstance(command, commands.CloseConnection):
            if command.connection in self.transports:  # else closed meanwhile
                self._send()
                half = getattr(command, "half_close", False)
                self.close_connection(command.connection, half)
        elif isinstance(command, commands.Log):
            logger.debug("%s", told(command.message), extra={"event": "mitmproxy"})
        else:
            raise TypeError(f"unknown command {type(command).__name__}")

    async def _drain(self, command: Drain) -> None:
        """Wait until what was written has left; where that fails, its reader will say so."""
        transport = self.transports.get(command.connection)
        if transport and transport.writer:
            with contextlib.suppress(OSError):
                await transport.writer.drain()
        if command.connection is self.client:
            await self.room()
        self.timeout_watchdog.register_activity()
        await self.server_event(DrainCompleted(command))

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        """Connection chatter, at debug; failures stay what they are."""
        if level >= logging.ERROR or logger.isEnabledFor(logging.DEBUG):
            level = level if level >= logging.ERROR else logging.DEBUG
            logger.log(level, "%s", message, extra={"event": "mitmproxy"}, exc_info=exc_info)

    def _spawn(self, work: Coroutine[Any, Any, None], *, eager: bool = True) -> asyncio.Task[None]:
        task = asyncio.Task(work, loop=self._loop, eager_start=eager)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    def _start_hook(self, hook: commands.StartHook) -> None:
        plan = self._dispatch.plan(hook.name)
        (data,) = hook.args()
        if plan.foreign:
            self._spawn(self._finish_hook(hook, self._all(plan, hook, data)))
            return
        rest = self._guarded(plan.early + plan.ours, data)
        if rest is not None:
            self._spawn(self._finish_hook(hook, rest))
        elif hook.blocking:
            self._events.append(events.HookCompleted(hook))

    async def _finish_hook(self, hook: commands.StartHook, work: Awaitable[None]) -> None:
        with self.timeout_watchdog.disarm():
            await work
        if hook.blocking:
            await self.server_event(events.HookCompleted(hook))

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Run a hook to its end; mitmproxy's connection code calls this itself."""
        plan = self._dispatch.plan(hook.name)
        (data,) = hook.args()
        await self._all(plan, hook, data)

    async def _all(self, plan: Plan, hook: commands.StartHook, data: Any) -> None:
        if plan.early:
            await (self._guarded(plan.early, data) or asyncio.sleep(0))
        if plan.ours_first:
            await (self._guarded(plan.ours, data) or asyncio.sleep(0))
        if plan.foreign:
            await run_foreign(plan.foreign, hook)
            if isinstance(data, flow.Flow):
                await run_foreign(self._dispatch.plan("update").foreign, hooks.UpdateHook([data]))
                await resumed(data)
        if not plan.ours_first:
            await (self._guarded(plan.ours, data) or asyncio.sleep(0))

    def _guarded(self, stages: tuple[Stage, ...], data: Any) -> Awaitable[None] | None:
        """Run stages in order; returns what is left to await. Whatever fails, denies."""
        for i, stage in enumerate(stages):
            try:
                waiting = stage(data)
            except Exception as error:  # noqa: BLE001 - fail closed on anything
                self._deny(data, error, stage)
                return None
            if waiting is not None:
                return self._guarded_rest(waiting, stages[i:], data)
        return None

    async def _guarded_rest(
        self, waiting: Awaitable[None], stages: tuple[Stage, ...], data: Any
    ) -> None:
        try:
            await waiting
        except BaseException as error:
            self._deny(data, error, stages[0])
            if not isinstance(error, Exception):
                raise
            return
        rest = self._guarded(stages[1:], data)
        if rest is not None:
            await rest

    def _deny(self, data: Any, error: BaseException, stage: Stage) -> None:
        """Say no by the kind of thing that was asked about."""
        note(stage, error)
        match data:
            case http.HTTPFlow():
                self._door.refuse(data, error)
            case server_hooks.ServerConnectionHookData():
                data.server.error = "refused: a stage failed"
            case Client():
                data.error = "refused: a stage failed"
            case Crossing():
                data.passing = None  # so its layer ends the connection
            case _:
                # TLS, TCP, UDP, WebSocket, DNS: none of these may go on undecided.
                self.abandon()


class GateHttpLayer(HttpLayer):
    """HTTP between a client and upstreams; the wall at which the door has the last word.

    Args:
        context: Of the connection.
        mode: `regular` for a proxy's clients, `transparent` where they speak as to an upstream.
    """

    def __init__(self, context: Context, mode: HTTPMode) -> None:
        super().__init__(context, mode)
        self._listener = cast("ProctorMode", context.client.proxy_mode).data
        self._door = doors[self._listener]
        self._answered: set[int] = set()
        self._leaving: dict[int, bytes] = {}
        self._instead: dict[int, bytes] = {}
        self._shut: set[int] = set()
        self._begun: dict[int, Beginning] = {}

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            context = self.context.fork()
            if self.context.client.alpn == b"h2":
                self.connections[self.context.client] = speaker = Http2Server(context)
                if handler := handlers.get(self.context.client):
                    handler.speaks(speaker)
            else:
                http1 = BoundedHttp1Server(context, self._refusal)
                self.connections[self.context.client] = http1
        elif isinstance(event, Nudged):
            for stream in list(self.streams.values()):
                # A tunnel's stream hands it on to what is inside.
                if getattr(stream, "flow", None) is event.flow:
                    yield from self._early(stream.stream_id, event.flow)
                if stream.child_layer or getattr(stream, "flow", None) is event.flow:
                    yield from self.event_to_child(stream, event)
            return
        yield from super()._handle_event(event)

    def make_stream(self, stream_id: int) -> layer.CommandGenerator[None]:
        """Start a stream of ours."""
        stream = GateStream(self.context.fork(), stream_id, self._door, _tunnel)
        self.streams[stream_id] = stream
        if handler := handlers.get(self.context.client):
            handler.patient()
        yield from self.event_to_child(stream, events.Start())

    def event_to_child(
        self, child: layer.Layer | HttpStream, event: events.Event
    ) -> layer.CommandGenerator[None]:
        """Pass an event on, unless it would leave without leave.

        Not a generator itself: what is passed on as it is costs no further frame.
        """
        if isinstance(child, HttpStream):
            if isinstance(event, RequestProtocolError) and hasattr(child, "flow"):
                self._door.gone(child.flow)  # it may be waiting for a human, and would not notice
            return super().event_to_child(child, event)
        if not isinstance(event, HttpEvent):
            return super().event_to_child(child, event)
        back = child is self.connections.get(self.context.client)
        trailers = isinstance(event, RequestTrailers | ResponseTrailers)
        if trailers or (event.stream_id in self._shut and not back):
            return _nothing()  # trailers are not inspected, so they do not pass
        if back:
            begun = event.stream_id in self._begun
            return self._went_on(child, event) if begun else self._to_client(child, event)
        if isinstance(event, RequestHeaders):
            return self._leave(child, event)
        if isinstance(event, RequestData) and event.stream_id in self._leaving:
            # It is there as a whole, so this is all of it.
            event = RequestData(event.stream_id, self._leaving.pop(event.stream_id))
        return super().event_to_child(child, event)

    def _leave(self, child: layer.Layer, event: RequestHeaders) -> layer.CommandGenerator[None]:
        """Let a request out as the door clears it, or not at all."""
        stream = self.streams.get(event.stream_id)
        request = self._door.outbound(stream.flow) if stream else None
        if request is None:
            self._shut.add(event.stream_id)
            return self._shut_stream(event.stream_id)
        if stream and request.data.content != stream.flow.request.data.content:
            self._leaving[event.stream_id] = request.data.content or b""
        cleared = RequestHeaders(event.stream_id, request, event.end_stream)
        return super().event_to_child(child, cleared)

    def _to_client(self, child: layer.Layer, event: HttpEvent) -> layer.CommandGenerator[None]:
        """Note what has been answered, and put mitmproxy's own errors into our shape."""
        stream_id = event.stream_id
        if isinstance(event, ResponseHeaders):
            self._answered.add(stream_id)
            event = self._as_received(event)
        elif isinstance(event, ResponseData):
            if self._bare(stream_id):
                return _nothing()
            if stream_id in self._instead:
                event = ResponseData(stream_id, self._instead.pop(stream_id))
        elif isinstance(event, ResponseEndOfMessage):
            self._answered.discard(stream_id)
        elif (
            isinstance(event, ResponseProtocolError)
            and stream_id not in self._answered
            and event.code is not ErrorCode.PASSTHROUGH_CLOSE
            and self.context.client.state & ConnectionState.CAN_WRITE
        ):
            stream = self.streams.get(stream_id)
            if stream and (words := self._door.words(stream.flow)):
                return self._answer(child, stream_id, words)
            if event.code is ErrorCode.KILL:
                refusal = self._refusal(503, "proctor stopped this exchange.")
                return self._answer(child, stream_id, refusal)
            if (status := event.code.http_status_code()) is not None:
                message = MESSAGES.get(event.code) or told(event.message)
                return self._answer(child, stream_id, self._refusal(status, message))
        return super().event_to_child(child, event)

    def _early(self, stream_id: int, waiting: http.HTTPFlow) -> layer.CommandGenerator[None]:
        """Begin an answer while its request still waits; a stream that waits cannot itself."""
        child = self.connections.get(self.context.client)
        said = self._door.early(waiting) if child else None
        if child is None or said is None or stream_id in self._answered:
            return
        if stream_id not in self._begun:
            self._begun[stream_id] = Beginning(said)
            head = said.response()
            # More follows: HTTP/2 holds an answer to its length (RFC 9113 8.1.1).
            head.headers.pop("content-length", None)
            yield from super().event_to_child(child, ResponseHeaders(stream_id, head))
        yield from super().event_to_child(child, ResponseData(stream_id, said.body))

    def _went_on(self, child: layer.Layer, event: HttpEvent) -> layer.CommandGenerator[None]:
        """The rest of an answer that has begun: its head was sent, whatever it would have said."""
        begun = self._begun[event.stream_id]
        stream = self.streams.get(event.stream_id)
        words = self._door.words(stream.flow) if stream else None
        for each in begun.rest(event, words):
            yield from super().event_to_child(child, each)
        if isinstance(event, ResponseEndOfMessage | ResponseProtocolError):
            del self._begun[event.stream_id]

    def _as_received(self, event: ResponseHeaders) -> ResponseHeaders:
        """Put surrogates back where nobody but the client sees it: the flow never holds it."""
        stream = self.streams.get(event.stream_id)
        response = self._door.inbound(stream.flow) if stream and not event.end_stream else None
        if response is None:
            return event
        self._instead[event.stream_id] = response.raw_content or b""
        return ResponseHeaders(event.stream_id, response, event.end_stream)

    def _answer(
        self, child: layer.Layer, stream_id: int, refusal: Refusal
    ) -> layer.CommandGenerator[None]:
        response = refusal.response()
        if self.context.client.alpn != b"h2":
            # The request may not have ended, so nothing else can come on this connection.
            response.headers["connection"] = "close"
            if handler := handlers.get(self.context.client):
                handler.linger()
        body = b"" if self._bare(stream_id) else refusal.body
        for event in (
            ResponseHeaders(stream_id, response),
            ResponseData(stream_id, body),
            ResponseEndOfMessage(stream_id),
        ):
            yield from super().event_to_child(child, event)

    def _bare(self, stream_id: int) -> bool:
        """Whether no body may follow, which a client would read as its next answer."""
        stream = self.streams.get(stream_id)
        return stream is not None and stream.flow.request.data.method == b"HEAD"

    def _refusal(self, status: int, message: str) -> Refusal:
        return self._door.refusal(self._listener, status, message)

    def _shut_stream(self, stream_id: int) -> layer.CommandGenerator[None]:
        """End a stream whose request may not leave; the upstream has seen nothing of it."""
        logger.error(
            "a request that was not cleared was stopped on its way out",
            extra={"event": "exit.stopped"},
        )
        if stream := self.streams.get(stream_id):
            message = "The request changed after it was judged, or was never judged."
            yield from self.event_to_child(
                stream, ResponseProtocolError(stream_id, message, ErrorCode.CONNECT_FAILED)
            )


def _tunnel(context: Context, inside: Inside) -> layer.Layer:
    """What a client says to an upstream through a CONNECT."""
    transparent = HTTPMode.transparent
    return Tunnel(context, inside, lambda tls: _Entrance(context, tls=tls, mode=transparent))


def _nothing() -> layer.CommandGenerator[None]:
    yield from ()


http_layers.Http1Client = BoundedHttp1Client  # type: ignore[misc]  # where mitmproxy looks it up
