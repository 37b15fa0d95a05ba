"""A writer's ring of journals: fixed names, truncated for reuse, never unlinked.

A name that never goes away lets a reader in another process open it at any time. One journal is
written; a full one is handed on to become a segment, and comes back empty some time later. If none
has come back, the ring grows: what is not in a segment yet is never overwritten.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from proctor.audit.envelope import timestamp
from proctor.audit.store import sync_folder
from proctor.tlog.tree import HASH_SIZE, leaf_hash

if TYPE_CHECKING:
    from asyncio import Future
    from hashlib import _Hash

RING = 4
# What macOS lacks, fsync does more slowly.
datasync: Final = getattr(os, "fdatasync", os.fsync)

IS_BEGIN = -1
NO_FLOW = -2


class Item(NamedTuple):
    """A line on its way to the disk.

    Attributes:
        line: Its bytes, newline included.
        number: `seq` of an envelope, `n` of content.
        flow: IS_BEGIN, NO_FLOW, or the `seq` of the begin that this line ends.
        waiter: Who waits for an envelope to be durable; None for content.
        leaf: Of an envelope, 32 bytes; made of the line where it is empty.
    """

    line: bytes
    number: int
    flow: int = NO_FLOW
    waiter: "Future[None] | None" = None
    leaf: bytes = b""


@dataclass(slots=True)
class Slot:
    """One journal and what is in it; everything here is durable.

    Attributes:
        path: Its file.
        size: Bytes.
        since: When its first line came, by the monotonic clock.
        first_seq: First envelope.
        seq: Last envelope, -1 if none.
        first_n: First content line.
        n: Last content line, -1 if none.
        last: Line of the last envelope.
        records: Envelopes in it.
        blocks: Content lines in it.
        begins: Lines of the flows that began here, by seq.
        ended: Begins that ended here.
        leaves: Of its envelopes, 32 bytes each.
        digest: Running SHA-256 of its bytes, so that nothing is taken over that somebody changed.
        day: UTC day of its lines, or empty where that is not known.
    """

    path: Path
    size: int = 0
    since: float = 0.0
    first_seq: int = 0
    seq: int = -1
    first_n: int = 0
    n: int = -1
    last: bytes = b""
    records: int = 0
    blocks: int = 0
    begins: dict[int, bytes] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    leaves: bytearray = field(default_factory=bytearray)
    digest: "_Hash" = field(default_factory=sha256)
    day: str = ""

    def add(self, item: Item, *, is_record: bool) -> None:
        """Counts a line that is durable now."""
        self.digest.update(item.line)
        self.count(item, is_record=is_record)

    def count(self, item: Item, *, is_record: bool) -> None:
        """As `add`, where somebody else sees to the digest."""
        if not is_record:
            if not self.blocks:
                self.first_n = item.number
            self.n = item.number
            self.blocks += 1
            return
        if not self.records:
            self.first_seq = item.number
        self.seq = item.number
        self.last = item.line
        self.records += 1
        self.leaves += item.leaf or leaf_hash(item.line[:-1])
        if item.flow == IS_BEGIN:
            self.begins[item.number] = item.line
        elif item.flow != NO_FLOW:
            self.ended.append(item.flow)

    def unbroken(self) -> bool:
        """Whether no record is missing between its first and its last."""
        return len(self.leaves) == (self.seq + 1 - self.first_seq) * HASH_SIZE

    def leaf(self) -> str:
        """Leaf of its last envelope, hex."""
        return self.leaves[-HASH_SIZE:].hex()

    def clear(self) -> None:
        """Empties file and counts, for reuse."""
        os.truncate(self.path, 0)
        self.size = self.records = self.blocks = 0
        self.seq = self.n = -1
        self.last = b""
        self.begins = {}
        self.ended = []
        self.leaves.clear()
        self.digest = sha256()
        self.day = ""


class Journal:
    """Writes lines durably, one `write` and one `fdatasync` a batch. Used by one thread.

    Args:
        free: Empty slots, in the order of their use; the segment thread puts them back.
        full: Takes the slots that are full.
        limit: Bytes after which a slot is full.
        clock: Monotonic, seconds.
        wall: Seconds since the epoch; no slot holds lines of two UTC days.
        covered: Asked before a slot is handed on: whether a checkpoint covers its records.
    """

    def __init__(  # noqa: PLR0913 - its parts, by name
        self,
        folder: Path,
        *,
        free: SimpleQueue[Slot],
        full: Callable[[Slot], None],
        limit: int,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
        covered: Callable[[], bool] = lambda: True,
    ) -> None:
        self._folder = folder
        self._free = free
        self._full = full
        self._limit = limit
        self._clock = clock
        self._wall = wall
        self._covered = covered
        self._torn = False
        self.slot, self._handle = self._take()

    def write(self, items: Sequence[Item]) -> bytes:
        """Makes `items` durable, all or none.

        Returns:
            The leaves of the envelopes among them, 32 bytes each.

        Raises:
            OSError: None of them is; what was written in part is cut off again before the next.
        """
        data = b"".join([item.line for item in items])
        self.mend()
        today = timestamp(self._wall())[:10]
        if self.slot.size and (self.slot.size + len(data) > self._limit or self.slot.day != today):
            self.rotate()
        self._torn = True
        write_all(self._handle, data)
        datasync(self._handle)
        self._torn = False
        slot = self.slot
        if not slot.size:
            slot.since = self._clock()
            slot.day = today
        elif slot.day != today:  # no room for another
            slot.day = ""
        slot.size += len(data)
        before = len(slot.leaves)
        slot.digest.update(data)
        for item in items:
            slot.count(item, is_record=item.waiter is not None)
        return bytes(slot.leaves[before:])

    def mend(self) -> None:
        """Cuts off what a failed write left behind.

        Raises:
            OSError: That does not succeed either.
        """
        if self._torn:
            os.ftruncate(self._handle, self.slot.size)
            datasync(self._handle)
            self._torn = False

    def probe(self, size: int = 64 * 1024) -> None:
        """Finds out whether the disk takes writes again; leaves no trace.

        Raises:
            OSError: It does not.
        """
        self.mend()
        self._torn = True
        write_all(self._handle, b" " * (size - 1) + b"\n")
        datasync(self._handle)
        self.mend()

    def rotate(self) -> None:
        """Hands the slot on and takes an empty one; stays if there is no room for another."""
        if not self.slot.size or not self._covered():
            return
        try:
            slot, handle = self._take()
        except OSError:
            return
        os.close(self._handle)
        done, self.slot, self._handle = self.slot, slot, handle
        self._full(done)

    def close(self) -> None:
        """Closes the file; a torn line goes first if that is possible."""
        try:
            self.mend()
        except OSError:
            pass  # recovery at the next start cuts it
        finally:
            os.close(self._handle)

    def _take(self) -> tuple[Slot, int]:
        try:
            slot = self._free.get_nowait()
        except Empty:
            names = (path.stem for path in self._folder.glob("[0-9]*.jsonl"))
            slot = Slot(self._folder / f"{1 + max(map(int, names))}.jsonl")
        try:
            handle = open_journal(slot.path)
        except OSError:
            if slot.path.exists():
                self._free.put(slot)
            raise
        return slot, handle


def write_all(handle: int, data: bytes) -> None:
    """Writes all of it, however little the system takes at once.

    Raises:
        OSError: As usual; a part of it may be there.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def open_journal(path: Path) -> int:
    """Opens a journal for appending, makes it if need be; its name is durable then.

    Raises:
        OSError: As usual.
    """
    fresh = not path.exists()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path, flags, 0o600)
    if fresh:
        sync_folder(path.parent)
    return handle
