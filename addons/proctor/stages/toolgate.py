"""May the model's tool calls go to the client? Each is judged on its own; the answer waits for it.

The client runs what it is given, so this is the last place where a command can be stopped with
nothing installed over there.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.approval.cards import seal, tool_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held, Waiting, Why, asked_of
from proctor.approval.model import Approval
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.model import Action, Allow, Deny, Finding, verdict_name
from proctor.protocols.anthropic.calls import Call, Instead, Outcome, Pass
from proctor.protocols.anthropic.refusal import stopped_tool
from proctor.protocols.anthropic.tools import tool_action
from proctor.provenance.cards import with_origins
from proctor.provenance.memory import Origin
from proctor.record import Ruling, ToolCall
from proctor.redaction.answering import Answering
from proctor.runtime.tasks import spawn
from proctor.stages.exchange import Exchange

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

PING = 10.0
"""Seconds of silence after which a waiting client hears a ping."""

_RANK = {"allow": 0, "hold": 1, "deny": 2}


@dataclass(slots=True)
class _Judged:
    """One tool call, and what became of it."""

    call: Call
    ruling: Ruling
    digest: str
    rule_id: str
    verdict: str
    approval_id: str | None = None


class ToolGate:
    """Implements `Judge` for the answer to one request to the model.

    Attributes:
        answering: Where the calls wait; set once it is there.
    """

    def __init__(self, suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.principal is None:
            raise InternalError("not-decided", "A stage before the answer is missing")
        self.answering: Answering | None = None
        self._suite = suite
        self._flow = flow
        self._exchange = exchange
        self._principal = exchange.principal
        self._loop = asyncio.get_running_loop()
        self._ticker: asyncio.TimerHandle | None = None
        self._judged: list[_Judged] = []
        self._known: dict[tuple[str, str], tuple[Action, Ruling]] = {}
        self._new: list[tuple[_Judged, Action, tuple[Finding, ...]]] = []
        self._origins: dict[str, tuple[Origin, ...]] = {}
        self._waiting: set[Waiting] = set()
        self._open = 0
        self._settled = asyncio.Event()
        self._settled.set()

    def restored(self, name: str, arguments: str) -> frozenset[str]:
        """The types that rules turn back in a tool's input; none where it is not allowed."""
        self._known[name, arguments] = _, ruling = self._ruled(name, arguments, ())
        if isinstance(ruling.verdict, Deny):
            return frozenset()
        return frozenset().union(*(decision.restore for decision in ruling.decisions))

    def judge(self, call: Call) -> Outcome | None:
        """Pass, text in its place, or None: humans are asked; `start` does that."""
        place = f"content[{call.index}]"
        findings = self.answering.findings if self.answering else ()
        inside = tuple(found for found in findings if found.location.startswith(place))
        action, real = self._ruled(call.name, call.arguments, inside)
        ruling = real
        if call.raw != call.arguments:
            # What the model wrote and what would be run: the stricter answer counts.
            _, written = self._ruled(call.name, call.raw, inside)
            ruling = max(ruling, written, key=lambda each: _RANK[verdict_name(each.verdict)])
        verdict = ruling.verdict
        judged = _Judged(
            call, ruling, real.digests[0], rule_id=verdict.rule_id, verdict=verdict_name(verdict)
        )
        self._judged.append(judged)
        self._suite.gate.called(self._principal, self._exchange.session, call.id)
        if kill := self._suite.gate.killed(self._principal, self._exchange.session):
            judged.verdict, judged.rule_id = "deny", "kill"
            return Instead(stopped_tool(call.name, self._suite.ended(kill)))
        if not call.complete:
            judged.verdict, judged.rule_id = "deny", "incomplete"
            return Instead(stopped_tool(call.name, _incomplete()))
        if isinstance(verdict, Allow):
            return Pass()
        if not asked_of(ruling.decisions[0]):
            return Instead(
                stopped_tool(
                    call.name,
                    RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id),
                )
            )
        self._open += 1
        self._settled.clear()
        self._new.append((judged, action, inside))
        return None

    def start(self) -> None:
        """Ask humans about what was judged since; in the loop."""
        new, self._new = self._new, []
        for judged, action, findings in new:
            self._start(judged, action, findings)

    def stop(self) -> None:
        """Nothing more of the answer goes on, so nobody is to be asked any more."""
        self._new.clear()
        for waiting in list(self._waiting):
            waiting.stop(Why.BROKEN)

    async def settled(self) -> None:
        """Ask, and wait until nothing waits any more."""
        self.start()
        await self._settled.wait()

    def calls(self, seen: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        """The tool calls of the answer, as the record has them.

        Args:
            seen: Those that went on, as they were recorded.
        """
        judged = {each.call.id: each for each in self._judged}
        return (
            *(
                ToolCall(
                    id=each.call.id,
                    name=each.call.name,
                    input=each.call.record.encode("utf-8", "surrogatepass"),
                    verdict=each.verdict,
                    rule_id=each.rule_id,
                    approval_id=each.approval_id,
                )
                for each in self._judged
            ),
            *(call for call in seen if call.id not in judged),
        )

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        """What the rules said, call by call."""
        return tuple(each.ruling for each in self._judged)

    def _ruled(
        self, name: str, arguments: str, findings: tuple[Finding, ...]
    ) -> tuple[Action, Ruling]:
        """The call as rules see it, and what they say; asked once for `restored` and `judge`."""
        known = self._known.pop((name, arguments), None)
        if known and not findings:
            return known
        if known:
            action = known[0]
        else:
            action = self._traced(tool_action(self._exchange.listener, name, arguments), arguments)
        gate, session = self._suite.gate, self._exchange.session
        return action, gate.decide(self._principal, session, (action,), findings)

    def _traced(self, action: Action, arguments: str) -> Action:
        """The call, and what of it came from outside or is new."""
        arrivals = self._suite.arrivals
        action, self._origins[arguments] = arrivals.marked(self._principal, action)
        return arrivals.known(self._principal, action)

    def _start(self, judged: _Judged, action: Action, findings: tuple[Finding, ...]) -> None:
        call, exchange = judged.call, self._exchange
        question = exchange.opening.question if exchange.opening else None
        card, values = tool_card(
            name=call.name,
            record=call.record,
            real=call.arguments,
            prompt=question.prompt if question else "",
            findings=findings,
            tool_use_id=call.id,
        )
        card = with_origins(card, self._origins.get(call.arguments, ()), self._suite.arrivals.now())
        shape, pattern = suggest(action, hidden=bool(card.hidden))
        held = Held(
            principal=self._principal,
            session=exchange.session,
            action=action,
            digest=judged.digest,
            decision=judged.ruling.decisions[0],
            findings=findings,
            card=card,
            sealed=seal(values, self._suite.sealing),
            shape=shape,
            pattern=pattern,
            prompt=self._suite.prompt(exchange),
            flow_id=self._flow.id,
        )

        def asked(approval: Approval) -> None:
            judged.approval_id = approval.id
            self._suite.mark(self._flow, approval)

        waiting = self._suite.gate.hold(held, asked)
        self._waiting.add(waiting)
        spawn(self._wait(judged, waiting), name="held tool call")
        if self._ticker is None:
            self._ticker = self._loop.call_later(PING, self._tick)

    def _tick(self) -> None:
        self._ticker = None
        if self._open and not self._exchange.ended:
            self._suite.nudge(self._flow)
            self._ticker = self._loop.call_later(PING, self._tick)

    async def _wait(self, judged: _Judged, waiting: Waiting) -> None:
        outcome: Outcome = Instead(
            stopped_tool(
                judged.call.name,
                InternalError("approvals-failed", "Whether it may happen could not be found out"),
            )
        )
        try:
            with self._suite.waits(self._exchange, waiting):
                release = await waiting.outcome()
            judged.approval_id = release.name
            judged.verdict = "hold"  # also where a denial was appealed
            outcome = Pass()
        except ProctorError as error:
            outcome = Instead(stopped_tool(judged.call.name, error))
        finally:
            self._waiting.discard(waiting)
            self._open -= 1
            if waiting.approval:
                judged.approval_id = waiting.approval.id
            self._suite.unmark(self._flow, waiting.approval)
            if self.answering:
                self.answering.settle(judged.call.number, outcome)
            if not self._open:
                self._settled.set()
            self._suite.nudge(self._flow)


def _incomplete() -> RefusedError:
    return RefusedError(
        "tool-incomplete",
        "The tool call was cut off, so nobody can tell what it would do",
        hint="Ask again, with more room for the answer.",
        rule_id="incomplete",
    )
