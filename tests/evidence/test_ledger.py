"""A ledger is whole lines with one running hash, whatever a crash or anybody else does."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.evidence import ledger as module
from proctor.evidence.ledger import Ledger, Stand, digest_of, lines


def opened(folder: Path) -> Ledger:
    return Ledger(folder, clock=lambda: 1_800_000_000.0)


def test_what_was_made_is_there_until_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "segments" / "a.parquet"
    file.parent.mkdir()
    file.write_bytes(b"rows")
    ledger = opened(tmp_path)
    ledger.made(tmp_path, file, rows=4, why="journal", day="2027-01-15")
    ledger.append("writer", writer="w1")
    assert ledger.files["segments/a.parquet"]["sha256"] == hashlib.sha256(b"rows").hexdigest()
    assert (ledger.day("segments/a.parquet"), ledger.day("segments/b.parquet")) == (
        "2027-01-15", "",
    )  # fmt: skip
    stand = ledger.stand
    ledger.close()
    again = opened(tmp_path)
    assert (again.stand, again.writers) == (stand, {"w1"})
    again.gone(tmp_path, file, why="merge")
    assert again.files == {}
    again.close()
    assert [said["op"] for _, said in lines(tmp_path / module.NAME)] == ["made", "writer", "gone"]


def test_the_head_is_a_running_hash_of_the_lines(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for name in ("w1", "w2"):
        ledger.append("writer", writer=name)
    head = bytes(32)
    for line in (tmp_path / module.NAME).read_bytes().splitlines():
        head = hashlib.sha256(head + line).digest()
    assert ledger.stand == Stand(2, head)
    ledger.close()


def test_a_line_cut_short_goes_at_any_byte(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.append("writer", writer="w1")
    one = ledger.stand
    ledger.append("writer", writer="w2")
    ledger.close()
    data = (tmp_path / module.NAME).read_bytes()
    first = data.index(b"\n") + 1
    for at in range(first, len(data)):
        (tmp_path / module.NAME).write_bytes(data[:at])
        again = opened(tmp_path)
        assert (again.stand, again.writers) == (one, {"w1"})
        again.append("writer", writer="w2")
        again.close()
        assert (tmp_path / module.NAME).read_bytes() == data


@pytest.mark.parametrize("line", ["no json", "[]", '{"i":5,"op":"writer"}', "1"])
def test_a_line_that_is_none_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / module.NAME).write_text(line + "\n")
    with pytest.raises(ConfigurationError) as caught:
        opened(tmp_path)
    assert (caught.value.code, caught.value.got) == ("ledger-unreadable", "line 1")


def test_a_disk_that_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = opened(tmp_path)
    ledger.append("writer", writer="w1")
    before, data = ledger.stand, (tmp_path / module.NAME).read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "datasync", full)
    with pytest.raises(OSError, match="No space"):
        ledger.append("writer", writer="w2")
    assert (ledger.stand, ledger.writers) == (before, {"w1"})
    assert (tmp_path / module.NAME).read_bytes() == data
    monkeypatch.undo()
    ledger.append("writer", writer="w2")
    ledger.close()
    text = (tmp_path / module.NAME).read_text()
    assert [json.loads(line)["i"] for line in text.splitlines()] == [0, 1]


def test_a_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 100_000)
    assert digest_of(tmp_path / "x") == hashlib.sha256(b"x" * 100_000).hexdigest()
