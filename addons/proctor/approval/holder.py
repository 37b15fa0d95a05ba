"""One held action on its way: humans are asked, the rules are asked again, and it is used once.

Every door holds through this: it hands in what it wants to do and how long its client can wait, and
gets a Release, or the refusal in words for whoever asked.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from proctor.approval.grants import covers
from proctor.approval.model import Approval, ApprovalError, Asking, Card, Grant, Kill, Origin, State
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.model import (
    GUESSED,
    Action,
    ActionKind,
    Allow,
    ApprovalTerms,
    Decision,
    Deny,
    Finding,
    Hold,
    Principal,
    Session,
)
from proctor.runtime.tasks import spawn

log = logging.getLogger(__name__)

LEAST = timedelta(seconds=1)
"""However short a client says it can wait."""


class Desk(Protocol):
    """What is asked of the desk here; `desk.Desk` is the one that is there."""

    async def ask(self, asking: Asking) -> Approval:
        """Ask humans, or join what was asked before."""
        ...

    async def settled(self, name: str, until: datetime) -> Approval:
        """The approval once it is no longer pending, or as it is at `until`."""
        ...

    async def use(self, name: str) -> Approval:
        """Use an approval, once."""
        ...

    async def cancel(self, name: str, reason: str, by: str = "proctor") -> Approval:
        """Nobody wants it any more."""
        ...

    async def left(self, name: str) -> None:
        """Nobody waits for it any more."""
        ...

    def grants_for(
        self,
        principal: str,
        kind: ActionKind,
        terms: Sequence[ApprovalTerms],
        matches: Callable[[Grant], bool],
    ) -> tuple[Grant, ...] | None:
        """One open grant for each of the terms, or None."""
        ...

    async def use_grants(self, grants: Sequence[Grant]) -> bool:
        """Count them as used; False where one was not open any more."""
        ...

    def killed(
        self, principal: str, subject: str, human: str | None, session: str | None
    ) -> Kill | None:
        """The kill in force for these."""
        ...


class Why(StrEnum):
    """Why an action no longer waits, though nobody has decided."""

    GONE = "the client went away"
    KILLED = "it was killed"
    BROKEN = "the answer it belongs to was cut off"
    STOPPING = "proctor stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One action that a rule holds, or whose denial may be appealed.

    Attributes:
        principal: Who acts.
        session: In which run.
        action: What they are about to do.
        digest: Of it.
        decision: What the rules said.
        findings: What was found in it.
        card: What a reviewer sees.
        sealed: What is hidden on it, encrypted.
        shape: What actions like it are called.
        pattern: What a grant for just this would say.
        prompt: Digest of the question it belongs to; "" for none.
        flow_id: The exchange.
        patience: How long the client can wait; None as long as the rule says.
    """

    principal: Principal
    session: Session | None
    action: Action
    digest: str
    decision: Decision
    findings: tuple[Finding, ...] = ()
    card: Card
    sealed: bytes = field(default=b"", repr=False)
    shape: str
    pattern: str
    prompt: str = ""
    flow_id: str = ""
    patience: timedelta | None = None

    @property
    def terms(self) -> tuple[ApprovalTerms, ...]:
        """What humans are asked; empty where nothing can be asked."""
        return asked_of(self.decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """It may go. One of the two is set."""

    approval: Approval | None = None
    grants: tuple[Grant, ...] = ()

    @property
    def name(self) -> str | None:
        """What the record names: the approval's id, or the grants'."""
        if self.approval:
            return self.approval.id
        return " ".join(grant.id for grant in self.grants) or None


def asked_of(decision: Decision) -> tuple[ApprovalTerms, ...]:
    """What a decision wants humans to be asked."""
    match decision.verdict:
        case Hold(terms=terms):
            return terms
        case Deny(appeal=terms):
            return terms
        case Allow():
            return ()


class Holder:
    """Holds actions for all doors of one process.

    Args:
        desk: Where humans are asked; None where nobody can be.
        decide: Asks the rules anew.
        clock: The time, UTC.
    """

    def __init__(
        self,
        desk: Desk | None,
        decide: Callable[[Held], Decision],
        clock: Callable[[], datetime],
    ) -> None:
        self._desk = desk
        self._decide = decide
        self._clock = clock
        self._at: Counter[str] = Counter()

    def hold(self, held: Held, asked: Callable[[Approval], None]) -> "Waiting":
        """Start to hold; await its `outcome`.

        Args:
            held: The action.
            asked: Told the approval once humans are asked.
        """
        return Waiting(held, self._desk, self._decide, self._clock, asked, self._at)


class Waiting:
    """One held action on its way.

    Attributes:
        held: What waits.
        approval: As it was seen last; None before humans are asked.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the holder has, and what it is given
        self,
        held: Held,
        desk: Desk | None,
        decide: Callable[[Held], Decision],
        clock: Callable[[], datetime],
        asked: Callable[[Approval], None],
        at: Counter[str],
    ) -> None:
        self.held = held
        self.approval: Approval | None = None
        self._desk = desk
        self._decide = decide
        self._clock = clock
        self._asked = asked
        self._at = at  # how many wait for an approval, by its id
        self._counted = ""
        self._asking: asyncio.Task[Approval] | None = None
        self._task: asyncio.Task[object] | None = None
        self._why: Why | None = None
        self._again = False

    async def outcome(self) -> Release:
        """What came of it; to be awaited once.

        Raises:
            RefusedError: It may not go; the words are for whoever asked.
            InternalError: The store cannot be used, or what was decided cannot be recorded.
        """
        self._task = asyncio.current_task()
        try:
            if self._why is None:
                return await self._run()
        except asyncio.CancelledError:
            if self._why is None or self._task is None:
                raise
            self._task.uncancel()
        except ProctorError:
            raise
        except Exception as error:
            raise InternalError(
                "approvals-failed", "Whether it may happen could not be found out"
            ) from error
        finally:
            self._task = None
            self._uncount()
        raise await self._give_up(self._why or Why.GONE)

    def stop(self, why: Why) -> None:
        """Nobody waits any more. Again, or after the outcome, is harmless."""
        if self._why is None:
            self._why = why
            if self._task:
                self._task.cancel()

    async def _run(self) -> Release:
        held, desk = self.held, self._desk
        if desk is None or not held.terms:
            raise self._refused("nobody can be asked here", "approvals-off")
        if isinstance(held.decision.verdict, Hold):
            grants = desk.grants_for(
                held.principal.key,
                held.action.kind,
                held.terms,
                lambda grant: covers(grant, held.action),
            )
            if grants is not None and await desk.use_grants(grants):
                return Release(grants=grants)
        approval = await self._ask(desk)
        if approval.state is State.PENDING:
            approval = self.approval = await desk.settled(approval.id, self._until())
        if approval.state is State.PENDING and self._at[approval.id] == 1:  # nobody else waits
            await desk.left(approval.id)
        if approval.state is not State.APPROVED:
            raise self._answered(approval)
        if _stricter(self._decide(held), approval):
            void = "the rules have changed since it was approved"
            self.approval = await desk.cancel(approval.id, void)
            raise self._refused(void, "approval-void", approval)
        try:
            self.approval = await desk.use(approval.id)
        except ApprovalError as error:
            if error.code != "approval-state" or self._again:
                raise
            # The very same action was quicker, and an approval is used once: this one asks anew.
            self._again = True
            self._uncount()
            return await self._run()
        return Release(approval=self.approval)

    async def _ask(self, desk: Desk) -> Approval:
        # What is cancelled in the midst may still come to be asked: it has to be known by name.
        self._asking = spawn(desk.ask(self._question()), name="ask")
        self.approval = await asyncio.shield(self._asking)
        self._counted = self.approval.id
        self._at[self._counted] += 1
        self._asked(self.approval)
        return self.approval

    def _uncount(self) -> None:
        if self._counted:
            self._at[self._counted] -= 1
            if not self._at[self._counted]:
                del self._at[self._counted]
            self._counted = ""

    async def _give_up(self, why: Why) -> RefusedError:
        """Nobody waits any more; returns what whoever asked would be told."""
        if self._asking:
            await asyncio.wait({self._asking})
            if not self._asking.cancelled() and self._asking.exception() is None:
                self.approval = self.approval or self._asking.result()
        if self._desk and self.approval:
            try:
                if why in {Why.GONE, Why.STOPPING} and self._at[self.approval.id]:
                    pass  # a client may ask again before its first connection is seen to be gone
                elif why is Why.STOPPING:
                    await self._desk.left(self.approval.id)
                else:
                    self.approval = await self._desk.cancel(self.approval.id, why.value)
            except ProctorError as error:
                # It was decided or ended meanwhile, or the store is gone: nothing passes anyway.
                log.info("an approval was not given up", extra={"event": "hold", "got": error.code})
        if why is Why.STOPPING and self.approval:
            return self._refused(
                why.value, "approval-pending", self.approval, hint=_open(self.approval)
            )
        return self._refused(why.value, "approval-cancelled", self.approval)

    def _until(self) -> datetime:
        held = self.held
        wait = min(term.wait for term in held.terms)
        if held.patience is not None:
            wait = max(LEAST, min(wait, held.patience))
        if isinstance(held.decision.verdict, Deny):
            wait = timedelta(0)  # an appeal is for the retry
        return self._clock() + wait

    def _question(self) -> Asking:
        held = self.held
        principal = held.principal
        # An approval is for a run; what was only guessed to be part of one is part of none.
        guessed = held.session is not None and held.session.correlated_by == GUESSED
        session = None if guessed else held.session
        appeal = isinstance(held.decision.verdict, Deny)
        return Asking(
            origin=Origin.APPEAL if appeal else Origin.HOLD,
            kind=held.action.kind,
            listener=held.action.listener,
            digest=held.digest,
            target=held.card.title,
            shape=held.shape,
            pattern=held.pattern,
            principal=principal.key,
            subject=principal.subject,
            human=principal.human,
            groups=principal.groups,
            session=session.id if session else None,
            session_started=session.started if session else None,
            flow_id=held.flow_id,
            prompt=held.prompt,
            demands=held.terms,
            policy_version=held.decision.policy_version,
            ttl=min(term.ttl for term in held.terms),
            card=held.card,
            sealed=held.sealed,
        )

    def _answered(self, approval: Approval) -> RefusedError:
        reason = f": {approval.reason}" if approval.reason else ""
        match approval.state:
            case State.PENDING:
                appeal = approval.asking.origin is Origin.APPEAL
                said = self.held.decision.verdict.reason if appeal else "nobody has decided yet"
                return self._refused(
                    said,
                    "approval-pending",
                    approval,
                    hint=_open(approval),
                )
            case State.DENIED:
                names = ", ".join(vote.name for vote in approval.votes if not vote.approve)
                said = f"denied by {names or 'a reviewer'}{reason}"
                return self._refused(said, "approval-denied", approval)
            case State.EXPIRED:
                said = "nobody decided in time, so it has expired"
                return self._refused(said, "approval-expired", approval)
            case State.CANCELLED | State.USED | State.APPROVED:
                said = f"it was {approval.state.value}{reason}"
                return self._refused(said, "approval-cancelled", approval)

    def _refused(
        self, said: str, code: str, approval: Approval | None = None, hint: str = ""
    ) -> RefusedError:
        verdict = self.held.decision.verdict
        why = f" {verdict.reason}" if verdict.reason and verdict.reason != said else ""
        ends = "" if said.endswith((".", "!", "?")) else "."
        named = f" ({approval.id})" if approval and not hint else ""
        return RefusedError(
            code,
            f"{said[:1].upper()}{said[1:]}{ends}{why}{named}",
            hint=hint,
            rule_id=verdict.rule_id,
        )


def _open(approval: Approval) -> str:
    """What can still be done with an approval that nobody has decided."""
    appeal = approval.asking.origin is Origin.APPEAL
    name = approval.id
    what = f"An appeal is with the reviewers as {name}" if appeal else f"Approval {name} stays open"
    until = f"{approval.expires_at:%H:%M} UTC"
    return f"{what} until {until}; once it is given, the same request passes, once."


def _stricter(decision: Decision, approval: Approval) -> bool:
    """Whether the rules now ask for more than was asked."""
    match decision.verdict:
        case Allow():
            return False
        case Hold(terms=terms):
            return not set(terms) <= set(approval.asking.demands)
        case Deny(appeal=terms):
            appealed = approval.asking.origin is Origin.APPEAL and terms
            return not (appealed and set(terms) <= set(approval.asking.demands))
