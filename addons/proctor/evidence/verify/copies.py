"""Copies: a backup was taken at a moment, and a bundle holds a part that it names.

Both are believed as far as the record's key has signed them (`copy.note`): else whoever cuts a
record short would only have to write that it is an older copy.
"""

import json
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from proctor.errors import ClientError
from proctor.evidence import copied
from proctor.evidence.copied import CopyNote, hash_of_files, origin_of_copies
from proctor.evidence.statement import FIRST
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.signed import moment
from proctor.evidence.verify.snapshot import Snapshot, WriterFiles
from proctor.evidence.verify.trust import TrustedKey
from proctor.tlog.note import MAX_NOTE, VerifierKey, parse_note

_BACKUP: Final = "backup.json"
_BUNDLE: Final = "bundle.json"
_EARLY: Final = timedelta(seconds=60)
# A bundle names runs of records, 25 bytes or so each.
_MAX_FILE: Final = 2**28


class _Wrong(Exception):  # noqa: N818 - goes no further than this file
    """What is found instead."""


def as_of(
    shot: Snapshot, store_id: str, keys: tuple[TrustedKey, ...], now: datetime, findings: Findings
) -> datetime | None:
    """When a copy was made, by the word of the record's key; None: this is none, or no such word.

    Args:
        shot: What is there.
        store_id: The record's name.
        keys: Who may sign.
        now: UTC.
        findings: Told of the moment.

    Raises:
        OSError: A file cannot be read.
    """
    name = _BACKUP if shot.bundle is None else _BUNDLE
    said = _read(shot.path / name)
    note = _read(shot.path / copied.NAME)
    if said is None and note is None:
        return None
    if note is None:
        say = findings.notice if shot.bundle is None else findings.problem
        say(
            "copy-unsigned",
            "This says that it is a copy, and the record's key has not signed that: it is judged"
            " as the record itself",
            file=name,
            expected=f"{copied.NAME}, or --as-of, if you know when it was made",
        )
        return None
    try:
        found = _signed(shot, note, said, store_id, keys)
        _past(found.time, now)
    except _Wrong as wrong:
        findings.problem(
            "copy-wrong",
            "What is signed of this copy is not what is here",
            file=copied.NAME,
            found=str(wrong),
            expected="a note by the record's key, over this copy",
        )
        return None
    findings.notice(
        "copy",
        "This is a copy of that time; whether the record went on is not asked",
        time=moment(found.time),
        file=name,
    )
    return found.time


def _signed(
    shot: Snapshot,
    data: bytes,
    said: bytes | None,
    store_id: str,
    keys: tuple[TrustedKey, ...],
) -> CopyNote:
    """What the key signed of this very copy."""
    try:
        note = parse_note(data.decode())
        found = CopyNote.parse(note.text)
    except (ClientError, UnicodeDecodeError):
        raise _Wrong("a note that cannot be read") from None
    origin = origin_of_copies(store_id)
    if found.origin != origin:
        raise _Wrong("another record's")
    by = [key for key in keys if note.signed_by(VerifierKey(origin, key.public))]
    if len(note.signatures) != 1 or not any(key.covers(found.time) for key in by):
        raise _Wrong("no signature by a key of the record that was in force then")
    if said is None or sha256(said).digest() != found.of:
        raise _Wrong("another account of what it holds")
    stands = {
        name: (_newest(writer), hash_of_files(writer.ledger, _journals(writer)))
        for name, writer in shot.writers.items()
    }
    for name in sorted(stands.keys() | found.writers.keys()):
        if stands.get(name) != found.writers.get(name):
            raise _Wrong(f"another newest checkpoint, ledger or journals of {name}")
    return found


def _journals(writer: WriterFiles) -> list[bytes]:
    return [writer.journals[name] for name in sorted(writer.journals)]


def _past(time: datetime, now: datetime) -> None:
    if time > now + _EARLY:
        raise _Wrong(f"a time to come, {moment(time)}")


def _newest(writer: WriterFiles) -> bytes | None:
    """Hash of the text of a writer's newest checkpoint, FIRST if there is none."""
    data = writer.checkpoints
    line = data[: data.rfind(b"\n") + 1][:-1].rpartition(b"\n")[2]
    if not line:
        return FIRST
    try:
        return sha256(parse_note(str(json.loads(line))).text.encode()).digest()
    except (ClientError, ValueError, RecursionError):
        return None


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as source:
            return source.read(MAX_NOTE + 1 if path.name == copied.NAME else _MAX_FILE)
    except FileNotFoundError:
        return None


def check_kept(
    writer: str, said: dict[str, Any], there: bytes | bytearray, signed: int, findings: Findings
) -> None:
    """Compares the records of a bundle with those that it says it holds.

    Args:
        writer: Whose.
        said: What bundle.json says of it.
        there: For each number, whether the record is there.
        signed: Size of the newest checkpoint.
        findings: Takes what is wrong.
    """
    kept: list[list[int]] = []
    for is_there, run in groupby(enumerate(there), key=lambda each: bool(each[1])):
        if is_there:
            numbers = [number for number, _ in run]
            kept.append([numbers[0], numbers[-1]])
    if said.get("size") != signed or said.get("kept") != kept:
        wanted = said.get("kept")
        pairs = zip(kept, wanted if isinstance(wanted, list) else (), strict=False)
        first = next((run[0] for run, other in pairs if run != other), None)
        findings.problem(
            "bundle-records",
            "The records of this copy are not those that it says it holds",
            writer=writer,
            seq=first,
            file=_BUNDLE,
            expected=f"{signed} records signed, and every run that bundle.json names",
            found=f"{sum(map(bool, there))} records in {len(kept)} runs",
        )
