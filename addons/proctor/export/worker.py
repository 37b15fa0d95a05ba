"""Sends what is recorded to every sink, all the time, and stands in nobody's way.

Each sink has a task, a cursor and a lock of its own. What is to be sent is read from the record
itself, so nothing is queued and nothing is lost while a sink is down; what was sent but not noted
when a process died is sent again, under the same id.

    read from the cursor on → send → move the cursor → …
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import duckdb

from proctor.approval.notify.channel import Look
from proctor.approval.notify.wire import DeliveryError
from proctor.audit.envelope import GENESIS, leaf
from proctor.audit.inquiry import open_record
from proctor.audit.reader import Reader
from proctor.audit.store import Store
from proctor.errors import ConfigurationError, ProctorError
from proctor.export import cursor as cursors
from proctor.export.cursor import Cursor
from proctor.export.lines import Lines
from proctor.export.otlp import Open, Traces, message
from proctor.export.records import SETTLED, WINDOW, Record, after, waiting
from proctor.export.settings import ExportSettings
from proctor.export.sinks import FileSink, HttpSink, Sink, line
from proctor.record import timestamp
from proctor.runtime.tasks import spawn, stop

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two looks for something new."""

MOST_BYTES = 4 * 2**20
"""Of one request; a record that is larger goes alone."""

ALARM = 300.0
"""Seconds of failing after which it is an error, not a warning."""

_FIRST, _LAST = 0.5, 60.0
_TAKEN = 5.0  # between two tries for a sink that another process serves
_DELIVERY = 60.0
_FIGURES = 15.0
_FILE_BATCH = 500
# Looking for something new takes a tenth of the time at most.
_IDLE_SHARE = 9
# So many records in a row that are refused one by one: then the sink refuses everything.
_REFUSED = 10
_SIZE_CODES = frozenset({"status-400", "status-413", "status-422"})


class Figures(Protocol):
    """What /metrics shows of sinks."""

    def exported(self, name: str, outcome: str, count: int) -> None:
        """Records were `sent`, `refused` or `missed`, or a request `failed`."""
        ...

    def export_lag(self, name: str, records: int, seconds: float) -> None:
        """How far a sink is behind."""
        ...


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: twice as long each time, and at random within that half."""
    longest = min(_FIRST * 2.0 ** min(attempts, 16), _LAST)
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, hides nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is sent at once, and where the cursor is afterwards."""

    lines: Sequence[bytes]
    records: int
    first: str
    then: Cursor


