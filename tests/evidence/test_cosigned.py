"""What witnesses signed, in its file: whole lines only."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from proctor.evidence.cosigned import NAME, Cosigned, keep, newest, read, text_hash

ONE = Cosigned(
    checkpoint=text_hash("a\n1\n"),
    origin="proctor/4f/w0",
    size=1,
    at="2026-11-22T14:00:00Z",
    line="— witness.example/w1 AAAA\n",
)
TWO = replace(ONE, size=2)
OTHER = replace(ONE, line="— witness.example/w2 AAAA\n", size=9)
ELSEWHERE = replace(ONE, origin="proctor/4f/w1", size=8)


def filled(folder: Path) -> Path:
    for each in (ONE, TWO, OTHER, ELSEWHERE):
        keep(folder, each)
    return folder


def test_they_come_back(tmp_path: Path) -> None:
    assert list(read(tmp_path)) == []
    assert newest(tmp_path, ONE.origin, "witness.example/w1") is None
    filled(tmp_path)
    assert list(read(tmp_path)) == [ONE, TWO, OTHER, ELSEWHERE]
    assert newest(tmp_path, ONE.origin, "witness.example/w1") == TWO
    assert newest(tmp_path, ONE.origin, "witness.example/w2") == OTHER
    assert newest(tmp_path, ONE.origin, "witness.example") is None
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_anywhere_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path) / NAME
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a thousand times would take its time
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        there = whole[:at].count(b"\n")
        assert list(read(tmp_path)) == [ONE, TWO, OTHER, ELSEWHERE][:there]
        keep(tmp_path, TWO)
        assert list(read(tmp_path)) == [*[ONE, TWO, OTHER, ELSEWHERE][:there], TWO]


def test_only_the_end_of_a_long_file_is_looked_at(tmp_path: Path) -> None:
    path = filled(tmp_path) / NAME
    line = path.read_bytes().splitlines(keepends=True)[2]
    path.write_bytes(path.read_bytes() + line * (2**18 // len(line) + 10))
    assert newest(tmp_path, ONE.origin, "witness.example/w1") is None
    assert newest(tmp_path, ONE.origin, "witness.example/w2") == OTHER


@pytest.mark.parametrize(
    "line", [b"no JSON", b"{}", b"[]", b'{"size":1}', b'{"checkpoint":1}', b"x" * 5000]
)
def test_a_line_of_somebody_else(tmp_path: Path, line: bytes) -> None:
    (tmp_path / NAME).write_bytes(line + b"\n")
    with pytest.raises(ValueError, match=r"."):
        list(read(tmp_path))


def test_members_of_another_type(tmp_path: Path) -> None:
    keep(tmp_path, replace(ONE, size=True))
    with pytest.raises(ValueError, match="type"):
        list(read(tmp_path))
