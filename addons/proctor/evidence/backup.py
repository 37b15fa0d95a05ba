"""Backups: a folder with one consistent copy of the record in it, or several.

DIR/
  20261122T140000Z/   a copy: what a record's folder holds, without what can be made again
  current             a link to the newest one that is whole

A copy gets its name when it is whole and checked; until then, whatever happens, `current` is the
one before. Parquet files that have not changed are shared between copies (hard links), never with
the record itself. Journals, and with them everything small, are copied each time.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit.envelope import timestamp
from proctor.audit.state import State
from proctor.audit.store import Store, private, sync_folder
from proctor.errors import ClientError, ConfigurationError
from proctor.evidence import copied, keys, leaves, ledger, sealer
from proctor.evidence.copying import Taken, WriterCopy, copy, write
from proctor.tlog.note import VerifierKey, parse_note
from proctor.tlog.proof import grow
from proctor.tlog.tree import HASH_SIZE, Frontier

CURRENT: Final = "current"
NOTE: Final = "backup.json"
VERSION: Final = 1
_MAKING = ".making"
_COPY = re.compile(r"\d{8}T\d{6}Z(?:-\d{1,3})?")
_WRITER = re.compile(r"w\d{1,6}")
# Beside the writers: where exports stand goes first, so that it never points past the copy; so do
# notes of orders to erase, since what the record does not say is not carried out.
_BEFORE = ("exports/*.json", "erasures/*.json")
_AFTER = ("keys/*.note", "holds.json", "store.json", "*/seed.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that is whole.

    Attributes:
        path: Its folder.
        records: In it.
        files: Parquet files.
        copied: Bytes that were read from the record; the rest is shared with the copy before.
        writers: How many.
    """

    path: Path
    records: int
    files: int
    copied: int
    writers: int


