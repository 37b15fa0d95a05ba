"""What happens to a record with time: days go, what somebody typed is erased, holds stop both.

One for each gateway process. It looks after its own writer, and after those that nobody is; other
processes look after theirs. Everything is on record before it happens.
"""

import asyncio
import json
import logging
import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from time import monotonic
from typing import Final

from proctor.approval.sqlite import SqliteStore
from proctor.audit.envelope import timestamp
from proctor.audit.inquiry import open_record
from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.errors import ClientError, InternalError
from proctor.evidence import erasure, holds
from proctor.evidence.dropping import Dropping, Plan
from proctor.evidence.erasure import Order, Part
from proctor.evidence.holds import ADDED, RELEASED, Hold, Subject
from proctor.evidence.posts import Post, vacant
from proctor.evidence.retention import TEXT_VIEWS, Cutoffs, RetentionSettings, floor_of
from proctor.evidence.rewriting import ERASURE, RETENTION
from proctor.evidence.sealer import Sealing
from proctor.evidence.sizes import days_of, writers_of
from proctor.search.indexer import FOLDER as INDEX
from proctor.search.indexer import Indexer

log = logging.getLogger(__name__)

HOUR: Final = 3600.0
LOOK: Final = 5.0
_NAMED: Final = 5000  # scopes in one event
_ROUNDS: Final = 3
_DONE: Final = "erasure.done"
_LETTERS: Final = string.ascii_lowercase + string.digits

type Cards = Callable[[Subject], Awaitable[tuple[int, int]]]
"""Takes away what approvals show of a subject: how many were, and how many cannot be yet."""


def cards_of(store: SqliteStore) -> Cards:
    """Takes away what the approvals in a store show."""

    async def erase(subject: Subject) -> tuple[int, int]:
        return await asyncio.to_thread(store.erase, subject.principal, subject.session)

    return erase


