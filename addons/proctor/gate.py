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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

from proctor.approval.holder import Desk, Held, Holder, Waiting
from proctor.approval.model import Approval, Kill
from proctor.model import (
    GUESSED,
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
from proctor.record import (
    Closing,
    ContentStream,
    Opening,
    Ruling,
    Seen,
    Ticket,
    ToolCall,
    ToolResult,
    common,
    ended,
)

IDLE = timedelta(minutes=30)
"""A session ends after this long without an exchange."""

MAX_SESSIONS = 10_000
"""Sessions remembered at once; the longest idle one is forgotten first."""

MAX_CALLS = 50_000
"""Tool calls of models remembered at once, so that what comes of them is put beside them."""


class Authenticator(Protocol):
    """Proves who is asking."""

    def recall(self, token: str) -> Principal | None:
        """The principal of a token that was proved before and still holds, or None."""
        ...

    async def authenticate(self, token: str) -> Principal:
        """The principal of a token, or AuthenticationError, or UpstreamError."""
        ...


class Policy(Protocol):
    """The rules in force, one immutable set."""

    @property
    def version(self) -> str:
        """Digest of the rules."""
        ...

    def decide(self, case: Case) -> Decision:
        """What the rules say of one action; never raises."""
        ...

    def may(self, case: Case) -> bool:
        """Whether any such action could pass or be held."""
        ...


class PolicySource(Protocol):
    """Where the rules in force are found; they change under way."""

    @property
    def current(self) -> Policy:
        """The rules in force now."""
        ...


class Recorder[Scope](Protocol):
    """The record: content first, then the envelope that refers to it.

    A Scope is a keyed store for the content of one session; only the recorder looks inside.
    """

    def scope(self, principal: str, session: Session | None) -> Scope:
        """The store for this session's content."""
        ...

    def put(self, scope: Scope, data: bytes, cuts: Sequence[int] = ()) -> ContentRef:
        """Keep content, cut at these byte offsets so that what is sent again costs nothing."""
        ...

    def stream(self, scope: Scope) -> ContentStream:
        """Keep content that arrives in pieces."""
        ...

    async def append(self, kind: str, fields: dict[str, object]) -> int:
        """Write an envelope; returns its sequence number once it is durable, or InternalError."""
        ...


@dataclass(slots=True)
class _Run:
    session: Session
    last_seen: datetime
    turns: int = field(default=0)
    folder: str = ""
    """The agent's folder, as far as the record holds it."""


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
    ) -> None:
        self._digest_key = digest_key
        self._desk = desk
        self._holder = Holder(desk, self._again, clock)
        self._authenticator = authenticator
        self._policies = policies
        self._recorder = recorder
        self._clock = clock
        self._runs: dict[tuple[str, str], _Run] = {}
        self._calls: dict[tuple[str, str], str] = {}

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
        """The run that `principal` calls `name`; two principals never share one.

        Args:
            principal: Who asks.
            name: The client's own name for the run; asserted, never trusted.
            client: Product and version, as the client says.
            correlated_by: How the name came.
            repository: The folder the agent says it works in; "" keeps what it said before.
            turn: This exchange is a request to the model, and counts.
        """
        key = (principal.key, name)
        now = self._clock()
        run = self._runs.pop(key, None)
        if run is None or now - run.last_seen > IDLE:
            first = Session(id=name, client=client, started=now, correlated_by=correlated_by)
            run = _Run(session=first, last_seen=now)
        seen = run.session
        session = Session(
            id=seen.id,
            client=seen.client,
            started=seen.started,
            turns=run.turns,
            repository=repository or seen.repository,
            correlated_by=correlated_by,
        )
        if session.repository != seen.repository:
            run.session = replace(seen, repository=session.repository)
        run.turns += turn
        run.last_seen = now
        self._runs[key] = run  # the youngest stands last
        if len(self._runs) > MAX_SESSIONS:
            del self._runs[next(iter(self._runs))]
        return session

    def called(self, principal: Principal, session: Session | None, tool_use_id: str) -> None:
        """Remember in which run the model has called a tool."""
        if session:
            self._calls[principal.key, tool_use_id] = session.id
            if len(self._calls) > MAX_CALLS:
                del self._calls[next(iter(self._calls))]

    def joined(
        self, principal: Principal, tool_use_id: str = "", client: str = ""
    ) -> Session | None:
        """The run that something is part of which does not name its own, as far as can be told.

        Args:
            principal: Who asks.
            tool_use_id: The model's call that it came from, as the client says; "" for none.
            client: Product and version, as the client says.

        Returns:
            The run of that call; else the only run that is under way; else None.
        """
        name = self._calls.get((principal.key, tool_use_id)) if tool_use_id else None
        if name is not None:
            return self.session(principal, name, client=client, correlated_by="tool_use")
        now = self._clock()
        open_ = [
            run.session.id
            for (key, _), run in self._runs.items()
            if key == principal.key and now - run.last_seen <= IDLE
        ]
        if len(open_) != 1:
            return None
        return self.session(principal, open_[0], client=client, correlated_by=GUESSED)

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
        """What the rules say: an exchange passes when all its actions pass."""
        policy = self._policies.current
        now = self._clock()
        decisions = tuple(
            policy.decide(
                Case(
                    principal=principal,
                    session=session,
                    action=action,
                    findings=findings,
                    now=now,
                )
            )
            for action in actions
        )
        return Ruling(
            verdict=strongest(decisions),
            decisions=decisions,
            digests=tuple(action.digest(principal, self._digest_key) for action in actions),
            actions=tuple(actions),
            record=(
                RecordMode.METADATA
                if decisions and all(d.record is RecordMode.METADATA for d in decisions)
                else RecordMode.FULL
            ),
            policy_version=policy.version,
            findings=findings,
        )

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
        return self._policies.current.decide(
            Case(
                principal=held.principal,
                session=held.session,
                action=held.action,
                findings=held.findings,
                now=self._clock(),
            )
        )

    async def begin(
        self, opening: Opening, principal: Principal, session: Session | None, ruling: Ruling
    ) -> Ticket:
        """Make the record of what is about to leave durable.

        Raises:
            InternalError: It could not be written; then nothing may leave.
        """
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

    async def event(self, kind: str, detail: dict[str, object]) -> None:
        """Record something that is no exchange: a start, a reload, an alarm."""
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
        run = self._runs.get((principal.key, session.id)) if session else None
        if run and seen and seen.folder:
            run.folder = seen.folder
        case = casefile.write(principal, session, run.folder if run else "", seen, rulings)
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
