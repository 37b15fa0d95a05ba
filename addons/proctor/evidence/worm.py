"""A folder that is written once: every anchored checkpoint becomes a file of its own, for good.

proctor_4f…_w0-0000000000000001234-9b2c41d07e55.note: the origin with `_` for `/`, the size, and the
start of the SHA-256 of what was signed, since an idle log signs the same size again and again.
"""

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from proctor.audit.store import sync_folder
from proctor.errors import ClientError, InternalError
from proctor.evidence.cosigned import text_hash
from proctor.evidence.hot import all_leaves
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.note import MAX_NOTE, Note, parse_note
from proctor.tlog.proof import grow
from proctor.tlog.tree import Frontier

SUFFIX: Final = ".note"
_DIGITS = 19
_TRIES = 9
_ODD = re.compile(r"[^A-Za-z0-9._-]")


class FolderAnchor:
    """One folder, for one writer."""

    def __init__(self, folder: Path, *, writers: Path) -> None:
        """Nothing is looked at yet; the folder must exist when it is used.

        Args:
            folder: Where to.
            writers: The folder of all writers of the record.
        """
        self.name = str(folder)
        self._folder = folder
        self._writers = writers
        self._looked = False

    async def take(self, note: Note, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; durable when this returns.

        Args:
            note: A checkpoint of ours, signed.
            checkpoint: The same, read.

        Raises:
            InternalError: Codes `anchor-ahead`, `anchor-forked`: both are alarms.
            OSError: The folder does not take it.
        """
        await asyncio.to_thread(self._take, note, checkpoint)

    def _take(self, note: Note, checkpoint: Checkpoint) -> None:
        if not self._looked:
            self._look(checkpoint)
            self._looked = True
        begins = f"{_begins(checkpoint.origin)}{checkpoint.size:0{_DIGITS}d}"
        data = str(note).encode()
        for number in range(_TRIES):
            again = f"-{number}" if number else ""
            path = self._folder / f"{begins}-{text_hash(note.text)[:12]}{again}{SUFFIX}"
            try:
                _write(path, data)
            except FileExistsError:
                found = path.read_bytes()[: len(data) + 1]
                if found == data:
                    return
                if data.startswith(found):
                    continue  # cut short by a crash; it stays, and a whole one comes beside it
                raise InternalError(
                    "anchor-forked",
                    "The folder holds another checkpoint of that name",
                    got=path.name,
                    expected="the checkpoint that was signed",
                ) from None
            return
        raise OSError(0, "cut short again and again")

    def _look(self, checkpoint: Checkpoint) -> None:
        """What was anchored here before must be what this one grew from."""
        before = self._newest(checkpoint.origin)
        if before is None:
            return
        if before.size > checkpoint.size:
            raise InternalError(
                "anchor-ahead",
                "The folder has seen more of the record than there is",
                got=f"{before.size} records in {self.name}",
                expected=f"at most {checkpoint.size}",
                hint="The record was put back to an older state, or its key signs elsewhere.",
            )
        tree = Frontier()
        own = self._writers / checkpoint.origin.rpartition("/")[2]
        grow(tree, all_leaves(own, checkpoint.size), before.size)
        if tree.root() != before.root:
            raise InternalError(
                "anchor-forked",
                "The folder has seen another history of the record",
                got=f"another root at {before.size} records in {self.name}",
                expected="that the record only grew since",
                hint="`proctor verify --checkpoint FILE` with its newest file says more.",
            )

    def _newest(self, origin: str) -> Checkpoint | None:
        """The largest that is whole."""
        begins = _begins(origin)
        names = [name for name in os.listdir(self._folder) if name.startswith(begins)]  # noqa: PTH208
        for name in sorted(names, reverse=True):
            with (self._folder / name).open("rb") as source:
                data = source.read(MAX_NOTE)
            try:
                found = Checkpoint.parse(parse_note(data.decode()).text)
            except (ClientError, UnicodeDecodeError):
                continue
            if found.origin == origin:
                return found
        return None


def _begins(origin: str) -> str:
    return _ODD.sub("_", origin) + "-"


def _write(path: Path, data: bytes) -> None:
    # Straight under its name: a folder that is written once need not let anything be renamed.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o400), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
