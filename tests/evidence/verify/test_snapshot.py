"""What lies there, and what does not belong there."""

import os
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.snapshot import take


def codes(path: Path) -> set[str]:
    findings = Findings()
    take(path, findings)
    return findings.codes()


def test_a_whole_record(original: Path) -> None:
    findings = Findings()
    shot = take(original, findings)
    assert not findings.counts
    assert sorted(shot.writers) == ["w0", "w1"]
    assert {file.kind for file in shot.files} == {"segments", "content"}
    assert all(each.leaves and each.checkpoints for each in shot.writers.values())


def test_no_record(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(ConfigurationError) as caught:
            take(path, Findings())
        assert caught.value.code == "store-missing"
        assert not caught.value.hint


def test_a_bundle_in_one_file_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "case.tar.zst").touch()
    with pytest.raises(ConfigurationError) as caught:
        take(tmp_path / "case.tar.zst", Findings())
    assert caught.value.hint == "Unpack it first: tar --zstd -xf case.tar.zst"


def test_every_byte_of_the_note(copy: Path) -> None:
    path = copy / "store.json"
    data = path.read_bytes()
    for at in range(len(data)):
        for changed in (data[:at], data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :]):
            path.write_bytes(changed)
            assert codes(copy) == {"store-changed"}, at
    path.write_bytes(b"[" * 100_000)
    assert codes(copy) == {"store-changed"}


@pytest.mark.parametrize(
    "name",
    [
        "segments/x.parquet",
        "content/w0-0-1-2.parquet",
        "writers/w0/0x.jsonl",
        "writers/old/0.jsonl",
    ],
)
def test_what_the_views_would_read_and_proctor_did_not_make(copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).touch()
    assert codes(copy) == {"file-strange"}


def test_names_that_are_no_text(copy: Path) -> None:
    """Bytes that are no UTF-8, and a terminal's escapes: found, and no trace."""
    for name in (b"\xff.parquet", b"\x1b[2J.parquet"):
        (Path(os.fsdecode(os.fsencode(copy / "segments") + b"/" + name))).touch()
    assert codes(copy) == {"file-strange"}


def test_harmless_neighbours(copy: Path) -> None:
    for name in ("search/w0.sqlite3", "exports/x.json", "lost+found/x"):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).touch()
    assert codes(copy) == set()
