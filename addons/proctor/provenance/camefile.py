"""Values from untrusted answers, for all processes of a machine: gateways, workers, doors.

What one process has read is known to the next before the agent can use it there. Values stand in it
as keyed digests, beside what gave them; each process adds what is new there to what it remembers.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from proctor.runtime.permissions import make_folder
from proctor.runtime.sqlitemaker import (
    SqliteFile,
    failed_as,
    name_bytes,
    transaction,
    unusable_as,
)

NAME: Final = "came.db"
"""In the state folder."""

VERSION: Final = 1
WAIT: Final = 2.0
"""Seconds that another process may keep it locked."""

SIZE: Final = 12
"""Bytes of a digest; of 20 000 values two agree by chance less often than once in 10^20."""

MAX_ROWS: Final = 500
MAX_VALUES: Final = 20_000
MAX_PRINCIPALS: Final = 2000
_CLEANED: Final = 60.0  # seconds
_OVER: Final = 16  # rows that may be too many for a while, since a look for them takes long

# A row is what one answer held, or with no source what the user said. `heard` is for idling.
_SCHEMA = """
CREATE TABLE came (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    principal BLOB NOT NULL,
    at REAL NOT NULL,
    source BLOB NOT NULL,
    own INTEGER NOT NULL,
    names BLOB NOT NULL
) STRICT;
CREATE INDEX came_to ON came (principal, own, id);
CREATE TABLE heard (
    principal BLOB NOT NULL PRIMARY KEY,
    last REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""

_SURPLUS: Final = """
DELETE FROM came WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(length(names)) OVER newest AS size, row_number() OVER newest AS n
        FROM came WHERE principal = ? AND own = ? WINDOW newest AS (ORDER BY id DESC)
    ) WHERE size > ? OR n > ?
)
"""


class Row(NamedTuple):
    """What one answer held.

    Attributes:
        id: Rows that are written later have a greater one.
        source: Where it came from, as whoever added it said it; b"" for what was said by the user.
        names: Digests of values.
    """

    id: int
    source: bytes
    names: tuple[bytes, ...]


class CameFile:
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
        self._cleaned = 0.0
        self._added = Counter[tuple[bytes, bool]]()  # since a look for too many

    def version(self) -> int:
        """A number that differs once others have written.

        Raises:
            InternalError: `met-unavailable`.
        """
        with _FILE.reported():
            found: int = self._database.execute("PRAGMA data_version").fetchone()[0]
        return found

    def read(self, principal: str, after: int, now: float) -> list[Row]:
        """What was written of somebody after a row; nothing where nobody heard of them for long.

        Raises:
            InternalError: `met-unavailable`.
        """
        who = name_bytes(principal)
        with _FILE.reported():
            rows = self._database.execute(
                "SELECT id, source, names FROM came WHERE principal = ?1 AND id > ?2"
                " AND at >= ?3 AND EXISTS (SELECT 1 FROM heard WHERE principal = ?1 AND last >= ?4)"
                " ORDER BY id",
                (who, after, now - self._longest, now - self._idle),
            ).fetchall()
        return [Row(number, source, _cut(names)) for number, source, names in rows]

    def add(self, principal: str, names: Sequence[bytes], source: bytes, now: float) -> None:
        """Write what has come, or with no source what was said; there for all once this returns.

        Raises:
            InternalError: `met-unavailable`; then nothing was written.
        """
        who, own = name_bytes(principal), not source
        data = b"".join(names[-MAX_VALUES:])
        with _FILE.reported(), transaction(self._database):
            self._clean(now)
            self._heard(who, now)
            self._database.execute(
                "INSERT INTO came (principal, at, source, own, names) VALUES (?, ?, ?, ?, ?)",
                (who, now, source, own, data),
            )
            self._added[who, own] += 1
            if self._added[who, own] >= _OVER:
                self._trim(who, own=own)

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
            for table in ("came", "heard"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE principal = ?",  # noqa: S608 - ours
                    (name_bytes(principal),),
                )

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        self._database.close()

    def _heard(self, who: bytes, now: float) -> None:
        # Who was idle for too long begins anew.
        self._database.execute(
            "DELETE FROM came WHERE principal = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM heard WHERE principal = ?1 AND last >= ?2)",
            (who, now - self._idle),
        )
        self._database.execute(
            "INSERT INTO heard VALUES (?, ?) ON CONFLICT DO UPDATE SET last = excluded.last",
            (who, now),
        )

    def _clean(self, now: float) -> None:
        """Let go of what is over."""
        if now - self._cleaned < _CLEANED:
            return
        self._cleaned = now
        self._database.execute(
            "DELETE FROM heard WHERE last < ? OR principal NOT IN"
            " (SELECT principal FROM heard ORDER BY last DESC LIMIT ?)",
            (now - self._idle, MAX_PRINCIPALS),
        )
        self._database.execute(
            "DELETE FROM came WHERE at < ? OR principal NOT IN (SELECT principal FROM heard)",
            (now - self._longest,),
        )
        for who, own in tuple(self._added):
            self._trim(who, own=own)

    def _trim(self, who: bytes, *, own: bool) -> None:
        self._database.execute(_SURPLUS, (who, own, MAX_VALUES * SIZE, MAX_ROWS))
        del self._added[who, own]


def forget(path: Path, principal: str) -> None:
    """Forget somebody, where there is such a file.

    Raises:
        ConfigurationError: `met-unusable`, or `open-to-others`.
        InternalError: `met-unavailable`.
    """
    if path.exists():
        with contextlib.closing(CameFile(path, idle=0, longest=0)) as file:
            file.forget(principal)


def _cut(names: bytes) -> tuple[bytes, ...]:
    return tuple(names[at : at + SIZE] for at in range(0, len(names), SIZE))


_FILE: Final = SqliteFile(
    what="what untrusted answers held",
    schema=_SCHEMA,
    version=VERSION,
    pragmas=("synchronous = NORMAL", "secure_delete = ON"),
    unusable=unusable_as(
        "met-unusable",
        "What untrusted answers held cannot be read",
        "Move it away, and it begins anew; a newer proctor's file needs that proctor.",
    ),
    failed=failed_as(
        "met-unavailable",
        "What untrusted answers held cannot be read or written",
        f"Nothing was let through; see {NAME} in the state folder, and its disk.",
        event="came.failed",
    ),
)
