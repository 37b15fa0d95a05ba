"""The ledger: what a writer did to the files of its record, a line for each thing done.

Checkpoints sign how many lines it has and their running hash, so that a file that was changed, put
in or taken away by anybody else shows. A line is canonical JSON; the head after it is
SHA-256(head before || line), from 32 zero bytes.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final

from proctor.audit.envelope import timestamp
from proctor.audit.journal import datasync, open_journal, write_all
from proctor.errors import ConfigurationError
from proctor.tlog.tree import HASH_SIZE

NAME: Final = "ledger.jsonl"
MAX_LINE: Final = 64 * 1024
NO_HEAD: Final = bytes(HASH_SIZE)

# What `op` says.
MADE = "made"
GONE = "gone"
CHANGED = "changed"
WRITER = "writer"


@dataclass(frozen=True, slots=True)
class Stand:
    """How far a ledger has come: so many lines, and the head over them."""

    count: int = 0
    head: bytes = NO_HEAD


def lines(path: Path) -> Iterator[tuple[Stand, dict[str, Any]]]:
    """Reads a ledger's whole lines: the stand after each, and what it says.

    Raises:
        OSError: It cannot be read.
        ValueError: A line is none.
    """
    stand = Stand()
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return
    with source:
        while (line := source.readline(MAX_LINE + 1)).endswith(b"\n"):
            said = json.loads(line)
            if not isinstance(said, dict) or said.get("i") != stand.count:
                raise ValueError("the lines of a ledger are objects, numbered from 0 on")
            stand = Stand(stand.count + 1, sha256(stand.head + line[:-1]).digest())
            yield stand, said
        if len(line) > MAX_LINE:
            raise ValueError("a line of a ledger is too long")


def digest_of(path: Path) -> str:
    """SHA-256 of a whole file, hex.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as source:
        return file_digest(source, "sha256").hexdigest()


class Ledger:
    """One writer's, open for writing; several threads may use it.

    Attributes:
        files: The files that are there, by name under the record's folder: what `made` said.
        writers: The other writers that were seen.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Opens or makes it; a line that a crash cut short goes.

        Raises:
            ConfigurationError: Code `ledger-unreadable`.
            OSError: The disk does not take it.
        """
        path = folder / NAME
        self.files: dict[str, dict[str, Any]] = {}
        self.writers: set[str] = set()
        self._clock = clock
        self._lock = Lock()
        self._stand = Stand()
        self._size = 0
        try:
            for stand, said in lines(path):
                self._stand = stand
                self._note(said)
        except ValueError as error:
            raise ConfigurationError(
                "ledger-unreadable",
                "A line of the ledger cannot be read",
                got=f"line {self._stand.count + 1}",
                expected="JSON as proctor wrote it",
                hint="Somebody changed it; `proctor verify` says more. Restore it from a copy.",
                where=str(path),
            ) from error
        self._handle = open_journal(path)
        whole = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(self._handle, whole)
        self._size = whole

    @property
    def stand(self) -> Stand:
        """How far it has come; all of it is durable."""
        return self._stand

    def append(self, op: str, **fields: object) -> None:
        """Writes a line durably.

        Raises:
            OSError: The disk does not take it; then it is not there.
        """
        with self._lock:
            said = {"i": self._stand.count, "ts": timestamp(self._clock()), "op": op, **fields}
            line = json.dumps(said, separators=(",", ":")).encode()
            try:
                write_all(self._handle, line + b"\n")
                datasync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self._size)
                raise
            self._size += len(line) + 1
            self._stand = Stand(self._stand.count + 1, sha256(self._stand.head + line).digest())
            self._note(said)

    def made(self, root: Path, file: Path, *, rows: int, why: str, day: str) -> None:
        """A file is there, whole, since now.

        Args:
            root: The record's folder.
            file: The file.
            rows: In it.
            why: What made it: `journal`, `merge`, `retention`, `erasure`.
            day: UTC day of what is in it, `2026-11-22`, or empty if it is of several.

        Raises:
            OSError: It cannot be read, or the disk does not take the line.
        """
        name = file.relative_to(root).as_posix()
        self.append(MADE, file=name, sha256=digest_of(file), rows=rows, why=why, day=day)

    def gone(self, root: Path, file: Path, *, why: str) -> None:
        """A file is about to go.

        Raises:
            OSError: The disk does not take the line.
        """
        self.append(GONE, file=file.relative_to(root).as_posix(), why=why)

    def day(self, name: str) -> str:
        """UTC day of what is in a file, or empty."""
        return str(self.files.get(name, {}).get("day", ""))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._handle)

    def _note(self, said: dict[str, Any]) -> None:
        match said["op"]:
            case "made":
                self.files[said["file"]] = said
            case "gone":
                self.files.pop(said["file"], None)
            case "writer":
                self.writers.add(said["writer"])
            case _:
                pass
