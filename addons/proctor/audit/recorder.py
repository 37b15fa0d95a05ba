"""The recorder: one writer of the record, for one event loop.

    envelope ─┐
    content  ─┴─ queue ─ flusher thread ─ journal ─ keeper thread ─ segments ─┐
                                            └───────── views ─────────────────┴─ SQL

`append` returns when the envelope and all content before it are durable. When the disk does not
take them it raises, and the chain is as if the envelope had never been: what was acknowledged is
there, what was not is not.
"""

import asyncio
import errno
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from proctor.audit.content import ContentStream, Scope
from proctor.audit.envelope import Chain, leaf, timestamp
from proctor.audit.flusher import Flusher
from proctor.audit.journal import IS_BEGIN, NO_FLOW, Item
from proctor.audit.keeper import Keeper, Pace
from proctor.audit.opening import Opened, prepare
from proctor.audit.recovery import interrupted
from proctor.audit.scopes import Fits, Scopes
from proctor.audit.segments import Workshop, has_views
from proctor.audit.store import Store
from proctor.errors import ConfigurationError, InternalError
from proctor.evidence.sealer import Sealer, Sealing
from proctor.model import ContentRef, Session

log = logging.getLogger(__name__)

# Bytes on their way to the disk: past the first, `drain` waits; past the second, `put` refuses.
HIGH_WATER = 16 * 1024 * 1024
MAX_PENDING = 256 * 1024 * 1024
# Up to so much, what nobody waits for waits so long for something that somebody does: a sync of
# its own would be in the way of the next.
LOW_WATER = 1024 * 1024
LAZY = 0.05  # seconds
# A thread that comes back from the disk waits at most so long for a busy loop to let it speak.
# Python's own 5 ms would be most of what a record takes to become durable.
SWITCH_SECONDS = 0.0005


