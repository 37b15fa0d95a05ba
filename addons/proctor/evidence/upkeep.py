"""What happens to a record with time: days go, what somebody typed is erased, holds stop both.

One for each gateway process. It looks after its own writer, and after those that nobody is; other
processes look after theirs. Everything is on record before it happens.
"""

import asyncio
import json
import logging
import secrets
import string
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from time import monotonic
from typing import Any, Final

from proctor.audit.envelope import timestamp
from proctor.audit.inquiry import open_record
from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.steady import steadily
from proctor.audit.store import Store
from proctor.errors import ClientError, InternalError
from proctor.evidence import erasure, holds
from proctor.evidence.beside import Erase, nothing
from proctor.evidence.dropping import Dropping, Plan, advance
from proctor.evidence.erasure import Order, Part, Told
from proctor.evidence.holds import ADDED, RELEASED, Hold, Subject
from proctor.evidence.leaps import Leaps
from proctor.evidence.posts import Post, vacant
from proctor.evidence.retention import Cutoffs, RetentionSettings, floor_of
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
_FITS: Final = """($principal IS NULL OR principal = $principal)
    AND ($session IS NULL OR session_id = $session)"""
_LETTERS: Final = string.ascii_lowercase + string.digits


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Looks after one record.

    Attributes:
        recorder: This process's writer.
        settings: How long what is kept.
        clock: The time, UTC.
        sealing: How checkpoints are signed; None: they are not.
        beside: Takes away what lies beside the record.
        pace: Of writers that nobody is.
        every: Seconds between two looks at what is old.
        look: Seconds between two looks at what is to be erased.
        trouble: Code of what keeps it from its work, or empty.
    """

    recorder: Recorder
    settings: RetentionSettings
    clock: Callable[[], datetime]
    sealing: Sealing | None = None
    beside: Erase = nothing
    pace: Pace = field(default_factory=Pace)
    every: float = HOUR
    look: float = LOOK
    trouble: str = ""
    _seen: dict[str, dict[str, tuple[object, ...]]] = field(
        default_factory=dict[str, dict[str, tuple[object, ...]]]
    )
    _told: dict[str, Told] | None = None
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def store(self) -> Store:
        """The record."""
        return self.recorder.store

    async def run(self) -> None:
        """Does what is due, for ever. What fails is said, and tried again."""
        due = monotonic()
        leaps = Leaps(clock=self.clock)
        while True:
            self._woken.clear()
            try:
                await self.carry_out()
                if leaps.believed() and monotonic() >= due:
                    await self.retain()
                    due = monotonic() + self.every
                    self._told = None
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
        over = self._until_held()
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
                    rows += await self._retain(post, cutoffs, held, now, over)
        return rows

    def _old(self, writer: str, cutoffs: Cutoffs) -> bool:
        """Whether a writer has files that may be too old."""
        found = days_of(self.store, writer)
        return any(day < cutoffs.newest for day in found)

    async def _retain(
        self,
        post: Post,
        cutoffs: Cutoffs,
        held: tuple[Hold, ...],
        now: datetime,
        over: Callable[[], bool],
    ) -> int:
        dropping = Dropping(
            keeper=post.keeper,
            cutoffs=cutoffs,
            holds=held,
            since=int(now.timestamp() * 1000),
            alive=post.alive(),
            seen=self._seen.setdefault(post.keeper.state.writer, {}),
        )
        plan = await self._plan(post, dropping)
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
                if over():
                    return plan.rows
                await post.do(partial(dropping.drop, due=due))
            # What was merged meanwhile holds the same rows, which are told already.
            more = await self._plan(post, dropping)
            if not more.files:
                break
        await asyncio.to_thread(self._forget, plan, cutoffs)
        return plan.rows

    async def _plan(self, post: Post, dropping: Dropping) -> Plan:
        steps = await post.do(dropping.plan)
        while True:
            plan = await post.do(lambda _: advance(steps))
            if plan is not None:
                return plan

    def _forget(self, plan: Plan, cutoffs: Cutoffs) -> None:
        """Takes what goes, or went, out of the index."""
        self._unindex(sorted(plan.scopes))
        if plan.kept and (self.store.path / INDEX).is_dir():
            Indexer(self.store.path).trim(plan.kept, date.fromisoformat(cutoffs.newest))

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
        """Does what can be done now of every order that is on record.

        Raises:
            InternalError: Code `erasure-unrecorded`: somebody put an order there that is not; and
                those of `holds` and of what is to be erased.
        """
        orders, strange = await asyncio.to_thread(self._orders)
        over = self._until_held()
        held = await self.holds() if orders else ()
        for told in orders:
            if any(hold.subject.meets(told.order.subject) for hold in held):
                continue  # it waits until that is released
            for writer in writers_of(self.store):
                part = erasure.read_part(self.store, told.order, writer)
                if part and part.done:
                    continue
                async with self._post(writer) as post:
                    if post is not None:
                        await self._erase(post, told, over)
            await self._finish(told.order)
        if strange:
            raise InternalError(
                "erasure-unrecorded",
                "An order to erase is not on record, so it is not carried out",
                got=f"{min(strange)}.json",
                expected="an event `erasure` of the same id",
                hint="proctor did not write it: keep it as evidence, and move it away.",
            )

    def _orders(self) -> tuple[list[Told], set[str]]:
        """The orders on record that are not carried out in full, and notes of what is none.

        Sees to it that each has a note.
        """
        noted = {order.id: order for order in erasure.orders(self.store)}
        known = self._told  # somebody who orders now has it read again, at the next look
        if known is None or not noted.keys() <= known.keys():
            self._told = known = erasure.told(self._events(ERASURE, erasure.DONE))
            for told in known.values():
                if not told.done and told.order.id not in noted:
                    erasure.write_order(self.store, told.order)
                    noted[told.order.id] = told.order
        for name, order in noted.items():
            if name in known and known[name].done:
                erasure.forget_order(self.store, order)
        orders = [told for name, told in known.items() if name in noted and not told.done]
        return orders, noted.keys() - known.keys()

    async def _erase(self, post: Post, told: Told, over: Callable[[], bool]) -> None:
        """Does what can be done now of one writer's part, until it is over."""
        order, writer = told.order, post.keeper.state.writer
        part = erasure.read_part(self.store, order, writer)
        if part is None:
            renewed = post.renew(
                lambda name, principal, session: (
                    order.subject.fits(principal, session) and told.renews(name)
                )
            )
            work = partial(erasure.scopes_of, told=told, renewed=renewed)
            scopes = await post.do(lambda workshop: work(post.keeper, workshop))
            if scopes:
                await self._say(order, writer, scopes)
            part = Part(scopes=scopes)
            erasure.write_part(self.store, order, writer, part)
            post.rotate()
        await asyncio.to_thread(self._unindex, part.scopes)
        while not part.done:
            if over():
                return
            before = part
            part = await post.do(partial(erasure.step, post.keeper, part=before))
            if part == before:
                if post is self.recorder:
                    return  # at the next look
                # Its journals are emptied only as long as somebody looks after it.
                await asyncio.sleep(self.look)
            elif not part.done:
                erasure.write_part(self.store, order, writer, part)
        await asyncio.to_thread(self._unindex, part.scopes)
        if post is self.recorder:
            runs = await asyncio.to_thread(self._runs, order.subject)
            erased, left = await self.beside(order.subject, runs)
            part = replace(part, approvals=part.approvals + erased, done=not left)
        erasure.write_part(self.store, order, writer, part)

    async def _finish(self, order: Order) -> None:
        parts = [erasure.read_part(self.store, order, name) for name in writers_of(self.store)]
        done = [part for part in parts if part and part.done]
        if len(done) < len(parts):
            return
        await self.recorder.event(
            erasure.DONE,
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
        if self._told and order.id in self._told:
            self._told[order.id].done = True

    async def _say(self, order: Order, writer: str | None, scopes: Sequence[str]) -> None:
        for at in range(0, max(1, len(scopes)), _NAMED):
            named = list(scopes[at : at + _NAMED])
            await self.recorder.event(
                ERASURE, {**order.as_json(), "writer": writer, "scopes": named}
            )

    def _scopes(self, subject: Subject) -> list[str]:
        rows = self._ask(
            f'SELECT DISTINCT "scope" FROM _content WHERE salt IS NOT NULL AND {_FITS} ORDER BY 1',  # noqa: S608 - our own words
            {"principal": subject.principal, "session": subject.session},
        )
        return [str(name) for (name,) in rows]

    def _runs(self, subject: Subject) -> list[tuple[str, str]]:
        """Who, and in which sessions, as the record has it for good."""
        if subject.principal is not None and subject.session is not None:
            return [(subject.principal, subject.session)]
        rows = self._ask(
            f"""SELECT DISTINCT principal, coalesce(session_id, '') FROM _records
            WHERE principal <> '' AND {_FITS} ORDER BY ALL""",  # noqa: S608 - as above
            {"principal": subject.principal, "session": subject.session},
        )
        return [(str(principal), str(session)) for principal, session in rows]

    def _events(self, *kinds: str) -> list[tuple[str, Any]]:
        """Kind and detail of events, in the order of time."""
        rows = self._ask(
            "SELECT kind, detail FROM events WHERE list_contains($kinds, kind)"
            " ORDER BY ts, writer, seq",
            {"kinds": list(kinds)},
        )
        return [(str(kind), json.loads(detail)) for kind, detail in rows]

    def _ask(self, sql: str, given: dict[str, object]) -> list[tuple[Any, ...]]:
        with open_record(self.store.path, memory="256MB", threads=1) as connection:
            return steadily(connection, lambda: connection.execute(sql, given).fetchall())

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

    def _until_held(self) -> Callable[[], bool]:
        """Says, whenever it is asked, whether the holds are others by now."""
        stamp = holds.stamp(self.store.path)
        return lambda: holds.stamp(self.store.path) != stamp

    def _held(self) -> tuple[Hold, ...]:
        return holds.in_force(*self._both())

    def _both(self) -> tuple[dict[str, Hold], dict[str, Hold]]:
        """What the file says, and what the events say."""
        told = holds.told(self._events(ADDED, RELEASED))
        return holds.read(self.store.path), told

    @asynccontextmanager
    async def _post(self, writer: str) -> AsyncIterator[Post | None]:
        if writer == self.recorder.writer:
            yield self.recorder
            return
        async with vacant(self.store, writer, pace=self.pace, sealing=self.sealing) as post:
            if post is not None and post.opened.cut_short:
                since = timestamp(post.opened.cut_short.time.timestamp())
                why = "its gateway did not end as it should; another one looks after its files"
                await self.recorder.event(
                    "record.resumed", {"writer": writer, "since": since, "why": why}
                )
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
