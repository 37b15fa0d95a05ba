"""Files that are there whole or not at all."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError, InternalError
from proctor.runtime.sqlitemaker import (
    SqliteFile,
    failed_as,
    make_database,
    name_bytes,
    open_database,
    transaction,
    unusable_as,
)

SCHEMA = "CREATE TABLE a (b TEXT);INSERT INTO a VALUES ('first');"


def test_it_is_whole_private_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make_database(path, SCHEMA, 7)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (7,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA page_size").fetchone() == (4096,)
        assert database.execute("SELECT b FROM a").fetchall() == [("first",)]
    make_database(tmp_path / "y.db", SCHEMA, 7, page=16384)
    with closing(sqlite3.connect(tmp_path / "y.db")) as database:
        assert database.execute("PRAGMA page_size").fetchone() == (16384,)


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


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make_database(path, "CREATE TABLE t (n UNIQUE);", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        with transaction(database):
            database.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError), transaction(database):
            database.executemany("INSERT INTO t VALUES (?)", [(2,), (1,)])
        assert not database.in_transaction
        assert database.execute("SELECT n FROM t").fetchall() == [(1,)]


TOYS = SqliteFile(
    what="the toys",
    schema=SCHEMA,
    version=7,
    pragmas=("synchronous = FULL",),
    unusable=unusable_as("toys-unusable", "The toys cannot be used", "Move it away."),
    failed=failed_as("toys-broken", "The toys broke", "See toys.db.", event="toys.failed"),
)


def test_a_kind_of_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "toys.db"
    TOYS.create(path)
    TOYS.create(path)
    with closing(TOYS.connect(path, 0.1)) as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("SELECT b FROM a").fetchall() == [("first",)]


def _opened(path: Path) -> None:
    TOYS.create(path)
    TOYS.connect(path, 0.1).close()


@pytest.mark.parametrize("there", ["folder", "text", "newer", "open", "open folder", "nowhere"])
def test_what_is_no_such_file(tmp_path: Path, there: str) -> None:
    tmp_path.chmod(0o755 if there == "open folder" else 0o700)
    path = tmp_path / "toys.db"
    match there:
        case "folder":
            path.mkdir()
        case "text":
            path.write_text("no database at all, and longer than its head of one hundred bytes" * 9)
            path.chmod(0o600)
        case "newer":
            make_database(path, SCHEMA, 8)
        case "nowhere":
            path = tmp_path / "missing" / "toys.db"
        case _:
            make_database(path, SCHEMA, 7)
            path.chmod(0o644 if there == "open" else 0o600)
    with pytest.raises(ConfigurationError) as caught:
        _opened(path)
    assert caught.value.code == ("open-to-others" if "open" in there else "toys-unusable")
    if "open" not in there:
        assert (caught.value.where, caught.value.hint) == (str(path), "Move it away.")


def test_a_failure_is_said_and_logged_without_what_sqlite_quotes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o700)
    TOYS.create(tmp_path / "toys.db")
    with closing(TOYS.connect(tmp_path / "toys.db", 0.1)) as database:
        with pytest.raises(InternalError) as caught, TOYS.reported():
            database.execute("SELECT * FROM bear")
    said = caught.value
    assert (said.code, said.got, said.hint) == ("toys-broken", "SQLITE_ERROR", "See toys.db.")
    assert [(each.message, each.__dict__["event"]) for each in caplog.records] == [
        ("The toys broke", "toys.failed")
    ]
    assert "bear" not in f"{said}{caplog.text}"


def test_a_name_that_is_no_text_is_kept() -> None:
    assert name_bytes("\ud800\0é") == b"\xed\xa0\x80\x00\xc3\xa9"
