"""What a witness has signed, on disk: a file a log, one whole note a line, only ever longer.

    <state>/lock
    <state>/logs/<SHA-256 of the origin>.jsonl      JSON strings; the last one is where the log is

A line is durable before the witness answers, and a line that a crash cut short was never answered.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from proctor.audit.store import sync_folder
from proctor.errors import ClientError, ConfigurationError, InternalError
from proctor.runtime.permissions import check_private, make_folder
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import CosignerKey
from proctor.tlog.note import MAX_NOTE, parse_note

MAX_ORIGINS: Final = 10_000
MAX_WRITERS: Final = 1000
"""Logs of one record: whoever holds its key could make up any number of them."""
_LOGS = "logs"
_WHAT = "what the witness has signed"
# A note's characters as JSON escapes, and quotes.
_MAX_LINE = 6 * MAX_NOTE + 16
_PART = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a log is.

    Attributes:
        checkpoint: The latest that was signed.
        note: It as it was kept, with signatures and cosignature.
        length: Bytes of the file, all of them whole lines.
    """

    checkpoint: Checkpoint
    note: str
    length: int


class Kept:
    """The files of one witness, which belong to one process.

    Not to be used by two threads at once.
    """

    def __init__(self, folder: Path, key: CosignerKey) -> None:
        """Take the folder, made if it is missing, and read where each log is.

        Args:
            folder: The witness's own.
            key: Its public key, which must have signed what is there.

        Raises:
            ConfigurationError: Codes `witness-busy`, `witness-state`, `open-to-others`.
        """
        self._logs = folder / _LOGS
        make_folder(folder)
        check_private(folder, _WHAT)
        make_folder(self._logs)
        check_private(self._logs, _WHAT)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock = os.open(folder / "lock", flags, 0o600)
        try:
            self._take(folder)
            self._heads = read_heads(folder, key)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        """The same."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder."""
        os.close(self._lock)

    def head(self, origin: str) -> Head | None:
        """Where a log is; None if nothing of it was ever signed."""
        return self._heads.get(name_of(origin))

    def head_named(self, name: str) -> Head | None:
        """The same, by the SHA-256 of its origin."""
        return self._heads.get(name)

    def heads(self) -> list[Head]:
        """Where all logs are, by origin."""
        return sorted(self._heads.values(), key=lambda head: head.checkpoint.origin)

    def append(self, note: str) -> None:
        """Keep a checkpoint that is to be answered with a cosignature; durable when this returns.

        Args:
            note: With the log's signature and ours; the caller has checked what it says.

        Raises:
            InternalError: Code `witness-state`, it cannot be kept and must not be answered.
            ClientError: Code `log-too-many`.
        """
        checkpoint = Checkpoint.parse(parse_note(note).text)
        name = name_of(checkpoint.origin)
        before = self._heads.get(name)
        if before is not None and checkpoint.size < before.checkpoint.size:
            raise _failed("a checkpoint that goes back")
        if before is None:
            self._make_room(checkpoint.origin)
        line = json.dumps(note).encode() + b"\n"
        length = 0 if before is None else before.length
        try:
            self._write(self._logs / f"{name}.jsonl", line, length)
        except OSError as error:
            raise _failed(error.strerror or type(error).__name__) from None
        self._heads[name] = Head(checkpoint=checkpoint, note=note, length=length + len(line))

    def history(self, head: Head) -> Iterator[bytes]:
        """All lines of a log up to a head, in parts."""
        left = head.length
        with (self._logs / f"{name_of(head.checkpoint.origin)}.jsonl").open("rb") as file:
            while left and (part := file.read(min(left, _PART))):
                left -= len(part)
                yield part

    def _make_room(self, origin: str) -> None:
        if len(self._heads) >= MAX_ORIGINS:
            raise _failed(f"more than {MAX_ORIGINS} logs")
        record = origin.rpartition("/")[0]
        found = (head.checkpoint.origin.rpartition("/")[0] for head in self._heads.values())
        if sum(each == record for each in found) >= MAX_WRITERS:
            raise ClientError(
                "log-too-many",
                "The record has too many writers",
                expected=f"at most {MAX_WRITERS}",
                status=403,
            )

    def _take(self, folder: Path) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                "witness-busy",
                "Another process is this witness",
                hint="Stop it first: two would not know of each other what they signed.",
                where=str(folder),
            ) from None

    def _write(self, path: Path, line: bytes, length: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
        try:
            os.ftruncate(handle, length)  # what a crash or a full disk left behind
            try:
                at = 0
                while at < len(line):
                    at += os.pwrite(handle, line[at:], length + at)
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, length)
                raise
        finally:
            os.close(handle)
        if length == 0:
            sync_folder(path.parent)


def read_heads(folder: Path, key: CosignerKey) -> dict[str, Head]:
    """Where all logs are, by the SHA-256 of their origins; a witness may be writing meanwhile.

    Args:
        folder: The witness's own.
        key: Its public key, which must have signed what is there.

    Raises:
        ConfigurationError: Codes `witness-state`, `open-to-others`.
    """
    found = ((path.stem, _read(path, key)) for path in sorted((folder / _LOGS).glob("*.jsonl")))
    return {name: head for name, head in found if head is not None}


def name_of(origin: str) -> str:
    """How a log is named where its origin cannot stand (tlog-witness, monitor retrieval)."""
    return sha256(origin.encode()).hexdigest()


def _read(path: Path, key: CosignerKey) -> Head | None:
    check_private(path, _WHAT)
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, end - 2 * _MAX_LINE))
        tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    length = start + len(whole)
    if length == 0 and end <= _MAX_LINE:
        return None  # its first line was cut short, and never answered
    head = _head(whole[:-1].rpartition(b"\n")[2], length, key)
    if head is None or name_of(head.checkpoint.origin) != path.stem:
        raise ConfigurationError(
            "witness-state",
            "What the witness has signed cannot be read",
            got="a last line that this witness did not write",
            expected="the file as the witness wrote it",
            hint="Put it back from a copy, and never an older one: ask the log's people first.",
            where=str(path),
        )
    return head


def _head(line: bytes, length: int, key: CosignerKey) -> Head | None:
    try:
        note = json.loads(line)
        parsed = parse_note(note if isinstance(note, str) else "")
        checkpoint = Checkpoint.parse(parsed.text)
        signed = key.times(parsed)
    except (ValueError, ClientError):
        return None
    return Head(checkpoint=checkpoint, note=note, length=length) if signed else None


def _failed(got: str) -> InternalError:
    return InternalError(
        "witness-state", "The witness cannot keep the checkpoint, and so does not sign it", got=got
    )
