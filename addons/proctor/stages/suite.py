"""The stages in their order, and what they share: the door that mitmproxy's listeners open.

A suite outlives the script that made it: should the script break or vanish, the listeners stay
and everything is refused.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.connection import Client

from proctor.approval.holder import Waiting, Why
from proctor.approval.killed import ended
from proctor.approval.model import Approval, Kill
from proctor.egress.targets import Target, Targets, targets_of
from proctor.errors import (
    AuthenticationError,
    ClientError,
    InternalError,
    ProctorError,
    RefusedError,
)
from proctor.gate import Gate
from proctor.git.room import GitRoom
from proctor.leaving.watch import Watch
from proctor.model import Deny
from proctor.protocols.anthropic.refusal import anthropic_refusal, http_refusal
from proctor.protocols.mcp.refusals import discovery
from proctor.redaction.screen import Screen
from proctor.runtime import marks
from proctor.runtime.door import Inside, Refusal, Site, Spool, Stage, Talk
from proctor.runtime.modes import ProctorMode
from proctor.runtime.tasks import spawn
from proctor.runtime.tls import Trusted
from proctor.settings import Listener
from proctor.stages.admission import Admission, take_credentials
from proctor.stages.aiming import Tunnel, aim, discovered
from proctor.stages.alarm import alarms, came
from proctor.stages.arrivals import Arrivals
from proctor.stages.bucket import Bucket
from proctor.stages.decision import Decision
from proctor.stages.exchange import Exchange
from proctor.stages.exit import Exit
from proctor.stages.holding import Holding
from proctor.stages.injection import Injection
from proctor.stages.inspection import Inspection
from proctor.stages.parts import Authority, Credentials, Metrics, Pins, Resolver, Screens
from proctor.stages.reading import load_specs
from proctor.stages.recording import Recording
from proctor.stages.redaction import Redaction
from proctor.stages.refusing import as_sent, put_on_record, shaped
from proctor.stages.search import Search
from proctor.stages.tracing import Tracing
from proctor.stages.transport import Transport
from proctor.stages.websocket import Websocket

logger = logging.getLogger(__name__)

ORDER = (
    Transport,
    Admission,
    Inspection,
    Search,
    Tracing,
    Decision,
    Redaction,
    Holding,
    Websocket,
    Recording,
    Injection,
    Exit,
)
"""The way of an exchange. On the way back redaction and recording have a word."""

REFUSALS_A_SECOND = 10
"""Refusals of unknown callers that are recorded one by one; the rest are counted."""


class Suite:
    """All the stages, for all listeners of one process."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        listeners: Sequence[Listener],
        gate: Gate,
        credentials: Credentials,
        metrics: Metrics,
        *,
        screens: Screens | None = None,
        authority: Authority | None = None,
        resolver: Resolver | None = None,
        pins: Pins | None = None,
        git: GitRoom | None = None,
        issuers: Sequence[str] = (),
        reviewers: Sequence[str] = (),
        first_request: float,
        connections: int,
        message: int = 1024 * 1024,
        sealing: bytes = b"",
        nudge: Callable[[http.HTTPFlow], None] = lambda _flow: None,
    ) -> None:
        self._screens = screens
        self.sealing = sealing
        self.nudge = nudge
        self.gate = gate
        self.leaving = Watch()
        self.arrivals = Arrivals(gate)
        self.metrics = metrics
        self.accepting = False
        self.message_limit = message
        self.stages_in_order: tuple[Any, ...] = tuple(make(self) for make in ORDER)
        self.exit = self.stages_in_order[-1]
        self.redaction = Redaction(self)
        self.credentials = credentials
        self._authority = authority
        self._resolver = resolver
        self._pins = pins
        self._git = git
        self._issuers = issuers
        self.reviewers = tuple(reviewers)
        self.specs = load_specs(listeners)
        self._listeners = {listener.name: listener for listener in listeners}
        self._stopping = False
        self._exchanges: dict[str, Exchange] = {}
        self._flows: dict[str, http.HTTPFlow] = {}
        self._of_client: dict[str, dict[str, http.HTTPFlow]] = {}
        self._gone: WeakKeyDictionary[http.HTTPFlow, Exchange] = WeakKeyDictionary()
        self._words: WeakKeyDictionary[http.HTTPFlow, Refusal] = WeakKeyDictionary()
        self._arriving: WeakKeyDictionary[http.HTTPFlow, http.Response] = WeakKeyDictionary()
        self._targets = {item.name: targets_of(item) for item in listeners}
        self._sites = {
            listener.name: Site(
                name=listener.name,
                tls=listener.tls is not None,
                forward=listener.kind == "forward",
                upstream=self._targets[listener.name].first,
                first_request=first_request,
                connections=connections,
            )
            for listener in listeners
        }
        self._tunnels: dict[str, Tunnel] = {}
        self._inside: dict[str, Inside] = {}
        self._bucket = Bucket(REFUSALS_A_SECOND)

    @property
    def authority(self) -> Authority:
        """Our own certificates; there where a listener is a proxy."""
        if self._authority is None:
            raise InternalError("no-authority", "There is no authority of our own")
        return self._authority

    @property
    def resolver(self) -> Resolver:
        """Looks names up; there where a listener is a proxy."""
        if self._resolver is None:
            raise InternalError("no-resolver", "Names cannot be looked up")
        return self._resolver

    @property
    def pins(self) -> Pins:
        """Definitions of MCP servers' tools; there where one is called."""
        if self._pins is None:
            raise InternalError("no-pins", "Tool definitions cannot be compared")
        return self._pins

    @property
    def git(self) -> GitRoom:
        """Reads packs; there where a git server is behind a listener."""
        if self._git is None:
            raise InternalError("no-git", "Nothing here can read what is pushed")
        return self._git

    # What mitmproxy's side asks: see runtime.mitm.Door.

    def site(self, listener: str) -> Site:
        """The listener of this name."""
        return self._sites[listener]

    def stages(self, hook: str) -> tuple[Stage, ...]:
        """The stages' callables for a hook, in order."""
        found = (getattr(stage, hook, None) for stage in self.stages_in_order)
        return tuple(call for call in found if call is not None)

    def owns(self, addon: object) -> bool:
        """Whether the chain must leave this addon to us."""
        return any(addon is stage for stage in self.stages_in_order)

    def outbound(self, flow: http.HTTPFlow) -> http.Request | None:
        """The request as it may leave, or None."""
        exchange = self._exchanges.get(flow.id)
        if exchange is None or not isinstance(self.exit, Exit):
            return None
        try:
            return self.exit.outbound(flow, exchange)
        except ProctorError as error:
            exchange.refused = Deny(rule_id=error.code, reason=error.message)
            exchange.error = str(error)
            self._words[flow] = self._shaped(flow, exchange, error)
            return None

    def inbound(self, flow: http.HTTPFlow) -> http.Response | None:
        """The answer as the client gets it, or None where that is what stands in the flow."""
        return self._arriving.pop(flow, None)

    def deliver(self, flow: http.HTTPFlow, response: http.Response) -> None:
        """Have the client get this answer, while the flow keeps its own."""
        self._arriving[flow] = response

    def refuse(self, flow: http.HTTPFlow, error: BaseException) -> None:
        """Answer with a refusal, or break off where an answer is already on its way."""
        if not isinstance(error, ProctorError):
            error = InternalError(
                "stage-failed",
                "A part of proctor failed, so nothing was let through",
                hint="The log says which.",
            )
        exchange = self._known(flow)
        if exchange is None:
            # Admission itself failed, perhaps before it took the token out.
            take_credentials(flow.request)
            exchange = self.open(flow)
        self._arriving.pop(flow, None)
        exchange.refused = Deny(
            rule_id=error.rule_id if isinstance(error, RefusedError) else error.code,
            reason=error.message,
        )
        exchange.error = str(error)
        self.redaction.conceal(flow, exchange)
        if exchange.sent and not exchange.arrived:
            self._words[flow] = self._shaped(flow, exchange, error)
            if flow.killable:
                flow.kill()
            return
        flow.response = self._shaped(flow, exchange, error).response(f"proctor: {error.code}")

    def talk(self, flow: http.HTTPFlow) -> Talk | None:
        """What is said over a WebSocket that was let through; None where this is none."""
        exchange = self._known(flow)
        return exchange.talk if exchange and not exchange.refused else None

    def spool(self, flow: http.HTTPFlow) -> Spool | None:
        """Where the body of a push to a git server goes; None for every other request."""
        exchange = self._known(flow)
        if exchange is None or exchange.done or exchange.git is None:
            return None
        return exchange.lfs.spool if exchange.lfs else exchange.git.spool

    def early(self, flow: http.HTTPFlow) -> Refusal | None:
        """What the client of a push that waits hears by now."""
        exchange = self._known(flow)
        chunked = flow.client_conn.alpn != b"h2"
        return exchange.git.early(chunked=chunked) if exchange and exchange.git else None

    def gone(self, flow: http.HTTPFlow) -> None:
        """The client does not want this exchange any more."""
        exchange = self._known(flow)
        if exchange:
            _stop(exchange, Why.GONE)

    def words(self, flow: http.HTTPFlow) -> Refusal | None:
        """What to answer a flow that was stopped before anything of its answer was passed on."""
        return self._words.get(flow)

    def ending(self, flow: http.HTTPFlow) -> ProctorError | None:
        """Why an exchange has to end here and now, or None."""
        exchange = self._known(flow)
        if exchange is None or exchange.killed:
            return exchange.killed if exchange else None
        if exchange.talk and self._stopping:
            return InternalError("not-accepting", "proctor is stopping")
        lasting = exchange.passing or exchange.talk
        over = lasting is not None and time.time() >= lasting.until
        if over and self.gate.recall(exchange.token) is None:
            # There is no next request in it that would be asked who it is from.
            text = "The token that opened this connection has expired"
            return AuthenticationError("token-expired", text, retry=True)
        return None

    def refusal(self, listener: str, status: int, message: str) -> Refusal:
        """A refusal for what never became a flow."""
        kind = ClientError if status < http.status_codes.INTERNAL_SERVER_ERROR else InternalError
        error = kind("http-error", message, status=status)
        anthropic = self._targets[listener].speak("anthropic")
        return as_sent((anthropic_refusal if anthropic else http_refusal)(error))

    def _shaped(self, flow: http.HTTPFlow, exchange: Exchange, error: ProctorError) -> Refusal:
        """A refusal as the protocol has it."""
        return shaped(self, flow, exchange, error, proxy=self._asks_proxy(flow))

    def _asks_proxy(self, flow: http.HTTPFlow) -> bool:
        """Whether a request is for us as a proxy, and not inside a tunnel."""
        site = self.site_of(flow.client_conn)
        return site is not None and site.forward and flow.client_conn.id not in self._tunnels

    def inside(self, flow: http.HTTPFlow) -> Inside:
        """What is behind a CONNECT that was let through."""
        return self._inside[flow.client_conn.id]

    def leads(self, flow: http.HTTPFlow) -> bool:
        """Whether this is the CONNECT by which a client was let in."""
        inside = self._inside.get(flow.client_conn.id)
        return inside is not None and inside.flow is flow

    def passed(self, flow: http.HTTPFlow) -> Inside | None:
        """How much has passed through a tunnel that nobody reads; None where this is none."""
        exchange = self._known(flow)
        return exchange.passing if exchange else None

    # What the stages ask.

    def listener_of(self, client: Client) -> Listener | None:
        """The listener a client came through, or None where it is none of ours."""
        mode = client.proxy_mode
        return self._listeners.get(mode.data) if isinstance(mode, ProctorMode) else None

    def screen(self, name: str) -> Screen | None:
        """What must not pass a listener is found and taken out by this; None where all may."""
        return self._screens.on(name) if self._screens else None

    def site_of(self, client: Client) -> Site | None:
        """The same, as the layers know it."""
        listener = self.listener_of(client)
        return self._sites[listener.name] if listener else None

    def targets(self, listener: str) -> Targets:
        """Where a listener's clients may go."""
        return self._targets[listener]

    def tunnel(self, client: Client) -> Tunnel | None:
        """What a client has been let into by CONNECT, or None."""
        return self._tunnels.get(client.id)

    def told(self, flow: http.HTTPFlow) -> http.Response | None:
        """What clients of an MCP server may ask before they have a token: whose they need."""
        site = self.site_of(flow.client_conn)
        if site is None or site.forward:
            return None
        resource = discovered(flow, self._targets[site.name], tls=site.tls)
        if not resource:
            return None
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        return http.Response.make(200, discovery(resource, self._issuers), headers)

    def let_in(self, flow: http.HTTPFlow, tunnel: Tunnel) -> None:
        """From here on what a client says is for the host of its CONNECT."""
        inside = Inside(
            flow=flow,
            address=tunnel.address,
            opaque=tunnel.opaque,
            via=tunnel.via,
            until=tunnel.principal.expires_at,
        )
        self._tunnels[flow.client_conn.id] = tunnel
        self._inside[flow.client_conn.id] = inside
        if tunnel.opaque:
            self.exchange(flow).passing = inside

    def left(self, client: Client) -> None:
        """A client has gone, or its tunnel did not come about."""
        self._tunnels.pop(client.id, None)
        self._inside.pop(client.id, None)

    def open_of(self, client: Client) -> list[tuple[http.HTTPFlow, Exchange]]:
        """The open exchanges of a client."""
        flows = self._of_client.get(client.id, {})
        return [(flow, self._exchanges[name]) for name, flow in flows.items()]

    def going_to(self, client: Client, address: tuple[str, int]) -> Target | None:
        """The target of what a client has open to an address; those of one address agree."""
        for _, exchange in self.open_of(client):
            if exchange.target and exchange.at == address:
                return exchange.target
        return None

    def files(self, target: Target) -> Trusted:
        """How an upstream is trusted, and what is shown to it."""
        found = self.credentials.certificate(target.credential) if target.credential else None
        return replace(target.files, cert=found[0], key=found[1]) if found else target.files

    async def ask(self, flow: http.HTTPFlow) -> None:
        """Ask every stage about what is no request by itself: a tunnel that nobody reads."""
        for stage in self.stages("request"):
            if waiting := stage(flow):
                await waiting

    def prompt(self, exchange: Exchange) -> str:
        """Keyed name of the question to the model, the same for a retry of it; "" for none."""
        if exchange.message is None:
            return ""
        parts = (part.digest for part in exchange.message.stretches if part.digest)
        return self.gate.named(b"proctor prompt v1", parts)

    @contextlib.contextmanager
    def waits(self, exchange: Exchange, waiting: Waiting) -> Iterator[None]:
        """While something waits for a human; it can be stopped by whoever ends the exchange."""
        exchange.waiting.add(waiting)
        self.metrics.waits(exchange.listener, 1)
        try:
            yield
        finally:
            exchange.waiting.discard(waiting)
            self.metrics.waits(exchange.listener, -1)

    def mark(self, flow: http.HTTPFlow, approval: Approval) -> None:
        """Show in the user interfaces that a flow waits."""
        marks.held(flow, approval)
        self._shown(flow)

    def unmark(self, flow: http.HTTPFlow, approval: Approval | None) -> None:
        """Show in the user interfaces how that ended."""
        if approval:
            marks.settled(flow, approval)
            self._shown(flow)

    @staticmethod
    def _shown(flow: http.HTTPFlow) -> None:
        try:
            marks.show(flow)
        except Exception:
            # What people see is no reason to stop what they decide.
            logger.exception("a mark was not shown", extra={"event": "mark.failed"})

    @staticmethod
    def ended(kill: Kill) -> RefusedError:
        """What is said of whatever a kill ends or keeps out."""
        return ended(kill)

    def kill(self, kill: Kill) -> None:
        """End what runs, as far as a kill reaches."""
        for name, exchange in list(self._exchanges.items()):
            principal = exchange.principal
            if principal is None or exchange.ended:
                continue
            if self.gate.killed(principal, exchange.session) is None:
                continue
            exchange.killed = error = self.ended(kill)
            self._words[self._flows[name]] = self._shaped(self._flows[name], exchange, error)
            _stop(exchange, Why.KILLED)
            self.nudge(self._flows[name])

    def stop_waiting(self) -> None:
        """The gateway stops: nobody can wait here any longer, and no WebSocket ends by itself."""
        self._stopping = True
        for name, exchange in list(self._exchanges.items()):
            _stop(exchange, Why.STOPPING)
            if exchange.talk:
                self.nudge(self._flows[name])

    def open(self, flow: http.HTTPFlow) -> Exchange:
        """A new exchange; its request is pointed at where it goes."""
        listener = self.listener_of(flow.client_conn)
        if listener is None:
            raise InternalError("foreign-listener", "A request on a listener that is not ours")
        exchange = Exchange(listener=listener.name)
        tunnel = self._tunnels.get(flow.client_conn.id)
        aim(flow, exchange, self._targets[listener.name], tunnel, self._sites[listener.name])
        self._exchanges[flow.id] = exchange
        self._flows[flow.id] = flow
        self._of_client.setdefault(flow.client_conn.id, {})[flow.id] = flow
        return exchange

    def exchange(self, flow: http.HTTPFlow) -> Exchange:
        """The exchange of a flow.

        Raises:
            InternalError: It was never opened: no stage has seen its headers.
        """
        exchange = self._known(flow)
        if exchange is None:
            raise InternalError("not-admitted", "A flow that admission has not seen")
        return exchange

    def _known(self, flow: http.HTTPFlow) -> Exchange | None:
        return self._exchanges.get(flow.id) or self._gone.get(flow)

    def close(self, flow: http.HTTPFlow) -> None:
        """Forget an exchange whose last record is written."""
        exchange = self._exchanges.pop(flow.id, None)
        self._flows.pop(flow.id, None)
        client = flow.client_conn.id
        if flows := self._of_client.get(client):
            flows.pop(flow.id, None)
            if not flows:
                del self._of_client[client]
        if exchange:
            for kept in (exchange.git, exchange.fetching, exchange.lfs):
                if kept:
                    kept.close()
            seconds = time.time() - flow.request.timestamp_start
            verdict = "deny" if exchange.refused else "allow"
            self.metrics.exchange(exchange.listener, verdict, max(0.0, seconds))
            self._count(exchange)

    def _count(self, exchange: Exchange) -> None:
        answering, found = exchange.answering, (*exchange.findings, *came(exchange))
        if found:
            self.metrics.findings(exchange.listener, found)
            for kind, detail in alarms(exchange, found):
                spawn(self.gate.event(kind, detail), name=kind)
        receipts = (exchange.receipt, answering.receipt if answering else None)
        if any(receipt and receipt.failure for receipt in receipts):
            self.metrics.unseen(exchange.listener)

    def lost(self, client: Client) -> list[http.HTTPFlow]:
        """What a client that has gone left open; a stage may still be at work on it."""
        flows = [
            flow
            for flow in self._of_client.get(client.id, {}).values()
            if not self._exchanges[flow.id].ended
        ]
        for flow in flows:
            self._gone[flow] = self._exchanges[flow.id]
        return flows

    @property
    def open_exchanges(self) -> int:
        """Exchanges under way."""
        return len(self._exchanges)

    async def record_misled(self, client: Client, error: ClientError) -> None:
        """Record what was said in a tunnel and never became a request."""
        site, tunnel = self.site_of(client), self.tunnel(client)
        if site and tunnel:
            refused = Deny(rule_id=error.code, reason=error.message)
            exchange = Exchange(listener=site.name, principal=tunnel.principal, refused=refused)
            await self.record_refusal(self._inside[client.id].flow, exchange, str(error))

    async def record_refusal(
        self, flow: http.HTTPFlow, exchange: Exchange, error: str | None
    ) -> None:
        """Record what was not let through. A refusal stands whether or not that succeeds."""
        if exchange.principal or self._bucket.take():
            await put_on_record(self, flow, exchange, error)


def _stop(exchange: Exchange, why: Why) -> None:
    for waiting in list(exchange.waiting):
        waiting.stop(why)
