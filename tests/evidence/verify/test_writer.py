"""One flipped byte of one record: which record, whose, of which flow, in which file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proctor.evidence.verify.verifier import Asked, verify
from proctor.evidence.verify.writer import _split


@pytest.mark.parametrize("quick", [False, True])
def test_the_byte_that_was_changed_in_a_segment(copy: Path, *, quick: bool) -> None:
    """Of a record that no journal holds any more; Parquet and its columns as they should be."""
    hot = b"".join(path.read_bytes() for path in copy.glob("writers/w0/[0-9]*.jsonl"))
    path = min(copy.glob("segments/w0-*.parquet"))
    table = pq.read_table(path)
    raws = table.column("raw").to_pylist()
    flows = table.column("flow_id").to_pylist()
    at = next(n for n, raw in enumerate(raws) if flows[n] and raw.encode() not in hot)
    place = raws[at].index('"host":"') + len('"host":"')
    raws[at] = raws[at][:place] + chr(ord(raws[at][place]) ^ 1) + raws[at][place + 1 :]
    column = table.schema.get_field_index("raw")
    pq.write_table(table.set_column(column, "raw", pa.array(raws)), path)
    listed = verify(Asked(record=copy, quick=quick)).findings.listed
    (found,) = [each for each in listed if each.code == "record-changed"]
    assert (found.writer, found.seq, found.flow_id, found.file) == (
        "w0",
        table.column("seq")[at].as_py(),
        flows[at],
        path.relative_to(copy).as_posix(),
    )
    assert found.time


def test_runs_are_cut_where_others_begin() -> None:
    assert _split(0, 9, [(2, 3), (8, 20)]) == [
        (0, 1, False), (2, 3, True), (4, 7, False), (8, 9, True),
    ]  # fmt: skip
    assert _split(5, 9, [(0, 4), (10, 12)]) == [(5, 9, False)]
    assert _split(5, 9, [(0, 20)]) == [(5, 9, True)]
