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
