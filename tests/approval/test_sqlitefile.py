"""The SQLite file of approvals."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proctor.approval.model import ApprovalError
from proctor.approval.sqlitefile import VERSION, Database, create, reported
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "approvals.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    create(path)
    found = Database(path, 0.1)
    yield found
    found.close()


def open_both(path: Path) -> None:
    create(path)
    Database(path, 0.1).close()


def refused(path: Path) -> ApprovalError:
    with pytest.raises(ApprovalError) as caught:
        open_both(path)
    assert (caught.value.code, caught.value.status) == ("approvals-unavailable", 503)
    return caught.value


def edit(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(sql)


def test_it_is_made_for_nobody_else(path: Path) -> None:
    old = os.umask(0)
    try:
        create(path)
        one = Database(path, 0.1)
        with one.writing() as connection:
            connection.execute("INSERT INTO changes (at, recorded, data) VALUES (1, 0, x'00')")
        files = sorted(item.name for item in path.parent.iterdir())
        assert files == ["approvals.db", "approvals.db-shm", "approvals.db-wal"]
        assert {item.stat().st_mode & 0o777 for item in path.parent.iterdir()} == {0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700
        one.close()
    finally:
        os.umask(old)


def test_what_is_returned_is_durable(database: Database) -> None:
    found = {
        name: database.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "secure_delete", "trusted_schema")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL, https://sqlite.org/pragma.html#pragma_synchronous
        "secure_delete": 1,
        "trusted_schema": 0,
    }


def test_those_who_make_it_at_once_get_the_same(path: Path) -> None:
    start = threading.Barrier(8)
    inodes: list[int] = []

    def work() -> None:
        start.wait()
        open_both(path)
        inodes.append(path.stat().st_ino)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inodes) == 8
    assert len(set(inodes)) == 1
    assert not [item for item in path.parent.iterdir() if item.name.startswith(".")]


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_store_that_others_can_get_at(
    path: Path, database: Database, suffix: str, mode: int
) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO changes (at, recorded, data) VALUES (1, 0, x'00')")
    path.with_name(path.name + suffix).chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        create(path)
    assert caught.value.code == "open-to-others"


def test_a_folder_that_others_can_enter(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    with pytest.raises(ConfigurationError) as caught:
        create(path)
    assert caught.value.code == "open-to-others"
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_store_of_another_user(path: Path) -> None:
    create(path)
    os.chown(path, 65534, -1)
    with pytest.raises(ConfigurationError) as caught:
        create(path)
    assert caught.value.code == "open-to-others"


def test_a_newer_version_is_left_alone(path: Path) -> None:
    create(path)
    edit(path, f"PRAGMA user_version = {VERSION + 1}")
    error = refused(path)
    assert "newer version" in error.message
    assert error.got == f"version {VERSION + 1}"


def test_what_is_no_store(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    assert "damaged" in refused(path).message
    path.write_bytes(b"x" * 8192)
    assert refused(path).got == "SQLITE_NOTADB"


@pytest.mark.parametrize("put", [lambda path: path.mkdir(0o700), lambda path: path.symlink_to("x")])
def test_no_regular_file(path: Path, put: Callable[[Path], None]) -> None:
    path.parent.mkdir(mode=0o700)
    put(path)
    refused(path)


def test_a_log_without_its_store(path: Path) -> None:
    create(path)
    found = Database(path, 0.1)
    with found.writing() as connection:
        connection.execute("INSERT INTO changes (at, recorded, data) VALUES (1, 0, x'00')")
    path.rename(path.with_name("old.db"))
    assert "without the store" in refused(path).message
    assert not path.exists()
    found.close()


def test_a_log_that_goes_while_it_is_looked_at(
    path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(part: Path, what: str) -> None:
        if part.name.endswith("-wal"):
            part.unlink()
        check_private(part, what)

    with database.writing():
        pass
    assert path.with_name("approvals.db-wal").exists()
    monkeypatch.setattr("proctor.approval.sqlitefile.check_private", gone)
    create(path)
    assert not path.with_name("approvals.db-wal").exists()


def test_a_damaged_page(path: Path) -> None:
    create(path)
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xaa" * (len(raw) - 4096)
    path.write_bytes(raw)
    found = Database(path, 0.1)
    with pytest.raises(ApprovalError) as caught, found.reading() as connection:
        connection.execute("SELECT * FROM approvals").fetchall()
    found.close()
    assert caught.value.got == "SQLITE_CORRUPT"


def test_a_disk_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", full)
    assert refused(path).got == "Read-only file system"
    assert not path.exists()


def test_it_is_made_whole_or_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", full)
    assert refused(path).got == "No space left on device"
    assert list(path.parent.iterdir()) == []


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    insert = "INSERT INTO kills (id, data) VALUES ('ki', x'00')"

    def twice() -> None:
        with database.writing() as connection:
            connection.execute(insert)
            connection.execute(insert)

    def interrupted(error: type[BaseException]) -> None:
        with database.writing() as connection:
            connection.execute(insert)
            raise error

    with pytest.raises(ApprovalError):
        twice()
    for error in (KeyboardInterrupt, OSError):
        with pytest.raises(error):
            interrupted(error)
    with database.writing() as connection:
        assert connection.execute("SELECT count(*) FROM kills").fetchone() == (0,)
        connection.execute(insert)
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM kills").fetchone() == (1,)


def test_what_sqlite_says_stays_out_of_errors_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ApprovalError) as caught, reported("It failed"):
        raise sqlite3.IntegrityError("here stands a value")
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert "value" not in f"{error!r} {error} {caplog.text}"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
