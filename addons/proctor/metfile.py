"""What has reached agents, for all processes of a machine: gateways, their database workers, doors.

A secret that one process has seen is known to the next before the agent can send it elsewhere: what
is new is written before it is passed on, and each question sees what was written before it.
"""

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proctor.runtime.permissions import make_folder
from proctor.runtime.sqlitemaker import (
    SqliteFile,
    failed_as,
    name_bytes,
    reason_of,
    transaction,
    unusable_as,
)

NAME: Final = "met.db"
"""In the state folder."""

VERSION: Final = 1
WAIT: Final = 2.0
"""Seconds that another process may keep it locked."""

_SIGNS: Final = ""
"""The row for signs of prompt injection; entity types have names."""

# Names are bytes: they come from tokens, and may be no text that SQLite takes.
_SCHEMA = """
CREATE TABLE met (
    principal BLOB NOT NULL,
    type TEXT NOT NULL,
    score REAL NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (principal, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE heard (
    principal BLOB NOT NULL PRIMARY KEY,
    last REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What has reached one principal's agents.

    Attributes:
        types: Entity types → when first, seconds since the epoch.
        score: Best of signs of prompt injection, 0 to 1.
        at: When that came.
        last: When anything was heard of the principal.
    """

    types: dict[str, float]
    score: float = 0.0
    at: float = 0.0
    last: float = 0.0


class MetFile:
    """The file, for one thread at a time.

    Args:
        path: It is made if it is not there, its folder, too.
        idle: Seconds without an exchange after which all is forgotten.
        longest: Seconds after which something is forgotten in any case.

    Raises:
        ConfigurationError: `met-unusable`, or `open-to-others`.
    """

    def __init__(self, path: Path, *, idle: float, longest: float) -> None:
        make_folder(path.parent)
        _FILE.create(path)
        self._database = _FILE.connect(path, WAIT)
        self._idle = idle
        self._longest = longest
        self._version = -1

    def changed(self) -> bool:
        """Whether others have written since this was last asked.

        Raises:
            InternalError: `met-unavailable`.
        """
        try:  # asked with every request: no context manager of our own
            version: int = self._database.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            raise _FILE.failed(reason_of(error)) from None
        before, self._version = self._version, version
        return before != version

    def read(self, principal: str, now: float) -> Known | None:
        """What is known; None where nothing is, or nothing was heard for too long.

        Raises:
            InternalError: `met-unavailable`.
        """
        who = name_bytes(principal)
        with _FILE.reported():
            row = self._database.execute(
                "SELECT last FROM heard WHERE principal = ? AND last >= ?", (who, now - self._idle)
            ).fetchone()
            if row is None:
                return None
            rows = self._database.execute(
                "SELECT type, score, at FROM met WHERE principal = ? AND at >= ?",
                (who, now - self._longest),
            ).fetchall()
        score, at = next(((s, at) for kind, s, at in rows if kind == _SIGNS), (0.0, 0.0))
        types = {kind: at for kind, _, at in rows if kind != _SIGNS}
        return Known(types=types, score=score, at=at, last=row[0])

    def add(self, principal: str, types: Iterable[str], score: float, now: float) -> None:
        """Write what has come; there for all once this returns.

        Raises:
            InternalError: `met-unavailable`; then nothing was written.
        """
        who = name_bytes(principal)
        with _FILE.reported(), transaction(self._database):
            self._forget(now)
            self._heard(who, now)
            self._database.executemany(
                "INSERT OR IGNORE INTO met VALUES (?, ?, 0, ?)",
                [(who, each, now) for each in types],
            )
            if score > 0:
                self._database.execute(
                    "INSERT INTO met VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET score = excluded.score, at = excluded.at WHERE excluded.score > score",
                    (who, _SIGNS, score, now),
                )

    def heard(self, principal: str, now: float) -> None:
        """Say that the principal is still there.

        Raises:
            InternalError: `met-unavailable`.
        """
        with _FILE.reported(), transaction(self._database):
            self._heard(name_bytes(principal), now)

    def forget(self, principal: str) -> None:
        """Forget somebody, by a principal's key.

        Raises:
            InternalError: `met-unavailable`.
        """
        with _FILE.reported(), transaction(self._database):
            for table in ("met", "heard"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE principal = ?",  # noqa: S608 - ours
                    (name_bytes(principal),),
                )

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        self._database.close()

    def _heard(self, who: bytes, now: float) -> None:
        self._database.execute(
            "INSERT INTO heard VALUES (?, ?) ON CONFLICT DO UPDATE SET last = excluded.last",
            (who, now),
        )

    def _forget(self, now: float) -> None:
        """Let go of what is over."""
        self._database.execute("DELETE FROM heard WHERE last < ?", (now - self._idle,))
        self._database.execute(
            "DELETE FROM met WHERE at < ? OR principal NOT IN (SELECT principal FROM heard)",
            (now - self._longest,),
        )


def forget(path: Path, principal: str) -> None:
    """Forget somebody, where there is such a file.

    Raises:
        ConfigurationError: `met-unusable`, or `open-to-others`.
        InternalError: `met-unavailable`.
    """
    if path.exists():
        with contextlib.closing(MetFile(path, idle=0, longest=0)) as file:
            file.forget(principal)


_FILE: Final = SqliteFile(
    what="what has reached agents",
    schema=_SCHEMA,
    version=VERSION,
    pragmas=("synchronous = NORMAL", "secure_delete = ON"),
    unusable=unusable_as(
        "met-unusable",
        "What has reached agents cannot be read",
        "Move it away, and it begins anew; a newer proctor's file needs that proctor.",
    ),
    failed=failed_as(
        "met-unavailable",
        "What has reached agents cannot be read or written",
        f"Nothing was let through; see {NAME} in the state folder, and its disk.",
        event="met.failed",
    ),
)
