"""What is still to be sent, in a file of its own: `notify.db` in proctor's state folder.

All gateway processes of an installation share it. A cursor says up to which change messages were
made; it moves in the transaction that keeps them, so none is lost or made twice. Whoever sends a
message has a lease of it, and another process takes over when that has run out: a message is sent
at least once. Messages about the same thing go out in their order.
"""

import contextlib
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proctor.approval.notify.message import Message
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private
from proctor.runtime.sqlitemaker import make_database, open_database

NAME = "notify.db"
MOST = 10_000
"""Messages that may wait for one notifier."""

_VERSION = 1
_WAIT = 5.0
_TICKETS = 90 * 86400.0
_SCHEMA = """
CREATE TABLE cursor (seq INTEGER NOT NULL);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, notifier TEXT NOT NULL, name TEXT NOT NULL,
    about TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, ends REAL NOT NULL,
    due REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    lease REAL NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', UNIQUE (notifier, name)
);
CREATE INDEX outbox_next ON outbox (notifier, id);
CREATE INDEX outbox_about ON outbox (notifier, about, id);
CREATE INDEX outbox_ends ON outbox (notifier, ends);
CREATE TABLE tickets (
    notifier TEXT NOT NULL, about TEXT NOT NULL, ticket TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (notifier, about)
) WITHOUT ROWID;
CREATE TABLE health (
    notifier TEXT PRIMARY KEY, failing_since REAL, failures INTEGER NOT NULL, code TEXT NOT NULL,
    sent_at REAL
) WITHOUT ROWID;
"""
_CLAIM = """
UPDATE outbox SET lease = :lease, owner = :owner, attempts = attempts + 1 WHERE id = (
    SELECT id FROM outbox AS it INDEXED BY outbox_next
    WHERE notifier = :notifier AND due <= :now AND lease <= :now AND NOT EXISTS (
        SELECT 1 FROM outbox AS older
        WHERE older.notifier = it.notifier AND older.about = it.about AND older.id < it.id
    ) ORDER BY id LIMIT 1
) RETURNING id, message, attempts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message for one notifier.

    Attributes:
        notifier: Its name.
        message: What it is told.
        settles: With it nobody needs to hear any more that something is pending.
    """

    notifier: str
    message: Message
    settles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A letter that this process sends now.

    Attributes:
        id: Its number in the outbox.
        message: What is told.
        attempts: With this one.
        ticket: What the notifier called it the last time; "" for nothing.
    """

    id: int
    message: Message = field(repr=False)
    attempts: int
    ticket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How one notifier is.

    Attributes:
        notifier: Its name.
        queued: Messages that wait.
        failing_since: Seconds since the epoch; None while all is well.
        failures: In a row.
        code: Why the last one failed; "" if it did not.
        sent_at: When something was sent last, or None.
    """

    notifier: str
    queued: int
    failing_since: float | None
    failures: int
    code: str
    sent_at: float | None


