"""Files that are there whole or not at all."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from proctor.runtime.sqlitemaker import make_database, open_database

SCHEMA = "CREATE TABLE a (b TEXT);INSERT INTO a VALUES ('first');"


def test_it_is_whole_private_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make_database(path, SCHEMA, 7)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (7,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("SELECT b FROM a").fetchall() == [("first",)]


def test_who_comes_second_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: make_database(path, SCHEMA, number), range(1, 9)))
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
    make_database(path, SCHEMA, 99)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_schema_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        make_database(tmp_path / "x.db", "CREATE TABLE (;", 1)
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".db"] == []


def test_opened_as_it_was_made_and_as_is_wished(tmp_path: Path) -> None:
    path = tmp_path / "x #?.db"
    make_database(path, SCHEMA, 7)
    database, version, journal = open_database(path, 1.0, "synchronous = FULL")
    with closing(database):
        assert (version, journal) == (7, "wal")
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("PRAGMA trusted_schema").fetchone() == (0,)


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        open_database(tmp_path / "x.db", 1.0)
    assert not (tmp_path / "x.db").exists()


def test_what_is_no_database_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"words " * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        open_database(path, 1.0)
