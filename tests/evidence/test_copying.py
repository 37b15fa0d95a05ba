"""One writer's part, copied while it changes: never half of anything."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from proctor.audit.state import State
from proctor.audit.store import Store
from proctor.errors import ClientError
from proctor.evidence import copying
from proctor.evidence.copying import WriterCopy, copy, copy_lines, write
from tests.evidence.test_backup import write as record_of

type Race = Callable[[Path], None]


@pytest.fixture
def record(tmp_path: Path) -> Store:
    return Store.at(record_of(tmp_path))


def take(record: Store, tmp_path: Path, before: Path | None = None) -> copying.Taken:
    return WriterCopy(record, "w0", tmp_path / "copy", before).take()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "copy").mkdir()
    return tmp_path / "copy"


def test_all_of_it(record: Store, tmp_path: Path, target: Path) -> None:
    taken = take(record, tmp_path)
    state = State.read(record.writers / "w0")
    assert taken.settled == state.segments.last[0] + 1 > 0
    assert taken.records == taken.settled + len(taken.hot) // 32
    assert set(taken.files) == {
        path.relative_to(target).as_posix() for path in target.glob("*/w0-*.parquet")
    }
    assert (target / "writers/w0/leaves").stat().st_size == 32 * taken.settled


def test_an_unfinished_line_is_left_out(record: Store, tmp_path: Path, target: Path) -> None:
    folder = record.writers / "w0"
    for name in ("checkpoints.jsonl", "ledger.jsonl", "0.jsonl"):
        with (folder / name).open("ab") as file:
            file.write(b'{"v":1,"half')
    take(record, tmp_path)
    for name in ("checkpoints.jsonl", "ledger.jsonl", "0.jsonl"):
        assert not (target / "writers/w0" / name).read_bytes().endswith(b"half")


def merged(path: Path) -> None:
    """A file that the copied state counts is merged away and gone, and the state is newer then."""
    folder = path / "writers/w0"
    ledger = folder / "ledger.jsonl"
    file = min((path / "segments").glob("w0-0-*.parquet"))
    larger = file.with_name(file.name.replace("w0-0-", "w0-1-"))
    file.rename(larger)
    count = len(ledger.read_bytes().splitlines())
    digest, _ = copy(larger, path / "x")
    with ledger.open("a") as lines:
        said = {"i": count, "op": "made", "file": f"segments/{larger.name}", "sha256": digest}
        lines.write(json.dumps(said) + "\n")
        said = {"i": count + 1, "op": "gone", "file": f"segments/{file.name}", "why": "merge"}
        lines.write(json.dumps(said) + "\n")
    state = State.read(folder)
    state.segments.last[1] = int(larger.stem.rpartition("-")[2])
    state.write(folder, folder)


def test_a_writer_that_was_quicker_is_copied_again(
    record: Store, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = copying.copy_lines
    raced: list[str] = []

    def race(source: Path, to: Path) -> int:
        if source.name == "ledger.jsonl" and not raced:
            raced.append("once")  # the state is copied already, the ledger is not
            merged(record.path)
        return lines(source, to)

    monkeypatch.setattr(copying, "copy_lines", race)
    monkeypatch.setattr(copying, "_PAUSE", 0)
    taken = take(record, tmp_path)
    assert raced
    assert State.read(target / "writers/w0").segments.last[1] >= 0
    assert any(name.startswith("segments/w0-1-") for name in taken.files)
    assert {path.name for path in (target / "segments").iterdir()} == {
        name.partition("/")[2] for name in taken.files if name.startswith("segments/")
    }


def test_a_ledger_that_names_other_files(
    record: Store, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_TRIES", 1)
    (tmp_path / "secret").write_bytes(b"x")
    ledger = record.writers / "w0/ledger.jsonl"
    kept = ledger.read_bytes()
    count = len(kept.splitlines())
    for name in ("segments/../../secret", "/etc/passwd", "store.json", "segments/w1-0-x.parquet"):
        said = {"i": count, "op": "made", "file": name, "sha256": "00"}
        ledger.write_bytes(kept + json.dumps(said).encode() + b"\n")
        with pytest.raises(ClientError, match="no file of a record"):
            take(record, tmp_path)
    assert not list(target.rglob("*secret*"))


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy(tmp_path / "none", tmp_path / "made")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        copy(tmp_path / "folder", tmp_path / "made")
    assert not (tmp_path / "made").exists()
    assert copy_lines(tmp_path / "none", tmp_path / "made") == 0
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "link", b"x")
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "link").stat().st_mode & 0o777 == 0o600
