"""What the stages know of one exchange, kept outside the flow.

A flow can be edited, saved and replayed by anyone with a user interface; an Exchange cannot. Each
stage stamps it when it is done, and what was judged is bound by its exact bytes, so that nothing
else can leave in its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mitmproxy import http

from proctor.approval.holder import Waiting
from proctor.credentials.echo import Echo
from proctor.credentials.injection import Injection
from proctor.egress.targets import Target
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.model import Action, Deny, Finding, Principal, Session
from proctor.protocols.anthropic.request import MessagesRequest
from proctor.protocols.anthropic.routes import RouteKind, route
from proctor.protocols.mcp.messages import Message as McpMessage
from proctor.protocols.said import joined
from proctor.protocols.websocket.upgrade import Upgrade
from proctor.provenance.memory import Origin
from proctor.record import Opening, Question, Receipt, Ruling, Ticket, ToolCall
from proctor.redaction.answering import Answering
from proctor.redaction.cutting import Cut
from proctor.redaction.redactor import Look
from proctor.runtime.door import Inside, Talk
from proctor.stages.tap import Tap

if TYPE_CHECKING:
    from proctor.arriving.watching import Watch
    from proctor.stages.git import GitExchange
    from proctor.stages.gitanswer import GitAnswer
    from proctor.stages.gitfetch import Fetching
    from proctor.stages.gitlfs import LfsExchange
    from proctor.stages.mcpgate import McpGate
    from proctor.stages.toolgate import ToolGate


class Stamp:
    """One bit a stage; plain integers, since this is asked at every step of every request."""

    NONE = 0
    ADMITTED = 1
    INSPECTED = 2
    SEARCHED = 4
    TRACED = 8
    DECIDED = 16
    REDACTED = 32
    HELD = 64
    RECORDED = 128
    INJECTED = 256
    ALL = 511
    """What exit asks for."""


type Judged = tuple[Any, ...]
"""A request's exact parts: compared by identity first, so that an unchanged body costs nothing."""


def judged(request: http.Request) -> Judged:
    """The parts of a request that a decision is about."""
    data = request.data
    return (
        data.content,
        data.path,
        data.host,
        data.port,
        data.method,
        data.scheme,
        data.authority,
        data.headers.fields,
        data.trailers,
    )


def asked(request: http.Request) -> RouteKind:
    """Which part of the Messages API a request is for."""
    path, _, query = request.path.partition("?")
    return route(request.method, path, query).kind


