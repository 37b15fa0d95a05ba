"""Columns against the records beside them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proctor.evidence.verify.columns import check_columns
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.snapshot import File, take


def segment(path: Path) -> File:
    return next(file for file in take(path, Findings()).files if file.kind == "segments")


def check(path: Path, file: File) -> Findings:
    findings = Findings()
    rows: list[int] = []
    check_columns(path, [file], findings, rows.append)
    return findings


def test_all_of_a_record(original: Path) -> None:
    for file in take(original, Findings()).files:
        if file.kind == "segments":
            assert not check(original, file).counts


@pytest.mark.parametrize("column", ["verdict", "ts", "seq", "tier", "session_id", "turn"])
def test_the_column_that_was_changed_is_named(copy: Path, column: str) -> None:
    file = segment(copy)
    path = copy / file.name
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    field = table.schema.field(place)
    values = table.column(place).to_pylist()
    numbers = table.column("seq").to_pylist()
    known = {"tier": 7, "verdict": "changed", "session_id": "changed"}
    values[0] = known.get(column) or next(each for each in values if each != values[0])
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)
    found = check(copy, file).listed
    assert {each.code for each in found} == {"columns-differ"}
    assert any(column in each.found for each in found)
    assert {each.file for each in found} == {file.name}
    assert column == "seq" or [each.seq for each in found] == [numbers[0]]


def test_other_columns_and_rows(copy: Path) -> None:
    file = segment(copy)
    path = copy / file.name
    table = pq.read_table(path)
    pq.write_table(table.append_column("more", pa.array([1] * table.num_rows)), path)
    assert "other columns" in check(copy, file).listed[0].found
    pq.write_table(table.set_column(0, "seq", pa.array([10**9] * table.num_rows)), path)
    assert check(copy, file).codes() == {"columns-differ"}


def test_what_cannot_be_read(copy: Path) -> None:
    file = segment(copy)
    data = (copy / file.name).read_bytes()
    for cut in (0, 4, len(data) // 2, len(data) - 1):
        (copy / file.name).write_bytes(data[:cut])
        assert check(copy, file).codes() == {"file-unreadable"}
    (copy / file.name).unlink()
    assert check(copy, file).codes() == {"file-unreadable"}
