"""The vault's SQLite file."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.model import RedactionError
from proctor.redaction.vaultfile import MADE, transaction


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@contextlib.contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    MADE.create(file)
    with closing(MADE.connect(file, 0.1)) as database:
        yield database


def refused(file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        with opened(file):
            pass
    return caught.value.code


def totals(database: sqlite3.Connection) -> tuple[int, int, int]:
    found: tuple[int, int, int] = database.execute("SELECT * FROM totals").fetchone()
    return found


def test_it_is_made_for_nobody_else(file: Path) -> None:
    old = os.umask(0)
    try:
        with opened(file) as database:
            with transaction(database):
                database.execute("INSERT INTO entries VALUES (x'01', x'0203')")
            files = sorted(path.name for path in file.parent.iterdir())
            assert files == ["vault.db", "vault.db-shm", "vault.db-wal"]
            assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}
    finally:
        os.umask(old)


def test_those_who_make_it_at_once_get_the_same(file: Path) -> None:
    start = threading.Barrier(8)
    inodes: list[int] = []

    def work() -> None:
        start.wait()
        with opened(file):
            inodes.append(file.stat().st_ino)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inodes) == 8
    assert len(set(inodes)) == 1
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".")]


def test_totals_follow_and_entries_go_with_their_last_use(file: Path) -> None:
    with opened(file) as database:
        database.execute("INSERT INTO entries VALUES (x'01', x'020304'), (x'02', x'05')")
        database.execute(
            "INSERT INTO uses VALUES (x'01', x'0a', 1), (x'01', x'0b', 2), (x'02', x'0a', 1)"
        )
        assert totals(database) == (3, 4, 0)
        database.execute("DELETE FROM uses WHERE session = x'0a'")
        assert totals(database) == (1, 3, 2)
        assert database.execute("SELECT name FROM entries").fetchall() == [(b"\1",)]
        database.execute("DELETE FROM uses")
        assert totals(database) == (0, 0, 3)
        assert database.execute("SELECT name FROM entries").fetchall() == []


def interrupted(database: sqlite3.Connection) -> None:
    with transaction(database):
        database.execute("INSERT INTO entries VALUES (x'01', x'02')")
        raise ZeroDivisionError


def test_a_transaction_is_all_or_nothing(file: Path) -> None:
    with opened(file) as database:
        with pytest.raises(RedactionError), transaction(database):
            database.execute("INSERT INTO entries VALUES (x'01', x'02'), (x'01', x'02')")
        with pytest.raises(ZeroDivisionError):
            interrupted(database)
        assert database.execute("SELECT count(*) FROM entries").fetchone() == (0,)
        with transaction(database):
            database.execute("INSERT INTO entries VALUES (x'01', x'02')")
    with opened(file) as database:
        assert database.execute("SELECT count(*) FROM entries").fetchone() == (1,)


def test_a_locked_file_is_an_error(file: Path) -> None:
    with opened(file) as one, opened(file) as two, transaction(one):
        with pytest.raises(RedactionError) as caught, transaction(two):
            pass
        assert caught.value.code == "redaction-vault"
        assert caught.value.got == "SQLITE_BUSY"


def test_what_sqlite_says_stays_out_of_errors_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RedactionError) as caught, MADE.reported():
        raise sqlite3.IntegrityError("here stands a value")
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert "value" not in f"{error!r} {error} {caplog.text}"
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_what_is_no_vault_is_not_used(file: Path) -> None:
    file.write_bytes(b"x" * 8192)
    file.chmod(0o600)
    assert refused(file) == "vault-unusable"
    file.write_bytes(b"")
    assert refused(file) == "vault-unusable"
    file.unlink()
    with opened(file) as database:
        database.execute("PRAGMA user_version = 2")
    assert refused(file) == "vault-unusable"
    file.rename(file.with_name("other.db"))
    file.symlink_to(file.with_name("other.db"))
    assert refused(file) == "vault-unusable"
    file.unlink()
    file.mkdir(mode=0o700)
    assert refused(file) == "vault-unusable"


def test_a_vault_that_others_can_read_is_not_used(file: Path) -> None:
    with opened(file):
        file.chmod(0o644)
        assert refused(file) == "open-to-others"


def test_no_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "none" / "vault.db") == "vault-unusable"
