"""Paths that are marked secret, and which objects lie there.

A partial clone gets files without the folders that name them; what stood at a secret path when
the folder passed is therefore kept, and a folder or a commit whose own tree did not come with it.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from dulwich.ignore import IgnoreFilter

MOST: Final = 2_000_000
"""Objects that are kept for all repositories; the oldest go first."""

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS place (
        repository TEXT NOT NULL,
        id BLOB NOT NULL,
        path BLOB NOT NULL,
        PRIMARY KEY (repository, id, path)
    )
"""


class SecretPaths:
    """Patterns as in a `.gitignore` (gitignore(5)); the last that matches counts.

    Args:
        patterns: Such as `**/.env` and `secrets/**`.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        # Case is no matter: a checkout on another machine would not tell the two apart.
        self._filter = IgnoreFilter([item.encode() for item in patterns], ignorecase=True)
        self._known: dict[bytes, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def match(self, path: bytes) -> bool:
        """Whether a file's path is secret.

        Args:
            path: From the repository's root, with `/`.
        """
        found = self._known.get(path)
        if found is None:
            # Patterns are read as lines of UTF-8: what else is in a name stands for itself alone.
            text = path.decode("utf-8", "replace").replace("\n", "\ufffd")
            found = self._known[path] = bool(self._filter.is_ignored(text))
        return found


class Places:
    """Where objects of repositories lie, in a file of the gateway's own.

    Args:
        path: Of the file; it is made 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, repository: str, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep ids with their paths.

        Raises:
            sqlite3.Error: It cannot be kept.
        """
        with self._open() as base:
            base.executemany(
                "INSERT OR IGNORE INTO place VALUES (?, ?, ?)",
                ((repository, item, path) for item, path in items),
            )
            base.execute(
                "DELETE FROM place WHERE rowid <= (SELECT max(rowid) FROM place) - ?", (MOST,)
            )

    def of(self, repository: str, ids: Iterable[bytes]) -> dict[bytes, list[bytes]]:
        """The paths of those that are known.

        Raises:
            sqlite3.Error: Nobody can tell.
        """
        wanted = set(ids)
        found: dict[bytes, list[bytes]] = {}
        with self._open() as base:
            rows = base.execute("SELECT id, path FROM place WHERE repository = ?", (repository,))
            for item, path in rows:
                if item in wanted:
                    found.setdefault(item, []).append(path)
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(self._path, timeout=30)) as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute(_SCHEMA)
            with base:
                yield base
