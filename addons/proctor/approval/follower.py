"""Follows the store: wakes whoever waits, puts changes on record, tells subscribers.

Changes of this process are read at once, those of others at the next look. All of them take the
same way: read in order in the store's thread, then acted upon in the loop. What this process
changed it also puts on record; what another one changed only where that has not happened for so
long that it must have died.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from proctor.approval import lifecycle
from proctor.approval.model import Approval, ApprovalError, Change, Grant, Kill, State
from proctor.approval.standing import Standing
from proctor.approval.store import Store
from proctor.approval.storethread import StoreThread
from proctor.approval.subscription import Subscription
from proctor.approval.writing import Item, Ledger, Own, Writing
from proctor.errors import InternalError
from proctor.runtime.tasks import spawn

log = logging.getLogger(__name__)

IDLE: Final = 0.25
"""Seconds between two looks while nobody waits: kills of other processes are seen by then."""

BLIND: Final = 5.0
"""Seconds without a look that worked, after which a kill might have been missed."""

ORPHANED: Final = timedelta(seconds=10)
"""After so long a change that is not on record is put there by whoever sees it."""

MAX_GRANTS: Final = 10_000
"""Grants held in memory; older ones beyond that are as if they were not there."""

_SWEEP: Final = 5.0  # seconds, and up to as long again so that two processes do not sweep together
_FORGET: Final = 3600.0
_TOGETHER: Final = 0.01
_AT_ONCE: Final = 1000

type Record = Callable[[Change, Item], Awaitable[None]]


@dataclass(slots=True)
class _Seen:
    """What one look found."""

    changes: list[Change] = field(default_factory=list[Change])
    approvals: list[Approval] = field(default_factory=list[Approval])
    grants: list[Grant] | None = None
    kills: list[Kill] | None = None
    version: int | None = None


class Follower:
    """Follows one store for one process.

    Args:
        store: It; closed with the follower.
        clock: The present.
        record: Puts a change on record.
        poll: Seconds between two looks while somebody waits.
        keep: How long what is over stays in the store.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], datetime],
        record: Record,
        poll: float,
        keep: timedelta,
    ) -> None:
        self.standing = Standing()
        self.on_kill: list[Callable[[Kill], None]] = []
        self._thread = StoreThread(store)
        self._clock = clock
        self._record = record
        self._poll = min(poll, IDLE)
        self._keep = keep
        self._waiting: dict[str, list[asyncio.Future[Approval | None]]] = {}
        self._subscribers: set[Subscription] = set()
        self._recording: set[asyncio.Task[None]] = set()
        self._under_way: set[int] = set()
        self._recorded: list[int] = []
        self._task: asyncio.Task[None] | None = None
        self._nudged = asyncio.Event()
        self._soon = False
        self._last = 0
        self._version: int | None = None
        self._looking_since: float | None = None
        self._closing = asyncio.Event()
        self._ledger = Ledger()
        self._started = False

    async def start(self) -> None:
        """Read what is in force, expire what is overdue, and begin to follow."""
        self._last = await self._thread.run(lambda store: store.last_change())
        now = self._clock()
        grants = await self._thread.run(lambda s: s.grants(open_at=now, limit=MAX_GRANTS))
        self.standing.set_grants(grants)
        self.standing.set_kills(await self._thread.run(lambda store: store.kills()))
        await self._look()
        self._task = spawn(self._follow(), name="approvals.follow")
        self._started = True

    async def close(self) -> None:
        """Wake everybody, put on record what is left, and close the store."""
        self._closing.set()
        self._nudged.set()
        if self._task is not None:
            await asyncio.wait({self._task})
        names = list(self._waiting)
        try:
            await self._thread.drained()
            await self._look()
            for approval in await self._thread.run(lambda store: existing(store, names)):
                self._wake(approval)
        except Exception as error:
            log.exception("Approvals end unread", extra={"event": "approvals.unread"})
            self._ledger.give_up(error)
        for future in chain.from_iterable(self._waiting.values()):
            _settle(future)  # that it cannot be known, they find out themselves
        for subscription in list(self._subscribers):
            subscription.close()
        while self._recording:
            await asyncio.wait(self._recording)
        try:
            await self._mark()
        finally:
            await self._thread.close()

    def check(self) -> None:
        """Nothing, unless other processes' kills might be missed.

        Raises:
            ApprovalError: `approvals-unavailable`.
        """
        self._open()
        since = self._looking_since
        if since is not None and asyncio.get_running_loop().time() - since > BLIND:
            raise _unavailable(
                "The store of approvals cannot be read",
                "Nothing passes while a kill might be missed. The log says more: approvals.unread.",
            )

    async def read[T](self, job: Callable[[Store], T]) -> T:
        """Do this in the store's thread."""
        return await self._thread.run(job)

    async def write[T](
        self, job: Callable[[Writing], T], *, strict: bool = False, urgent: bool = False
    ) -> T:
        """Do this in the store's thread; returns once its changes were acted upon and recorded.

        Args:
            job: What.
            strict: Raise where it could not be put on record, which otherwise is logged and tried
                again later.
            urgent: Before what others want.
        """
        self._open()
        made: list[Own] = []

        def work(store: Store) -> T:
            writing = Writing(store, self._ledger)
            try:
                return job(writing)
            finally:
                made.extend(writing.made)

        value = await self._thread.run(work, urgent=urgent)
        if made and urgent:
            self._nudged.set()
        elif made and not self._soon:
            # Many that come together are looked at together.
            self._soon = True
            asyncio.get_running_loop().call_later(_TOGETHER, self._nudge)
        for own in made:
            error = await asyncio.wrap_future(own.done)
            if error is not None and strict:
                raise InternalError(
                    "approval-unrecorded",
                    "A change of an approval could not be put on record",
                    hint="Nothing leaves without a record; see the log for the cause.",
                ) from None
        return value

    def _nudge(self) -> None:
        self._soon = False
        self._nudged.set()

    def _open(self) -> None:
        if not self._started or self._closing.is_set():
            raise _unavailable("Approvals are closed", "The gateway is starting or stopping.")

    async def settled(self, name: str, until: datetime) -> Approval:
        """The approval once it is no longer pending; as it is at `until`, or when this closes."""
        loop = asyncio.get_running_loop()
        future = self._enlist(name)
        try:
            while True:
                # Thousands may wait, so none of them keeps the approval itself.
                found = await self._thread.run(lambda store: store.get(name))
                now, ends = self._clock(), found.expires_at
                over = found.state is not State.PENDING or self._closing.is_set()
                if over or (now >= until and now < ends):
                    return found
                del found
                if now >= ends:
                    await self._thread.run(self._expire, urgent=True)
                    self._nudged.set()
                    continue
                timer = loop.call_later((min(until, ends) - now).total_seconds(), _settle, future)
                try:
                    settled = await future
                finally:
                    timer.cancel()
                if settled is not None:
                    return settled
                self._leave(name, future)
                future = self._enlist(name)
        finally:
            self._leave(name, future)

    def _enlist(self, name: str) -> asyncio.Future[Approval | None]:
        future: asyncio.Future[Approval | None] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._nudged.set()  # looks are closer together while somebody waits
        self._waiting.setdefault(name, []).append(future)
        return future

    def _leave(self, name: str, future: asyncio.Future[Approval | None]) -> None:
        futures = self._waiting[name]
        futures.remove(future)
        if not futures:
            del self._waiting[name]

    def subscribe(self) -> Subscription:
        """Every change from now on."""
        subscription = Subscription(self._subscribers)
        if self._closing.is_set():
            subscription.close()
        self._nudged.set()
        return subscription

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        sweep = forget = mark = loop.time()
        failing = False
        while not self._closing.is_set():
            busy = self._waiting or self._subscribers
            if not self._nudged.is_set():
                await _first(self._nudged, self._poll if busy else IDLE)
            self._nudged.clear()
            try:
                await self._look()
                now = loop.time()
                if now >= mark:
                    mark = now + IDLE
                    await self._mark()
                if now >= sweep:
                    sweep = now + _SWEEP * (1 + random.random())  # noqa: S311 - spread, no secret
                    await self._sweep()
                if now >= forget:
                    forget = now + _FORGET
                    await self._forget()
                failing = False
            except Exception as error:
                if not failing:
                    log.exception(
                        "Approvals cannot be followed", extra={"event": "approvals.unread"}
                    )
                failing = True
                self._ledger.give_up(error)
                await asyncio.sleep(self._poll)  # not in a circle around a broken store

    async def _look(self) -> None:
        if self._looking_since is None:
            self._looking_since = asyncio.get_running_loop().time()
        more = True
        while more:
            seen = await self._thread.run(self._read_changes, urgent=True)
            # It can be read: what is done about a kill in it must not be told that it cannot.
            self._looking_since = asyncio.get_running_loop().time()
            more = self._act(seen)
        self._looking_since = None

    def _expire(self, store: Store) -> None:
        now = self._clock()
        names = store.overdue(now)
        if names:
            Writing(store, self._ledger).update_many(
                names[:_AT_ONCE],
                lambda item: lifecycle.expired(item, now) if lifecycle.due(item, now) else None,
            )

    def _read_changes(self, store: Store) -> _Seen:
        self._expire(store)
        version = store.version()
        if version == self._version:
            return _Seen(version=version)
        changes = store.changes(self._last, _AT_ONCE)
        seen = _Seen(changes=changes, version=version)
        names = {change.id for change in changes if change.subject == "approval"}
        seen.approvals = existing(store, (name for name in names if name in self._waiting))
        subjects = {change.subject for change in changes}
        if "grant" in subjects:
            seen.grants = store.grants(open_at=self._clock(), limit=MAX_GRANTS)
        if "kill" in subjects:
            seen.kills = store.kills()
        return seen

    def _act(self, seen: _Seen) -> bool:
        """Returns whether there may be more to read."""
        if seen.grants is not None:
            self.standing.set_grants(seen.grants)
        fresh = self.standing.set_kills(seen.kills) if seen.kills is not None else []
        for approval in seen.approvals:
            if approval.state is not State.PENDING:
                self._wake(approval)
        for kill in fresh:
            self._kill(kill)
        mine: list[tuple[Change, Item, Own | None]] = []
        for change in seen.changes:
            self._last = change.seq
            for subscription in list(self._subscribers):
                subscription.put(change)
            if own := self._ledger.take(change):
                mine.append((change, own.item, own))
        self._put_on_record(mine)
        more = len(seen.changes) == _AT_ONCE
        if not more:
            self._version = seen.version
        return more

    def _wake(self, approval: Approval) -> None:
        for future in self._waiting.get(approval.id, ()):
            _settle(future, approval)

    def _kill(self, kill: Kill) -> None:
        for callback in self.on_kill:
            try:
                callback(kill)
            except Exception:
                # The others still have to be ended.
                log.exception("A kill was not acted upon", extra={"event": "kill.failed"})

    async def _forget(self) -> None:
        before = self._clock() - self._keep
        await self._thread.run(lambda store: store.forget(before), urgent=True)

    async def _sweep(self) -> None:
        before = self._clock() - ORPHANED

        def job(store: Store) -> list[tuple[Change, Item, Own | None]]:
            changes = store.unrecorded(before, _AT_ONCE)
            items = _items(store, changes)
            return [(change, items.get(change.id), None) for change in changes]

        entries = await self._thread.run(job, urgent=True)
        self._put_on_record([e for e in entries if e[0].seq not in self._under_way])

    def _put_on_record(self, entries: Sequence[tuple[Change, Item, Own | None]]) -> None:
        if entries:
            self._under_way.update(change.seq for change, _, _ in entries)
            task = spawn(self._record_all(entries), name="approvals.record")
            self._recording.add(task)
            task.add_done_callback(self._recording.discard)

    async def _record_all(self, entries: Sequence[tuple[Change, Item, Own | None]]) -> None:
        results = await asyncio.gather(
            *(self._record(change, item) for change, item, _ in entries), return_exceptions=True
        )
        for (change, _, own), error in zip(entries, results, strict=True):
            if error is None:
                self._recorded.append(change.seq)
            else:
                self._under_way.discard(change.seq)
                log.error(
                    "A change of an %s is not on record: %s",
                    change.subject,
                    type(error).__name__,
                    extra={"event": "approval.unrecorded", "id": change.id},
                )
            if own:
                own.end(error)

    async def _mark(self) -> None:
        """Say in the store what is on record. What is not said is recorded again, as the same."""
        done = tuple(self._recorded)
        if done:
            await self._thread.run(lambda store: store.recorded(done), urgent=True)
            del self._recorded[: len(done)]
            self._under_way.difference_update(done)


def _unavailable(message: str, hint: str) -> ApprovalError:
    return ApprovalError(code="approvals-unavailable", message=message, hint=hint, status=503)


def _items(store: Store, changes: Sequence[Change]) -> dict[str, Item]:
    """What these changes were about, as it is now; what is gone is not there."""
    subjects = {change.subject for change in changes}
    items: dict[str, Item] = {}
    if "grant" in subjects:
        items |= {grant.id: grant for grant in store.grants(limit=MAX_GRANTS)}
    if "kill" in subjects:
        items |= {kill.id: kill for kill in store.kills(in_force=False)}
    names = {change.id for change in changes if change.subject == "approval"}
    return items | {approval.id: approval for approval in existing(store, names)}


def existing(store: Store, names: Iterable[str]) -> list[Approval]:
    """Those of them that are still there."""
    found: list[Approval] = []
    for name in names:
        try:
            found.append(store.get(name))
        except ApprovalError as error:
            if error.code != "approval-unknown":
                raise
    return found


def _settle(future: asyncio.Future[Approval | None], value: Approval | None = None) -> None:
    if not future.done():
        future.set_result(value)


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
