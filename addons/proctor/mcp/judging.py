"""What of an MCP server's answer goes on: which tools, and which of the server's own questions."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from proctor.approval.cards import seal, tool_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held, asked_of
from proctor.approval.killed import ended
from proctor.errors import ProctorError, RefusedError
from proctor.gate import Gate
from proctor.mcp.model import Pin, Standing
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    Finding,
    McpFields,
    Principal,
    Session,
    ToolFields,
)
from proctor.protocols.mcp.actions import CALL, question_action, target, tool_name
from proctor.protocols.mcp.answers import Asked, Denied, Outcome, Pass
from proctor.protocols.mcp.definitions import visible
from proctor.protocols.mcp.suspicion import suspicious
from proctor.record import Ruling

ACCEPTED: Final = frozenset({Standing.SAME, Standing.NEW})
"""How the definition of a tool stands that may be listed."""

DETECTOR: Final = "mcp"
"""Who found what is suspicious in a tool's definition."""

SUSPICIOUS: Final = "SUSPICIOUS_TEXT"
"""Type of such a finding."""

STUDY: Final = 0.5
"""Seconds for definitions that are new in one answer. What is beyond is left out of the list; the
next one finds these known, and goes on from there."""


class Pins(Protocol):
    """Definitions of tools, and which of them people have accepted."""

    def look(self, server: str, tool: Mapping[str, Any]) -> Standing:
        """How a definition stands that a server sends."""
        ...

    def standing(self, server: str, tool: str) -> Pin | None:
        """What is known of a tool."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whom an answer is for, and whose it is.

    Attributes:
        principal: Who asked.
        session: In which run.
        listener: Through which listener.
        server: As proctor.yaml calls the MCP server.
        flow_id: Our name for the exchange.
    """

    principal: Principal
    session: Session | None
    listener: str
    server: str
    flow_id: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the server's that a human is to decide about."""

    asked: Asked
    action: Action
    ruling: Ruling


class Judging:
    """Implements `Judge` for the answer to one message of a client's, or for what comes unasked.

    Attributes:
        findings: What is suspicious in what the server says of its tools.
        denied: Why a question was denied at once; None where none was.
        new: Questions that humans are to be asked about since this was emptied.
    """

    def __init__(self, gate: Gate, pins: Pins, caller: Caller) -> None:
        self.findings: list[Finding] = []
        self.denied: ProctorError | None = None
        self.new: list[Question] = []
        self._gate = gate
        self._pins = pins
        self._caller = caller
        self._rulings: list[Ruling] = []
        self._listed: set[str] = set()
        self._studied = 0.0

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        """What the rules said, question by question."""
        return tuple(self._rulings)

    def keep(self, tool: Mapping[str, Any]) -> bool:
        """A tool stays that the rules could let through, and whose definition is accepted."""
        caller, name = self._caller, tool.get("name")
        if not isinstance(name, str) or name in self._listed:
            return False
        self._listed.add(name)
        if not self._accepted(caller.server, name, tool):
            pin = self._pins.standing(caller.server, name)
            for sign in pin.signs if pin else ():
                self._found(f"tools[{name}]", sign.score)
            return False
        fields = McpFields(server=caller.server, method=CALL, tool=name)
        call = Action(
            kind=ActionKind.MCP_CALL,
            listener=caller.listener,
            target=target(fields),
            tool=ToolFields(name=tool_name(caller.server, name)),
            mcp=fields,
        )
        return self._gate.may(caller.principal, caller.session, call)

    def _accepted(self, server: str, name: str, tool: Mapping[str, Any]) -> bool:
        new = self._pins.standing(server, name) is None
        if new and self._studied > STUDY:
            return False
        start = time.perf_counter()
        standing = self._pins.look(server, tool)
        if new:
            self._studied += time.perf_counter() - start
        return standing in ACCEPTED

    def instructions(self, text: str) -> bool:
        """A server's words for the model stay unless something is suspicious in them."""
        signs = suspicious({"description": text})
        for sign in signs:
            self._found("instructions", sign.score)
        return not signs

    def ask(self, asked: Asked) -> Outcome | None:
        """What becomes of a question; None where humans are to be asked: it is in `new` then."""
        caller = self._caller
        action = question_action(caller.listener, caller.server, asked.method, asked.params)
        ruling = self._gate.decide(caller.principal, caller.session, (action,))
        self._rulings.append(ruling)
        if kill := self._gate.killed(caller.principal, caller.session):
            return self._no(ended(kill))
        verdict = ruling.verdict
        if isinstance(verdict, Allow):
            return Pass()
        if not asked_of(ruling.decisions[0]):
            return self._no(RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id))
        self.new.append(Question(asked, action, ruling))
        return None

    def held(self, question: Question, shown: str, sealing: bytes) -> Held:
        """What is held while a human decides about a question.

        Args:
            question: From `new`.
            shown: Its parameters as they may be kept, JSON.
            sealing: The key for what is hidden on the card.
        """
        caller = self._caller
        real = json.dumps(question.asked.params, ensure_ascii=False)
        card, values = tool_card(
            name=f"{caller.server}: {question.asked.method}",
            record=shown,
            real=real,
            prompt="",
            findings=(),
            tool_use_id="",
        )
        shape, pattern = suggest(question.action, hidden=bool(card.hidden))
        return Held(
            principal=caller.principal,
            session=caller.session,
            action=question.action,
            digest=question.ruling.digests[0],
            decision=question.ruling.decisions[0],
            card=card,
            sealed=seal(values, sealing),
            shape=shape,
            pattern=pattern,
            flow_id=caller.flow_id,
        )

    def _no(self, error: ProctorError) -> Denied:
        self.denied = error
        return Denied(error)

    def _found(self, location: str, score: float) -> None:
        self.findings.append(
            Finding(
                type=SUSPICIOUS,
                location=visible(location)[:200],
                direction="response",
                score=score,
                detector=DETECTOR,
            )
        )