async def no_cards(_subject: Subject) -> tuple[int, int]:
    """Where no approvals are kept."""
    return 0, 0


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Looks after one record.

    Attributes:
        recorder: This process's writer.
        settings: How long what is kept.
        clock: The time, UTC.
        sealing: How checkpoints are signed; None: they are not.
        cards: Takes away what approvals show.
        pace: Of writers that nobody is.
        every: Seconds between two looks at what is old.
        look: Seconds between two looks at what is to be erased.
        trouble: Code of what keeps it from its work, or empty.
    """

    recorder: Recorder
    settings: RetentionSettings
    clock: Callable[[], datetime]
    sealing: Sealing | None = None
    cards: Cards = no_cards
    pace: Pace = field(default_factory=Pace)
    every: float = HOUR
    look: float = LOOK
    trouble: str = ""
    _seen: dict[str, dict[str, tuple[object, ...]]] = field(
        default_factory=dict[str, dict[str, tuple[object, ...]]]
    )
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def store(self) -> Store:
        """The record."""
        return self.recorder.store

    async def run(self) -> None:
        """Does what is due, for ever. What fails is said, and tried again."""
        due = monotonic()
        while True:
            self._woken.clear()
            try:
                await self.carry_out()
                if monotonic() >= due:
                    await self.retain()
                    due = monotonic() + self.every
                self.trouble = ""
            except Exception as error:  # noqa: BLE001 - the disk's, DuckDB's; said, and tried again
                code = error.code if isinstance(error, InternalError) else type(error).__name__
                if code != self.trouble:
                    log.error(  # noqa: TRY400 - the trace could quote what is to be erased
                        "the record cannot be looked after: %s",
                        code,
                        extra={"event": "upkeep.failed", "code": code},
                    )
                self.trouble = code
                due = max(due, monotonic() + self.look)
            try:
                async with asyncio.timeout(self.look):
                    await self._woken.wait()
            except TimeoutError:
                pass

    # Retention.

    async def retain(self) -> int:
        """Drops what is older than was said; returns how many rows that were.

        Raises:
            InternalError: The holds cannot be told; nothing is dropped.
        """
        if self.settings == RetentionSettings():
            return 0
        held = await self.holds()
        now = self.clock()
        sizes = await asyncio.to_thread(days_of, self.store)
        today = now.astimezone(UTC).date().isoformat()
        cutoffs = Cutoffs.at(self.settings, now, floor_of(sizes, self.settings.size, today))
        if not cutoffs.newest:
            return 0
        rows = 0
        for writer in writers_of(self.store):
            if writer != self.recorder.writer and not self._old(writer, cutoffs):
                continue
            async with self._post(writer) as post:
                if post is not None:
                    rows += await self._retain(post, cutoffs, held, now)
        return rows

    def _old(self, writer: str, cutoffs: Cutoffs) -> bool:
        """Whether a writer has files that may be too old."""
        found = days_of(self.store, writer)
        return any(day < cutoffs.newest for day in found)

    async def _retain(
        self, post: Post, cutoffs: Cutoffs, held: tuple[Hold, ...], now: datetime
    ) -> int:
        dropping = Dropping(
            keeper=post.keeper,
            cutoffs=cutoffs,
            holds=held,
            since=int(now.timestamp() * 1000),
            alive=post.alive(),
            seen=self._seen.setdefault(post.keeper.state.writer, {}),
        )
        plan = await post.do(dropping.plan)
        if not plan.files:
            return 0
        await self.recorder.event(
            RETENTION,
            {
                "writer": post.keeper.state.writer,
                "before": cutoffs.as_json(),
                "files": len(plan.files),
                "rows": plan.rows,
                "bytes": sum(due.path.stat().st_size for due in plan.files if due.path.exists()),
                "scopes": len(plan.scopes),
            },
        )
        await asyncio.to_thread(self._forget, plan, cutoffs)
        more = plan
        for _ in range(_ROUNDS):
            for due in more.files:
                await post.do(partial(dropping.drop, due=due))
            # What was merged meanwhile holds the same rows, which are told already.
            more = await post.do(dropping.plan)
            if not more.files:
                break
        await asyncio.to_thread(self._forget, plan, cutoffs)
        return plan.rows

    def _forget(self, plan: Plan, cutoffs: Cutoffs) -> None:
        """Takes what goes, or went, out of the index."""
        if not (self.store.path / INDEX).is_dir():
            return
        indexer = Indexer(self.store.path)
        all_gone = min([*(cutoffs.views[view] for view in TEXT_VIEWS), *cutoffs.rules.values()])
        for day in sorted({due.day for due in plan.files if due.day}):
            if day < all_gone:
                indexer.drop(date.fromisoformat(day))
        if plan.scopes:
            indexer.forget(sorted(plan.scopes))

    # Erasure.

    async def erase(self, subject: Subject, reason: str, by: str) -> tuple[Order, int]:
        """Orders an erasure; it is on record once this returns, and carried out soon.

        Args:
            subject: Whose content.
            reason: Why.
            by: `Reviewer.key`.

        Returns:
            The order, and of how many scopes it is known by now.

        Raises:
            ClientError: Codes `erasure-held`, `erasure-nothing`.
            InternalError: It cannot be put on record; nothing is erased.
        """
        async with self._changing:
            _refuse_held(await self.holds(), subject)
            found = await asyncio.to_thread(self._scopes, subject)
            if not found:
                raise ClientError(
                    "erasure-nothing",
                    "The record holds nothing of this session or principal",
                    hint="`proctor sessions` lists sessions and principals.",
                    status=404,
                )
            name = "er_" + "".join(secrets.choice(_LETTERS) for _ in range(16))
            at = timestamp(self.clock().timestamp())
            order = Order(id=name, subject=subject, reason=reason, by=by, at=at)
            await self._say(order, None, found)
            await asyncio.to_thread(erasure.write_order, self.store, order)
        self._woken.set()
        return order, len(found)

    async def carry_out(self) -> None:
        """Does what can be done now of every order."""
        for order in await asyncio.to_thread(erasure.orders, self.store):
            if any(hold.subject.meets(order.subject) for hold in await self.holds()):
                continue  # it waits until that is released
            for writer in writers_of(self.store):
                part = erasure.read_part(self.store, order, writer)
                if part and part.done:
                    continue
                async with self._post(writer) as post:
                    if post is not None:
                        await self._erase(post, order)
            await self._finish(order)

    async def _erase(self, post: Post, order: Order) -> None:
        writer = post.keeper.state.writer
        part = erasure.read_part(self.store, order, writer)
        if part is None:
            since = int(self.clock().timestamp() * 1000)
            renewed = post.renew(order.subject.fits)
            work = partial(erasure.scopes_of, subject=order.subject, renewed=renewed, since=since)
            scopes = await post.do(lambda workshop: work(post.keeper, workshop))
            if scopes:
                await self._say(order, writer, scopes)
            part = Part(scopes=scopes)
            erasure.write_part(self.store, order, writer, part)
            post.rotate()
        await asyncio.to_thread(self._unindex, part.scopes)
        while True:
            before = part
            step = partial(erasure.step, post.keeper, part=before)
            part = await post.do(step)
            if part.done:
                break
            if part == before:
                if post is self.recorder:
                    return  # at the next look
                # Its journals are emptied only as long as somebody looks after it.
                await asyncio.sleep(self.look)
                continue
            erasure.write_part(self.store, order, writer, part)
        await asyncio.to_thread(self._unindex, part.scopes)
        if post is self.recorder:
            erased, left = await self.cards(order.subject)
            part = replace(part, approvals=part.approvals + erased, done=not left)
        erasure.write_part(self.store, order, writer, part)

    async def _finish(self, order: Order) -> None:
        parts = [erasure.read_part(self.store, order, name) for name in writers_of(self.store)]
        done = [part for part in parts if part and part.done]
        if len(done) < len(parts):
            return
        await self.recorder.event(
            _DONE,
            {
                **order.as_json(),
                "scopes": sum(len(part.scopes) for part in done),
                "files": sum(part.files for part in done),
                "bytes": sum(part.bytes for part in done),
                "approvals": sum(part.approvals for part in done),
                "out_of_reach": "exports, backups, and what others keep",
            },
        )
        erasure.forget_order(self.store, order)

    async def _say(self, order: Order, writer: str | None, scopes: Sequence[str]) -> None:
        for at in range(0, max(1, len(scopes)), _NAMED):
            named = list(scopes[at : at + _NAMED])
            await self.recorder.event(
                ERASURE, {**order.as_json(), "writer": writer, "scopes": named}
            )

    def _scopes(self, subject: Subject) -> list[str]:
        given = {"principal": subject.principal, "session": subject.session}
        with open_record(self.store.path, memory="256MB", threads=1) as connection:
            rows = connection.execute(
                """SELECT DISTINCT "scope" FROM _content WHERE salt IS NOT NULL
                AND ($principal IS NULL OR principal = $principal)
                AND ($session IS NULL OR session_id = $session) ORDER BY 1""",
                given,
            ).fetchall()
        return [str(name) for (name,) in rows]

    def _unindex(self, scopes: Sequence[str]) -> None:
        if scopes and (self.store.path / INDEX).is_dir():
            Indexer(self.store.path).forget(scopes)

    # Holds.

    async def holds(self) -> tuple[Hold, ...]:
        """The legal holds in force.

        Raises:
            InternalError: Codes `holds-unreadable`, `holds-behind`.
        """
        return await asyncio.to_thread(self._held)

    async def hold(self, name: str, subject: Subject, reason: str, by: str) -> Hold:
        """Keeps from now on what a subject typed or saw, or everything.

        Raises:
            ClientError: Codes `hold-name`, `hold-taken`.
            InternalError: It cannot be put on record; then it is not in force.
        """
        holds.checked_name(name)
        async with self._changing:
            filed, told = await asyncio.to_thread(self._both)
            known = {**filed, **told}
            if name in known and known[name].subject != subject:
                raise ClientError(
                    "hold-taken", "There is another hold of this name", got=name, status=409
                )
            at = timestamp(self.clock().timestamp())
            made = known.get(name) or Hold(name=name, subject=subject, reason=reason, by=by, at=at)
            if name not in told:
                await self.recorder.event(ADDED, made.as_json())
            await asyncio.to_thread(holds.write, self.store.path, {**known, name: made}.values())
        return made

    async def release(self, name: str, reason: str, by: str) -> Hold:
        """Ends a hold.

        Raises:
            ClientError: Code `hold-unknown`.
            InternalError: It cannot be put on record; then it stays in force.
        """
        async with self._changing:
            filed, told = await asyncio.to_thread(self._both)
            known = {**filed, **told}
            found = known.pop(name, None)
            if found is None:
                raise ClientError(
                    "hold-unknown",
                    "There is no such hold",
                    hint="`proctor record hold list` shows those that are in force.",
                    status=404,
                )
            ended = {"released_by": by, "released_because": reason}
            await self.recorder.event(RELEASED, {**found.as_json(), **ended})
            await asyncio.to_thread(holds.write, self.store.path, known.values())
        self._woken.set()
        return found

    def _held(self) -> tuple[Hold, ...]:
        return holds.in_force(*self._both())

    def _both(self) -> tuple[dict[str, Hold], dict[str, Hold]]:
        """What the file says, and what the events say."""
        with open_record(self.store.path, memory="256MB", threads=1) as connection:
            rows = connection.execute(
                "SELECT kind, detail FROM events WHERE kind IN (?, ?) ORDER BY ts, writer, seq",
                [ADDED, RELEASED],
            ).fetchall()
        told = holds.told([(kind, json.loads(detail)) for kind, detail in rows])
        return holds.read(self.store.path), told

    @asynccontextmanager
    async def _post(self, writer: str) -> AsyncIterator[Post | None]:
        if writer == self.recorder.writer:
            yield self.recorder
            return
        async with vacant(self.store, writer, pace=self.pace, sealing=self.sealing) as post:
            yield post


def _refuse_held(held: Sequence[Hold], subject: Subject) -> None:
    covering = sorted(hold.name for hold in held if hold.subject.meets(subject))
    if covering:
        raise ClientError(
            "erasure-held",
            "A legal hold keeps this from being erased",
            got=", ".join(covering[:5]),
            hint="Release it first, if you may: `proctor record hold release NAME`.",
            status=409,
        )
