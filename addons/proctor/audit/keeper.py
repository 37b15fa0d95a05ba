"""The thread that turns full journals into segments, merges them, and gives the journals back.

Its one loop does what is due: convert, publish, empty, merge, unlink. Each step can be done again
after a crash or a failure, for what is done shows in the files themselves. A failure is reported
and tried again; it never stops anyone from writing.
"""

import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any

from proctor.audit.journal import Slot
from proctor.audit.segments import Segment, Workshop, named, segments
from proctor.audit.state import LEVELS, Bounds, Gone, State
from proctor.audit.store import CONTENT, SEGMENTS, Store, replace
from proctor.evidence.leaves import write_leaves
from proctor.evidence.ledger import CHANGED, Ledger, digest_of
from proctor.evidence.rewriting import mend, spent
from proctor.tlog.tree import HASH_SIZE, Frontier

log = logging.getLogger(__name__)

FAN_IN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When a journal rotates and how long readers have, in seconds and bytes.

    Attributes:
        journal_bytes: A journal is full.
        journal_age: One that is not empty is rotated.
        settle: A new segment is there this long before it counts: longer than a reader needs
            between listing the files and reading the bounds.
        reuse: A journal stays this long after its segments count: longer than a reader needs
            between reading the bounds and reading the journals.
        unlink: Merged segments stay this long: longer than the longest query.
        retry: After a failure.
    """

    journal_bytes: int = 4 * 1024 * 1024
    journal_age: float = 60.0
    settle: float = 5.0
    reuse: float = 60.0
    unlink: float = 600.0
    retry: float = 5.0


@dataclass(slots=True)
class _Full:
    slot: Slot
    converted: bool = False
    folded: bool = False
    due: float | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Workshop], Any]
    answer: "Future[Any]"

    def run(self, workshop: Workshop) -> None:
        try:
            found = self.work(workshop)
        except Exception as error:  # noqa: BLE001 - goes to whoever asked for it
            self.answer.set_exception(error)
        else:
            self.answer.set_result(found)


@dataclass(slots=True)
class Keeper:
    """Owns a writer's segments.

    Args:
        store: The store.
        state: As published last.
        begins: Lines of begins without an end as of that state, by seq.
        ledger: Where it says what it did to files.
        free: Takes journals that are empty again.
        report: Called from the thread with what failed.
    """

    store: Store
    state: State
    begins: dict[int, bytes]
    ledger: Ledger
    free: SimpleQueue[Slot]
    report: Callable[[Exception], None]
    pace: Pace
    clock: Callable[[], float] = monotonic
    tree: Frontier | None = None
    _folded: int = -1
    _gone: Gone = field(default_factory=Gone)
    _untold: bool = False
    _full: list[_Full] = field(default_factory=list)
    _seen: dict[tuple[str, Segment], float] = field(default_factory=dict)
    _doomed: dict[Path, float] = field(default_factory=dict)
    _queue: "SimpleQueue[Slot | _Job | None]" = field(default_factory=SimpleQueue)
    _jobs: list[_Job] = field(default_factory=list)
    _moved: bool = False
    _ready: Event = field(default_factory=Event)
    _failure: Exception | None = None
    _thread: Thread | None = None

    def start(self) -> None:
        """Begins work."""
        self.tree, self._folded = self.state.tree(), self.state.segments.last[0]
        with contextlib.suppress(ValueError, KeyError, TypeError):  # no such thing: written anew
            self._gone = Gone.read(self.folder)
        self._thread = Thread(target=self._run, name="proctor-segments", daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path:
        """The writer's own folder."""
        return self.store.writers / self.state.writer

    @property
    def tmp(self) -> Path:
        """Its files that are not whole yet."""
        return self.folder / "tmp"

    def put(self, slot: Slot) -> None:
        """A journal is full. From any thread, in the order of writing."""
        self._queue.put(slot)

    def do[T](self, work: Callable[[Workshop], T]) -> "Future[T]":
        """Has something done to the files between two of its own steps. From any thread.

        Args:
            work: Gets what makes files; should take a second at most.

        Returns:
            What becomes of it; cancelled where the thread ends before.
        """
        job = _Job(work, Future())
        self._queue.put(job)
        if self._thread is None or not self._thread.is_alive():
            self._give_up()
        return job.answer

    def wait_ready(self) -> None:
        """Waits until the views are there.

        Raises:
            Exception: What kept them from being made.
        """
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends the thread after the step it is at. What is not done is done at the next start."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Stops, and closes the ledger: the last checkpoint has been signed by then."""
        self.stop()
        self._give_up()
        self.ledger.close()

    def _give_up(self) -> None:
        """Tells whoever asked for something that it will not be done."""
        try:
            while True:
                found = self._queue.get_nowait()
                if isinstance(found, _Job):
                    self._jobs.append(found)
        except Empty:
            pass
        while self._jobs:
            self._jobs.pop().answer.cancel()

    def _run(self) -> None:
        try:
            workshop = Workshop(self.store, self.tmp)
            try:
                workshop.seed()
                workshop.publish_views()
                self._find(workshop)
            finally:
                self._ready.set()
        except Exception as error:  # noqa: BLE001 - goes to whoever opened the record
            self._failure = error
            self._ready.set()
            return
        patience: float | None = 0.0
        while self._take(patience):
            try:
                patience = self._work(workshop)
            except Exception as error:  # noqa: BLE001 - DuckDB's and the disk's; reported, tried again
                log.warning(
                    "segments cannot be written: %s",
                    type(error).__name__,
                    extra={"event": "segments.failed", "writer": self.state.writer},
                )
                self.report(error)
                patience = self.pace.retry
        workshop.close()

    def _find(self, workshop: Workshop) -> None:
        """Puts files on the ledger that a crash, or a proctor that had none, left off it."""
        mend(self.store, self.ledger)
        for folder, _ in self._kinds():
            for segment in segments(self.store.path / folder, self.state.writer):
                if f"{folder}/{segment.name}" not in self.ledger.files:
                    self._made(folder, segment, workshop.rows(folder, segment), "found", "")

    def _take(self, patience: float | None) -> bool:
        """Waits for a journal at most `patience` seconds, takes all there are; False to stop."""
        try:
            slot = self._queue.get(timeout=patience)
            while True:
                if slot is None:
                    return False
                if isinstance(slot, _Job):
                    self._jobs.append(slot)
                else:
                    self._full.append(_Full(slot))
                slot = self._queue.get_nowait()
        except Empty:
            return True

    def _work(self, workshop: Workshop) -> float | None:
        """Does what is due. Returns the seconds until more is, or None."""
        done = self._convert(workshop)
        done |= self._publish()
        done |= self._empty()
        for folder, bounds in self._kinds():
            for level in range(LEVELS - 1):
                done |= self._merge(workshop, folder, bounds, level)
        done |= self._sweep()
        if self._jobs:
            self._jobs.pop(0).run(workshop)
            done = True
        if done:
            return 0.0  # one step makes the next one possible
        now = self.clock()
        dues = [full.due for full in self._full if full.due is not None]
        dues += [seen + self.pace.settle for seen in self._seen.values()]
        dues += self._doomed.values()
        # What was due and was not done waits for something else, not for time.
        return min((due - now for due in dues if due > now), default=None)

    def _kinds(self) -> tuple[tuple[str, Bounds], ...]:
        return ((SEGMENTS, self.state.segments), (CONTENT, self.state.content))

    def _convert(self, workshop: Workshop) -> bool:
        """Makes segments of what is full."""
        waiting = [full for full in self._full if not full.converted]
        for full in waiting:
            slot, name = full.slot, self.state.writer
            if (found := digest_of(slot.path)) != (written := slot.digest.hexdigest()):
                self._changed(slot, written, found)
            for folder, first, last, bounds in (
                (SEGMENTS, slot.first_seq, slot.seq, self.state.segments),
                (CONTENT, slot.first_n, slot.n, self.state.content),
            ):
                if last > bounds.last[0]:
                    made = Segment(name, 0, first, last)
                    rows = workshop.convert(slot, folder, made)
                    self._made(folder, made, rows, "journal", slot.day)
            full.converted = True
        return bool(waiting)

    def _made(self, folder: str, segment: Segment, rows: int, why: str, day: str) -> None:
        """Puts a file that is there on the ledger, once."""
        root = self.store.path
        path = root / folder / segment.name
        if path.relative_to(root).as_posix() not in self.ledger.files:
            self.ledger.made(root, path, rows=rows, why=why, day=day)

    def _changed(self, slot: Slot, written: str, found: str) -> None:
        """Somebody else wrote into a journal: that is said, and what is there is kept."""
        log.error(
            "somebody changed a journal of the record",
            extra={"event": "journal.changed", "writer": self.state.writer, "file": slot.path.name},
        )
        name = slot.path.relative_to(self.store.path).as_posix()
        self.ledger.append(
            CHANGED, file=name, sha256=found, expected=written, first=slot.first_seq, last=slot.seq
        )
        slot.digest = sha256(slot.path.read_bytes())  # said once

    def _publish(self) -> bool:
        """Draws the bounds up to the segments that have been there long enough."""
        now = self.clock()
        for folder, bounds in self._kinds():
            there = segments(self.store.path / folder, self.state.writer)
            for segment in there:
                if segment.last > bounds.last[segment.level]:
                    self._seen.setdefault((folder, segment), now)
            for segment in there:
                seen = self._seen.get((folder, segment))
                if (
                    seen is not None
                    and segment.first == bounds.last[segment.level] + 1
                    and now - seen >= self.pace.settle
                ):
                    del self._seen[folder, segment]
                    bounds.last[segment.level] = segment.last
                    self._moved = True
            for level in range(LEVELS - 1, 0, -1):
                bounds.last[level - 1] = max(bounds.last[level - 1], bounds.last[level])
        moved = self._moved
        if moved:
            self._write_state()
            self._moved = False
        hot, n = self.state.segments.last[0], self.state.content.last[0]
        for full in self._full:
            if full.due is None and full.slot.seq <= hot and full.slot.n <= n:
                full.due = now + self.pace.reuse
        return moved

    def _write_state(self) -> None:
        hot = self.state.segments.last[0]
        for full in self._full:
            if not full.folded and full.slot.seq <= hot:
                self.begins.update(full.slot.begins)
                for number in full.slot.ended:
                    self.begins.pop(number, None)
                full.folded = True
                if full.slot.records and full.slot.seq > self._folded:
                    self._fold(full.slot)
        replace(self.folder / "open.jsonl", b"".join(self.begins.values()), self.tmp)
        self.state.write(self.folder, self.tmp)

    def _fold(self, slot: Slot) -> None:
        """Takes a slot's leaves into the tree of the published state."""
        new = slot.seq - self._folded
        leaves = bytes(slot.leaves[-new * HASH_SIZE :])
        if not slot.unbroken():
            self.tree = None  # a damaged line: there is no telling what it was
        if self.tree is not None:
            write_leaves(self.folder, self._folded + 1, leaves)
            self.tree.extend(leaves)
        self.state.peaks = [peak.hex() for peak in self.tree.peaks] if self.tree else []
        self.state.leaf = slot.leaf()
        self._folded = slot.seq

    def _empty(self) -> bool:
        """Gives back the journals that nobody can still be reading."""
        now = self.clock()
        over = [full for full in self._full if full.due is not None and full.due <= now]
        for full in over:
            self._going(SEGMENTS, 0, full.slot.seq)
            self._going(CONTENT, 0, full.slot.n)
        self._say_gone()
        for full in over:
            full.slot.clear()
            self._full.remove(full)
            self.free.put(full.slot)
        return bool(over)

    def _merge(self, workshop: Workshop, folder: str, bounds: Bounds, level: int) -> bool:
        """Merges the oldest files of a level that count and are not merged yet.

        FAN_IN of them, or what there is of a day that is over: no file holds two days, so that one
        is dropped by unlinking.
        """
        first = start = bounds.last[level + 1] + 1
        run: list[Segment] = []
        there = segments(self.store.path / folder, self.state.writer)
        days = {segment: self.ledger.day(f"{folder}/{segment.name}") for segment in there}
        for segment in there:
            if segment.level == level + 1 and segment.first == first:
                return False  # made already, does not count yet
            counts = segment.level == level and segment.last <= bounds.last[level]
            if counts and segment.first == start and days[segment] == days[(run or [segment])[0]]:
                run.append(segment)
                start = segment.last + 1
        over = any(
            segment.first == start
            and segment.last <= bounds.last[segment.level]
            and days[segment] != days[run[0]]
            for segment in there
            if run and segment.level <= level
        )
        if not run or (len(run) < FAN_IN and not over):
            return False
        day = days[run[0]]
        made, rows = workshop.merge(folder, run[:FAN_IN])
        self._made(folder, made, rows, "merge", day)
        self._seen[folder, made] = self.clock()
        return True

    def _going(self, folder: str, level: int, last: int) -> None:
        """What counts only by bounds below this is about to go."""
        bounds = dict(self._gone.kinds())[folder].last
        if last > bounds[level]:
            bounds[level] = last
            self._untold = True

    def _say_gone(self) -> None:
        """Says so, before it does."""
        if self._untold:
            self._gone.write(self.folder, self.tmp)
            self._untold = False

    def _sweep(self) -> bool:
        """Unlinks merged files that no query can still be reading."""
        now = self.clock()
        for folder, bounds in self._kinds():
            for segment in segments(self.store.path / folder, self.state.writer):
                if segment.level < LEVELS - 1 and segment.last <= bounds.last[segment.level + 1]:
                    path = self.store.path / folder / segment.name
                    self._doomed.setdefault(path, now + self.pace.unlink)
            for path in spent(self.store, self.ledger, folder, LEVELS - 1):
                self._doomed.setdefault(path, now + self.pace.unlink)
        over = [path for path, due in self._doomed.items() if due <= now]
        for path in over:
            segment = named(path)
            if segment.level < LEVELS - 1:
                self._going(path.parent.name, segment.level + 1, segment.last)
        self._say_gone()
        for path in over:
            said = self.ledger.files.get(path.relative_to(self.store.path).as_posix())
            if said:
                why = "merge" if said["rows"] else said["why"]
                self.ledger.gone(self.store.path, path, why=why)
            path.unlink(missing_ok=True)
            del self._doomed[path]
        return bool(over)
