"""SQLite files of proctor's own: there whole, 0600 and in WAL mode, or not at all."""

import contextlib
import logging
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from proctor.errors import ConfigurationError, InternalError, ProctorError
from proctor.runtime.permissions import check_private

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFile:
    """A kind of file that one gateway or several keep something in.

    Attributes:
        what: What is in it, for people: "the pins of tools".
        schema: Statements that make it, as for `make_database`.
        version: Its `user_version`.
        pragmas: Set for each connection.
        unusable: What is raised of a path, and in a word what was found there: see `unusable_as`.
        failed: What is raised where SQLite fails, of its word for why: see `failed_as`.
    """

    what: str
    schema: str
    version: int
    pragmas: tuple[str, ...]
    unusable: Callable[[Path, str], ConfigurationError]
    failed: Callable[[str], ProctorError]

    def create(self, path: Path) -> None:
        """Make it where it is missing.

        Args:
            path: Its folder is there, and nobody else's.

        Raises:
            ConfigurationError: `open-to-others`, or as `unusable` has it.
        """
        try:
            if not path.exists():
                make_database(path, self.schema, self.version)
            regular = stat.S_ISREG(path.lstat().st_mode)
        except (OSError, sqlite3.Error) as error:
            raise self.unusable(path, reason_of(error)) from None
        if not regular:
            raise self.unusable(path, "no regular file")
        check_private(path.parent, f"the folder of {self.what}")
        check_private(path, self.what)

    def connect(self, path: Path, wait: float) -> sqlite3.Connection:
        """A connection to one that is there, which any thread may use, one at a time.

        Args:
            path: Must exist.
            wait: How long another process may keep it locked, seconds.

        Raises:
            ConfigurationError: As `unusable` has it.
        """
        try:
            database, version, journal = open_database(path, wait, *self.pragmas)
        except sqlite3.Error as error:
            raise self.unusable(path, reason_of(error)) from None
        if (version, journal) != (self.version, "wal"):
            database.close()
            raise self.unusable(path, f"version {version}, journal {journal}")
        return database

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Turns what SQLite raises into what `failed` makes of it."""
        try:
            yield
        except sqlite3.Error as error:  # whose text may quote a value
            raise self.failed(reason_of(error)) from None


def unusable_as(code: str, message: str, hint: str) -> Callable[[Path, str], ConfigurationError]:
    """How to say that a file is not what it should be."""

    def unusable(path: Path, got: str) -> ConfigurationError:
        return ConfigurationError(
            code,
            message,
            got=got,
            expected="a regular file of ours, mode 0600, made by this version of proctor",
            hint=hint,
            where=str(path),
        )

    return unusable


def failed_as(code: str, message: str, hint: str, *, event: str) -> Callable[[str], InternalError]:
    """How to say that SQLite failed, in the log as well."""

    def failed(got: str) -> InternalError:
        log.error("%s", message, extra={"event": event, "got": got})
        return InternalError(code, message, got=got, hint=hint)

    return failed


def name_bytes(text: str) -> bytes:
    """A name as it is kept: it comes from a client, and may be no text that SQLite takes."""
    return text.encode("utf-8", "surrogatepass")


def reason_of(error: Exception) -> str:
    """What happened, by its name: SQLite's messages quote values."""
    return (
        getattr(error, "sqlite_errorname", None)
        or getattr(error, "strerror", None)
        or type(error).__name__
    )


def make_database(path: Path, schema: str, version: int, *, page: int = 4096) -> None:
    """Make a file, unless somebody else was first; durable when this returns.

    WAL mode stands in the file, so nobody ever switches it while others look.

    Args:
        path: Where; its folder is there.
        schema: Statements, each ended by a semicolon; none of them makes a transaction.
        version: Its `user_version`.
        page: Bytes of its pages (https://sqlite.org/pragma.html#pragma_page_size).

    Raises:
        OSError: It cannot be made.
        sqlite3.Error: The same.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    os.close(descriptor)
    try:
        with contextlib.closing(sqlite3.connect(name, isolation_level=None)) as database:
            database.execute(f"PRAGMA page_size = {page}")
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(f"BEGIN;{schema}PRAGMA user_version = {version};COMMIT;")
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # its name is durable, too
    finally:
        os.close(folder)


def open_database(path: Path, wait: float, *pragmas: str) -> tuple[sqlite3.Connection, int, str]:
    """A connection to a file that is there, which any thread may use, one at a time.

    Args:
        path: Must exist.
        wait: How long another process may keep it locked, seconds.
        pragmas: Set for this connection, such as `synchronous = FULL`.

    Returns:
        The connection, the file's `user_version`, and its journal mode.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=wait,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (journal,) = database.execute("PRAGMA journal_mode").fetchone()
        for pragma in (*pragmas, "trusted_schema = OFF"):
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        database.close()
        raise
    return database, version, journal


@contextlib.contextmanager
def transaction(database: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """All of it or nothing; by default one process at a time from the first read on.

    Raises:
        sqlite3.Error: It cannot be begun or committed.
    """
    database.execute(begin)
    try:
        yield
        database.execute("COMMIT")
    finally:
        if database.in_transaction:  # it was not committed
            database.execute("ROLLBACK")
