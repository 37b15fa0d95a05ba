"""Parquet files: the same leaves however they are read, and an error where they cannot be."""

import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from proctor.evidence.verify import cold
from proctor.evidence.verify.cold import Cold, Readers, raws, read_all, seeded
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.reader import NODE
from proctor.evidence.verify.snapshot import File
from proctor.tlog.tree import leaf_hash, subtree_root

COUNT = 5000


def file(root: Path, first: int = 0, last: int = COUNT - 1) -> File:
    name = f"segments/w0-0-{first:012d}-{last:012d}.parquet"
    (root / "segments").mkdir(exist_ok=True)
    return File(name=name, kind="segments", writer="w0", level=0, first=first, last=last)


def put(root: Path, made: File, select: str) -> None:
    """Rows as proctor orders them, the newest first."""
    with duckdb.connect() as database:
        database.execute(
            f"COPY (SELECT seq, if(seq % 100 = 0, 'erasure', NULL) AS event_kind, {RAW} AS raw"  # noqa: S608 - ours
            f" FROM ({select})) TO '{root / made.name}' (FORMAT parquet, ROW_GROUP_SIZE 2048)"
        )


HASH = "ab" * 32
RAW = (
    '\'{"seq":\' || seq || \',"é":{"scope":"w0.\' || seq % 7 || \'","hash":"' + HASH + "\",'"
    ' || \'"size":3,"enc":"utf8","blocks":"0-2"}}\''
)


def raw(number: int) -> bytes:
    return (
        f'{{"seq":{number},"é":{{"scope":"w0.{number % 7}","hash":"{HASH}",'
        '"size":3,"enc":"utf8","blocks":"0-2"}}'
    ).encode()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cold")
    put(folder, file(folder), "SELECT range AS seq FROM range(5000) ORDER BY seq DESC")
    return folder


def read(root: Path, *files: File, size: int = 0) -> list[Cold]:
    with Readers(size) as readers:
        return list(read_all(readers, root, files, lambda _: None, references=True))


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_in_parts_as_in_one(root: Path, monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    size = (root / file(root).name).stat().st_size
    monkeypatch.setattr(cold, "_PARTS", (size // parts + 1,) * 2)
    (found,) = read(root, file(root))
    assert found.error == ""
    assert found.numbers is None
    leaves = [leaf_hash(raw(number)) for number in range(COUNT)]
    assert found.leaves == b"".join(leaves)
    assert found.sha256
    for place, roots in found.nodes:
        for at in range(len(roots) // 32):
            start = (place + at) * NODE
            made = subtree_root(b"".join(leaves[start : start + NODE]))
            assert roots[at * 32 : at * 32 + 32] == made
    assert sum(len(roots) // 32 for _, roots in found.nodes) > COUNT // NODE - 2 * parts
    assert sorted(found.references.values()) == list(range(7))
    assert len(found.events) == COUNT // 100


def test_by_other_processes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = read(root, file(root))
    monkeypatch.setattr(cold, "_PARTS", (20_000, 20_000))
    (there,) = read(root, file(root), size=2**30)
    assert (there.leaves, there.sha256, there.references) == (
        here[0].leaves, here[0].sha256, here[0].references,
    )  # fmt: skip


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(
    ("select", "numbers"),
    [
        ("SELECT range AS seq FROM range(5000) WHERE range <> 9 ORDER BY seq DESC", 4999),
        ("SELECT range AS seq FROM range(5000) ORDER BY seq", 5000),
        ("SELECT range // 2 AS seq FROM range(5000) ORDER BY seq DESC", 5000),
        ("SELECT range + 1 AS seq FROM range(5000) ORDER BY seq DESC", 5000),
    ],
)
def test_rows_that_are_not_as_their_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int, select: str, numbers: int
) -> None:
    made = file(tmp_path)
    put(tmp_path, made, select)
    size = (tmp_path / made.name).stat().st_size
    monkeypatch.setattr(cold, "_PARTS", (size // parts + 1,) * 2)
    (found,) = read(tmp_path, made)
    assert found.numbers is not None
    assert len(found.numbers) == numbers
    assert list(found.numbers) == sorted(found.numbers)
    for place, number in enumerate(found.numbers):
        assert found.leaves[place * 32 : place * 32 + 32] == leaf_hash(raw(number))


def test_cut_or_changed_anywhere(tmp_path: Path) -> None:
    """An error, or other leaves: never a trace."""
    made = file(tmp_path, 0, 9)
    put(tmp_path, made, "SELECT range AS seq FROM range(10) ORDER BY seq DESC")
    path = tmp_path / made.name
    data = path.read_bytes()
    whole = read(tmp_path, made)[0]
    for at in range(0, len(data), 4):
        path.write_bytes(data[:at])
        assert read(tmp_path, made)[0].error
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        assert read(tmp_path, made)[0].sha256 != whole.sha256


def test_what_is_no_segment(tmp_path: Path) -> None:
    made = file(tmp_path)
    path = tmp_path / made.name
    for junk in (b"", b"PAR1", b"PAR1" * 100, b"\xff" * 1000):
        path.write_bytes(junk)
        assert read(tmp_path, made)[0].error
    with duckdb.connect() as database:
        for columns in (
            "1 AS x",
            "'a' AS seq, 'b' AS event_kind, NULL AS raw",
            "1::HUGEINT AS seq",
        ):
            database.execute(f"COPY (SELECT {columns}) TO '{path}' (FORMAT parquet)")
            assert read(tmp_path, made)[0].error
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read(tmp_path, made)


def test_some_records(root: Path) -> None:
    found = raws(root, file(root), {3, 4321, 10**9})
    assert found == {3: raw(3), 4321: raw(4321)}


def test_files_that_are_there_to_be_empty(root: Path, tmp_path: Path) -> None:
    findings = Findings()
    pq.write_table(pq.read_table(root / file(root).name).slice(0, 0), tmp_path / "empty")
    shutil.copy(root / file(root).name, tmp_path / "full")
    (tmp_path / "bad").write_bytes(b"PAR1")
    with Readers(0) as readers:
        seeded(readers, tmp_path, ["none", "empty"], findings)()
        assert not findings.counts
        seeded(readers, tmp_path, ["full", "bad"], findings)()
    assert findings.codes() == {"file-strange", "file-unreadable"}
