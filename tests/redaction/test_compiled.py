"""What was compiled is kept whole, or made anew."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proctor.redaction import compiled
from proctor.redaction.compiled import keep, kept, one_at_a_time, usable


def test_what_is_kept_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert kept(path) is None
    keep(path, b"abc")
    assert kept(path) == b"abc"
    keep(path, b"other")
    assert kept(path) == b"other"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_what_is_not_whole_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    keep(path, b"something that was compiled")
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert kept(path) is None
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        assert kept(path) is None


def test_where_there_is_no_room_nothing_is_kept(tmp_path: Path) -> None:
    keep(tmp_path / "missing" / "x", b"abc")
    assert kept(tmp_path / "missing" / "x") is None


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    made = usable(tmp_path / "made")
    assert made
    assert made.stat().st_mode & 0o777 == 0o700
    assert usable(made) == made
    made.chmod(0o777)
    assert usable(made) is None
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert usable(file) is None


def test_what_one_makes_others_wait_for(tmp_path: Path) -> None:
    path = tmp_path / "x"
    made: list[int] = []
    together = threading.Barrier(8)

    def get(number: int) -> bytes | None:
        together.wait()
        with one_at_a_time(tmp_path):  # a descriptor each, as processes have
            if kept(path) is None:
                made.append(number)
                keep(path, b"abc")
            return kept(path)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(8))) == [b"abc"] * 8
    assert len(made) == 1


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_PATIENCE", 0.0)
    reached = False
    with one_at_a_time(tmp_path), one_at_a_time(tmp_path):
        reached = True
    assert reached


def test_where_nothing_can_be_kept_nobody_waits(tmp_path: Path) -> None:
    with one_at_a_time(tmp_path / "missing"):
        assert not (tmp_path / "missing").exists()