class Exports:
    """All sinks of one gateway process."""

    def __init__(  # noqa: PLR0913 - a port for each thing outside
        self,
        settings: Sequence[ExportSettings],
        *,
        record: Path,
        secrets: Look,
        clock: Callable[[], datetime],
        figures: Figures,
        poll: float = POLL,
        pause: Callable[[int], float] = backoff,
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: `exports` in proctor.yaml.
            record: The store's folder.
            secrets: Reads secrets.
            clock: The time, UTC.
            figures: What is counted.
            poll: Seconds between two looks for something new.
            pause: From attempts that failed to seconds until the next.
        """
        self._settings = tuple(settings)
        self._record = record
        self._secrets = secrets
        self._clock = clock
        self._figures = figures
        self._poll = poll
        self._pause = pause
        self._tasks: list[asyncio.Task[None]] = []
        self._runs: list[_Run] = []

    async def start(self) -> None:
        """Read every secret once, and begin.

        Raises:
            ConfigurationError: A secret is missing, a cursor cannot be read, or the record has no
                id.
        """
        if not self._settings:
            return
        store = Store.at(self._record).id()
        for settings in self._settings:
            cursors.read(self._record, settings.name)
            run = _Run(settings, self, store)
            await run.sink.check()
            self._runs.append(run)
        self._tasks = [
            spawn(run.forever(), name=f"export {run.settings.name}") for run in self._runs
        ]

    async def close(self) -> None:
        """Stop sending; what was not sent is sent after the next start, or by another process."""
        await stop(*self._tasks)
        self._tasks = []
        for run in self._runs:
            await run.close()
        self._runs = []

    def sink(self, settings: ExportSettings, store: str) -> Sink:
        """Where a sink's lines go."""
        if isinstance(settings.to, Path):
            return FileSink(settings, settings.to)
        return HttpSink(
            settings,
            settings.to,
            self._secrets,
            clock=self._clock,
            join=partial(message, store) if settings.format == "otlp" else None,
        )


class _Run:
    """One sink's task. Its thread is its own, so a slow record keeps nobody else waiting."""

    def __init__(self, settings: ExportSettings, owner: Exports, store: str) -> None:
        self.settings = settings
        self.sink = owner.sink(settings, store)
        self._owner = owner
        self._store = store
        self._lines = Lines(settings=settings, store=store)
        self._record = owner._record  # noqa: SLF001 - a part of it
        self._clock = owner._clock  # noqa: SLF001 - the same
        self._figures = owner._figures  # noqa: SLF001 - the same
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"export-{settings.name}")
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock: int | None = None
        self._size = settings.batch if not isinstance(settings.to, Path) else _FILE_BATCH
        self._most = self._size
        self._attempts = 0
        self._alarmed = False
        self._refusals = 0
        self._gaps: dict[str, int] = {}
        self._ahead: dict[str, list[Record]] = {}
        self._still: dict[str, tuple[object, float, bool]] = {}
        self._looked = 0.0
        self._turn = 0
        self._more = False
        self._spent = 0.0

    async def forever(self) -> None:
        """Until cancelled: take the lock, then send."""
        while True:
            try:
                if self._lock is None:
                    self._lock = await self._blocking(
                        cursors.lock, self._record, self.settings.name
                    )
                rest = _TAKEN if self._lock is None else await self._step()
            except (ProctorError, duckdb.Error, OSError) as error:
                rest = await self._failed(_named(error))
                await self._blocking(self._forget)
            except Exception as error:  # noqa: BLE001 - its text may hold what was recorded
                rest = await self._failed(type(error).__name__)
                await self._blocking(self._forget)
            await asyncio.sleep(rest)

    async def close(self) -> None:
        """Let go of everything."""
        await self.sink.close()
        await self._blocking(self._forget)
        self._thread.shutdown(wait=False)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _step(self) -> float:
        """Send what is next; seconds until the next step."""
        cursor = await self._blocking(cursors.read, self._record, self.settings.name)
        await self._show(cursor)
        loop = asyncio.get_running_loop()
        began = loop.time()
        batch = await self._blocking(self._next, cursor)
        self._spent += loop.time() - began
        if batch is None:
            return self._rest()
        if batch.lines:
            refused = await self._deliver(batch)
            if refused is not None:
                return await self._refused(cursor, batch, refused)
        await self._done(cursor, batch)
        return 0.0

    def _rest(self) -> float:
        """Every writer had its turn; seconds until the next round."""
        rest = max(self._owner._poll, _IDLE_SHARE * self._spent)  # noqa: SLF001 - a part of it
        again, self._more, self._spent = self._more, False, 0.0
        return 0.0 if again else rest

    async def _deliver(self, batch: Batch) -> DeliveryError | None:
        try:
            async with asyncio.timeout(_DELIVERY):
                await self.sink.send(batch.lines)
        except TimeoutError:
            return DeliveryError("timeout")
        except DeliveryError as error:
            return error
        return None

    async def _done(self, before: Cursor, batch: Batch) -> None:
        then = replace(
            batch.then,
            sent=before.sent + batch.records,
            failing="",
            failing_since="",
        )
        await self._blocking(cursors.write, self._record, self.settings.name, then)
        self._figures.exported(self.settings.name, "sent", batch.records)
        if self._attempts:
            log.info(
                "The export %s works again",
                self.settings.name,
                extra={"event": "export.recovered", "export": self.settings.name},
            )
        self._attempts, self._alarmed = 0, False
        if batch.lines:
            self._refusals = 0
            self._size = min(self._size * 2, self._most)

    async def _refused(self, cursor: Cursor, batch: Batch, error: DeliveryError) -> float:
        """The sink said no: smaller, without this one record, or later."""
        if error.code in _SIZE_CODES and self._refusals < _REFUSED:
            if batch.records > 1:
                self._size = max(1, batch.records // 2)
                return 0.0
            self._refusals += 1
            log.error(
                "The export %s will not take a record: %s",
                self.settings.name,
                error.code,
                extra={
                    "event": "export.refused",
                    "export": self.settings.name,
                    "code": error.code,
                    "id": batch.first,
                },
            )
            then = replace(batch.then, sent=cursor.sent, refused=cursor.refused + 1)
            await self._blocking(self._set_aside, batch.first, error.code)
            await self._blocking(cursors.write, self._record, self.settings.name, then)
            self._figures.exported(self.settings.name, "refused", 1)
            return 0.0
        rest = await self._failed(error.code)
        return max(rest, error.after or 0.0)

    async def _failed(self, code: str) -> float:
        """Note it; seconds until the next try."""
        name, now = self.settings.name, self._clock()
        self._figures.exported(name, "failed", 1)
        self._attempts += 1
        since = now
        if self._lock is not None:
            since = await self._blocking(self._note, code, now)
        long = (now - since).total_seconds() >= ALARM
        if self._attempts == 1 or (long and not self._alarmed):
            self._alarmed = long
            log.log(
                logging.ERROR if long else logging.WARNING,
                "The export %s fails%s: %s",
                name,
                ", and has for minutes" if long else "",
                code,
                extra={
                    "event": "export.alarm" if long else "export.failed",
                    "export": name,
                    "code": code,
                },
            )
        return self._owner._pause(self._attempts)  # noqa: SLF001 - a part of it

    def _note(self, code: str, now: datetime) -> datetime:
        """Say in the cursor's file that it fails; since when it does."""
        try:
            cursor = cursors.read(self._record, self.settings.name)
            since = cursor.failing_since or timestamp(now)
            then = replace(cursor, failing=code, failing_since=since)
            cursors.write(self._record, self.settings.name, then)
            return datetime.fromisoformat(since)
        except (OSError, ProctorError, ValueError):
            return now  # the log has it, and the next try says it again

    def _set_aside(self, name: str, code: str) -> None:
        """Keep the id of what was refused, so that a person can send it another way."""
        path = cursors.folder(self._record) / f"{self.settings.name}.refused.jsonl"
        data = line({"id": name, "code": code, "at": timestamp(self._clock())}) + b"\n"
        handle = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _next(self, cursor: Cursor) -> Batch | None:
        """What is sent next; the writers take turns."""
        reader = self._reader()
        names = _writers(self._record)
        while self._turn < len(names):
            self._turn += 1
            found = self._of(reader, names[self._turn - 1], cursor)
            if found is not None:
                return found
        self._turn = 0
        return self._roots(cursor)

    def _of(self, reader: Reader, writer: str, cursor: Cursor) -> Batch | None:
        first, now = cursor.at(writer), self._clock().timestamp()
        stamp = (first, _stamp(self._record, writer))
        seen, since, done = self._still.get(writer, (None, now, False))
        if seen == stamp and done:
            return None  # it was asked in vain when all of this was final
        least, records = self._read(reader, writer, first, now)
        if not records:
            since = since if seen == stamp else now
            self._still[writer] = (stamp, since, abs(now - since) > SETTLED)
            return None
        self._still.pop(writer, None)
        if least > first and writer in cursor.next:
            # A reader may be a moment ahead of a journal; what is still not there is gone.
            if self._gaps.get(writer) != first:
                self._gaps[writer] = first
                return None
            cursor = self._missed(writer, cursor, least - first)
        elif least == first:
            self._check(writer, cursor, records[0])
        return self._batch(reader, writer, cursor, records)

    def _read(
        self, reader: Reader, writer: str, first: int, now: float
    ) -> tuple[int, list[Record]]:
        """A batch of what was read ahead, or else of what is read now."""
        ahead = [each for each in self._ahead.pop(writer, []) if each.seq >= first]
        if not ahead or ahead[0].seq != first:
            first, ahead = after(reader, writer, first, now)
        self._ahead[writer] = ahead
        # A window that is full is followed by another.
        self._more = self._more or len(ahead) > self._size or len(ahead) == WINDOW
        return first, ahead[: self._size]

    def _missed(self, writer: str, cursor: Cursor, count: int) -> Cursor:
        log.error(
            "The export %s missed %d records, which are no longer there",
            self.settings.name,
            count,
            extra={
                "event": "export.missed",
                "export": self.settings.name,
                "writer": writer,
                "records": count,
            },
        )
        self._figures.exported(self.settings.name, "missed", count)
        return replace(cursor, missed=cursor.missed + count)

    def _check(self, writer: str, cursor: Cursor, record: Record) -> None:
        """What was sent before has to be what the record now says was before."""
        expected = cursor.leaves.get(writer, GENESIS)
        if record.envelope.get("prev") != expected:
            raise ConfigurationError(
                "export-forked",
                f"The record that the export {self.settings.name!r} has sent is not the one here",
                got=f"another record before number {record.seq} of {writer}",
                expected="the record that was sent last",
                hint="`proctor verify` says what was changed. Give the export another name to send"
                " all of this record.",
            )

    def _batch(
        self, reader: Reader, writer: str, cursor: Cursor, records: Sequence[Record]
    ) -> Batch:
        traces = Traces(store=self._store, content=self.settings.content, open=_copied(cursor.open))
        lines: list[bytes] = []
        size = done = 0
        last = records[0]
        for record, made in self._lines.of(reader, records, traces):
            more = sum(map(len, made))
            if done and size + more > MOST_BYTES:
                break
            lines += made
            size += more
            done += 1
            last = record
        raw = leaf(last.raw)
        then = cursor.moved(writer, last.seq + 1, raw, open=traces.open)
        return Batch(
            lines=self._joined(lines),
            records=done,
            first=f"{self._store}/{writer}/{records[0].seq}",
            then=then,
        )

    def _roots(self, cursor: Cursor) -> Batch | None:
        """Spans of sessions that have ended, once there is nothing else to send."""
        if self.settings.format != "otlp" or not cursor.open:
            return None
        traces = Traces(store=self._store, open=_copied(cursor.open))
        lines = [line(root) for root in traces.ended(self._clock())]
        if not lines:
            return None
        return Batch(
            lines=self._joined(lines),
            records=0,
            first="",
            then=replace(cursor, open=traces.open),
        )

    def _joined(self, lines: list[bytes]) -> list[bytes]:
        """In a file each line is a message by itself."""
        if lines and self.settings.format == "otlp" and isinstance(self.settings.to, Path):
            return [message(self._store, lines)]
        return lines

    async def _show(self, cursor: Cursor) -> None:
        now = self._clock().timestamp()
        if abs(now - self._looked) < _FIGURES:
            return
        self._looked = now
        records, seconds = await self._blocking(self._behind, cursor, now)
        self._figures.export_lag(self.settings.name, records, seconds)

    def _behind(self, cursor: Cursor, now: float) -> tuple[int, float]:
        reader = self._reader()
        found = [waiting(reader, name, cursor.at(name)) for name in _writers(self._record)]
        oldest = [moment.timestamp() for _, moment in found if moment is not None]
        return sum(count for count, _ in found), max(0.0, now - min(oldest)) if oldest else 0.0

    def _reader(self) -> Reader:
        if self._connection is None:
            self._connection = open_record(self._record, memory="256MB", threads=1)
        return Reader(self._connection)

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _blocking[**P, T](self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(call, *args, **named))


def _writers(record: Path) -> list[str]:
    """All who write or wrote this record."""
    return sorted(path.name for path in (record / "writers").iterdir() if path.is_dir())


def _stamp(record: Path, writer: str) -> tuple[tuple[str, int, int], ...]:
    """What differs once a writer has written something, or has moved it."""
    found: list[tuple[str, int, int]] = []
    for path in sorted((record / "writers" / writer).glob("*.json*")):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((path.name, state.st_size, state.st_mtime_ns))
    return tuple(found)


def _copied(found: object) -> Open:
    return {str(key): dict(value) for key, value in dict(found).items()}  # type: ignore[call-overload]  # checked by cursor.read


def _named(error: Exception) -> str:
    return error.code if isinstance(error, ProctorError) else type(error).__name__