class Recorder:
    """Writes the record. Made by `open`, used in one event loop."""

    def __init__(self, opened: Opened, *, clock: Callable[[], float], pace: Pace) -> None:
        found = opened.found
        self._lock = opened.lock
        self._keeper = opened.keeper
        self._sealer = opened.sealer
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._chain = Chain(found.state.writer, found.seq, found.prev)
        self._origin = (found.seq, found.prev)
        self._last: Item | None = None
        self._n = found.n
        self._head = f'"writer":"{found.state.writer}","n":'
        self._scopes = Scopes(found.state.writer, self._content, clock)
        self._pending = 0
        self._records = 0
        self._sync_seconds = 0.0
        self._writable = True
        self._woken = False
        self._later: asyncio.TimerHandle | None = None
        self._closed = False
        self._drained: asyncio.Event = asyncio.Event()
        self._drained.set()
        self._flusher = Flusher(
            opened.journal,
            loop=self._loop,
            settled=self._settled,
            failed=self._failed,
            mended=self._mended,
            max_age=pace.journal_age,
            sealer=opened.sealer,
            ending=opened.keeper.stop,
        )
        self._queue = self._flusher.queue

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        report: Callable[[Exception], None] = lambda _: None,
        pace: Pace | None = None,
        sealing: Sealing | None = None,
    ) -> Self:
        """Opens the record at `path` for writing; makes it if it is not there.

        Takes a writer of its own, mends what a crash left, ends the flows that a crash cut short,
        and says so in the record. Sets the interpreter's switch interval, for the whole process.

        Args:
            path: The store's folder.
            clock: Seconds since the epoch.
            report: Called, from another thread, with what keeps segments from being written.
            pace: How fast journals turn into segments.
            sealing: How checkpoints are signed; None: they are not.

        Raises:
            ConfigurationError: Codes `store-open-to-others`, `store-too-new`, `store-unreadable`,
                `store-not-writable`.
            InternalError: Codes `journal-unwritable`, `views-unwritable`.
        """
        pace = pace or Pace()
        store = Store.at(path)
        sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
        try:
            opened = await asyncio.to_thread(prepare, store, report, pace, sealing, clock)
        except OSError as error:
            raise ConfigurationError(
                "store-not-writable",
                "The record cannot be opened for writing",
                got=os.strerror(error.errno) if error.errno else type(error).__name__,
                where=str(store.path),
            ) from error
        keeper = opened.keeper
        try:
            keeper.start()
            for slot in opened.found.full:
                keeper.put(slot)
            if not has_views(store):
                await asyncio.to_thread(keeper.wait_ready)
        except BaseException as error:
            await asyncio.to_thread(keeper.close)
            opened.journal.close()
            if opened.sealer:
                opened.sealer.close()
            os.close(opened.lock)
            if not isinstance(error, Exception):
                raise
            raise InternalError(
                "views-unwritable",
                "The views of the record cannot be made",
                got=type(error).__name__,
                hint="Make room on the disk that holds audit.path, or mend it.",
            ) from error
        self = cls(opened, clock=clock, pace=pace)
        try:
            await self._begin(opened)
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def writer(self) -> str:
        """Name of this writer in the record."""
        return self._chain.writer

    @property
    def pending(self) -> int:
        """Bytes on their way to the disk."""
        return self._pending

    @property
    def records(self) -> int:
        """Envelopes made durable since the start."""
        return self._records

    @property
    def sealer(self) -> Sealer | None:
        """Who signs checkpoints; to look at, from any thread."""
        return self._sealer

    @property
    def sync_seconds(self) -> float:
        """How long the last batch took to become durable."""
        return self._sync_seconds

    @property
    def writable(self) -> bool:
        """Whether the last write, or the last probe since, succeeded."""
        return self._writable and not self._closed

    def scope(self, principal: str, session: Session | None) -> Scope:
        """Where the content of this run of this principal lies.

        Args:
            principal: `Principal.key`.
            session: The run, or None where nothing names one.
        """
        return self._scopes.get(principal, session)

    @property
    def store(self) -> Store:
        """Where it is kept."""
        return self._keeper.store

    @property
    def keeper(self) -> Keeper:
        """Who owns this writer's files."""
        return self._keeper

    def alive(self) -> frozenset[str]:
        """Names of the scopes in which something may still be stored."""
        return self._scopes.alive()

    def renew(self, fits: Fits) -> list[str]:
        """Lets what goes on be stored elsewhere, so that what was stored can be erased.

        Args:
            fits: Says which.

        Returns:
            Names of the scopes that nothing is stored in any more.
        """
        return self._scopes.renew(fits)

    def rotate(self) -> None:
        """Has the journal become a segment, once what waits is written."""
        self._flusher.rotate()

    async def do[T](self, work: Callable[[Workshop], T]) -> T:
        """Has something done to this writer's files, between two steps of its own thread.

        Args:
            work: Runs in that thread.

        Raises:
            InternalError: Code `recorder-closed`; and whatever `work` raises.
        """
        try:
            return await asyncio.wrap_future(self._keeper.do(work))
        except asyncio.CancelledError:
            if self._closed:
                raise InternalError("recorder-closed", "The record is closed") from None
            raise

    def put(self, scope: Scope, data: bytes, cuts: Sequence[int] = ()) -> ContentRef:
        """Stores a body; durable with the next record.

        Args:
            scope: Where.
            data: The whole of it.
            cuts: Offsets at which messages begin, ascending, so that the same message is the same
                block wherever it stands.

        Raises:
            InternalError: Code `journal-behind`.
        """
        return scope.put(data, cuts)

    def refer(self, scope: Scope, data: bytes) -> bytes:
        """As `put`; the reference as it stands in an envelope, as JSON."""
        return scope.refer(data)

    def stream(self, scope: Scope) -> ContentStream:
        """Stores a body while it passes; durable with the record appended after its `close`."""
        return ContentStream(scope)

    async def append(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Writes one envelope and waits until it, and all content before it, is durable.

        Args:
            kind: Such as `flow.begin`.
            fields: What it says. `begin_seq` in a `flow.end` names the begin that it ends.

        Returns:
            Its number in this writer's sequence.

        Raises:
            InternalError: Codes `journal-unwritable`, `recorder-closed`, `record-too-large`,
                `record-field-reserved`. Nothing was recorded.
        """
        number, durable = self.post(kind, fields)
        await durable
        return number

    def post(
        self, kind: str, fields: Mapping[str, Any] | bytes, *, soon: bool = True
    ) -> tuple[int, asyncio.Future[None]]:
        """Writes one envelope, as `append`, without waiting.

        Args:
            kind: Such as `statement`.
            fields: What it says; or that as JSON, see `Chain.link`.
            soon: Whether somebody waits for it; else it may take some 50 ms.

        Returns:
            Its number, and what is done once it, and all content before it, is durable.
        """
        if self._closed:
            raise InternalError("recorder-closed", "The record is closed")
        chain, flow = self._chain, NO_FLOW
        number = chain.seq
        if isinstance(fields, bytes):
            line = chain.link(kind, self._clock(), fields)
        else:
            line = chain.seal(kind, self._clock(), fields)
            if kind == "flow.begin":
                flow = IS_BEGIN
            elif kind == "flow.end" and (begin := fields.get("begin_seq")) is not None:
                flow = begin
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._enqueue(Item(line, number, flow, waiter, chain.leaf), soon=soon)
        return number, waiter

    async def event(self, kind: str, detail: Mapping[str, Any]) -> int:
        """Records what is not an exchange: a start, a reload, an error.

        Raises:
            InternalError: As `append`.
        """
        return await self.append(
            "event",
            {
                "flow_id": None,
                "session_id": None,
                "session_started": None,
                "principal": "",
                "subject": "",
                "groups": [],
                "event_kind": kind,
                "detail": detail,
            },
        )

    async def drain(self) -> None:
        """Waits while too much is on its way; call it between the pieces of a long stream."""
        if self._writable:
            await self._drained.wait()

    async def close(self) -> None:
        """Makes all durable, ends the threads, lets go of the lock. Again is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        await self._flusher.close()
        self._fail([*self._queue], OSError(errno.ESHUTDOWN, "the record was closed"))
        await asyncio.to_thread(self._keeper.close)
        os.close(self._lock)

    async def _begin(self, opened: Opened) -> None:
        found = opened.found
        for writer, why in opened.retired.items():
            log.error(
                "a writer of the record has to rest: %s",
                why,
                extra={"event": "record.retired", "writer": writer},
            )
            await self.event("record.retired", {"writer": writer, "why": why})
        if opened.cut_short:
            since = timestamp(opened.cut_short.time.timestamp())
            await self.event(
                "record.resumed",
                {"since": since, "why": "the gateway before did not end as it should"},
            )
        if found.cut or found.damaged:
            log.warning(
                "the record was mended after a crash",
                extra={"event": "record.mended", "cut": found.cut, "damaged": found.damaged},
            )
            await self.event(
                "record.mended",
                {"writer": self.writer, "cut": found.cut, "damaged": found.damaged},
            )
        now = timestamp(self._clock())
        for seq, begin in found.begins.items():
            await self.append("flow.end", interrupted(seq, begin, now))

    def _content(self, sort: int, members: str) -> None:
        if self._pending > MAX_PENDING:
            raise InternalError(
                "journal-behind",
                "The disk does not keep up with what is to be recorded",
                got=f"{self._pending} bytes waiting",
                expected=f"at most {MAX_PENDING}",
            )
        line = f'{{"c":{sort},{self._head}{self._n},{members}}}\n'.encode()
        self._enqueue(Item(line, self._n), soon=False)
        self._n += 1

    def _enqueue(self, item: Item, *, soon: bool) -> None:
        """Put a line on its way; what nobody waits for goes along with what somebody does."""
        self._queue.append(item)
        self._pending += len(item.line)
        if self._pending > HIGH_WATER:
            self._drained.clear()
        if soon or self._pending > LOW_WATER:
            if not self._woken:
                self._woken = True
                self._loop.call_soon(self._wake)
        elif self._later is None and not self._woken:
            self._later = self._loop.call_later(LAZY, self._wake)

    def _wake(self) -> None:
        self._woken = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._flusher.wake()

    def _settled(self, batch: Sequence[Item], seconds: float) -> None:
        """A batch is durable."""
        self._sync_seconds = seconds
        self._writable = True
        for item in batch:
            self._pending -= len(item.line)
            if item.waiter is not None:
                self._records += 1
                self._last = item
                if not item.waiter.done():
                    item.waiter.set_result(None)
        if self._pending <= HIGH_WATER:
            self._drained.set()

    def _failed(self, batch: Sequence[Item], error: OSError) -> None:
        """A batch is not: nor is any envelope after it, for it holds that one's hash."""
        if self._writable:
            log.error(
                "the record cannot be written: %s",
                error.strerror,
                extra={"event": "journal.unwritable", "writer": self.writer},
            )
        self._writable = False
        items = [*batch, *self._queue]
        self._queue.clear()
        self._queue.extend(item for item in items if item.waiter is None)
        self._chain.seq, self._chain.prev = self._origin
        if self._last is not None:
            self._chain.seq, self._chain.prev = self._last.number + 1, leaf(self._last.line[:-1])
        self._fail(items, error)
        self._flusher.resume()

    def _fail(self, items: Sequence[Item], error: OSError) -> None:
        for item in items:
            if item.waiter is not None:
                self._pending -= len(item.line)
                if not item.waiter.done():
                    item.waiter.set_exception(_unwritable(error))
                    item.waiter.exception()  # nobody may wait for it
        self._drained.set()

    def _mended(self) -> None:
        self._writable = True


def _unwritable(error: OSError) -> InternalError:
    return InternalError(
        "journal-unwritable",
        "The record cannot be written, so nothing may happen",
        got=error.strerror or type(error).__name__,
        hint="Make room on the disk that holds audit.path, or mend it.",
    )
