"""What comes out of a backup. That it holds everything is shown in test_backup."""

import json
from pathlib import Path

import duckdb
import pytest

from proctor.errors import ClientError, ConfigurationError
from proctor.evidence.backup import back_up
from proctor.evidence.restore import restore
from tests.evidence.test_backup import NOW, write


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    back_up(write(tmp_path), tmp_path / "copies", NOW)
    return tmp_path / "copies"


def test_one_copy_by_its_own_name_and_its_views_in_place(copies: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    target = tmp_path / "to"
    target.mkdir()
    found = restore(copies / "20270115T080000Z", target, steps.append)
    assert steps == ["w0", "checking"]
    assert (found.path, found.source) == (target, copies / "20270115T080000Z")
    assert str(target) in (target / "views.sql").read_text()
    with duckdb.connect(str(target / "audit.duckdb"), read_only=True) as database:
        ((count,),) = database.execute("SELECT count(*) FROM _records").fetchall()
    assert count == found.records
    assert not (target / "backup.json").exists()
    assert not list(tmp_path.glob(".*restoring"))


def test_a_copy_that_was_changed(copies: Path, tmp_path: Path) -> None:
    leaves = copies / "current/writers/w0/leaves"
    leaves.write_bytes(bytes([leaves.read_bytes()[0] ^ 1]) + leaves.read_bytes()[1:])
    with pytest.raises(ClientError) as caught:
        restore(copies, tmp_path / "to")
    assert caught.value.code == "backup-wrong"
    assert {path.name for path in tmp_path.iterdir()} == {"record", "state", "copies"}


def test_a_copy_of_a_newer_proctor(copies: Path, tmp_path: Path) -> None:
    note = copies / "current/store.json"
    note.write_text(json.dumps({**json.loads(note.read_bytes()), "schema_version": 99}))
    with pytest.raises(ConfigurationError, match="newer proctor"):
        restore(copies, tmp_path / "to")
    assert not (tmp_path / "to").exists()
