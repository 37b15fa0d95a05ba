"""The desk: where a held action waits, and where humans decide it. One for each gateway process.

The gate, the console, the API and Slack talk to it and to nothing below. It checks who may do what
(`authority`), moves approvals along their life cycle (`lifecycle`) in the store's transactions, and
sees to it that whoever waits is woken and that every change is put on record (`follower`).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from proctor.approval import lifecycle
from proctor.approval.authority import (
    carried,
    enough_said,
    grantable,
    has_role,
    killable,
    may_break_glass,
    may_decide,
    may_kill,
    may_reveal,
    may_review,
    may_revoke,
    may_see,
    may_see_grant,
    met,
    sees,
    sees_all,
    too_wide,
)
from proctor.approval.follower import MAX_GRANTS, Follower, existing
from proctor.approval.giving import Given, gives, grants_of, may_give
from proctor.approval.grants import too_wide_for
from proctor.approval.joining import joins
from proctor.approval.model import (
    Approval,
    ApprovalError,
    Asking,
    Audience,
    Change,
    Grant,
    Kill,
    KillScope,
    Origin,
    Reviewer,
    Role,
    State,
    Vote,
)
from proctor.approval.store import Store
from proctor.approval.subscription import Subscription
from proctor.approval.writing import Writing
from proctor.model import ActionKind, ApprovalTerms

_READ: Final = 500  # approvals that are looked through for what somebody decided before
_DECIDED: Final = tuple(state for state in State if state is not State.PENDING)


class Desk:
    """Asks humans, and takes their answers.

    Args:
        store: Shared by all gateways and the console; closed with the desk.
        clock: The present, with its zone.
        record: Puts a change on record, with what changed as it is after it; None where that is
            gone. What it raises is the reason why nothing leaves.
        open_sealed: Decrypts `Asking.sealed`: what stands on the card → the value.
        poll: Seconds between two looks for other processes' changes while somebody waits.
        keep: Seconds for which what is settled stays in the store.
    """

    def __init__(  # noqa: PLR0913 - a port for each thing outside
        self,
        store: Store,
        *,
        clock: Callable[[], datetime],
        record: Callable[[Change, Approval | Grant | Kill | None], Awaitable[None]],
        open_sealed: Callable[[bytes], dict[str, str]],
        poll: float = 0.05,
        keep: float = 2592000.0,
    ) -> None:
        self._clock = clock
        self._open_sealed = open_sealed
        self._follower = Follower(
            store, clock=clock, record=record, poll=poll, keep=timedelta(seconds=keep)
        )
        self.on_kill: list[Callable[[Kill], None]] = self._follower.on_kill

    async def start(self) -> None:
        """Read grants and kills, expire what is overdue, and begin to follow other processes."""
        await self._follower.start()

    async def close(self) -> None:
        """Wake whoever waits with the approval as it is, and close the store."""
        await self._follower.close()

    # For the gate.

    async def ask(self, asking: Asking) -> Approval:
        """Ask humans, or join what was asked or answered before for the same action.

        Returns:
            The approval, in any state but `used` and `cancelled`: a retry may find it approved,
            and the retry of the same question may find it denied or expired.
        """
        if asking.card.hidden and asking.pattern:
            asking = replace(asking, pattern="")  # it would show what the card hides
        now = self._clock()
        return await self._follower.write(_add(asking, now), strict=True)

    async def settled(self, name: str, until: datetime) -> Approval:
        """Wait until an approval is no longer pending, or until that moment, or the desk's end."""
        return await self._follower.settled(name, until)

    async def use(self, name: str) -> Approval:
        """Use up an approval: the one moment after which its action may leave.

        Returns once that is on record.

        Raises:
            ApprovalError: `approval-state` where it is not approved, or its end has come.
        """
        now = self._clock()

        def change(found: Approval) -> tuple[Approval, Change]:
            if found.asking.origin is Origin.GRANT:
                raise _state("It gives a grant, and lets nothing pass itself", found)
            if found.state is State.APPROVED and not carried(found):
                raise _state("The votes that are there do not carry it", found)
            return lifecycle.used(found, now)

        return await self._follower.write(
            lambda writing: writing.update(name, change), strict=True, urgent=True
        )

    async def cancel(self, name: str, reason: str, by: str = "proctor") -> Approval:
        """End an approval that is pending or not yet used, such as when its client is gone."""
        now = self._clock()
        return await self._follower.write(
            lambda writing: writing.update(
                name, lambda found: lifecycle.cancelled(found, now, reason, by)
            )
        )

    async def left(self, name: str) -> None:
        """Nobody waits for it any more; it stays pending until its end."""
        now = self._clock()

        def job(writing: Writing) -> None:
            if writing.store.get(name).waiting:
                writing.update(name, lambda found: lifecycle.gone(found, now))

        await self._follower.write(job)

    def grants_for(
        self,
        principal: str,
        kind: ActionKind,
        terms: Sequence[ApprovalTerms],
        matches: Callable[[Grant], bool],
    ) -> tuple[Grant, ...] | None:
        """One open grant for each of the terms, or None unless all are covered; from memory.

        Args:
            principal: `Principal.key` of whoever acts.
            kind: Of the action.
            terms: What the holding rules ask.
            matches: Whether a grant's pattern means this action: `grants.covers`.
        """
        now = self._clock()
        return self._follower.standing.grants_for(principal, kind, terms, matches, now)

    async def use_grants(self, grants: Sequence[Grant]) -> bool:
        """Count one use of each; False if one was used up, revoked or over meanwhile.

        Returns once that is on record.
        """
        now = self._clock()
        names = {grant.id for grant in grants}

        def job(writing: Writing) -> bool:
            for name in names:
                try:
                    writing.update_grant(name, lambda found: lifecycle.counted(found, now))
                except ApprovalError as error:
                    if error.code in {"approval-state", "grant-unknown"}:
                        return False
                    raise
            return bool(names)

        return await self._follower.write(job, strict=True, urgent=True)

    def killed(
        self, principal: str, subject: str, human: str | None, session: str | None
    ) -> Kill | None:
        """The kill in force that ends this caller's exchanges, if any; from memory.

        Raises:
            ApprovalError: `approvals-unavailable` where the store cannot be read for so long that
                a kill might have been missed.
        """
        self._follower.check()
        return self._follower.standing.killed(principal, subject, human, session)

    # For people.

    async def decide(  # noqa: PLR0913 - what can be said with a decision
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
        """Give one human's vote.

        Args:
            name: The approval's id.
            reviewer: Who decides.
            approve: Yes or no.
            reason: In their words.
            grant: With an approval: let what `pattern` says pass for so long.
            uses: How often that grant may be used; None for any number.
            pattern: Of the grant; empty for the one that was suggested, `Asking.pattern`.
            break_glass: Approve alone, whatever groups and number the rules ask for.

        Returns:
            The approval after it; still pending where others have to agree.

        Raises:
            ApprovalError: This person may not, or not any more.
        """
        now = self._clock()
        words = reason.strip()
        given = Given(grant, uses, pattern.strip()) if approve and grant is not None else None
        vote = Vote(
            reviewer=reviewer.key,
            identities=reviewer.identities,
            name=reviewer.name or reviewer.subject,
            groups=reviewer.groups,
            approve=approve,
            reason=words,
            at=now,
            via=reviewer.via,
            break_glass=approve and break_glass,
        )

        def change(found: Approval) -> tuple[Approval, Change]:
            asking = found.asking
            may = may_break_glass if vote.break_glass else may_decide
            _check(may(found, reviewer))
            _check(enough_said(words, asking.demands, needed=vote.break_glass))
            _check(None if given is None else may_give(found, vote, given))
            votes = (
                *(item for item in found.votes if item.identities.isdisjoint(vote.identities)),
                vote,
            )
            done, note = lifecycle.voted(
                found, vote, met=vote.break_glass or met(asking.demands, votes), now=now
            )
            if done.state is State.APPROVED and gives(asking, given):
                names = " ".join(lifecycle.new_name("gr") for _ in asking.demands)
                done = replace(done, grant_id=names)
            return done, note

        def job(writing: Writing) -> Approval:
            done = writing.update(name, change)
            if done.state is State.APPROVED:
                for fresh in grants_of(done, given, now):
                    writing.add_grant(fresh)
            elif done.state is State.DENIED:
                _take_back(writing, done, reviewer, now)
            if done.state is State.APPROVED and done.asking.origin is Origin.GRANT:
                # With the grant it has given what it had to give.
                done = writing.update(name, lambda found: lifecycle.used(found, now))
            return done

        return await self._follower.write(job, urgent=True)

    async def reviewed(self, name: str, reviewer: Reviewer, reason: str = "") -> Approval:
        """Note that somebody else has looked at an approval for which the glass was broken."""
        now, words = self._clock(), reason.strip()
        _check(enough_said(words))

        def change(found: Approval) -> tuple[Approval, Change]:
            _check(may_review(found, reviewer))
            return lifecycle.reviewed(found, reviewer, words, now)

        return await self._follower.write(lambda writing: writing.update(name, change))

    async def reveal(self, name: str, reviewer: Reviewer, reason: str) -> dict[str, str]:
        """The values that the card hides, by what stands in their place; once that is on record."""
        now, words = self._clock(), reason.strip()
        found = await self._follower.read(lambda store: store.get(name))
        _check(may_reveal(found, reviewer))
        _check(enough_said(words, needed=True))
        values = self._open_sealed(found.asking.sealed) if found.asking.sealed else {}
        note = lifecycle.revealed(found, reviewer.key, words, now)
        await self._follower.write(lambda writing: writing.note(found, note), strict=True)
        return values

    async def request_grant(self, asking: Asking) -> Approval:
        """Ask for access beforehand; anybody may, for asking decides nothing."""
        if asking.origin is not Origin.GRANT or asking.for_ is None:
            raise too_wide("It is not clear for how long", got="no duration", expected="such as 1h")
        _check(grantable(asking.demands, asking.for_))
        _check(too_wide_for(asking.kind, asking.pattern))
        _check(enough_said(asking.reason, asking.demands))
        return await self._follower.write(_add(asking, self._clock()), strict=True)

    async def revoke(self, name: str, reviewer: Reviewer, reason: str = "") -> Grant:
        """Take a grant back: its rule's reviewers, admins, and whoever gave it."""
        now, words = self._clock(), reason.strip()
        _check(enough_said(words))
        grants = {grant.id: grant for grant in await self._all_grants(open_only=False)}
        demands = await self._demands([grants[name]] if name in grants else [])

        def change(found: Grant) -> tuple[Grant, Change]:
            _check(may_revoke(found, demands.get(found.approval_id, ()), reviewer))
            return lifecycle.revoked(found, reviewer.key, words, now)

        return await self._follower.write(
            lambda writing: writing.update_grant(name, change), urgent=True
        )

    async def kill(self, scope: KillScope, target: str, reviewer: Reviewer, reason: str) -> Kill:
        """End what runs in a scope, and refuse what is new, until it is lifted: admins."""
        target, words = target.strip(), reason.strip()
        _check(may_kill(reviewer))
        _check(killable(scope, target))
        _check(enough_said(words, needed=True))
        kill = Kill(
            id=lifecycle.new_name("ki"),
            scope=scope,
            target=target,
            by=reviewer.key,
            reason=words,
            at=self._clock(),
        )
        return await self._follower.write(lambda writing: writing.add_kill(kill), urgent=True)

    async def lift(self, name: str, reviewer: Reviewer, reason: str = "") -> Kill:
        """End a kill: admins."""
        now, words = self._clock(), reason.strip()
        _check(may_kill(reviewer))
        _check(enough_said(words))
        return await self._follower.write(
            lambda writing: writing.lift(
                name, lambda found: lifecycle.lifted(found, reviewer.key, words, now)
            )
        )

    async def approval(self, name: str, reviewer: Reviewer) -> Approval:
        """One approval that this person may see."""
        found = await self._follower.read(lambda store: store.get(name))
        _check(may_see(found, reviewer))
        return found

    async def approvals(  # noqa: PLR0913 - what it can be searched by
        self,
        reviewer: Reviewer,
        *,
        states: Sequence[State] = (),
        shape: str = "",
        session: str = "",
        limit: int = 500,
        oldest_first: bool = False,
    ) -> list[Approval]:
        """The approvals that this person may see, the youngest first."""
        found = await self._follower.read(
            lambda store: store.approvals(
                states=states,
                shape=shape,
                session=session,
                limit=limit,
                audiences=_seen(store, states, reviewer),
                oldest_first=oldest_first,
            )
        )
        return [item for item in found if may_see(item, reviewer) is None]

    async def count(self, reviewer: Reviewer, states: Sequence[State] = ()) -> int:
        """How many approvals this person may see."""
        return await self._follower.read(
            lambda store: store.count(states=states, audiences=_seen(store, states, reviewer))
        )

    async def unreviewed(self, reviewer: Reviewer, limit: int = 500) -> list[Approval]:
        """Those this person may see that broke the glass and nobody has looked at since."""
        found = await self._follower.read(
            lambda store: store.unreviewed(audiences=_seen(store, (), reviewer), limit=limit)
        )
        return [item for item in found if may_see(item, reviewer) is None]

    async def grants(self, reviewer: Reviewer, *, open_only: bool = True) -> list[Grant]:
        """The grants that this person may see, the youngest first."""
        found = await self._all_grants(open_only=open_only)
        demands = await self._demands(found)
        return [
            grant
            for grant in found
            if may_see_grant(grant, demands.get(grant.approval_id, ()), reviewer) is None
        ]

    async def kills(self, reviewer: Reviewer, *, in_force: bool = True) -> list[Kill]:
        """Kills, the youngest first; for whoever has a role."""
        _check(has_role(reviewer, *Role))
        return await self._follower.read(lambda store: store.kills(in_force=in_force))

    async def history(
        self, approval: Approval, reviewer: Reviewer, limit: int = 5
    ) -> list[Approval]:
        """What this person decided on the same shape before, the youngest first."""
        found = await self._follower.read(
            lambda store: store.approvals(states=_DECIDED, shape=approval.asking.shape, limit=_READ)
        )
        mine = [
            item
            for item in found
            if item.id != approval.id
            and any(not vote.identities.isdisjoint(reviewer.identities) for vote in item.votes)
        ]
        return mine[:limit]

    async def previous(self, approval: Approval, reviewer: Reviewer) -> Approval | None:
        """The one before of the same shape and principal, to show what differs.

        None where this person may not see it.
        """
        asking = approval.asking
        found = await self._follower.read(
            lambda store: store.approvals(
                principal=asking.principal,
                shape=asking.shape,
                before=approval.requested_at,
                limit=1,
            )
        )
        return found[0] if found and may_see(found[0], reviewer) is None else None

    def follow(self) -> Subscription:
        """Every change from now on, of all processes: `async with desk.follow() as changes`.

        A reader that falls behind by more than 1,000 changes is dropped: its iteration ends.
        """
        return self._follower.subscribe()

    async def _all_grants(self, *, open_only: bool) -> list[Grant]:
        at = self._clock() if open_only else None
        return await self._follower.read(lambda store: store.grants(open_at=at, limit=MAX_GRANTS))

    async def _demands(self, grants: Sequence[Grant]) -> dict[str, tuple[ApprovalTerms, ...]]:
        """What was asked of humans, by approval, where that is still there."""
        names = {grant.approval_id for grant in grants}
        found = await self._follower.read(lambda store: existing(store, names))
        return {item.id: item.asking.demands for item in found}


def _seen(store: Store, states: Sequence[State], reviewer: Reviewer) -> list[Audience] | None:
    """The audiences this person is in; None where they see all."""
    if sees_all(reviewer):
        return None
    return [each for each in store.audiences(states) if sees(each, reviewer)]


def _add(asking: Asking, now: datetime) -> Callable[[Writing], Approval]:
    fresh = lifecycle.requested(asking, now)

    def job(writing: Writing) -> Approval:
        found = writing.add(fresh, join=lambda there: joins(asking, there, now))
        if found.state is State.PENDING and not found.waiting and fresh.waiting:
            try:
                return writing.update(found.id, lambda item: lifecycle.waiting(item, now))
            except ApprovalError as error:
                if error.code != "approval-state":
                    raise
                return writing.store.get(found.id)  # it was decided, or ended, this moment
        return found

    return job


def _take_back(writing: Writing, denied: Approval, reviewer: Reviewer, now: datetime) -> None:
    """A denial wins over an approval, and so over the grants that came with it."""
    for name in denied.grant_id.split():
        try:
            writing.update_grant(
                name, lambda found: lifecycle.revoked(found, reviewer.key, denied.reason, now)
            )
        except ApprovalError as error:
            if error.code not in {"approval-state", "grant-unknown"}:
                raise


def _check(error: ApprovalError | None) -> None:
    if error is not None:
        raise error


def _state(message: str, found: Approval) -> ApprovalError:
    return ApprovalError(code="approval-state", message=message, got=found.state.value)
