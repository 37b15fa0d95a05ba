"""A desk in memory, for pages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

from proctor.approval import authority
from proctor.approval.model import (
    Approval,
    ApprovalError,
    Change,
    Grant,
    Kill,
    KillScope,
    Reviewer,
    State,
)
from tests.console.samples import (
    NOW,
    TERMS,
    vote,
)


class StandIn:
    """A desk that keeps everything in memory; who may do what is the real one's."""

    def __init__(self, approvals: Sequence[Approval] = ()) -> None:
        self.all = {each.id: each for each in approvals}
        self.given: dict[str, Grant] = {}
        self.killed: dict[str, Kill] = {}
        self.followers: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Change | None]]] = []
        self.seq = 0

    def change(self, subject: str, name: str, state: str) -> None:
        """Tell all followers, from any thread."""
        self.seq += 1
        told = Change(seq=self.seq, subject=subject, id=name, state=state, by="", reason="", at=NOW)
        for loop, queue in list(self.followers):
            loop.call_soon_threadsafe(queue.put_nowait, told)

    def put(self, one: Approval) -> None:
        self.all[one.id] = one
        self.change("approval", one.id, one.state.value)

    async def approval(self, name: str, reviewer: Reviewer) -> Approval:
        if name not in self.all:
            raise ApprovalError("approval-unknown", "There is no such approval", status=404)
        found = self.all[name]
        if error := authority.may_see(found, reviewer):
            raise error
        return found

    async def approvals(
        self,
        reviewer: Reviewer,
        *,
        states: Sequence[State] = (),
        shape: str = "",
        session: str = "",
        limit: int = 500,
        oldest_first: bool = False,
    ) -> list[Approval]:
        found = [
            each
            for each in self.all.values()
            if authority.may_see(each, reviewer) is None
            and (not states or each.state in states)
            and (not session or each.asking.session == session)
        ]
        found.sort(key=lambda each: each.requested_at, reverse=not oldest_first)
        return found[:limit]

    async def count(self, reviewer: Reviewer, states: Sequence[State] = ()) -> int:
        return len(await self.approvals(reviewer, states=states, limit=len(self.all)))

    async def unreviewed(self, reviewer: Reviewer, limit: int = 500) -> list[Approval]:
        found = await self.approvals(reviewer, limit=len(self.all), oldest_first=True)
        return [each for each in found if each.unreviewed][:limit]

    async def decide(
        self,
        name: str,
        reviewer: Reviewer,
        *,
        approve: bool,
        reason: str = "",
        grant: timedelta | None = None,
        uses: int | None = None,
        pattern: str = "",
        break_glass: bool = False,
    ) -> Approval:
        found = await self.approval(name, reviewer)
        check = authority.may_break_glass if break_glass else authority.may_decide
        demands = found.asking.demands
        error = check(found, reviewer) or authority.enough_said(reason, demands, needed=break_glass)
        if grant is not None:
            error = error or authority.grantable(demands, grant, uses)
        if found.state is not State.PENDING:
            error = ApprovalError("approval-state", f"It is {found.state.value} already")
        if error:
            raise error
        votes = (*found.votes, vote(reviewer, approve=approve, reason=reason))
        if not approve:
            state = State.DENIED
        else:
            state = (
                State.APPROVED if break_glass or authority.met(demands, votes) else State.PENDING
            )
        grant_id = ""
        if grant is not None and state is State.APPROVED:
            grant_id = f"gr_{len(self.given):016d}"
            self.given[grant_id] = Grant(
                id=grant_id,
                rule_id=demands[0].rule_id,
                principal=found.asking.principal,
                kind=found.asking.kind,
                pattern=pattern or found.asking.pattern,
                uses=uses,
                created_at=NOW,
                expires_at=NOW + grant,
                by=reviewer.key,
                reason=reason,
                approval_id=name,
            )
        done = replace(
            found,
            votes=votes,
            state=state,
            by=reviewer.key if state is not State.PENDING else "",
            reason=reason,
            decided_at=NOW if state is not State.PENDING else None,
            break_glass=break_glass,
            grant_id=grant_id,
        )
        self.put(done)
        return done

    async def reviewed(self, name: str, reviewer: Reviewer, reason: str = "") -> Approval:
        found = await self.approval(name, reviewer)
        if error := authority.may_review(found, reviewer):
            raise error
        self.put(replace(found, reviewed_by=reviewer.key))
        return self.all[name]

    async def reveal(self, name: str, reviewer: Reviewer, reason: str) -> dict[str, str]:
        found = await self.approval(name, reviewer)
        error = authority.may_reveal(found, reviewer) or authority.enough_said(reason, needed=True)
        if error:
            raise error
        return {"body:1:EMAIL_ADDRESS_bcdfghjklmnpqrst": "buyer@customer.example"}

    async def revoke(self, name: str, reviewer: Reviewer, reason: str = "") -> Grant:
        if name not in self.given:
            raise ApprovalError("grant-unknown", "There is no such grant", status=404)
        if error := authority.may_revoke(self.given[name], (TERMS,), reviewer):
            raise error
        self.given[name] = replace(self.given[name], revoked_at=NOW, revoked_by=reviewer.key)
        return self.given[name]

    async def kill(self, scope: KillScope, target: str, reviewer: Reviewer, reason: str) -> Kill:
        error = (
            authority.may_kill(reviewer)
            or authority.killable(scope, target)
            or authority.enough_said(reason, needed=True)
        )
        if error:
            raise error
        name = f"ki_{len(self.killed):016d}"
        made = Kill(id=name, scope=scope, target=target, by=reviewer.key, reason=reason, at=NOW)
        self.killed[name] = made
        self.change("kill", name, "killed")
        return made

    async def lift(self, name: str, reviewer: Reviewer, reason: str = "") -> Kill:
        if error := authority.may_kill(reviewer):
            raise error
        self.killed[name] = replace(self.killed[name], lifted_at=NOW, lifted_by=reviewer.key)
        return self.killed[name]

    async def grants(self, reviewer: Reviewer, *, open_only: bool = True) -> list[Grant]:
        return [each for each in self.given.values() if not open_only or each.open(NOW)]

    async def kills(self, reviewer: Reviewer, *, in_force: bool = True) -> list[Kill]:
        if not reviewer.roles:
            raise ApprovalError("approval-role", "This person has not the role for that")
        return [each for each in self.killed.values() if not in_force or not each.lifted_at]

    async def history(self, one: Approval, reviewer: Reviewer, limit: int = 5) -> list[Approval]:
        return [
            each
            for each in self.all.values()
            if each.id != one.id
            and each.asking.shape == one.asking.shape
            and any(said.reviewer == reviewer.key for said in each.votes)
        ][:limit]

    async def previous(self, one: Approval, _reviewer: Reviewer) -> Approval | None:
        found = [
            each
            for each in self.all.values()
            if (each.asking.shape, each.asking.principal)
            == (one.asking.shape, one.asking.principal)
            and each.requested_at < one.requested_at
        ]
        return max(found, key=lambda each: each.requested_at, default=None)

    @contextlib.asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[Change]]:
        queue: asyncio.Queue[Change | None] = asyncio.Queue(1000)
        entry = (asyncio.get_running_loop(), queue)
        self.followers.append(entry)

        async def changes() -> AsyncIterator[Change]:
            while (told := await queue.get()) is not None:
                yield told

        try:
            yield changes()
        finally:
            self.followers.remove(entry)
