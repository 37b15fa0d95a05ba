"""Signs checkpoints of one writer's tree, after the records they cover are durable.

Used by the journal's thread. That a checkpoint cannot be written never keeps a record from being
written; it is tried again, and whoever verifies sees the gap.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import Final

from proctor.audit.journal import datasync, open_journal, write_all
from proctor.errors import ClientError
from proctor.evidence import heads
from proctor.evidence.ledger import WRITER, Ledger
from proctor.evidence.statement import FIRST, Statement
from proctor.tlog.note import MAX_NOTE, Signer, parse_note, signed
from proctor.tlog.tree import Frontier

log = logging.getLogger(__name__)

NAME: Final = "checkpoints.jsonl"
# A head of this age need not be kept again, in seconds: it costs as much as the checkpoint itself.
_KEEP_AFTER = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """When a checkpoint is due.

    Attributes:
        records: After so many.
        seconds: After the first record that none covers yet.
        idle: Seconds after the last checkpoint, whether there are records or not.
    """

    records: int = 1000
    seconds: float = 10.0
    idle: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What it takes to sign.

    Attributes:
        state: Proctor's own folder; keys and kept heads are there.
        every: When.
        published: Told each checkpoint's origin and note, from the journal's thread.
    """

    state: Path
    every: Every = Every()
    published: Callable[[str, str], None] = lambda _origin, _note: None


class Sealer:
    """One writer's checkpoints.

    Attributes:
        tree: Over the leaves that are durable.
        last: The newest checkpoint, or None.
        failures: Attempts that failed since the start.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        folder: Path,
        *,
        origin: str,
        signer: Callable[[], Signer],
        tree: Frontier,
        last: Statement | None,
        ledger: Ledger,
        sealing: Sealing,
        wall: Callable[[], float] = time,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Opens the file of checkpoints; a line that a crash cut short goes.

        Args:
            folder: The writer's.
            origin: Of its checkpoints.
            signer: The key in force; asked for each checkpoint.
            tree: As of the last durable record.
            last: The newest checkpoint there is.
            ledger: Of the same writer.
            sealing: How.
            wall: Seconds since the epoch.
            clock: Monotonic, seconds.

        Raises:
            OSError: The disk does not take it.
        """
        self.tree = tree
        self.last = last
        self.failures = 0
        self._writers = folder.parent
        self._own = folder.name
        self._origin = origin
        self._signer = signer
        self._ledger = ledger
        self._sealing = sealing
        self._wall = wall
        self._clock = clock
        self._sealed = clock() - sealing.every.idle  # the first is due at once
        self._first: float | None = None
        self._kept = float("-inf")
        path = folder / NAME
        self._handle = open_journal(path)
        self._size = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(self._handle, self._size)

    def add(self, leaves: bytes) -> None:
        """Takes the leaves of records that have become durable, 32 bytes each."""
        if not leaves:
            return
        if self._first is None:
            self._first = self._clock()
        self.tree.extend(leaves)
        if self.tree.size - self._covered >= self._sealing.every.records:
            self.seal()

    def cover(self) -> bool:
        """Sees to it that a checkpoint covers every record, and says whether one does."""
        return self._covered == self.tree.size or self.seal()

    @property
    def _covered(self) -> int:
        return self.last.size if self.last else 0

    def patience(self) -> float:
        """Seconds until a checkpoint is due."""
        every = self._sealing.every
        due = self._sealed + every.idle
        if self._first is not None:
            due = min(due, self._first + every.seconds)
        return max(0.0, due - self._clock())

    def seal(self, *, final: bool = False) -> bool:
        """Signs a checkpoint and makes it durable.

        Args:
            final: The gateway ends as it should: no other is promised.

        Returns:
            Whether it is there; if not, it was said in the log and is tried again when one is due.
        """
        try:
            self._seal(final=final)
        except (OSError, ValueError, ClientError) as error:
            log.error(  # noqa: TRY400 - the trace would say no more than its name
                "a checkpoint of the record cannot be written: %s",
                type(error).__name__,
                extra={"event": "checkpoint.failed", "origin": self._origin},
            )
            self._sealed, self._first = self._clock(), None
            self.failures += 1
            return False
        return True

    def ended(self) -> bool:
        """Whether the newest checkpoint is a last one, and nothing was done since."""
        last = self.last
        return (
            last is not None
            and last.due is None
            and (last.size, last.ledger) == (self.tree.size, self._ledger.stand)
        )

    def close(self) -> None:
        """Closes the file."""
        os.close(self._handle)

    def _seal(self, *, final: bool) -> None:
        for name in sorted(os.listdir(self._writers)):  # noqa: PTH208 - names are all it takes
            if name != self._own and name not in self._ledger.writers:
                self._ledger.append(WRITER, writer=name)
        now = datetime.fromtimestamp(self._wall(), UTC)
        statement = Statement(
            origin=self._origin,
            size=self.tree.size,
            root=self.tree.root(),
            time=now,
            due=None if final else now + timedelta(seconds=2 * self._sealing.every.idle),
            after=self.last.hash if self.last else FIRST,
            ledger=self._ledger.stand,
        )
        note = str(signed(str(statement), [self._signer()]))
        line = json.dumps(note).encode() + b"\n"
        try:
            write_all(self._handle, line)
            datasync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(line)
        self.last = statement
        self._sealed, self._first = self._clock(), None
        if final or self._sealed - self._kept >= _KEEP_AFTER:
            heads.keep(self._sealing.state, self._origin, note)
            self._kept = self._sealed
        self._sealing.published(self._origin, note)


def newest(folder: Path) -> Statement | None:
    """The newest whole checkpoint in a writer's folder, or None.

    Raises:
        ClientError: The last line is no checkpoint.
        OSError, ValueError: It cannot be read.
    """
    try:
        with (folder / NAME).open("rb") as source:
            source.seek(max(0, source.seek(0, os.SEEK_END) - 2 * MAX_NOTE))
            data = source.read()
    except FileNotFoundError:
        return None
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        return None
    try:
        note = json.loads(whole[:-1].rpartition(b"\n")[2])
    except RecursionError:
        note = None
    if not isinstance(note, str):
        raise ValueError("a line of checkpoints is a JSON string")  # noqa: TRY004 - of the file
    return Statement.parse(parse_note(note).text)
