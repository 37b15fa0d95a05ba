"""What lies on the disk, read in an order in which a gateway that writes meanwhile hides nothing.

Records move from journals to segments, and from small segments to larger ones. So checkpoints are
read first, then journals, and the list of segments last: what has left a journal by then is in a
segment, and what a checkpoint promises was durable before it was signed.
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from proctor.audit.store import CONTENT, SEGMENTS
from proctor.errors import ConfigurationError
from proctor.evidence import leaves, ledger, sealer
from proctor.evidence.standing import RETIRED
from proctor.evidence.verify.findings import Findings

WRITER: Final = re.compile(r"w\d{1,6}")
PARQUET: Final = re.compile(r"(w\d{1,6})-(\d)-(\d{12,18})-(\d{12,18})\.parquet")
SEED: Final = "seed.parquet"
_JOURNAL = re.compile(r"\d{1,9}\.jsonl")
_READ_AS_JOURNAL = re.compile(r"\d.*\.jsonl")  # by the views' pattern
_TRIES = 20
_LARGEST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One Parquet file, as its name says.

    Attributes:
        name: Under the record's folder.
        kind: `segments` or `content`.
    """

    name: str
    kind: str
    writer: str
    level: int
    first: int
    last: int


@dataclass(slots=True, kw_only=True)
class WriterFiles:
    """One writer's folder.

    Attributes:
        name: `w0`.
        folder: Where it is.
        checkpoints: Bytes of its file.
        ledger: Likewise.
        state: Likewise; None where there is none.
        opened: `open.jsonl`, likewise.
        retired: Likewise.
        leaves: The array; nobody has checked it.
        journals: Bytes of each, by file name.
    """

    name: str
    folder: Path
    checkpoints: bytes
    ledger: bytes
    state: bytes | None
    opened: bytes
    retired: bytes | None
    leaves: bytes
    journals: dict[str, bytes]


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """A record's files.

    Attributes:
        path: Its folder.
        note: store.json.
        bundle: bundle.json, or None: what a copy of a part says that it left out.
        writers: By name.
        files: Parquet files.
    """

    path: Path
    note: dict[str, Any]
    bundle: dict[str, Any] | None
    writers: dict[str, WriterFiles] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)


def take(path: Path, findings: Findings) -> Snapshot:
    """Reads a record's small files, and lists the large ones.

    Raises:
        ConfigurationError: Code `store-missing`: there is no record.
        OSError: It cannot be read.
    """
    shot = Snapshot(path=path, note=_note(path, findings), bundle=_bundle(path, findings))
    writers = path / "writers"
    for folder in sorted(writers.iterdir()) if writers.is_dir() else ():
        if WRITER.fullmatch(folder.name) and folder.is_dir():
            shot.writers[folder.name] = _writer(folder, findings)
        elif folder.is_dir():
            findings.problem(
                "file-strange",
                "A folder that is no writer's lies where the views look for writers",
                file=f"writers/{folder.name}",
            )
    for kind in (SEGMENTS, CONTENT):
        shot.files += _files(path, kind, findings)
    for writer in shot.writers.values():
        _follow(writer, findings)
    return shot


def _note(path: Path, findings: Findings) -> dict[str, Any]:
    try:
        data = (path / "store.json").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        packed = path.name.endswith(".tar.zst")
        raise ConfigurationError(
            "store-missing",
            "There is no record here",
            expected="a folder with store.json, as `proctor run` writes it",
            hint=f"Unpack it first: tar --zstd -xf {path.name}" if packed else "",
            where=str(path),
        ) from None
    said = _object(data)
    known = {"schema_version": 1, "id": said.get("id")}
    right = isinstance(known["id"], str) and re.fullmatch(r"[0-9a-f]{32}", known["id"])
    if not right or data != json.dumps(known).encode() + b"\n":
        findings.problem(
            "store-changed",
            "store.json is not as this proctor writes it",
            file="store.json",
            expected='{"schema_version": 1, "id": "<32 hex digits>"}',
        )
    return said if right else {}


def _bundle(path: Path, findings: Findings) -> dict[str, Any] | None:
    try:
        data = (path / "bundle.json").read_bytes()
    except FileNotFoundError:
        return None
    said = _object(data)
    if not isinstance(said.get("records"), dict):
        said = {}
        findings.problem("bundle-unreadable", "bundle.json cannot be read", file="bundle.json")
    return said


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _writer(folder: Path, findings: Findings) -> WriterFiles:
    files = WriterFiles(
        name=folder.name,
        folder=folder,
        checkpoints=_read(folder / sealer.NAME) or b"",
        ledger=_read(folder / ledger.NAME) or b"",
        retired=_read(folder / RETIRED),
        state=_read(folder / "state.json"),
        opened=_read(folder / "open.jsonl") or b"",
        leaves=b"",
        journals=_journals(folder),
    )
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names are all it takes
        if _READ_AS_JOURNAL.fullmatch(name) and not _JOURNAL.fullmatch(name):
            findings.problem(
                "file-strange",
                "A file that is no journal has a name that the views take for one",
                writer=folder.name,
                file=f"writers/{folder.name}/{name}",
            )
    return files


def _journals(folder: Path) -> dict[str, bytes]:
    """All journals as of one moment: at most the one being written has grown meanwhile."""
    found: dict[str, bytes] = {}
    for _ in range(_TRIES):
        names = sorted(path for path in folder.iterdir() if _JOURNAL.fullmatch(path.name))
        before = [_size(path) for path in names]
        found = {
            path.name: (_read(path) or b"")[:size] for path, size in zip(names, before, strict=True)
        }
        after = [_size(path) for path in names]
        moved = [was for was, now in zip(before, after, strict=True) if was != now]
        shrunk = any(now < was for was, now in zip(before, after, strict=True))
        if len(moved) <= 1 and not shrunk:
            break
    return found


def _size(path: Path) -> int:
    return path.stat().st_size


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as source:
            return source.read(_LARGEST)
    except FileNotFoundError:
        return None


def _files(path: Path, kind: str, findings: Findings) -> list[File]:
    folder = path / kind
    found = []
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():  # noqa: PTH208 - as above
        match = PARQUET.fullmatch(name)
        if match:
            writer, level, first, last = match[1], int(match[2]), int(match[3]), int(match[4])
            found.append(
                File(
                    name=f"{kind}/{name}",
                    kind=kind,
                    writer=writer,
                    level=level,
                    first=first,
                    last=last,
                )
            )
        elif name.endswith(".parquet") and name != SEED:
            findings.problem(
                "file-strange",
                "A file that proctor did not make lies where the views read",
                file=f"{kind}/{name}",
            )
    return found


def _follow(writer: WriterFiles, findings: Findings) -> None:
    """Takes in what the ledger and the leaves have got since; what was there must still be."""
    now = _read(writer.folder / ledger.NAME) or b""
    whole = writer.ledger[: writer.ledger.rfind(b"\n") + 1]
    if not now.startswith(whole):
        findings.problem(
            "ledger-changed",
            "The ledger changed while it was read: it only ever grows",
            writer=writer.name,
            file=f"writers/{writer.name}/{ledger.NAME}",
        )
    writer.ledger = now
    writer.leaves = _read(writer.folder / leaves.NAME) or b""
