"""The SQLite file of what is used up: made whole by whoever comes first, shared by all processes.

What a crash takes is at most what was counted in its last second.
"""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from proctor.budgets.model import Pot
from proctor.runtime.permissions import make_folder
from proctor.runtime.sqlitemaker import (
    SqliteFile,
    failed_as,
    name_bytes,
    transaction,
    unusable_as,
)

NAME: Final = "budgets.db"
"""In the state folder."""

VERSION: Final = 1
WAIT: Final = 2.0
"""Seconds that another process may keep it locked."""

KEEP: Final = 62 * 86_400
"""Seconds for which what was used is kept after its window began: two months at the most."""

# Names are bytes: they come from clients, and may be no text that SQLite takes.
_SCHEMA = """
CREATE TABLE used (
    budget TEXT NOT NULL,
    who BLOB NOT NULL,
    since INTEGER NOT NULL,
    principal BLOB NOT NULL,
    amount REAL NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (budget, who, since)
) STRICT, WITHOUT ROWID;
CREATE TABLE people (
    budget TEXT NOT NULL,
    who BLOB NOT NULL,
    since INTEGER NOT NULL,
    type TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (budget, who, since, type, digest)
) STRICT, WITHOUT ROWID;
"""
_PLACE = "budget = ? AND who = ? AND since = ?"

type People = frozenset[tuple[str, str]]
"""Entity types, each with a digest."""


class BudgetFile:
    """The file, for one thread at a time.

    Args:
        path: It is made if it is not there, its folder, too.

    Raises:
        ConfigurationError: `budgets-unusable`, or `open-to-others`.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        _FILE.create(path)
        self._database = _FILE.connect(path, WAIT)

    def used(self, pot: Pot) -> float:
        """How much of it is used, by all processes together.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        with _FILE.reported():
            return self._used(pot)

    def add(
        self, amounts: Mapping[Pot, float], people: Mapping[Pot, People], now: float
    ) -> dict[Pot, float]:
        """Add what was used, and let go of what is long over.

        Args:
            amounts: What was used, by pot.
            people: Who was seen, by pot.
            now: Seconds since the epoch.

        Returns:
            How much each of these pots holds now.

        Raises:
            InternalError: `budgets-unavailable`; then nothing was added.
        """
        with _FILE.reported(), transaction(self._database):
            for pot, found in people.items():
                self._database.executemany(
                    "INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?)",
                    [(*_place(pot), kind, digest) for kind, digest in found],
                )
            for pot in amounts.keys() | people.keys():
                amount = amounts.get(pot, 0.0) if pot not in people else 0.0
                self._database.execute(
                    "INSERT INTO used VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE"
                    " SET amount = amount + excluded.amount, last = excluded.last",
                    (*_place(pot), name_bytes(pot.principal), amount, int(now)),
                )
            for pot in people:
                (most,) = self._database.execute(
                    "SELECT coalesce(max(n), 0) FROM"  # noqa: S608 - made of constants
                    f" (SELECT count(*) AS n FROM people WHERE {_PLACE} GROUP BY type)",
                    _place(pot),
                ).fetchone()
                self._database.execute(
                    f"UPDATE used SET amount = ? WHERE {_PLACE}",  # noqa: S608 - as above
                    (float(most), *_place(pot)),
                )
            self._prune(int(now) - KEEP)
            return {pot: self._used(pot) for pot in amounts.keys() | people.keys()}

    def all(self) -> list[tuple[Pot, float]]:
        """All that is kept.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        with _FILE.reported():
            rows = self._database.execute(
                "SELECT budget, who, since, principal, amount FROM used ORDER BY budget, who, since"
            ).fetchall()
        return [
            (Pot(budget, _text(who), since, _text(principal)), amount)
            for budget, who, since, principal, amount in rows
        ]

    def forget(self, principal: str) -> None:
        """Forget somebody, by a principal's key.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        with _FILE.reported(), transaction(self._database):
            for budget, who, since in self._database.execute(
                "SELECT budget, who, since FROM used WHERE principal = ?", (name_bytes(principal),)
            ).fetchall():
                self._drop((budget, who, since))

    def reset(self, budget: str, who: Collection[str]) -> int:
        """Begin budgets anew; returns how many.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        with _FILE.reported(), transaction(self._database):
            found = [
                place
                for place in self._database.execute(
                    "SELECT budget, who, since FROM used WHERE budget = ?", (budget,)
                ).fetchall()
                if _text(place[1]) in who
            ]
            for place in found:
                self._drop(place)
            return len(found)

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        self._database.close()

    def _used(self, pot: Pot) -> float:
        row = self._database.execute(
            f"SELECT amount FROM used WHERE {_PLACE}",  # noqa: S608 - made of constants
            _place(pot),
        ).fetchone()
        return float(row[0]) if row else 0.0

    def _prune(self, before: int) -> None:
        for place in self._database.execute(
            "SELECT budget, who, since FROM used WHERE last < ?", (before,)
        ).fetchall():
            self._drop(place)

    def _drop(self, place: tuple[str, bytes, int]) -> None:
        self._database.execute(f"DELETE FROM used WHERE {_PLACE}", place)  # noqa: S608 - as above
        self._database.execute(f"DELETE FROM people WHERE {_PLACE}", place)  # noqa: S608 - as above


def forget(path: Path, principal: str) -> None:
    """Forget somebody, where there is such a file.

    Raises:
        ConfigurationError: `budgets-unusable`, or `open-to-others`.
        InternalError: `budgets-unavailable`.
    """
    if path.exists():
        with contextlib.closing(BudgetFile(path)) as file:
            file.forget(principal)


def _place(pot: Pot) -> tuple[str, bytes, int]:
    return pot.budget, name_bytes(pot.who), pot.since


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


_FILE: Final = SqliteFile(
    what="what is used of budgets",
    schema=_SCHEMA,
    version=VERSION,
    pragmas=("synchronous = NORMAL", "secure_delete = ON"),
    unusable=unusable_as(
        "budgets-unusable",
        "What is used of budgets cannot be read",
        "Move it away, and budgets begin anew; a newer proctor's file needs that proctor.",
    ),
    failed=failed_as(
        "budgets-unavailable",
        "What is used of budgets cannot be read or written",
        f"Nothing was let through; see {NAME} in the state folder, and its disk.",
        event="budgets.failed",
    ),
)
