"""How far a sink is: durable, strict, held by one process."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.export import cursor as cursors
from proctor.export.cursor import Cursor, behind


@pytest.fixture
def record(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_there_and_back(record: Path) -> None:
    assert cursors.read(record, "siem") == Cursor()
    full = Cursor(
        next={"w0": 5}, leaves={"w0": "ab"}, open={"t": {"end": "x"}}, sent=4, refused=1, missed=2,
        failing="status-500", failing_since="2026-11-22T14:00:00.000000Z",
    )  # fmt: skip
    cursors.write(record, "siem", full)
    assert cursors.read(record, "siem") == full
    path = record / "exports" / "siem.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["siem.json"]


def test_moved() -> None:
    found = Cursor(next={"w0": 1, "w1": 7}).moved("w0", 3, "cd", sent=2)
    assert (found.at("w0"), found.at("w1"), found.at("w2"), found.sent) == (3, 7, 0, 2)
    assert found.leaves == {"w0": "cd"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"next": {"w0": -1}},
        {"next": {"w0": True}},
        {"next": {"w0": 1.5}},
        {"next": []},
        {"sent": "1"},
        {"open": 3},
        {"leaves": None},
    ],
    ids=str,
)
def test_what_is_not_a_cursor_is_not_guessed(record: Path, change: dict[str, Any]) -> None:
    cursors.write(record, "siem", Cursor())
    path = record / "exports" / "siem.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigurationError) as caught:
        cursors.read(record, "siem")
    assert caught.value.code == "cursor-unreadable"


@given(st.integers(min_value=0))
def test_cut_anywhere_it_is_unreadable(cut: int) -> None:
    whole = json.dumps({"version": 1, "next": {"w0": 12}, "leaves": {}, "open": {}, "sent": 0,
                        "refused": 0, "missed": 0, "failing": "", "failing_since": ""})  # fmt: skip
    piece = whole[: cut % len(whole)]
    with pytest.raises((ValueError, KeyError, TypeError)):
        cursors._cursor(json.loads(piece))


def test_one_holder(record: Path) -> None:
    one = cursors.lock(record, "siem")
    assert one is not None
    assert cursors.lock(record, "siem") is None
    other = cursors.lock(record, "other")
    assert other is not None
    os.close(other)
    os.close(one)
    again = cursors.lock(record, "siem")
    assert again is not None
    os.close(again)


def test_others_may_not_reach_it(record: Path) -> None:
    cursors.folder(record).chmod(0o755)
    with pytest.raises(ConfigurationError) as caught:
        cursors.lock(record, "siem")
    assert caught.value.code == "store-open-to-others"


def test_behind_is_the_slowest(record: Path) -> None:
    assert behind(record, (), "w0") is None
    cursors.write(record, "a", Cursor(next={"w0": 5, "w1": 9}))
    cursors.write(record, "b", Cursor(next={"w0": 7}))
    assert behind(record, ("a", "b"), "w0") == 5
    assert behind(record, ("a", "b"), "w1") == 0
    assert behind(record, ("a", "never sent"), "w0") == 0
