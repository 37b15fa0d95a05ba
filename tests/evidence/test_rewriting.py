"""One file in another's place, and a crash in between."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.audit.store import Store
from proctor.evidence.ledger import Ledger, lines
from proctor.evidence.rewriting import SEED, empty, mend, put, spent

NAME = "w0-2-000000000000-000000000009.parquet"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store.at(tmp_path / "recordings")
    found.create()
    (found.writers / "w0").mkdir(mode=0o700)
    (found.segments / NAME).write_bytes(b"ten rows")
    (found.segments / SEED).write_bytes(b"none")
    return found


@pytest.fixture
def ledger(store: Store) -> Iterator[Ledger]:
    found = Ledger(store.writers / "w0")
    found.made(store.path, store.segments / NAME, rows=10, why="merge", day="2026-01-01")
    yield found
    found.close()


def draft(store: Store) -> Path:
    path = store.path / "draft"
    path.write_bytes(b"three")
    return path


def test_the_ledger_says_first_what_will_be_there(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.segments / NAME
    sha = ledger.files[f"segments/{NAME}"]["sha256"]
    assert put(store, ledger, path, draft(store), rows=3, why="erasure") == 3
    assert path.read_bytes() == b"three"
    said = ledger.files[f"segments/{NAME}"]
    assert (said["was"], said["was_rows"], said["rows"], said["day"]) == (sha, 10, 3, "2026-01-01")
    assert path.stat().st_mode & 0o777 == 0o600
    mend(store, ledger)
    assert ledger.files[f"segments/{NAME}"] == said  # done is done

    def fails(_path: Path, _target: Path) -> None:
        raise OSError(5, "broken")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="broken"):
        empty(store, ledger, path, store.path, why="retention")
    assert path.read_bytes() == b"three"
    mend(store, ledger)
    again = ledger.files[f"segments/{NAME}"]
    assert (again["sha256"], again["rows"]) == (said["sha256"], 3)
    assert "was" not in again
    assert not list(store.path.glob(".w0*"))


def test_a_file_that_somebody_changed_is_not_taken_for_ours(store: Store, ledger: Ledger) -> None:
    path = store.segments / NAME
    path.write_bytes(b"forged")
    put(store, ledger, path, draft(store), rows=3, why="retention")
    ops = [said["op"] for _, said in lines(store.writers / "w0" / "ledger.jsonl")]
    assert ops == ["made", "changed", "made"]


def test_what_was_forged_after_an_announcement_is_not_taken_over(
    store: Store, ledger: Ledger
) -> None:
    path = store.segments / NAME
    put(store, ledger, path, draft(store), rows=3, why="retention")
    said = ledger.files[f"segments/{NAME}"]
    path.write_bytes(b"forged")
    mend(store, ledger)
    assert ledger.files[f"segments/{NAME}"] == said
    path.unlink()
    mend(store, ledger)
    assert ledger.files[f"segments/{NAME}"] == said


def test_only_empty_files_of_the_last_level_are_spent(store: Store, ledger: Ledger) -> None:
    path = store.segments / NAME
    assert spent(store, ledger, "segments", 2) == []
    empty(store, ledger, path, store.path, why="retention")
    assert path.read_bytes() == b"none"
    assert spent(store, ledger, "segments", 2) == [path]
    assert spent(store, ledger, "segments", 1) == []
    assert spent(store, ledger, "content", 2) == []
    assert os.listdir(store.segments)  # noqa: PTH208 - names
