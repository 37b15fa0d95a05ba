"""Reading the record, and nothing else."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from proctor.audit.inquiry import open_record, select
from proctor.audit.recorder import Recorder
from proctor.errors import ClientError, ConfigurationError
from tests.support.envelopes import STILL


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inquiry") / "recordings"

    async def make() -> None:
        recorder = await Recorder.open(path, pace=STILL)
        await recorder.event("started", {"x": 1})
        await recorder.close()

    asyncio.run(make())
    return path


def all_of(answer: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return answer.fetchall()


def rows(path: Path, sql: str, **more: Any) -> list[tuple[Any, ...]]:
    with open_record(path) as database:
        return select(database, sql, all_of, **more)


@pytest.fixture(params=["in place", "copied"])
def either(request: pytest.FixtureRequest, record: Path, tmp_path: Path) -> Path:
    if request.param == "in place":
        return record
    return Path(shutil.copytree(record, tmp_path / "a copy's place"))


def test_a_select(either: Path) -> None:
    assert rows(either, "SELECT kind FROM events; ") == [("started",)]
    assert rows(either, "WITH x AS (FROM events) SELECT count(*) FROM x") == [(1,)]
    assert rows(either, "FROM events SELECT seq") == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW events",
        "DROP VIEW events",
        "CREATE TABLE x (i INT)",
        "CREATE TEMP TABLE x (i INT)",
        "INSERT INTO events SELECT * FROM events",
        "COPY (SELECT 1) TO '{path}/x.csv'",
        "EXPORT DATABASE '{path}/x'",
        "ATTACH '{path}/x.duckdb' AS x",
        "ATTACH ':memory:' AS x",
        "SET threads = 1",
        "RESET lock_configuration",
        "INSTALL httpfs",
        "LOAD json",
        "CALL pragma_version()",
        "CHECKPOINT",
        "BEGIN",
        "EXPLAIN ANALYZE SELECT 1",
        "PREPARE x AS SELECT 1",
        "USE temp",
        "VACUUM",
    ],
)
def test_only_a_single_select(record: Path, sql: str) -> None:
    before = sorted(record.rglob("*"))
    with pytest.raises(ClientError) as caught:
        rows(record, sql.replace("{path}", str(record).replace("'", "''")))
    assert caught.value.code in {"query-refused", "query-failed"}
    assert sorted(record.rglob("*")) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('{path}/../secret.csv')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM glob('{path}/../*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('https://127.0.0.1/x.parquet')",
        "SELECT * FROM read_json('s3://bucket/x')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
        "SELECT * FROM query('DROP VIEW events')",
        "SELECT nextval('x')",
        "SELECT * FROM secret_of_python",
        "SELEC 1",
        "SELECT * FROM nothing_there",
    ],
)
def test_nothing_beside_the_record(record: Path, sql: str) -> None:
    secret_of_python = duckdb.sql("SELECT 'secret' AS x")  # what DuckDB would find by its name
    (record.parent / "secret.csv").write_text("x\nsecret\n")
    with pytest.raises(ClientError) as caught:
        rows(record, sql.replace("{path}", str(record).replace("'", "''")))
    assert caught.value.code == "query-failed"
    assert "secret\n" not in str(caught.value)
    assert secret_of_python


def test_it_cannot_be_loosened(either: Path) -> None:
    with open_record(either) as database:
        for sql in ("SET enable_external_access = true", "SET allowed_directories = ['/']"):
            with pytest.raises(duckdb.Error):
                database.execute(sql)
        for sql in ("CREATE TABLE x (i INT)", "SELECT * FROM read_text('/etc/passwd')"):
            with pytest.raises(ClientError):
                select(database, sql, all_of)


def test_it_takes_no_longer_than_it_may(record: Path) -> None:
    with pytest.raises(ClientError) as caught:
        rows(record, "SELECT count(*) FROM range(10000000000) a, range(1000) b", seconds=0.1)
    assert caught.value.code == "query-too-long"
    assert "0.1 s" in str(caught.value)


def test_nor_more_memory(record: Path) -> None:
    with open_record(record, memory="20MB") as database:
        with pytest.raises(ClientError) as caught:
            select(database, "SELECT list(i) FROM range(100000000) r(i)", all_of)
        assert caught.value.code == "query-failed"
        assert select(database, "SELECT 1", all_of) == [(1,)]  # and it can be asked again


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_record(tmp_path)
    assert caught.value.code == "store-missing"


def test_a_newer_record(record: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(record, tmp_path / "newer"))
    (path / "store.json").write_text('{"schema_version": 99}')
    with pytest.raises(ConfigurationError) as caught:
        open_record(path)
    assert caught.value.code == "store-too-new"


@pytest.mark.parametrize("broken", ["audit.duckdb", "segments/seed.parquet"])
def test_a_record_that_is_broken(record: Path, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "recordings"
    shutil.copytree(record, path)
    if broken == "audit.duckdb":
        text = (record / "views.sql").read_text()
        (path / "views.sql").write_text(text.replace(str(record), str(path)))
    (path / broken).write_bytes(b"no such thing")
    with pytest.raises(ConfigurationError) as caught:
        open_record(path)
    assert caught.value.code == "store-unreadable"
