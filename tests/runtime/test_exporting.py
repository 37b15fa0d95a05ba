"""What `proctor doctor` says of exports."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.config import Config, load
from proctor.export import cursor as cursors
from proctor.export.cursor import Cursor
from proctor.runtime.checkup import State
from proctor.runtime.exporting import exports_findings
from tests.support.houses import house

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    found = load(
        house(
            tmp_path, "rules: []\n", "exports: [{name: siem, to: 'https://siem.test/in/secret'}]\n"
        )
    )
    found.audit.path.mkdir(mode=0o700)
    return found


def said(config: Config, cursor: Cursor) -> list[tuple[State, str]]:
    cursors.write(config.audit.path, "siem", cursor)
    return [(each.state, each.what) for each in exports_findings(config, NOW)]


def test_never_sent(config: Config) -> None:
    (found,) = exports_findings(config, NOW)
    assert (found.check, found.state) == ("export siem", State.OK)
    assert found.what == "0 records sent to https://siem.test"


def test_works(config: Config) -> None:
    assert said(config, Cursor(sent=7))[0][0] is State.OK


@pytest.mark.parametrize(
    ("since", "state"),
    [("2026-11-22T13:59:00Z", State.WARN), ("2026-11-22T09:00:00Z", State.FAIL), ("?", State.WARN)],
)
def test_fails(config: Config, since: str, state: State) -> None:
    ((found, what),) = said(config, Cursor(failing="status-503", failing_since=since))
    assert found is state
    assert "status-503" in what
    assert "secret" not in what


def test_missed_and_refused(config: Config) -> None:
    found = said(config, Cursor(sent=1, missed=3, refused=2))
    assert [state for state, _ in found] == [State.WARN, State.WARN, State.OK]


def test_a_cursor_that_cannot_be_read(config: Config) -> None:
    cursors.write(config.audit.path, "siem", Cursor())
    (config.audit.path / "exports" / "siem.json").write_text("{")
    (found,) = exports_findings(config, NOW)
    assert found.state is State.FAIL