def names(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name, read once."""
    return joined((n.lower().decode("latin-1"), v.decode("latin-1")) for n, v in fields)


def product(request: http.Request) -> str:
    """`claude-cli/2.1.330 (external, cli)` → `claude-cli/2.1.330`."""
    for name, value in request.headers.fields:
        if name.lower() == b"user-agent":
            return value.decode("latin-1").partition(" ")[0][:100]
    return ""


def opening_of(
    flow: http.HTTPFlow,
    listener: str,
    *,
    cuts: Sequence[int] = (),
    question: Question | None = None,
) -> Opening:
    """What the record says of a request as it stands."""
    data = flow.request.data
    return Opening(
        flow_id=flow.id,
        listener=listener,
        protocol="h2" if data.http_version == b"HTTP/2.0" else "http/1.1",
        method=data.method.decode("latin-1"),
        scheme=data.scheme.decode("latin-1"),
        host=data.host,
        port=data.port,
        path=data.path.decode("latin-1"),
        started_at=datetime.fromtimestamp(data.timestamp_start, UTC),
        client=product(flow.request),
        body=data.content,
        cuts=cuts,
        question=question,
    )


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves in place of what stands in the flow, which people and other addons can see."""

    path: bytes = field(repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    content: bytes | None = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request and its answer, on their way.

    Attributes:
        listener: Name of the listener it came through.
        stamps: Which stages are done.
        target: Where it goes, or None where that is nowhere.
        at: Host and port it goes to.
        resource: Address of the MCP server, as the client knows it.
        astray: Why it goes nowhere; said once it is known who asks.
        token: What proved who asks.
        own: Headers by which the client identified itself to the upstream.
        asked: Which part of the Messages API it is for; None where another protocol is spoken.
        message: The request to the model as inspection read it, or None where it is none.
        mcp: The message to an MCP server as inspection read it, or None where it is none.
        git: What it asks of a git server, or None where it is for none.
        fetching: What of git's is fetched, or None where that is nothing.
        lfs: What it asks of Git LFS, or None.
        opaque: Of its parameters those that are the server's own; they leave as they are.
        cut: The request in pieces.
        look: What was seen in them.
        findings: Of those, what rules and the record are told.
        traced: Findings of tracing's, which are among `findings` too.
        told: What is said of them to whoever is refused; no value.
        receipt: How much of the request was looked at.
        what: The request as it was judged.
        leaving: What leaves instead, or None where that is what stands in the flow.
        answering: Changes the answer, or None where it passes as it comes.
        tools: Judges the model's tool calls in it, or an MCP server's tools and questions.
        call: The tool call over MCP that it is, as it is kept.
        waiting: What waits for a human here.
        killed: It was ended by hand: what is said of that, or None.
        addresses: What its host stands for, where that was looked up; one of these is dialled.
        credential: What is put in on the way out; in no repr, record or log.
        echo: Puts it out where the answer repeats it; None where there is none to look for.
        upgrade: It asks for a WebSocket, where one may be opened.
        talk: What is said over that, once it is open.
        passing: How much passes, where it is a tunnel that nobody reads.
        arriving: Takes what comes in to look at it, or None where nobody looks.
        origins: Which arguments of its actions came from an answer that nobody vouches for.
        sent: It has left; it leaves once.
        refused: What was said instead of letting it through, or None.
        buffered: The whole answer is at hand before any of it is passed on.
        arrived: The whole answer is there, and nothing of it has been passed on.
        bodiless: The answer has no body, whatever its headers say.
        screened: Redaction has seen the answer's headers.
        ended: Its last record is written, or being written.
        tap: Reads the answer as it passes.
    """

    listener: str
    stamps: int = Stamp.NONE
    target: Target | None = None
    at: tuple[str, int] = ("", 0)
    resource: str = ""
    astray: ProctorError | None = None
    token: str = field(default="", repr=False)
    own: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    asked: RouteKind | None = None
    principal: Principal | None = None
    session: Session | None = None
    opening: Opening | None = field(default=None, repr=False)
    actions: tuple[Action, ...] = field(default=(), repr=False)
    ruling: Ruling | None = field(default=None, repr=False)
    ticket: Ticket | None = None
    message: MessagesRequest | None = field(default=None, repr=False)
    mcp: McpMessage | None = field(default=None, repr=False)
    git: "GitExchange | None" = None
    fetching: "Fetching | None" = None
    lfs: "LfsExchange | None" = None
    opaque: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cut: Cut | None = field(default=None, repr=False)
    look: Look | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = ()
    traced: tuple[Finding, ...] = ()
    told: str = ""
    receipt: Receipt | None = None
    what: Judged | None = field(default=None, repr=False)
    leaving: Leaving | None = None
    answering: "Answering | GitAnswer | None" = None
    tools: "ToolGate | McpGate | None" = None
    call: ToolCall | None = field(default=None, repr=False)
    waiting: set[Waiting] = field(default_factory=set, repr=False)
    killed: RefusedError | None = None
    addresses: tuple[str, ...] = ()
    credential: Injection | None = field(default=None, repr=False)
    echo: Echo | None = field(default=None, repr=False)
    upgrade: Upgrade | None = field(default=None, repr=False)
    talk: Talk | None = None
    passing: Inside | None = None
    arriving: "Watch | None" = None
    origins: tuple[Origin, ...] = ()
    sent: bool = False
    refused: Deny | None = None
    error: str | None = None
    buffered: bool = False
    arrived: bool = False
    screened: bool = False
    bodiless: bool = False
    ended: bool = False
    tap: Tap | None = None

    @property
    def to(self) -> Target:
        """Where it goes.

        Raises:
            InternalError: Nowhere, which admission has refused.
        """
        if self.target is None:
            raise InternalError("not-admitted", "A flow that goes nowhere")
        return self.target

    @property
    def done(self) -> bool:
        """Nothing is left to ask: it was refused, or has ended."""
        return self.refused is not None or self.ended
