"""SQLite files of proctor's own: there whole, 0600 and in WAL mode, or not at all."""

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path


def make_database(path: Path, schema: str, version: int) -> None:
    """Make a file, unless somebody else was first; durable when this returns.

    WAL mode stands in the file, so nobody ever switches it while others look.

    Args:
        path: Where; its folder is there.
        schema: Statements, each ended by a semicolon; none of them makes a transaction.
        version: Its `user_version`.

    Raises:
        OSError: It cannot be made.
        sqlite3.Error: The same.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    os.close(descriptor)
    try:
        with contextlib.closing(sqlite3.connect(name, isolation_level=None)) as database:
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
