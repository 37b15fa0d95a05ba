"""The SQLite file of approvals: made whole by whoever comes first, opened by all.

WAL mode, so that readers wait for nobody; `synchronous=FULL`, so that what a method has returned is
on the disk even if the power goes. The file lies in a folder that nobody else can enter, and SQLite
gives its write-ahead log the same mode (https://sqlite.org/wal.html).
"""

import contextlib
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from proctor.approval.model import ApprovalError
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private, make_folder
from proctor.runtime.sqlitemaker import make_database, reason_of

VERSION = 1

# What is looked for stands in columns, the rest in `data`; moments are microseconds since 1970.
# Text from outside is bytes here: it may be no well-formed Unicode, which SQLite would not take.
# `seq` never comes twice (AUTOINCREMENT), even once old changes are forgotten.
_SCHEMA = """
CREATE TABLE approvals (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    principal BLOB NOT NULL,
    digest BLOB NOT NULL,
    shape BLOB NOT NULL,
    session BLOB NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    over INTEGER NOT NULL,
    unreviewed INTEGER NOT NULL,
    audience BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX approvals_joined ON approvals (principal, digest, n)
    WHERE state IN ('pending', 'approved', 'denied', 'expired');
CREATE INDEX approvals_open ON approvals (expires_at) WHERE state IN ('pending', 'approved');
CREATE INDEX approvals_over ON approvals (expires_at) WHERE over;
CREATE INDEX approvals_principal ON approvals (principal, state, requested_at, n);
CREATE INDEX approvals_shape ON approvals (shape, state, requested_at, n);
CREATE INDEX approvals_both ON approvals (shape, principal, state, requested_at, n);
CREATE INDEX approvals_session ON approvals (session, state, requested_at, n);
CREATE INDEX approvals_state ON approvals (state, requested_at, n, audience);
CREATE INDEX approvals_audience ON approvals (state, audience);
CREATE INDEX approvals_unreviewed ON approvals (requested_at, n) WHERE unreviewed;
CREATE TABLE grants (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL,
    over INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_open ON grants (n, expires_at) WHERE NOT over;
CREATE TABLE kills (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lifted_at INTEGER,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX kills_lifted ON kills (lifted_at, n);
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX changes_unrecorded ON changes (seq, at) WHERE NOT recorded;
CREATE INDEX changes_recorded ON changes (at) WHERE recorded;
"""

# In a file that version 1 made. Its processes, while they still run, know none of the new columns:
# what they add has the audience of nobody, so only those who see all have it in their lists.

log = logging.getLogger(__name__)


def failure(message: str, got: str = "", expected: str = "") -> ApprovalError:
    """The error of a store that cannot be used; it is logged, too.

    Args:
        message: What happened, without any value.
        got: What SQLite or the system says, which names no values either.
        expected: What would have been right.
    """
    log.error("%s", message, extra={"event": "approvals.failed", "got": got})
    return ApprovalError(
        code="approvals-unavailable",
        message=message,
        got=got,
        expected=expected,
        hint="Nothing was let through; see the file that `approvals.store` names, and its disk.",
        status=503,
    )


class Database:
    """One connection to the file, for one thread at a time.

    Args:
        path: Must exist, as `create` leaves it.
        wait: How long another process may keep it locked, seconds.

    Raises:
        ApprovalError: `approvals-unavailable`.
    """

    def __init__(self, path: Path, wait: float) -> None:
        self._path = path
        with reported("The store of approvals cannot be opened"):
            self._file = _identity(path)
            self.connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=wait,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self) -> None:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        (journal,) = self.connection.execute("PRAGMA journal_mode").fetchone()
        if version > VERSION:
            raise failure(
                "A newer version of proctor made the store of approvals",
                f"version {version}",
                f"version {VERSION}; install that newer proctor, or choose another file",
            )
        if (version, journal) != (VERSION, "wal"):
            raise failure(
                "The store of approvals is no such store, or damaged",
                f"version {version}, journal {journal}",
                "a file that proctor made; move it away for a new one",
            )
        for pragma in (
            "synchronous = FULL",
            "secure_delete = ON",  # the key of what is sealed lies on the same machine
            "cell_size_check = ON",
            "trusted_schema = OFF",
        ):
            self.connection.execute(f"PRAGMA {pragma}")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Several reads of the same moment.

        Raises:
            ApprovalError: `approvals-unavailable`.
        """
        with self._transaction("BEGIN"):
            yield self.connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and one process at a time from the first read on.

        Raises:
            ApprovalError: `approvals-unavailable`.
        """
        with self._transaction("BEGIN IMMEDIATE"):
            yield self.connection

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        with reported("The store of approvals cannot be closed"):
            self.connection.close()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with reported("The store of approvals is not there any more"):
            # Else two processes could each have a store of their own under one name.
            if _identity(self._path) != self._file:
                raise failure("The store of approvals was replaced", expected="the file as opened")
        try:
            self.connection.execute(begin)
            try:
                yield
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:  # it was not committed
                    self.connection.execute("ROLLBACK")
        except sqlite3.Error as error:  # whose text may quote a value
            raise failure("The store of approvals cannot be used", reason_of(error)) from None


@contextlib.contextmanager
def reported(message: str) -> Iterator[None]:
    """Turns what SQLite and the system raise into an ApprovalError.

    Args:
        message: What it is to say.

    Raises:
        ApprovalError: `approvals-unavailable`.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise failure(message, reason_of(error)) from None


def create(path: Path) -> None:
    """Make the file if it is missing, 0600, whole or not at all; its folder, too, 0700.

    Raises:
        ApprovalError: `approvals-unavailable`.
        ConfigurationError: `open-to-others`, or `file-unreadable`: the folder cannot be made.
    """
    make_folder(path.parent)
    check_private(path.parent, "the folder of the approvals")
    with reported("The store of approvals cannot be made"):
        if not path.exists():
            _refuse_left_over(path)
            make_database(path, _SCHEMA, VERSION)
        regular = stat.S_ISREG(path.lstat().st_mode)
    if not regular:
        raise failure("The store of approvals is no regular file")
    if not os.access(path, os.W_OK):  # which SQLite opens, too
        raise failure("The store of approvals cannot be written", "write-protected")
    check_private(path, "the store of approvals")
    for suffix in ("-wal", "-shm"):
        try:
            check_private(path.with_name(path.name + suffix), "the store of approvals")
        except ConfigurationError as error:
            if error.code == "open-to-others":  # else it is not there: SQLite's come and go
                raise


def _refuse_left_over(path: Path) -> None:
    """SQLite would play a log that was left behind into the new store (howtocorrupt.html, 1.4)."""
    # Whoever makes a store makes it before its log, so with both there all is well.
    if path.with_name(f"{path.name}-wal").exists() and not path.exists():
        raise failure(
            "The write-ahead log of a store of approvals lies there without the store",
            f"{path.name}-wal",
            f"{path.name} beside it; move the log to where the store went, or remove it",
        )


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
