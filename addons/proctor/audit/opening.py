"""Opening a record for writing: everything at the start that touches the disk."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from proctor.audit.journal import RING, Journal, Slot, open_journal
from proctor.audit.keeper import Keeper, Pace
from proctor.audit.recovery import Found, read_open, recover
from proctor.audit.store import Store, private, replace, sync_folder
from proctor.errors import ConfigurationError

MAX_WRITERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A writer that is ours.

    Attributes:
        lock: Handle that holds it; closing lets it go.
        found: What the last process left.
        keeper: Not started yet.
        journal: Ready to be written.
    """

    lock: int
    found: Found
    keeper: Keeper
    journal: Journal


def prepare(store: Store, report: Callable[[Exception], None], pace: Pace) -> Opened:
    """Takes a writer, mends what a crash left, and makes what is missing.

    Args:
        store: The record.
        report: For the keeper.
        pace: For journals and keeper.

    Raises:
        ConfigurationError: The record is not fit to be written.
        OSError: The disk does not take it.
    """
    free: SimpleQueue[Slot] = SimpleQueue()
    store.create()
    folder, lock = _lock(store)
    try:
        tmp = folder / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(mode=0o700)
        try:
            found = recover(folder)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                "store-unreadable",
                "A writer's state cannot be read",
                hint="Restore state.json and open.jsonl from a copy; nothing was changed.",
                where=str(folder),
            ) from error
        begins = read_open(folder)
        for name in ("open.jsonl", "state.json"):
            if not (folder / name).exists():
                replace(folder / "open.jsonl", b"", tmp)
                found.state.write(folder, tmp)
        for number in range(RING):
            path = folder / f"{number}.jsonl"
            if not path.exists():
                os.close(open_journal(path))
                found.empty.append(Slot(path))
        for slot in found.empty:
            free.put(slot)
        keeper = Keeper(
            store=store, state=found.state, begins=begins, free=free, report=report, pace=pace
        )
        journal = Journal(
            folder, free=free, full=keeper.put, limit=pace.journal_bytes, clock=time.monotonic
        )
    except BaseException:
        os.close(lock)
        raise
    return Opened(lock=lock, found=found, keeper=keeper, journal=journal)


def _lock(store: Store) -> tuple[Path, int]:
    """The first writer that nobody holds; the same after a restart, so that its chain goes on."""
    for number in range(MAX_WRITERS):
        folder = store.writers / f"w{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        private(folder)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        sync_folder(store.writers)
        return folder, handle
    raise ConfigurationError(
        "store-busy",
        "Too many processes write this record",
        expected=f"at most {MAX_WRITERS}",
        where=str(store.path),
    )
