"""What a command puts on record."""

import json
import logging
from pathlib import Path

import pytest

from proctor.audit.inquiry import open_record
from proctor.cli.onrecord import put_on_record
from proctor.config import load
from proctor.evidence.statement import Statement
from proctor.settings import Config
from proctor.tlog.note import parse_note
from tests.support.houses import house


@pytest.fixture
def worm(tmp_path: Path) -> Path:
    made = tmp_path / "worm"
    made.mkdir(mode=0o700)
    return made


def settings(folder: Path, anchor: dict[str, str]) -> Config:
    said = {"path": "recordings/", "anchors": [anchor]}
    return load(house(folder, "rules: []\n", f"audit: {json.dumps(said)}\n"))


def kinds(record: Path) -> list[str]:
    with open_record(record) as database:
        return [
            row[0] for row in database.execute("SELECT kind FROM events ORDER BY ts").fetchall()
        ]


def test_it_is_recorded_and_anchored(tmp_path: Path, worm: Path) -> None:
    config = settings(tmp_path, {"folder": str(worm)})
    for number in (1, 2):
        put_on_record(config, "export", {"number": number})
    assert kinds(config.audit.path) == ["export", "export"]
    notes = [Statement.parse(parse_note(path.read_text()).text) for path in worm.glob("*.note")]
    assert max(note.size for note in notes) == 2


def test_an_anchor_that_is_down_does_not_keep_it_from_being_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings(tmp_path, {"folder": str(tmp_path / "gone")})
    with caplog.at_level(logging.WARNING):
        put_on_record(config, "backup", {})
    assert kinds(config.audit.path) == ["backup"]
    assert [getattr(record, "event", "") for record in caplog.records] == ["anchor.failed"]