class Outbox:
    """The file; all methods block, may be called from any thread, and raise sqlite3.Error."""

    def __init__(self, folder: Path) -> None:
        """Open the file, or make it.

        Args:
            folder: Proctor's state folder.

        Raises:
            ConfigurationError: `open-to-others`, or `notify-unusable`.
        """
        path = folder / NAME
        self._lock = threading.Lock()
        try:
            if not path.exists():
                make_database(path, _SCHEMA, _VERSION)
            if not stat.S_ISREG(path.lstat().st_mode):
                raise _unusable(path, "no regular file")
            check_private(path, "the messages to be sent")
            self._database = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, _reason(error)) from None

    def take(
        self, last: Callable[[], int], letters: Callable[[int], tuple[int, Sequence[Letter]]]
    ) -> tuple[int, list[str]]:
        """Make messages of what is new, once among all processes.

        Args:
            last: Gives the number of the last change; the first time ever, what is older is passed
                over.
            letters: Gets the number of the last change that was looked at; gives the number to
                go on from, and what is to be sent.

        Returns:
            The number to go on from, and the notifiers of letters that found no room.
        """
        with self._transaction() as database:
            # Asked for in here: no other process moves the cursor meanwhile.
            end = last()
            row = database.execute("SELECT seq FROM cursor").fetchone()
            if row is None:
                database.execute("INSERT INTO cursor VALUES (?)", (end,))
                return end, []
            # A new store counts from the start again.
            seq, found = letters(row[0] if row[0] <= end else 0)
            room = {letter.notifier: _room(database, letter.notifier) for letter in found}
            lost = []
            for letter in found:
                if room[letter.notifier] > 0:
                    room[letter.notifier] -= 1
                    _keep(database, letter)
                else:
                    lost.append(letter.notifier)
            database.execute("UPDATE cursor SET seq = ?", (seq,))
            return seq, lost

    def put(self, letters: Sequence[Letter]) -> list[str]:
        """Keep letters that no change made; one whose message is there already is none.

        Returns:
            The notifiers of letters that found no room.
        """
        lost = []
        with self._transaction() as database:
            for letter in letters:
                if _room(database, letter.notifier) > 0:
                    _keep(database, letter)
                else:
                    lost.append(letter.notifier)
        return lost

    def claim(self, notifier: str, *, now: float, lease: float, owner: str) -> Claimed | None:
        """The next message for a notifier, for this process alone until `lease` is over.

        Args:
            notifier: Its name.
            now: Seconds since the epoch.
            lease: Until when.
            owner: This process.
        """
        known = {"notifier": notifier, "now": now, "lease": lease, "owner": owner}
        with self._transaction() as database:
            row = database.execute(_CLAIM, known).fetchone()
            if row is None:
                return None
            try:
                message = Message.unpack(row[1])
            except (ValueError, TypeError, KeyError):  # of another version of proctor
                database.execute("DELETE FROM outbox WHERE id = ?", (row[0],))
                return None
            ticket = database.execute(
                "SELECT ticket FROM tickets WHERE notifier = ? AND about = ?",
                (notifier, message.about),
            ).fetchone()
            return Claimed(
                id=row[0], message=message, attempts=row[2], ticket=ticket[0] if ticket else ""
            )

    def sent(self, notifier: str, claimed: Claimed, ticket: str, now: float) -> None:
        """It was taken."""
        with self._transaction() as database:
            database.execute("DELETE FROM outbox WHERE id = ?", (claimed.id,))
            if ticket:
                database.execute("DELETE FROM tickets WHERE until <= ?", (now,))
                database.execute(
                    "INSERT OR REPLACE INTO tickets VALUES (?, ?, ?, ?)",
                    (notifier, claimed.message.about, ticket, now + _TICKETS),
                )
            database.execute(
                "INSERT OR REPLACE INTO health VALUES (?, NULL, 0, '', ?)", (notifier, now)
            )

    def failed(
        self, notifier: str, claimed: Claimed, *, code: str, due: float | None, now: float
    ) -> Status:
        """It was not taken.

        Args:
            notifier: Its name.
            claimed: What it was.
            code: Why.
            due: When to try again; None for never.
            now: Seconds since the epoch.
        """
        with self._transaction() as database:
            if due is None:
                database.execute("DELETE FROM outbox WHERE id = ?", (claimed.id,))
            else:
                database.execute(
                    "UPDATE outbox SET due = ?, lease = 0 WHERE id = ?", (due, claimed.id)
                )
            database.execute(
                "INSERT INTO health VALUES (:notifier, :now, 1, :code, NULL) ON CONFLICT DO UPDATE"
                " SET failing_since = COALESCE(failing_since, :now), failures = failures + 1,"
                " code = :code",
                {"notifier": notifier, "now": now, "code": code},
            )
        return next(item for item in self.status() if item.notifier == notifier)

    def expire(self, notifier: str, now: float) -> int:
        """Forget what nobody needs to know any more; how much that was."""
        with self._transaction() as database:
            return database.execute(
                "DELETE FROM outbox WHERE notifier = ? AND ends <= ? AND lease <= ?",
                (notifier, now, now),
            ).rowcount

    def release(self, owner: str) -> None:
        """This process sends no more; others need not wait for its leases to run out."""
        with self._transaction() as database:
            database.execute("UPDATE outbox SET lease = 0 WHERE owner = ?", (owner,))

    def keep_only(self, notifiers: Sequence[str]) -> None:
        """Forget what is about notifiers that are no longer there."""
        marks = ", ".join("?" * len(notifiers))
        with self._transaction() as database:
            for table in ("outbox", "tickets", "health"):
                database.execute(
                    f"DELETE FROM {table} WHERE notifier NOT IN ({marks})",  # noqa: S608 - marks
                    tuple(notifiers),
                )

    def status(self) -> tuple[Status, ...]:
        """How the notifiers are that anything was sent to, by name."""
        with self._lock:
            return _status(self._database)

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        with self._lock:
            self._database.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:  # it was not committed
                    self._database.execute("ROLLBACK")


