"""A desk that only remembers, and answers as a test says."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from proctor.approval.model import Approval, ApprovalError, Asking, Grant, Kill, State, Via, Vote
from proctor.model import ActionKind, ApprovalTerms

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class FakeDesk:
    """One place for all approvals; everything happens in one loop.

    Attributes:
        approvals: By id.
        asked: Set whenever somebody has asked.
        grants: What `grants_for` gives.
        kill: What is in force.
        broken: Every call fails.
    """

    def __init__(self) -> None:
        self.approvals: dict[str, Approval] = {}
        self.grants: tuple[Grant, ...] | None = None
        self.used_grants = 0
        self.grants_hold = True
        self.kill: Kill | None = None
        self.broken = False
        self.gone: list[str] = []
        self._changed = asyncio.Condition()

    async def ask(self, asking: Asking) -> Approval:
        self._whole()
        for known in self.approvals.values():
            same = known.asking.digest == asking.digest
            if same and known.state in {State.PENDING, State.APPROVED}:
                return known
            if same and known.state is State.DENIED and known.asking.prompt == asking.prompt != "":
                return known
        made = Approval(
            id=f"ap_{len(self.approvals)}",
            asking=asking,
            nonce="n",
            state=State.PENDING,
            requested_at=NOW,
            expires_at=NOW + asking.ttl,
        )
        await self._put(made)
        return made

    async def settled(self, name: str, until: datetime) -> Approval:
        patience = (until - datetime.now(UTC)).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience), self._changed:
                await self._changed.wait_for(
                    lambda: self.approvals[name].state is not State.PENDING
                )
        return self.approvals[name]

    async def use(self, name: str) -> Approval:
        self._whole()
        if self.approvals[name].state is not State.APPROVED:
            raise ApprovalError("approval-state", "It is not approved")
        return await self.change(name, State.USED)

    async def cancel(self, name: str, reason: str, by: str = "proctor") -> Approval:
        return await self.change(name, State.CANCELLED, reason)

    async def left(self, name: str) -> None:
        self.gone.append(name)

    def grants_for(
        self,
        principal: str,
        kind: ActionKind,
        terms: Sequence[ApprovalTerms],
        matches: Callable[[Grant], bool],
    ) -> tuple[Grant, ...] | None:
        return self.grants

    async def use_grants(self, grants: Sequence[Grant]) -> bool:
        self.used_grants += len(grants)
        return self.grants_hold

    def killed(
        self, principal: str, subject: str, human: str | None, session: str | None
    ) -> Kill | None:
        if self.broken:
            raise ApprovalError("approvals-unavailable", "The store cannot be used", status=503)
        return self.kill

    # What a test does.

    async def pending(self, count: int = 1) -> list[Approval]:
        """The pending ones, once there are so many."""

        def found() -> list[Approval]:
            return [each for each in self.approvals.values() if each.state is State.PENDING]

        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(found()) >= count)
        return found()

    async def change(self, name: str, state: State, reason: str = "", by: str = "bob") -> Approval:
        """Have somebody decide."""
        vote = Vote(
            reviewer=by,
            identities=frozenset({by}),
            name=by,
            groups=(),
            approve=state is State.APPROVED,
            reason=reason,
            at=NOW,
            via=Via.CONSOLE,
        )
        known = self.approvals[name]
        made = replace(known, state=state, reason=reason, by=by, votes=(*known.votes, vote))
        await self._put(made)
        return made

    async def _put(self, approval: Approval) -> None:
        async with self._changed:
            self.approvals[approval.id] = approval
            self._changed.notify_all()

    def _whole(self) -> None:
        if self.broken:
            raise ApprovalError("approvals-unavailable", "The store cannot be used", status=503)


def terms(rule: str = "held", wait: float = 30, **more: object) -> ApprovalTerms:
    """What a holding rule asks."""
    return ApprovalTerms(
        rule_id=rule,
        rule_reason="A human has to look.",
        from_groups=("reviewers",),
        wait=timedelta(seconds=wait),
        **more,  # type: ignore[arg-type]  # fields of ApprovalTerms
    )
