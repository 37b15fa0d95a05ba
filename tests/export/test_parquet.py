"""The views as files: the same rows, session by session."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from proctor.export.parquet import VIEWS, write
from proctor.export.records import Choice, reading
from tests.export.stocked import fill
from tests.support.envelopes import ask


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("parquet") / "recordings", times=2)


def made(
    path: Path, view: str, choice: Choice | None = None
) -> tuple[int, list[dict[str, object]]]:
    file = io.BytesIO()
    with reading(path) as reader:
        rows = sum(write(reader, view, choice or Choice(), file))
    return rows, pq.read_table(file).to_pylist()


@pytest.mark.parametrize("view", VIEWS)
def test_all_rows_and_columns(path: Path, view: str) -> None:
    count, found = made(path, view)
    ((expected,),) = ask(path, f"SELECT count(*) FROM {view}")  # noqa: S608 - a name above
    assert count == len(found) == expected
    assert expected or view == "statements"
    columns = [row[0] for row in ask(path, f"DESCRIBE {view}")]
    assert all(list(row) == columns for row in found)


def test_text_is_there(path: Path) -> None:
    _, found = made(path, "turns")
    assert {row["prompt"] for row in found} == {"list the files"}
    _, tools = made(path, "tool_calls")
    assert {row["result"] for row in tools} == {None, "done"}


def test_choices(path: Path) -> None:
    _, found = made(path, "flows", Choice(principal="bob"))
    assert {row["subject"] for row in found} == {"bob"}
    assert made(path, "turns", Choice(session="nobody's")) == (0, [])


def test_only_views(path: Path) -> None:
    with reading(path) as reader, pytest.raises(ValueError, match="_records"):
        list(write(reader, "_records", Choice(), io.BytesIO()))