def forget(folder: Path, abouts: Sequence[str]) -> bool:
    """Takes away what still waits about these approvals and grants: what it says is erased.

    Args:
        folder: Proctor's state folder.
        abouts: Their ids.

    Returns:
        Whether nothing of it is left in the file or beside it; if not, another process reads it.

    Raises:
        ConfigurationError: `notify-unusable`.
    """
    path = folder / NAME
    if not path.exists():
        return True
    try:
        with contextlib.closing(_connect(path)) as database:
            database.executemany("DELETE FROM outbox WHERE about = ?", [(each,) for each in abouts])
            row = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise _unusable(path, _reason(error)) from None
    return not row[0]


def read_status(folder: Path) -> tuple[Status, ...]:
    """How the notifiers are, for another process; empty where nothing was ever sent.

    Raises:
        ConfigurationError: `notify-unusable`.
    """
    path = folder / NAME
    if not path.exists():
        return ()
    try:
        with contextlib.closing(_connect(path)) as database:
            return _status(database)
    except sqlite3.Error as error:
        raise _unusable(path, _reason(error)) from None


def _status(database: sqlite3.Connection) -> tuple[Status, ...]:
    rows = database.execute(
        "WITH known AS (SELECT notifier FROM health UNION SELECT notifier FROM outbox)"
        " SELECT notifier, (SELECT count(*) FROM outbox WHERE outbox.notifier = known.notifier),"
        " failing_since, COALESCE(failures, 0), COALESCE(code, ''), sent_at"
        " FROM known LEFT JOIN health USING (notifier) ORDER BY notifier"
    )
    names = ("notifier", "queued", "failing_since", "failures", "code", "sent_at")
    return tuple(Status(**dict(zip(names, row, strict=True))) for row in rows)


def _room(database: sqlite3.Connection, notifier: str) -> int:
    (queued,) = database.execute(
        "SELECT count(*) FROM outbox WHERE notifier = ?", (notifier,)
    ).fetchone()
    return MOST - int(queued)


def _keep(database: sqlite3.Connection, letter: Letter) -> None:
    message, at = letter.message, letter.message.at.timestamp()
    if letter.settles:
        database.execute(
            "DELETE FROM outbox WHERE notifier = ? AND about = ? AND lease <= ?"
            " AND type = 'approval.pending'",
            (letter.notifier, message.about, at),
        )
    database.execute(
        "INSERT OR IGNORE INTO outbox (notifier, name, about, type, message, ends)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            letter.notifier,
            message.id,
            message.about,
            message.type,
            message.pack(),
            message.ends.timestamp(),
        ),
    )


def _connect(path: Path) -> sqlite3.Connection:
    # Whoever reads the disk finds no message that was sent.
    database, version, _ = open_database(path, _WAIT, "synchronous = NORMAL", "secure_delete = ON")
    if version != _VERSION:
        database.close()
        raise sqlite3.DatabaseError
    return database


def _reason(error: Exception) -> str:
    found = getattr(error, "sqlite_errorname", None) or getattr(error, "strerror", None)
    return str(found or type(error).__name__)


def _unusable(path: Path, got: str) -> ConfigurationError:
    return ConfigurationError(
        code="notify-unusable",
        message="The file of messages to be sent cannot be used",
        got=got,
        expected="a regular file of ours, mode 0600, made by this version of proctor",
        hint="Move it away for a new one; messages that wait in it are then not sent.",
        where=str(path),
    )
