"""Taking a writer: whose it is, and what is there afterwards."""

import os
import stat
from pathlib import Path

import pytest

from proctor.audit import opening
from proctor.audit.journal import RING
from proctor.audit.keeper import Pace
from proctor.audit.opening import Opened, prepare
from proctor.audit.store import Store
from proctor.errors import ConfigurationError


def take(path: Path) -> Opened:
    return prepare(Store.at(path), lambda _: None, Pace())


def let_go(opened: Opened) -> None:
    opened.journal.close()
    opened.keeper.ledger.close()
    os.close(opened.lock)


def test_what_is_there_afterwards(tmp_path: Path) -> None:
    opened = take(tmp_path / "recordings")
    folder = tmp_path / "recordings/writers/w0"
    slots = {f"{number}.jsonl" for number in range(RING)}
    assert {path.name for path in folder.iterdir()} == {
        "lock", "open.jsonl", "state.json", "ledger.jsonl", "tmp", *slots,
    }  # fmt: skip
    for path in [folder, *folder.iterdir()]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    let_go(opened)


def test_the_first_that_nobody_holds(tmp_path: Path) -> None:
    first, second = take(tmp_path / "recordings"), take(tmp_path / "recordings")
    assert [opened.found.state.writer for opened in (first, second)] == ["w0", "w1"]
    let_go(first)
    again = take(tmp_path / "recordings")
    assert again.found.state.writer == "w0"
    let_go(second)
    let_go(again)


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_WRITERS", 1)
    opened = take(tmp_path / "recordings")
    with pytest.raises(ConfigurationError) as caught:
        take(tmp_path / "recordings")
    assert caught.value.code == "store-busy"
    let_go(opened)


def test_drafts_of_a_crash_are_cleared_away(tmp_path: Path) -> None:
    let_go(take(tmp_path / "recordings"))
    draft = tmp_path / "recordings/writers/w0/tmp/.w0-0-0-1.parquet.123"
    draft.write_text("half")
    let_go(take(tmp_path / "recordings"))
    assert not draft.exists()


def test_a_writer_open_to_others(tmp_path: Path) -> None:
    let_go(take(tmp_path / "recordings"))
    (tmp_path / "recordings/writers/w0").chmod(0o755)
    with pytest.raises(ConfigurationError, match="Others can reach"):
        take(tmp_path / "recordings")
