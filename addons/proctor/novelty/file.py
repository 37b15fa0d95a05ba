"""The SQLite file of what is usual: made whole by whoever comes first, opened by all workers.

Nothing in it was ever there alone: it is made from the record, so the disk may be behind.
"""

import contextlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proctor.errors import InternalError
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import MOST, Counts, Form, Kind, Seen, Usual, count, no_counts, oldest
from proctor.runtime.permissions import make_folder
from proctor.runtime.sqlitemaker import SqliteFile, name_bytes, transaction, unusable_as

NAME: Final = "novelty.db"
"""In the state folder."""

VERSION: Final = 1
WAIT: Final = 5.0
"""Seconds that another process may keep it locked."""

_MAX_SIZES: Final = 8192

# Names are bytes: they come from clients, and may be no text that SQLite takes.
_SCHEMA = """
CREATE TABLE usual (
    person BLOB NOT NULL,
    place BLOB NOT NULL,
    kind TEXT NOT NULL,
    name BLOB NOT NULL,
    count INTEGER NOT NULL,
    most INTEGER NOT NULL,
    last REAL NOT NULL,
    sizes TEXT NOT NULL,
    PRIMARY KEY (person, place, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE people (
    person BLOB NOT NULL,
    principal BLOB NOT NULL,
    PRIMARY KEY (person, principal)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_principal ON people (principal);
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """Whose, and where.

    Attributes:
        person: The human's name, or a principal's key.
        principal: The principal's key.
        place: Listener and database.
    """

    person: str
    principal: str
    place: str


def unavailable(message: str, got: str = "") -> InternalError:
    """The error of a file that cannot be used; it is logged, too.

    Args:
        message: What happened, without any value.
        got: What SQLite says, which names no values either.
    """
    log.error("%s", message, extra={"event": "novelty.failed", "got": got})
    return InternalError(
        code="novelty-unavailable",
        message=message,
        got=got,
        hint=f"See {NAME} in the state folder, and its disk.",
    )


class NoveltyFile:
    """The file, for one thread at a time.

    Args:
        path: It is made if it is not there, its folder, too.
        settings: How long it remembers.

    Raises:
        ConfigurationError: `novelty-unusable`, or `open-to-others`.
    """

    def __init__(self, path: Path, settings: NoveltySettings) -> None:
        make_folder(path.parent)
        _FILE.create(path)
        self._settings = settings
        self._database = _FILE.connect(path, WAIT)

    def load(self, person: str, place: str, now: datetime) -> Counts:
        """What is known.

        Raises:
            InternalError: `novelty-unavailable`.
        """
        found = no_counts()
        with _FILE.reported():
            rows = self._database.execute(
                "SELECT kind, name, count, most, last, sizes FROM usual"
                " WHERE person = ? AND place = ? AND last >= ?",
                (name_bytes(person), name_bytes(place), oldest(now.timestamp(), self._settings)),
            ).fetchall()
        for kind, name, *rest in rows:
            found[Kind(kind)][_text(name)] = _usual(rest)
        return found

    def add(self, batch: Iterable[tuple[Key, Seen]], now: datetime) -> None:
        """Add what was seen, and let go of what is too old or too much; durable soon.

        Raises:
            InternalError: `novelty-unavailable`.
        """
        # Most of what comes is of few forms: each is counted first, then what it counts for.
        forms: dict[tuple[Key, Form], tuple[Seen, Usual]] = {}
        for key, each in batch:
            at = each.at.timestamp()
            form = (key, each.form(at))
            found = forms.get(form)
            if found is None:
                found = forms[form] = (each, Usual())
            found[1].add(each.rows, at)
        added: dict[Key, Counts] = {}
        for (key, _), (each, usual) in forms.items():
            counts = added.setdefault(key, no_counts())
            for kind, name in each.names():
                count(counts, kind, name).merge(usual)
        with _FILE.reported(), transaction(self._database):
            for key, counts in added.items():
                self._merge(key, counts)
                self._prune(key, oldest(now.timestamp(), self._settings))

    def people(self, person: str | None = None) -> list[dict[str, Any]]:
        """What is known, a row for each name; of everybody or of one person or principal.

        Raises:
            InternalError: `novelty-unavailable`.
        """
        where, values = "", tuple[bytes, ...]()
        if person is not None:
            where = f" WHERE person IN ({_MEANT})"
            values = (name_bytes(person), name_bytes(person))
        with _FILE.reported():
            rows = self._database.execute(
                "SELECT person, place, kind, name, count, most, last, sizes FROM usual"  # noqa: S608
                f"{where} ORDER BY person, place, kind, count DESC, name",
                values,
            ).fetchall()
        return [
            {
                "person": _text(who),
                "place": _text(place),
                "kind": kind,
                "name": _text(name),
                "usual": _usual(rest),
            }
            for who, place, kind, name, *rest in rows
        ]

    def forget(self, person: str | None) -> int:
        """Forget somebody, by name or by a principal's key, or everybody; how many names went.

        Raises:
            InternalError: `novelty-unavailable`.
        """
        with _FILE.reported(), transaction(self._database):
            if person is None:
                gone = self._database.execute("DELETE FROM usual").rowcount
                self._database.execute("DELETE FROM people")
                return gone
            who = self._database.execute(
                _MEANT, (name_bytes(person), name_bytes(person))
            ).fetchall()
            gone = 0
            for (each,) in who:
                gone += self._database.execute(
                    "DELETE FROM usual WHERE person = ?", (each,)
                ).rowcount
                self._database.execute("DELETE FROM people WHERE person = ?", (each,))
            return gone

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        self._database.close()

    def _merge(self, key: Key, counts: Counts) -> None:
        whose = _whose(key)
        self._database.execute(
            "INSERT OR IGNORE INTO people VALUES (?, ?)", (whose[0], name_bytes(key.principal))
        )
        for kind, named in counts.items():
            for name, usual in named.items():
                place = (*whose, kind.value, name_bytes(name))
                row = self._database.execute(
                    "SELECT count, most, last, sizes FROM usual"
                    " WHERE person = ? AND place = ? AND kind = ? AND name = ?",
                    place,
                ).fetchone()
                if row is not None:
                    usual.merge(_usual(row))
                sizes = json.dumps([[size, *each] for size, each in usual.sizes.items()])
                self._database.execute(
                    "INSERT OR REPLACE INTO usual VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*place, usual.count, usual.most, usual.last, sizes),
                )

    def _prune(self, key: Key, before: float) -> None:
        whose = _whose(key)
        self._database.execute(
            "DELETE FROM usual WHERE person = ? AND place = ? AND last < ?", (*whose, before)
        )
        for kind, most in MOST.items():
            self._database.execute(
                "DELETE FROM usual WHERE (person, place, kind, name) IN ("
                "SELECT person, place, kind, name FROM usual"
                " WHERE person = ? AND place = ? AND kind = ?"
                " ORDER BY last DESC LIMIT -1 OFFSET ?)",
                (*whose, kind.value, most),
            )


def forget(path: Path, person: str) -> None:
    """Forget somebody, where anything is known of anybody.

    Raises:
        ConfigurationError: `novelty-unusable`, or `open-to-others`.
        InternalError: `novelty-unavailable`.
    """
    if path.exists():
        with contextlib.closing(NoveltyFile(path, NoveltySettings())) as file:
            file.forget(person)


_MEANT: Final = "SELECT ? UNION SELECT person FROM people WHERE principal = ?"


def _whose(key: Key) -> tuple[bytes, bytes]:
    return name_bytes(key.person), name_bytes(key.place)


def _usual(row: Sequence[Any]) -> Usual:
    found = Usual()
    try:
        found.count, found.most, found.last = int(row[0]), int(row[1]), float(row[2])
        sizes = json.loads(row[3][:_MAX_SIZES])
        found.sizes = {int(size): [int(often), int(sum_)] for size, often, sum_ in sizes}
    except (ValueError, TypeError, RecursionError):
        raise unavailable("What is usual cannot be read") from None
    if any(often < 1 for often, _ in found.sizes.values()):
        raise unavailable("What is usual cannot be read")
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


_FILE: Final = SqliteFile(
    what="what is usual",
    schema=_SCHEMA,
    version=VERSION,
    pragmas=("synchronous = NORMAL", "secure_delete = ON"),
    unusable=unusable_as(
        "novelty-unusable",
        "What is usual cannot be used",
        "Move it away, and have it made from the record: proctor novelty rebuild.",
    ),
    failed=lambda got: unavailable("What is usual cannot be used", got),
)
