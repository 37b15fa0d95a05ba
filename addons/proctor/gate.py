"""The core: Action → Verdict → Approval → Record.

A door (mitmproxy, later PostgreSQL and the MCP stdio wrapper) turns its protocol into Actions and
asks the Gate; it does what the Verdict says in its protocol's own manner. There is no mitmproxy
here, no socket, and no clock but the one handed in.

The order is the contract, and every door keeps it:

    admit    who asks?                      AuthenticationError, UpstreamError
    session  which run is this part of?
    decide   may it?                        a Ruling, never an error
    killed   was it ended by hand?          a Kill, or None
    hold     humans agree, and the rules still do     RefusedError, InternalError
    begin    durable before anything leaves InternalError: then nothing may leave
    end      durable before the end is passed on
    refuse   instead of begin and end, for what is not let through
"""

import hmac
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from proctor.approval.holder import Desk, Held, Holder, Waiting
from proctor.approval.model import Approval, Kill
from proctor.budgets.ledger import Budgets, people, said_to, shares
from proctor.budgets.model import Spent, Standing
from proctor.errors import InternalError
from proctor.gateparts import Authenticator, Policy, PolicySource, Recorder
from proctor.metfile import MetFile
from proctor.model import (
    Action,
    Allow,
    Case,
    ContentRef,
    Decision,
    Deny,
    Finding,
    Hold,
    Principal,
    RecordMode,
    Session,
    Verdict,
)
from proctor.policy import casefile
from proctor.provenance.memory import Provenance
from proctor.record import (
    Closing,
    ContentStream,
    Opening,
    Ruling,
    Said,
    Seen,
    Ticket,
    ToolCall,
    ToolResult,
    common,
    ended,
    message_fields,
)
from proctor.runs import Runs


