"""A consistent copy of one writer's part of a record, taken while it is written.

Nothing is stopped. The order does it: what speaks of something is copied before what it speaks of.

    checkpoints → state → open flows → journals → ledger → leaves → files

So the copy holds every record that a copied checkpoint covers, every record after the published
state, and every file that the copied ledger names. Where the writer was quicker (a journal emptied,
a file merged away or rewritten) that shows, and the writer is copied again; files that were copied
already stay.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from proctor.audit.journal import write_all
from proctor.audit.recovery import parse
from proctor.audit.segments import Segment, segments
from proctor.audit.state import Bounds, State
from proctor.audit.store import CONTENT, SEGMENTS, Store, sync_folder
from proctor.errors import ClientError
from proctor.evidence import cosigned, leaves, ledger, sealer
from proctor.evidence.standing import RETIRED
from proctor.tlog.tree import leaf_hash

STATE: Final = "state.json"
OPEN: Final = "open.jsonl"
_TRIES = 50
_PAUSE = 0.1
_CHUNK = 1 << 20
_JOURNAL = re.compile(r"\d{1,9}\.jsonl")
_FILE = re.compile(
    rf"(?:{SEGMENTS}|{CONTENT})/(w\d{{1,6}})-(\d)-(\d{{12,15}})-(\d{{12,15}})\.parquet", re.ASCII
)


@dataclass(slots=True, kw_only=True)
class Taken:
    """What was copied of one writer.

    Attributes:
        writer: Its name.
        records: Its records, from 0 on; those that retention has dropped are counted.
        rests: Nobody goes on with it; it was copied as it lies there.
        hot: Leaves of the records that are in no file yet, 32 bytes each.
        settled: Records before those.
        files: Parquet files by name, and their SHA-256.
        copied: Bytes that were read and written.
        seen: Other writers that its ledger names.
    """

    writer: str
    records: int = 0
    rests: bool = False
    hot: bytes = b""
    settled: int = 0
    files: dict[str, str] = field(default_factory=dict)
    copied: int = 0
    seen: set[str] = field(default_factory=set)


class _MovedError(Exception):
    """The writer was quicker."""


class WriterCopy:
    """Copies one writer."""

    def __init__(self, source: Store, writer: str, target: Path, before: Path | None) -> None:
        """Nothing is copied yet.

        Args:
            source: The record.
            writer: Whose part.
            target: The folder of the copy.
            before: An older copy; a file that is the same there is linked, not read again.
        """
        self._source = source
        self._writer = writer
        self._target = target
        self._before = before
        self._linkable = _named(before / "writers" / writer / ledger.NAME) if before else {}
        self._done: dict[str, str] = {}
        self._copied = 0

    def take(self) -> Taken:
        """Copies it.

        Raises:
            ClientError: Code `backup-unsettled`: what is there does not fit together.
            OSError: The disk does not give or take it.
        """
        pause = threading.Event()
        why = ""
        for _ in range(_TRIES):
            try:
                return self._take()
            except _MovedError as error:
                why = str(error)
            pause.wait(_PAUSE)
        raise ClientError(
            "backup-unsettled",
            "A part of the record does not fit together, so it is not copied",
            got=f"{self._writer}: {why}",
            hint="`proctor verify` says more. Keep the folder as it is: it may be evidence.",
        )

    def _take(self) -> Taken:
        folder = self._source.writers / self._writer
        target = self._target / "writers" / self._writer
        for path in (target.parent, target):
            path.mkdir(mode=0o700, exist_ok=True)
        taken = Taken(writer=self._writer, rests=(folder / RETIRED).exists())
        for name in (cosigned.NAME, sealer.NAME):
            self._lines(folder / name, target / name)
        for name in (STATE, OPEN):
            self._small(folder / name, target / name)
        try:
            state = State.read(target)
        except (ValueError, KeyError, TypeError):
            raise _MovedError("its state cannot be read") from None
        self._journals(folder, target, state, taken)
        self._lines(folder / ledger.NAME, target / ledger.NAME)
        write(target / leaves.NAME, leaves.read_leaves(folder, 0, taken.settled))
        for path in (folder / RETIRED, *folder.glob("*.torn")):
            self._small(path, target / path.name)
        taken.files, taken.seen = self._wanted(target, state)
        for name, digest in taken.files.items():
            self._file(name, digest, rests=taken.rests)
        for name in set(self._done) - set(taken.files):
            (self._target / name).unlink()
            del self._done[name]
        sync_folder(target)
        taken.copied = self._copied
        return taken

    def _journals(self, folder: Path, target: Path, state: State, taken: Taken) -> None:
        for path in target.glob("[0-9]*.jsonl"):
            path.unlink()
        hot: dict[int, bytes] = {}
        blocks: set[int] = set()
        for path in sorted(folder.iterdir()):
            if not _JOURNAL.fullmatch(path.name):
                continue
            data = path.read_bytes()
            data = data[: data.rfind(b"\n") + 1]
            for line in data.split(b"\n")[:-1]:
                found = parse(line)
                if found is None:
                    if not taken.rests:
                        raise _MovedError(f"a line of {path.name} cannot be read")
                elif found[1]:
                    hot[found[0].number] = leaf_hash(line)
                else:
                    blocks.add(found[0].number)
            write(target / path.name, data)  # also an empty one: the views look for it
            self._copied += len(data)
        settled, n = state.segments.last[0], state.content.last[0]
        fresh = sorted(number for number in hot if number > settled)
        taken.settled = settled + 1
        taken.records = settled + 1 + len(fresh)
        taken.hot = b"".join(hot[number] for number in fresh)
        new = [number for number in blocks if number > n]
        whole = not fresh or fresh[-1] == settled + len(fresh)
        if not taken.rests and not (whole and (not new or max(new) == n + len(new))):
            raise _MovedError("a record is in no journal and no file")

    def _wanted(self, target: Path, state: State) -> tuple[dict[str, str], set[str]]:
        """The files that the copied ledger names, and the writers."""
        if not (target / ledger.NAME).exists():  # kept by a proctor that had no ledger
            names = [
                f"{kind}/{segment.name}"
                for kind in (SEGMENTS, CONTENT)
                for segment in segments(self._source.path / kind, self._writer)
            ]
            return dict.fromkeys(names, ""), set()
        kinds = {SEGMENTS: state.segments, CONTENT: state.content}
        files: dict[str, str] = {}
        seen: set[str] = set()
        for said in _said(target / ledger.NAME):
            if said["op"] == ledger.MADE:
                files[said["file"]] = said["sha256"]
            elif said["op"] == ledger.GONE:
                files.pop(said["file"], None)
                if said.get("why") == "merge" and _counts(said["file"], kinds):
                    raise _MovedError("a file was merged away")
            elif said["op"] == ledger.WRITER:
                seen.add(said["writer"])
        if any(not _FILE.fullmatch(name) for name in files):
            raise _MovedError("its ledger names what is no file of a record")
        return files, seen

    def _file(self, name: str, digest: str, *, rests: bool) -> None:
        target = self._target / name
        if name in self._done:
            if self._done[name] == digest:
                return
            target.unlink()
            del self._done[name]
        target.parent.mkdir(mode=0o700, exist_ok=True)
        older = self._before / name if self._before else None
        if older and digest and self._linkable.get(name) == digest and older.is_file():
            os.link(older, target, follow_symlinks=False)
        else:
            try:
                found, size = copy(self._source.path / name, target)
            except FileNotFoundError:
                if rests:
                    return
                raise _MovedError(f"{name} is not there") from None
            self._copied += size
            if digest and found != digest and not rests:
                target.unlink()
                raise _MovedError(f"{name} is not what the ledger says")
        self._done[name] = digest

    def _lines(self, source: Path, target: Path) -> None:
        self._copied += copy_lines(source, target)

    def _small(self, source: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        if source.exists():
            write(target, source.read_bytes())


def write(target: Path, data: bytes) -> None:
    """Writes a file of the copy, 0600, durably.

    Raises:
        OSError: The disk does not take it.
    """
    target.unlink(missing_ok=True)
    with _created(target) as handle:
        write_all(handle, data)


def copy_lines(source: Path, target: Path) -> int:
    """Copies the whole lines of a file, where there is one; the last may be on its way.

    Returns:
        Bytes.

    Raises:
        OSError: The disk does not give or take it.
    """
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        return 0
    write(target, data[: data.rfind(b"\n") + 1])
    return len(data)


def copy(source: Path, target: Path) -> tuple[str, int]:
    """Copies a file, 0600, durably.

    Returns:
        SHA-256 of what was copied, hex, and its size.

    Raises:
        OSError: The disk does not give or take it.
    """
    digest, size = sha256(), 0
    with source.open("rb") as data, _created(target) as handle:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            write_all(handle, chunk)
    return digest.hexdigest(), size


@contextmanager
def _created(path: Path) -> Iterator[int]:
    """A new file, open for writing; durable when the block ends well, gone when it does not."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, 0o600)
    try:
        yield handle
        os.fsync(handle)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(handle)


def _said(path: Path) -> Iterator[dict[str, str]]:
    try:
        for _, said in ledger.lines(path):
            yield said
    except (ValueError, KeyError, TypeError):
        raise _MovedError("its ledger cannot be read") from None


def _named(path: Path) -> dict[str, str]:
    """Files by name and hash, as an older copy's ledger has them."""
    files: dict[str, str] = {}
    try:
        for said in _said(path):
            if said["op"] == ledger.MADE:
                files[said["file"]] = said["sha256"]
            elif said["op"] == ledger.GONE:
                files.pop(said["file"], None)
    except (_MovedError, KeyError):
        return {}
    return files


def _counts(name: str, kinds: dict[str, Bounds]) -> bool:
    """Whether the copied state counts the rows of a file that was merged away."""
    match = _FILE.fullmatch(name)
    if match is None:
        return False
    segment = Segment(match[1], int(match[2]), int(match[3]), int(match[4]))
    last = kinds[name.partition("/")[0]].last
    return segment.level + 1 < len(last) and segment.last > last[segment.level + 1]
