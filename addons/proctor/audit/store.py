"""The store on disk: its folders, modes and version, and how files get there whole.

recordings/
  store.json          schema version, and the record's own name
  keys/               the trail of the keys that sign checkpoints
  audit.duckdb        the views, nothing else
  views.sql           what audit.duckdb was made from
  writers/w0/         one writer: lock, journals 0.jsonl …, open.jsonl, state.json, gone.json,
                      tmp/, checkpoints.jsonl, ledger.jsonl, leaves
  segments/           envelopes as Parquet
  content/            blocks as Parquet
"""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.errors import ConfigurationError

SCHEMA_VERSION = 1
_ID = re.compile(r"[0-9a-f]{32}")
SEGMENTS = "segments"
CONTENT = "content"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A folder that holds a record."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "Store":
        """The store at `path`, wherever we go from here."""
        return cls(path=path.absolute())

    @property
    def segments(self) -> Path:
        """Envelopes as Parquet."""
        return self.path / SEGMENTS

    @property
    def content(self) -> Path:
        """Blocks as Parquet."""
        return self.path / CONTENT

    @property
    def writers(self) -> Path:
        """One folder a writer."""
        return self.path / "writers"

    @property
    def views(self) -> Path:
        """The database that holds the views."""
        return self.path / "audit.duckdb"

    def create(self) -> None:
        """Makes what is missing and checks what is there.

        Raises:
            ConfigurationError: Others could read or write it, a newer proctor made it, or its path
                cannot be named in SQL.
            OSError: The disk does not take it.
        """
        if odd := set("*?[]{}").intersection(str(self.path)):
            raise ConfigurationError(
                "store-path-odd",
                "The record's path holds characters that stand for others in file patterns",
                got=" ".join(sorted(odd)),
                expected="a path without * ? [ ] { }",
                where=str(self.path),
            )
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        for folder in (self.segments, self.content, self.writers):
            folder.mkdir(mode=0o700, exist_ok=True)
            private(folder)
        with self.alone():
            self._name()
        sync_folder(self.path)

    def id(self) -> str:
        """The record's own name, 32 hex digits; it never changes.

        Raises:
            ConfigurationError: Code `store-unreadable`.
        """
        found = self._said().get("id")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise self._unreadable()
        return found

    def check(self) -> None:
        """Refuses a store that others can reach, or that a newer proctor made.

        Raises:
            ConfigurationError: As said.
        """
        private(self.path)
        self.check_version()

    def check_version(self) -> None:
        """Refuses a store that a newer proctor made.

        Raises:
            ConfigurationError: Codes `store-too-new`, `store-unreadable`.
        """
        found = self._said()
        if not found:
            return
        version = found["schema_version"]
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            raise ConfigurationError(
                "store-too-new",
                "The record was written by a newer proctor",
                got=f"schema_version {str(version)[:20]}",
                expected=f"at most {SCHEMA_VERSION}",
                hint="Use that proctor, or a new audit.path.",
                where=str(self._note),
            )

    @property
    def _note(self) -> Path:
        return self.path / "store.json"

    def _said(self) -> dict[str, Any]:
        """What store.json says; empty where there is none."""
        try:
            found = json.loads(self._note.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise self._unreadable() from error
        if not isinstance(found, dict) or "schema_version" not in found:
            raise self._unreadable()
        return found

    def _unreadable(self) -> ConfigurationError:
        return ConfigurationError(
            "store-unreadable",
            "The record's store.json cannot be read",
            expected=f'{{"schema_version": {SCHEMA_VERSION}, "id": "…"}}',
            where=str(self._note),
        )

    def _name(self) -> None:
        """Gives the record its name, once."""
        said = self._said()
        if "id" not in said:
            said = {"schema_version": SCHEMA_VERSION, **said, "id": secrets.token_hex(16)}
            replace(self._note, json.dumps(said).encode() + b"\n", self.path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process makes or names it."""
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def private(path: Path) -> None:
    """Refuses a file or folder that is not our own or that others can read or write.

    Raises:
        ConfigurationError: Code `store-open-to-others`.
    """
    found = path.stat()
    if found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise ConfigurationError(
            "store-open-to-others",
            "Others can reach the record",
            got=f"mode {found.st_mode & 0o777:04o}, owner {found.st_uid}",
            expected=f"mode 0700 or 0600, owner {os.geteuid()}",
            hint=f"chmod -R go= {path}",
            where=str(path),
        )


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def whole(target: Path, tmp: Path) -> Iterator[Path]:
    """A temporary path that becomes `target`, durable and at once, when the block ends well."""
    draft = tmp / f".{target.name}.{os.getpid()}"
    try:
        yield draft
        draft.chmod(0o600)
        handle = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def replace(target: Path, data: bytes, tmp: Path) -> None:
    """Writes a small file whole: readers see the old one or the new one."""
    with whole(target, tmp) as draft:
        draft.write_bytes(data)