def back_up(  # noqa: PLR0913 - what it takes, by name
    record: Path,
    folder: Path,
    now: float,
    *,
    keep: int = 1,
    key: Ed25519PrivateKey | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Backup:
    """Copies a record that may be written meanwhile.

    Args:
        record: The store's folder.
        folder: Where copies lie; made if it is not there, 0700.
        now: Seconds since the epoch.
        keep: So many copies stay, the new one included.
        key: The record's, which signs when the copy was made; without it nobody can tell.
        step: Told of each part of it.

    Raises:
        ConfigurationError: Codes `store-missing`, `store-open-to-others`, `store-unreadable`,
            `backup-inside`.
        ClientError: Codes `backup-unsettled`, `backup-busy`, `backup-wrong`.
        OSError: A disk does not give or take it.
    """
    source = Store.at(record)
    _check(source, folder.absolute())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private(folder)
    with _alone(folder):
        draft = folder / _MAKING
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        before = newest(folder)
        if before and _id(before) != source.id():
            before = None  # another record's: nothing of it is the same
        _others(source, draft, _BEFORE)
        taken = list(_writers(source, draft, before, step))
        _others(source, draft, _AFTER)
        step("checking")
        check(draft, taken)
        note = {
            "backup": VERSION,
            "store": source.id(),
            "at": timestamp(now),
            "records": {each.writer: each.records for each in taken},
        }
        write(draft / NOTE, json.dumps(note).encode() + b"\n")
        if key:
            copied.sign(draft, NOTE, key, now)
        _sync(draft)
        path = _publish(folder, draft, now)
        _drop(folder, path, keep)
    return Backup(
        path=path,
        records=sum(each.records for each in taken),
        files=sum(len(each.files) for each in taken),
        copied=sum(each.copied for each in taken),
        writers=len(taken),
    )


def newest(folder: Path) -> Path | None:
    """The newest copy that is whole, in a folder of copies or the folder itself, or None."""
    for path in (folder / CURRENT, folder):
        if (path / NOTE).is_file():
            return path.resolve()
    return None


def check(root: Path, taken: list[Taken]) -> None:
    """Refuses a copy that is not what its newest checkpoints say.

    Raises:
        ClientError: Codes `backup-wrong`, `key-trail-broken`.
        OSError: It cannot be read.
    """
    store = Store.at(root)
    steps = keys.read_trail(root, store.id())
    for each in taken:
        if each.rests:
            continue
        folder = store.writers / each.writer
        try:
            last = sealer.newest(folder)
            if last is None:
                continue
            note = parse_note(json.loads((folder / sealer.NAME).read_bytes().splitlines()[-1]))
        except (ClientError, ValueError):
            raise _wrong(each, "a checkpoint that cannot be read") from None
        origin = keys.origin_of(store.id(), each.writer)
        if last.origin != origin or not any(
            note.signed_by(VerifierKey(origin, step.public)) for step in steps
        ):
            raise _wrong(each, "a checkpoint that no key of the record signed")
        stands = [ledger.Stand(), *(stand for stand, _ in ledger.lines(folder / ledger.NAME))]
        if stands[last.ledger.count :][:1] != [last.ledger]:
            raise _wrong(each, "a ledger that is not the one its checkpoint names")
        if last.size > each.records:
            raise _wrong(each, f"{each.records} records where {last.size} were signed")
        if _root(folder, each, last.size) != last.root:
            raise _wrong(each, "records that are not those its checkpoint names")


def _root(folder: Path, taken: Taken, size: int) -> bytes:
    """The root over the first records of a copy: from its leaves, and its journals."""
    tree = Frontier()
    settled = taken.settled

    def read(start: int, end: int) -> bytes:
        cold = leaves.read_leaves(folder, start, max(0, min(end, settled) - start))
        low, high = max(start, settled) - settled, max(end, settled) - settled
        return cold + taken.hot[low * HASH_SIZE : high * HASH_SIZE]

    grow(tree, read, size)
    kept = State.read(folder).tree()
    known = Frontier()
    grow(known, read, settled)
    if kept is None or kept.peaks != known.peaks:
        raise _wrong(taken, "leaves that do not belong to its state")
    return tree.root()


def _writers(
    source: Store, draft: Path, before: Path | None, step: Callable[[str], None]
) -> Iterator[Taken]:
    """Copies each writer, and those that came meanwhile and were seen by one that is copied."""
    known = {path.name for path in source.writers.iterdir() if _WRITER.fullmatch(path.name)}
    done: set[str] = set()
    while rest := sorted(known - done, key=lambda name: int(name[1:])):
        for name in rest:
            step(name)
            taken = WriterCopy(source, name, draft, before).take()
            done.add(name)
            known |= {each for each in taken.seen if (source.writers / each).is_dir()}
            yield taken


def _others(source: Store, draft: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in sorted(source.path.glob(pattern)):
            target = draft / path.relative_to(source.path)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                copy(path, target)
            except FileNotFoundError:
                continue  # done with meanwhile


def _publish(folder: Path, draft: Path, now: float) -> Path:
    name = re.sub(r"[-:]|\.\d+", "", timestamp(now))
    path, number = folder / name, 0
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    draft.rename(path)
    link = folder / f".{CURRENT}"
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)
    link.replace(folder / CURRENT)
    sync_folder(folder)
    return path


def _drop(folder: Path, path: Path, keep: int) -> None:
    """Removes what is older than the copies that stay; also what a crash left without a link."""
    there = [each for each in folder.iterdir() if _COPY.fullmatch(each.name) and each != path]
    there.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    for each in there[max(0, keep - 1) :]:
        shutil.rmtree(each)


def _check(source: Store, folder: Path) -> None:
    if not (source.path / "store.json").exists():
        raise ConfigurationError(
            "store-missing",
            "There is no record here yet",
            expected="a folder that `proctor run` has written to",
            where=str(source.path),
        )
    source.check()
    inside = folder.resolve()
    if source.path.resolve() in {inside, *inside.parents}:
        raise ConfigurationError(
            "backup-inside",
            "A backup does not lie inside the record that it is of",
            got=str(folder),
            expected="another folder, at best on another disk",
        )


def _id(path: Path) -> str:
    return Store.at(path).id()


def _sync(draft: Path) -> None:
    for path in (*draft.rglob("*/"), draft):
        if path.is_dir():
            sync_folder(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ClientError(
            "backup-busy",
            "Another backup to this folder is under way",
            got=str(folder),
            hint="Wait for it.",
        ) from None
    finally:
        os.close(handle)


def _wrong(taken: Taken, got: str) -> ClientError:
    return ClientError(
        "backup-wrong",
        "The copy is not what its checkpoints say, so it is not kept",
        got=f"{taken.writer}: {got}",
        hint="`proctor verify` says more. Keep the folder as it is: it may be evidence.",
    )
