"""What SQL shows: bounds, open flows and views."""

import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.evidence.verify.shown import check_views, read_levels
from proctor.evidence.verify.verifier import Asked, verify
from tests.evidence.verify.test_hot import files


def test_bounds_that_can_be() -> None:
    said = {"levels": {"segments": [5, 3, -1], "content": [-1, -1, -1]}}
    assert read_levels(files(state=json.dumps(said).encode())) == said["levels"]


@pytest.mark.parametrize(
    "levels", [[3, 5, -1], [5, 3], [5, 3, -2], ["x", 1, 1], None, {}, [10**30, 1, 1]]
)
def test_bounds_that_cannot_be(levels: object) -> None:
    said = {"levels": {"segments": levels, "content": [-1, -1, -1]}}
    assert read_levels(files(state=json.dumps(said).encode())) is None


@given(st.one_of(st.binary(max_size=60), st.just(b"[" * 100_000)))
def test_any_state(data: bytes) -> None:
    assert read_levels(files(state=data)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"peaks"', b'"peeks"'),
        (b'"leaf":"', b'"leaf":"0'),
        (b'{"writer"', b'{"more":1,"writer"'),
        (b'{"writer":', b'{"writer": '),
        (b'"levels":{', b'"levels":{"more":[],'),
    ],
)
def test_a_state_that_is_not_as_it_was_written(copy: Path, old: bytes, new: bytes) -> None:
    path = copy / "writers/w0/state.json"
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    assert verify(Asked(record=copy)).findings.codes() == {"state-wrong"}


def test_views_as_they_should_be(original: Path) -> None:
    assert not check_views(original).counts


def test_a_copy_without_views(tmp_path: Path) -> None:
    assert not check_views(tmp_path).counts


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW more AS SELECT 1",
        "CREATE TABLE more AS SELECT 1",
        "CREATE MACRO more(x) AS x",
        "CREATE SCHEMA more",
        "DROP VIEW flows",
        "CREATE OR REPLACE VIEW flows AS SELECT 1 AS x",
    ],
)
def test_views_that_were_changed(copy: Path, sql: str) -> None:
    with duckdb.connect(str(copy / "audit.duckdb")) as database:
        database.execute(sql)
    assert check_views(copy).codes() == {"views-differ"}


def test_another_versions_views(copy: Path) -> None:
    path = copy / "views.sql"
    path.write_text(path.read_text() + "-- more\n")
    assert check_views(copy).codes() == {"views-differ"}


def test_what_is_no_database(copy: Path) -> None:
    for data in (b"", b"x" * 5000, (copy / "audit.duckdb").read_bytes()[:9000]):
        (copy / "audit.duckdb").write_bytes(data)
        assert check_views(copy).problems
    (copy / "audit.duckdb").unlink()
    assert check_views(copy).codes() == {"views-unreadable"}
