"""Putting a file without some of its rows in a file's place.

The ledger says first what is about to be there, and `was`, what is there; then the name changes
hands at once. So a crash at any point leaves one of the two, and the next start can tell which.
Readers that hold the old file go on with it.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from proctor.audit.store import Store, sync_folder
from proctor.evidence.ledger import CHANGED, MADE, Ledger, digest_of

SEED: Final = "seed.parquet"
RETENTION: Final = "retention"
ERASURE: Final = "erasure"


def put(  # noqa: PLR0913 - what, where, and what to say of it
    store: Store, ledger: Ledger, path: Path, draft: Path, *, rows: int, why: str
) -> int:
    """Puts `draft` in the place of `path`.

    Args:
        store: The record.
        ledger: The writer's.
        path: A file of the record.
        draft: On the same file system; it is gone afterwards.
        rows: In it.
        why: RETENTION or ERASURE.

    Returns:
        Bytes by which the file became smaller.

    Raises:
        OSError: The disk does not take it; then `path` is as it was.
    """
    name = path.relative_to(store.path).as_posix()
    before, was = path.stat().st_size, digest_of(path)
    said = ledger.files.get(name, {})
    if said and said["sha256"] != was:
        # Somebody else changed it: that stays to be seen, whatever becomes of the file.
        ledger.append(CHANGED, file=name, sha256=was, expected=said["sha256"])
    draft.chmod(0o600)
    handle = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    after = draft.stat().st_size
    ledger.append(
        MADE,
        file=name,
        sha256=digest_of(draft),
        rows=rows,
        why=why,
        day=ledger.day(name),
        was=was,
        was_rows=said.get("rows"),
    )
    draft.replace(path)
    sync_folder(path.parent)
    return before - after


def empty(store: Store, ledger: Ledger, path: Path, tmp: Path, *, why: str) -> int:
    """Puts a file without rows, of the same columns, in the place of `path`; as `put`.

    Raises:
        OSError: As `put`.
    """
    draft = tmp / f".{path.name}.{os.getpid()}"
    try:
        try:
            draft.hardlink_to(path.parent / SEED)  # whole and durable already
        except OSError:
            shutil.copyfile(path.parent / SEED, draft)
        return put(store, ledger, path, draft, rows=0, why=why)
    finally:
        draft.unlink(missing_ok=True)


def mend(store: Store, ledger: Ledger) -> None:
    """Takes back what the ledger announced last if a crash kept it from being done.

    Only the last announcement can be open: one thread does one after the other.

    Raises:
        OSError: The disk does not take or give it.
    """
    announced = [said for said in ledger.files.values() if "was" in said]
    if not announced:
        return
    last = max(announced, key=lambda said: int(said["i"]))
    path = store.path / last["file"]
    if not path.exists() or last["was"] == last["sha256"] or digest_of(path) != last["was"]:
        return
    ledger.append(
        MADE,
        file=last["file"],
        sha256=last["was"],
        rows=last["was_rows"],
        why=last["why"],
        day=last["day"],
    )


def spent(store: Store, ledger: Ledger, folder: str, level: int) -> list[Path]:
    """Files of the last level that hold nothing any more, and may go once no query reads them.

    Those of other levels go when they are merged: the bounds want their numbers without a gap.
    """
    return [
        store.path / name
        for name, said in ledger.files.items()
        if not said["rows"] and name.startswith(f"{folder}/") and name.split("-")[1] == str(level)
    ]
