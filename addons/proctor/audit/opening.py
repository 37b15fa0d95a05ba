"""Opening a record for writing: everything at the start that touches the disk."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from proctor.audit.envelope import timestamp
from proctor.audit.journal import RING, Journal, Slot, open_journal
from proctor.audit.keeper import Keeper, Pace
from proctor.audit.recovery import Found, read_open, recover
from proctor.audit.store import Store, private, replace, sync_folder
from proctor.errors import ConfigurationError
from proctor.evidence.ledger import Ledger
from proctor.evidence.sealer import Sealer, Sealing
from proctor.evidence.standing import RETIRED, Standing, standing
from proctor.evidence.statement import Statement

MAX_WRITERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A writer that is ours.

    Attributes:
        lock: Handle that holds it; closing lets it go.
        found: What the last process left.
        keeper: Not started yet.
        journal: Ready to be written.
        sealer: Signs checkpoints, or None.
        retired: Writers that were let rest just now, and why.
        cut_short: The last checkpoint of a process that did not end as it should, or None.
    """

    lock: int
    found: Found
    keeper: Keeper
    journal: Journal
    sealer: Sealer | None = None
    retired: dict[str, str] = field(default_factory=dict)
    cut_short: Statement | None = None


def prepare(
    store: Store,
    report: Callable[[Exception], None],
    pace: Pace,
    sealing: Sealing | None = None,
    wall: Callable[[], float] = time.time,
) -> Opened:
    """Takes a writer, mends what a crash left, and makes what is missing.

    A writer whose record is not what its checkpoints say is let rest, and another one is taken.

    Args:
        store: The record.
        report: For the keeper.
        pace: For journals and keeper.
        sealing: How checkpoints are signed; None: they are not.
        wall: Seconds since the epoch; says which day it is.

    Raises:
        ConfigurationError: The record is not fit to be written.
        OSError: The disk does not take it.
    """
    store.create()
    retired: dict[str, str] = {}
    while True:
        folder, lock = _lock(store)
        opened = _open(store, folder, lock, report, pace, sealing, wall)
        if isinstance(opened, Opened):
            opened.retired.update(retired)
            return opened
        retired[folder.name] = opened


def adopt(
    store: Store,
    writer: str,
    report: Callable[[Exception], None],
    pace: Pace,
    sealing: Sealing | None = None,
) -> Opened | None:
    """Takes a writer that nobody holds, to do to its files what has to be done to all.

    Args:
        store: The record.
        writer: Its name.
        report: For the keeper.
        pace: For journals and keeper.
        sealing: How checkpoints are signed; a writer that was let rest gets none.

    Returns:
        None where somebody holds it, or where it has to rest from now on.

    Raises:
        ConfigurationError: The record is not fit to be written.
        OSError: The disk does not take it.
    """
    folder = store.writers / writer
    private(folder)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    rests = (folder / RETIRED).exists()
    opened = _open(store, folder, handle, report, pace, None if rests else sealing, time.time)
    return opened if isinstance(opened, Opened) else None


def _open(  # noqa: PLR0913, PLR0917 - what `prepare` was given, and the writer
    store: Store,
    folder: Path,
    lock: int,
    report: Callable[[Exception], None],
    pace: Pace,
    sealing: Sealing | None,
    wall: Callable[[], float],
) -> Opened | str:
    """The writer in `folder`, or why it has to rest."""
    free: SimpleQueue[Slot] = SimpleQueue()
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
        stands = standing(store, folder, found, sealing) if sealing else None
        if isinstance(stands, str):
            _retire(folder, stands)
            os.close(lock)
            return stands
        ledger = Ledger(folder)
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
            store=store,
            state=found.state,
            begins=begins,
            ledger=ledger,
            free=free,
            report=report,
            pace=pace,
        )
        sealer = _sealer(folder, stands, ledger, sealing)
        journal = Journal(
            folder,
            free=free,
            full=keeper.put,
            limit=pace.journal_bytes,
            clock=time.monotonic,
            wall=wall,
            covered=sealer.cover if sealer else lambda: True,
        )
    except BaseException:
        os.close(lock)
        raise
    last = stands.last if stands else None
    return Opened(
        lock=lock,
        found=found,
        keeper=keeper,
        journal=journal,
        sealer=sealer,
        cut_short=last if last and last.due else None,
    )


def _sealer(
    folder: Path, stands: Standing | None, ledger: Ledger, sealing: Sealing | None
) -> Sealer | None:
    if not stands or not sealing:
        return None
    return Sealer(
        folder,
        origin=stands.origin,
        signer=stands.signer,
        tree=stands.tree,
        last=stands.last,
        ledger=ledger,
        sealing=sealing,
    )


def _retire(folder: Path, why: str) -> None:
    """Marks a writer that nobody goes on with; what it wrote stays to be asked and checked."""
    note = {"since": timestamp(time.time()), "why": why}
    replace(folder / RETIRED, json.dumps(note).encode() + b"\n", folder / "tmp")


def _lock(store: Store) -> tuple[Path, int]:
    """The first writer that nobody holds; the same after a restart, so that its chain goes on."""
    for number in range(MAX_WRITERS):
        folder = store.writers / f"w{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        private(folder)
        if (folder / RETIRED).exists():
            continue
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
