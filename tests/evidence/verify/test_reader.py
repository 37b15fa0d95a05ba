"""Reading parts of files, here and in a process of its own."""

import io
import pickle
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from proctor.evidence.verify import cold
from proctor.evidence.verify.cold import Readers
from proctor.evidence.verify.reader import NODE, Job, Piece, Reader, serve
from proctor.tlog.tree import leaf_hash, subtree_root


def put(path: Path, select: str) -> None:
    with duckdb.connect() as database:
        database.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    path = tmp_path / "segment"
    put(
        path,
        "SELECT range AS seq, NULL::VARCHAR AS event_kind, 'record ' || range AS raw"
        " FROM range(5000) ORDER BY seq DESC",
    )
    return path


def test_leaves_nodes_and_how_records_begin(segment: Path) -> None:
    found = Reader().read(Job(path=str(segment), records=True))
    leaves = [leaf_hash(b"record %d" % number) for number in range(5000)]
    assert (found.first, found.leaves, found.numbers) == (0, b"".join(leaves), None)
    place, roots = found.nodes
    assert (place, len(roots)) == (0, 5000 // NODE * 32)
    assert roots[-32:] == subtree_root(b"".join(leaves[5000 // NODE * NODE - NODE :][:NODE]))
    assert found.heads == {0: b"record 0", 4999: b"record 4999"}


def test_a_file_that_was_exchanged_between_two_parts(segment: Path) -> None:
    """What stood at the end of the other file is not taken for this one's."""
    reader = Reader()
    first = reader.read(Job(path=str(segment), records=True, part=0, parts=2))
    put(segment, "SELECT 7::BIGINT AS seq, NULL::VARCHAR AS event_kind, 'other' AS raw")
    second = reader.read(Job(path=str(segment), records=True, part=1, parts=2))
    assert (first.error, second.error, second.leaves) == ("", "", leaf_hash(b"other"))


def test_rows_and_hashes_alone(segment: Path) -> None:
    reader = Reader()
    assert reader.read(Job(path=str(segment), rows=True)).rows == 5000
    found = reader.read(Job(path=str(segment)))
    assert (len(found.sha256), found.leaves) == (64, b"")


def test_answers_until_nobody_asks(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [Job(path=str(segment)), Job(path=str(segment.parent / "none"))]
    asked, answered = io.BytesIO(b"".join(map(pickle.dumps, jobs))), io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=asked))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=answered, flush=lambda: None))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    serve()
    answered.seek(0)
    assert isinstance(pickle.load(answered), Piece)  # noqa: S301 - our own
    assert isinstance(pickle.load(answered), FileNotFoundError)  # noqa: S301 - our own


def test_a_process_that_ends_before_its_time_is_an_error(
    segment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold, "_SERVE", "pass")
    with Readers(2**30) as readers, pytest.raises(ChildProcessError):
        list(readers.read([Job(path=str(segment))]))


def test_a_file_that_is_not_there_is_told_by_the_other_process(tmp_path: Path) -> None:
    with Readers(2**30) as readers, pytest.raises(FileNotFoundError):
        list(readers.read([Job(path=str(tmp_path / "none"))]))


def test_nothing_out_of_the_folder_it_runs_in_is_loaded(
    segment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outsider stands in the folder that somebody gave them."""
    for name in ("proctor", "pickle", "pyarrow", "re"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    with Readers(2**30) as readers:
        (found,) = readers.read([Job(path=str(segment), records=True)])
    assert len(found.leaves) == 5000 * 32
