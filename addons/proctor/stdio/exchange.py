"""One message of a client's on its way, and what stands behind the door that it comes to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from proctor.approval.holder import Waiting, Why
from proctor.canary.seen import SEEN, sightings
from proctor.credentials.echo import Values
from proctor.errors import ProctorError, RefusedError
from proctor.gate import Gate
from proctor.mcp.kept import kept_call
from proctor.model import Action, Deny, Finding, Principal, Session
from proctor.protocols.mcp.messages import Message
from proctor.provenance.intake import Intake
from proctor.provenance.memory import Origin
from proctor.record import Opening, Receipt, Ruling, Seen, Ticket, ToolCall
from proctor.redaction.cutting import Cut
from proctor.redaction.redactor import Look
from proctor.redaction.screen import Screen
from proctor.runtime.tasks import spawn
from proctor.stages import parts
from proctor.stdio.tokens import Tokens


class Pins(parts.Pins, Protocol):
    """Definitions of tools, which are studied before they are looked at."""

    async def study(self, server: str, tools: Iterable[Mapping[str, Any]]) -> None:
        """Look for signs in what is new."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What stands behind one door.

    Attributes:
        gate: Decides and records.
        pins: What is known of tools.
        screen: What must not pass is found and taken out by this; None where all may.
        reviewers: Groups whose members may accept a tool's definition.
        sealing: The key for what is hidden on cards.
        tokens: Where the agent's token comes from.
        server: As rules call the MCP server.
        trusted: Somebody vouches for what the server says.
        intake: Reads what comes in, and knows it again.
        listener: As rules call this way in.
        session: What the agent calls its run; "" where it says nothing.
        values: Credentials that the server was given, and must not say.
        now: The time, UTC.
        clock: Monotonic, seconds.
    """

    gate: Gate
    pins: Pins
    screen: Screen | None
    reviewers: tuple[str, ...]
    sealing: bytes = field(repr=False)
    tokens: Tokens
    server: str
    trusted: bool = False
    intake: Intake
    listener: str
    session: str
    values: tuple[Values, ...] = ()
    now: Callable[[], datetime]
    clock: Callable[[], float]


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """One message of a client's, and the server's answer where it asks for one.

    Attributes:
        flow_id: Our name for it.
        listener: As rules call the way it came.
        server: As rules call the MCP server.
        started_at: When it came, UTC.
        message: As it was read; None where it cannot be.
        principal: Who asks, once that is proved.
        session: In which run.
        client: Product and version, as the client says.
        actions: What it is, as rules see it.
        origins: What in that came from an answer that nobody vouches for.
        cut: It in pieces.
        look: What was seen in them.
        findings: Of those, what rules and the record are told.
        receipt: How much was looked at.
        ruling: What the rules said.
        path: As it is kept.
        sent: As it leaves.
        kept: As it is kept.
        approval_id: What let it pass.
        waiting: What waits for a human here.
        ticket: It was let through.
        why: Why it ends here and now, or None.
        cancelled: Nobody wants an answer any more.
    """

    flow_id: str
    listener: str
    server: str
    started_at: datetime
    message: Message | None = field(default=None, repr=False)
    principal: Principal | None = None
    session: Session | None = None
    client: str = ""
    actions: tuple[Action, ...] = field(default=(), repr=False)
    origins: tuple[Origin, ...] = ()
    cut: Cut | None = field(default=None, repr=False)
    look: Look | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = ()
    receipt: Receipt | None = None
    ruling: Ruling | None = field(default=None, repr=False)
    path: str = "/"
    sent: bytes = field(default=b"", repr=False)
    kept: bytes = field(default=b"", repr=False)
    approval_id: str | None = None
    waiting: set[Waiting] = field(default_factory=set, repr=False)
    ticket: Ticket | None = None
    why: ProctorError | None = None
    cancelled: bool = False

    def stop(self, why: Why) -> None:
        """Nobody waits for humans any more."""
        for waiting in list(self.waiting):
            waiting.stop(why)

    def alarm(self, gate: Gate, found: Iterable[Finding], *, stopped: bool) -> None:
        """Tell of canaries among what was found."""
        told = sightings(
            found,
            seen_by=self.principal.key if self.principal else "",
            session=self.session.id if self.session else "",
            listener=self.listener,
            host=self.server,
            stopped=stopped,
        )
        for detail in told:
            spawn(gate.event(SEEN, detail), name="canary seen")

    def opening(self) -> Opening:
        """What the record says of it as it stands."""
        return Opening(
            flow_id=self.flow_id,
            listener=self.listener,
            protocol="stdio",
            method="STDIO",
            scheme="stdio",
            host=self.server,
            port=0,
            path=self.path,
            started_at=self.started_at,
            client=self.client,
            body=self.kept or None,
            findings=self.findings,
            receipt=self.receipt,
            approval_id=self.approval_id,
            seen=self._seen() if self.kept else None,
        )

    def _seen(self) -> Seen | None:
        if not self.actions:
            return None
        cut = self.message is not None and self.kept != self.message.raw
        return Seen(size=self.actions[0].size, server=self.server, cut=cut)

    def call(self, error: ProctorError | None = None) -> ToolCall | None:
        """The tool call that it is, as it is kept; None where it is none.

        Args:
            error: Why it was not let through.
        """
        said = refusal_of(error) if error else (self.ruling.verdict if self.ruling else None)
        passed = "hold" if self.approval_id else "allow"
        return kept_call(
            self.kept,
            self.server,
            name=self.flow_id,
            verdict="deny" if error else passed,
            rule_id=said.rule_id if said else None,
            approval_id=self.approval_id,
        )


def refusal_of(error: ProctorError) -> Deny:
    """A refusal as the record has it."""
    rule = error.rule_id if isinstance(error, RefusedError) else error.code
    return Deny(rule_id=rule, reason=error.message)