class Gate:
    """One per process. Its parts are handed in, so that it can be asked without any of them."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        *,
        authenticator: Authenticator,
        policies: PolicySource,
        recorder: Recorder[Any],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        digest_key: bytes = b"",
        desk: Desk | None = None,
        budgets: Budgets | None = None,
        met: MetFile | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        self._digest_key = digest_key
        self._budgets = budgets
        self._desk = desk
        self._holder = Holder(desk, self._again, clock)
        self._authenticator = authenticator
        self._policies = policies
        self._recorder = recorder
        self._clock = clock
        self._runs = Runs(clock, met)
        self.provenance = provenance or Provenance(clock)
        self.on_event: list[Callable[[str, dict[str, object]], None]] = []

    async def admit(self, token: str) -> Principal:
        """Who is asking.

        Raises:
            AuthenticationError: The token does not prove it.
            UpstreamError: The issuer's keys cannot be had.
        """
        return await self._authenticator.authenticate(token)

    def recall(self, token: str) -> Principal | None:
        """Who is asking, where that was proved before and needs no waiting; else None."""
        return self._authenticator.recall(token)

    def session(  # noqa: PLR0913 - what a run is known by
        self,
        principal: Principal,
        name: str,
        *,
        client: str = "",
        correlated_by: str = "",
        repository: str = "",
        turn: bool = False,
    ) -> Session:
        """The run that `principal` calls `name`: see `Runs.session`."""
        return self._runs.session(
            principal,
            name,
            client=client,
            correlated_by=correlated_by,
            repository=repository,
            turn=turn,
        )

    @property
    def runs(self) -> Runs:
        """What is known of runs, and of what reached them."""
        return self._runs

    def called(self, principal: Principal, session: Session | None, tool_use_id: str) -> None:
        """Remember in which run the model has called a tool."""
        self._runs.called(principal, session, tool_use_id)

    def joined(
        self, principal: Principal, tool_use_id: str = "", client: str = ""
    ) -> Session | None:
        """The run that something is part of which does not name its own: see `Runs.joined`."""
        return self._runs.joined(principal, tool_use_id, client)

    def may(self, principal: Principal, session: Session | None, action: Action) -> bool:
        """Whether any such action could pass or be held, whatever its arguments."""
        case = Case(principal=principal, session=session, action=action, now=self._clock())
        return self._policies.current.may(case)

    def decide(
        self,
        principal: Principal,
        session: Session | None,
        actions: Sequence[Action],
        findings: tuple[Finding, ...] = (),
    ) -> Ruling:
        """What rules and budgets say: an exchange passes when all its actions pass."""
        policy = self._policies.current
        decided = [
            self._decided(policy, principal, session, action, findings) for action in actions
        ]
        decisions = tuple(decision for _, decision in decided)
        return Ruling(
            verdict=strongest(decisions),
            decisions=decisions,
            digests=tuple(action.digest(principal, self._digest_key) for action in actions),
            actions=tuple(action for action, _ in decided),
            record=(
                RecordMode.METADATA
                if decisions and all(d.record is RecordMode.METADATA for d in decisions)
                else RecordMode.FULL
            ),
            policy_version=policy.version,
            findings=findings,
        )

    def _decided(
        self,
        policy: Policy,
        principal: Principal,
        session: Session | None,
        action: Action,
        findings: tuple[Finding, ...],
    ) -> tuple[Action, Decision]:
        """An action as rules see it, and what they and budgets say of it."""
        standing: tuple[Standing, ...] = ()
        try:
            session = self._runs.told(principal, session)
            if self._budgets:
                standing = self._budgets.standing(*said_to(principal, session))
                action = replace(action, budget=shares(standing))
        except InternalError as error:
            verdict = Deny(rule_id=error.code, reason=f"{error.message}.")
            return action, Decision(verdict=verdict, policy_version=policy.version)
        decision = policy.decide(
            Case(
                principal=principal,
                session=session,
                action=action,
                findings=findings,
                now=self._clock(),
            )
        )
        if self._budgets:
            decision = self._budgets.bounded(decision, action.kind, standing)
        return action, decision

    def standing(self, principal: Principal, session: Session | None) -> tuple[Standing, ...]:
        """Where somebody stands with their budgets.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        return self._budgets.standing(*said_to(principal, session)) if self._budgets else ()

    @property
    def budgeted(self) -> bool:
        """Whether the same question may get another answer once something is used up."""
        return self._budgets is not None

    def killed(self, principal: Principal, session: Session | None) -> Kill | None:
        """The kill in force for this run of this principal, or None."""
        if self._desk is None:
            return None
        name = session.id if session else None
        return self._desk.killed(principal.key, principal.subject, principal.human, name)

    def hold(self, held: Held, asked: Callable[[Approval], None]) -> Waiting:
        """Hold an action until humans have decided; await its `outcome`.

        Args:
            held: The action.
            asked: Told the approval once humans are asked.
        """
        return self._holder.hold(held, asked)

    def named(self, purpose: bytes, parts: Iterable[bytes]) -> str:
        """A keyed name for something that must not be guessed from its name, hex."""
        state = hmac.new(self._digest_key, purpose, sha256)
        for part in parts:
            state.update(b"%d:" % len(part))
            state.update(part)
        return state.hexdigest()

    def _again(self, held: Held) -> Decision:
        """What the rules say now."""
        policy = self._policies.current
        return self._decided(policy, held.principal, held.session, held.action, held.findings)[1]

    async def begin(
        self, opening: Opening, principal: Principal, session: Session | None, ruling: Ruling
    ) -> Ticket:
        """Make the record of what is about to leave durable.

        Raises:
            InternalError: It could not be written; then nothing may leave.
        """
        if self._budgets:
            sent, seen = len(opening.body or b""), opening.findings if opening.question else ()
            spent = Spent(requests=1, sent=sent, people=people(seen))
            self._budgets.spend(*said_to(principal, session), spent)
        scope = self._recorder.scope(principal.key, session)
        fields = common(opening, principal, session, ruling.verdict, ruling)
        turn = self._contents(scope, opening, ruling.record, fields)
        if opening.seen and ruling.record is RecordMode.FULL:
            self._case(scope, principal, session, opening.seen, (ruling,), fields)
        seq = await self._recorder.append("flow.begin", fields)
        return Ticket(
            begin_seq=seq,
            keep=ruling.record is RecordMode.FULL,
            scope=scope,
            fields=fields,
            turn=turn,
            principal=principal,
            session=session,
        )

    def stream(self, ticket: Ticket) -> ContentStream | None:
        """Where the response's pieces go while they pass, or None where no content is kept."""
        return self._recorder.stream(ticket.scope) if ticket.keep else None

    async def end(self, ticket: Ticket, closing: Closing) -> None:
        """Make the record of how it ended durable, before the end is passed on.

        Raises:
            InternalError: It could not be written.
        """
        if self._budgets:
            model = str(ticket.turn["model"]) if ticket.turn else ""
            spent = self._budgets.closed(model, closing)
            self._budgets.spend(*said_to(ticket.principal, ticket.session), spent)
        fields = dict(ticket.fields)
        del fields["decisions"], fields["results"]  # they stand in flow.begin
        fields.pop("case", None)
        fields["begin_seq"] = ticket.begin_seq
        self._close(fields, ticket, closing)
        if closing.results:
            fields["results"] = self._results(ticket.scope, closing.results, keep=ticket.keep)
        await self._recorder.append("flow.end", fields)

    async def refuse(  # noqa: PLR0913 - each is one word of the record
        self,
        opening: Opening,
        closing: Closing,
        *,
        principal: Principal | None,
        session: Session | None,
        verdict: Deny,
        ruling: Ruling | None,
    ) -> None:
        """Make the record of what was not let through durable.

        Raises:
            InternalError: It could not be written.
        """
        fields = common(opening, principal, session, verdict, ruling)
        fields["begin_seq"] = None
        scope, keep = None, False
        if principal and ruling:
            scope = self._recorder.scope(principal.key, session)
            self._contents(scope, opening, ruling.record, fields)
            keep = ruling.record is RecordMode.FULL
            if keep and opening.seen:
                self._case(scope, principal, session, opening.seen, (ruling,), fields)
        else:
            fields.update(request=None, turn=None, results=[])
        ended(fields, closing, self._clock())
        fields.update(response=None, tools=self._tools(scope, closing.tools, keep=keep))
        await self._recorder.append("flow.end", fields)

    async def message(self, ticket: Ticket, said: Said) -> None:
        """Make the record of one message of a conversation durable, before it is passed on.

        Raises:
            InternalError: It could not be written; then it may not be passed on.
        """
        record = said.ruling.record if said.ruling else RecordMode.FULL
        content = None
        if said.body and ticket.keep and record is RecordMode.FULL:
            scope = self._recorder.scope(ticket.principal.key, ticket.session)
            content = self._recorder.put(scope, said.body)
        await self._recorder.append("message", message_fields(ticket, said, content, record))

    def statement(
        self, fields: dict[str, object] | bytes, *, ended: bool
    ) -> tuple[int, Future[None]]:
        """Put one SQL statement on record, or how it ended.

        Args:
            fields: What is said of it, or that as JSON; `begin_seq` in what ends it.
            ended: Whether it is the end.

        Returns:
            The record's number, and what is done once it is durable: before that, nothing leaves.

        Raises:
            InternalError: It cannot be written; then nothing may leave.
        """
        kind = "statement.end" if ended else "statement"
        return self._recorder.post(kind, fields, soon=not ended)

    def spend(self, principal: Principal, session: Session | None, spent: Spent) -> None:
        """Count what was used of somebody's budgets.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        if self._budgets:
            self._budgets.spend(*said_to(principal, session), spent)

    def scope(self, principal: Principal, session: Session | None) -> Any:
        """Where content of this run is kept; to be asked for anew now and then."""
        return self._recorder.scope(principal.key, session)

    def keep(self, scope: Any, data: bytes) -> bytes:
        """Keep content; durable with the next record. Returns the reference to it, as JSON.

        Raises:
            InternalError: It cannot be written.
        """
        return self._recorder.refer(scope, data)

    def hasher(self, action: Action, principal: Principal) -> Any:
        """An action's digest under this installation's key, to which content may be added."""
        return action.hasher(principal, self._digest_key)

    @property
    def policy(self) -> Policy:
        """The rules in force now."""
        return self._policies.current

    async def event(self, kind: str, detail: dict[str, object]) -> None:
        """Record something that is no exchange: a start, a reload, an alarm."""
        for hear in self.on_event:
            hear(kind, detail)
        await self._recorder.append("event", {"event_kind": kind, "detail": detail})

    def _contents(
        self, scope: object, opening: Opening, record: RecordMode, fields: dict[str, object]
    ) -> dict[str, object] | None:
        """Keep the request's content and fill in what refers to it; returns the turn."""
        keep = record is RecordMode.FULL
        request = None
        if keep and opening.body:
            request = self._recorder.put(scope, opening.body, opening.cuts)
        question = opening.question
        turn: dict[str, object] | None = None
        results: list[dict[str, object]] = []
        if question:
            prompt = question.prompt.encode("utf-8", "surrogatepass") if keep else b""
            turn = {
                "model": question.model,
                "prompt": self._recorder.put(scope, prompt).as_json() if prompt else None,
                "request_class": question.request_class,
                "stream": question.stream,
            }
            results = self._results(scope, question.results, keep=keep)
        fields["request"] = request.as_json() if request else None
        fields["turn"] = turn
        fields["results"] = results
        return turn

    def _case(  # noqa: PLR0913, PLR0917 - the parts of a case
        self,
        scope: object,
        principal: Principal,
        session: Session | None,
        seen: Seen | None,
        rulings: Sequence[Ruling],
        fields: dict[str, object],
    ) -> None:
        """Keep what rules could see beyond what the record holds anyway, for `proctor backtest`."""
        run = self._runs.get(principal, session) if session else None
        if run and seen and seen.folder:
            run.folder = seen.folder
        told = self._runs.told_before(principal, session) if session else None
        case = casefile.write(principal, told, run.folder if run else "", seen, rulings)
        if case:
            fields["case"] = self._recorder.put(scope, *case).as_json()

    def _results(
        self, scope: object, given: Sequence[ToolResult], *, keep: bool
    ) -> list[dict[str, object]]:
        return [
            {
                "tool_use_id": result.tool_use_id,
                "content": (
                    self._recorder.put(scope, result.content).as_json()
                    if keep and result.content
                    else None
                ),
                "is_error": result.is_error,
            }
            for result in given
        ]

    def _close(self, fields: dict[str, object], ticket: Ticket, closing: Closing) -> None:
        keep, scope = ticket.keep, ticket.scope
        ended(fields, closing, self._clock())
        response: ContentRef | None = None
        match closing.body:
            case None:
                pass
            case bytes() as body:
                response = self._recorder.put(scope, body) if keep and body else None
            case stream:
                response = stream.close()
        fields["response"] = response.as_json() if response else None
        calls = closing.tools
        turn: dict[str, object] | None = None
        if ticket.turn:
            turn = dict(ticket.turn)
            reply = closing.reply
            if reply:
                calls = (*calls, *reply.tools)
                output = reply.output.encode("utf-8", "surrogatepass") if keep else b""
                turn |= {
                    "model": reply.model or turn["model"],
                    "stop_reason": reply.stop_reason,
                    "input_tokens": reply.input_tokens,
                    "output_tokens": reply.output_tokens,
                    "cache_read_tokens": reply.cache_read_tokens,
                    "cache_write_tokens": reply.cache_write_tokens,
                    "output": self._recorder.put(scope, output).as_json() if output else None,
                }
        if closing.rulings:
            # The request's own stand in flow.begin.
            fields["decisions"] = [item for ruling in closing.rulings for item in ruling.as_json()]
            if keep:
                rulings = closing.rulings
                self._case(scope, ticket.principal, ticket.session, None, rulings, fields)
        fields["turn"] = turn
        fields["tools"] = self._tools(scope, calls, keep=keep)

    def _tools(
        self, scope: object, calls: Iterable[ToolCall], *, keep: bool
    ) -> list[dict[str, object]]:
        return [
            {
                "id": call.id,
                "source": call.source,
                "name": call.name,
                "input": (
                    self._recorder.put(scope, call.input).as_json() if keep and call.input else None
                ),
                "verdict": call.verdict,
                "rule_id": call.rule_id,
                "approval_id": call.approval_id,
            }
            for call in calls
        ]


def strongest(decisions: Sequence[Decision]) -> Verdict:
    """Deny beats hold beats allow; no action at all is denied."""
    found: Verdict | None = None
    for decision in decisions:
        match decision.verdict:
            case Deny(appeal=()):
                return decision.verdict
            case Deny():
                if not isinstance(found, Deny):
                    found = decision.verdict
            case Hold():
                if not isinstance(found, Hold | Deny):
                    found = decision.verdict
            case Allow():
                found = found or decision.verdict
    return found or Deny(rule_id="default", reason="Nothing here that a rule could allow.")
