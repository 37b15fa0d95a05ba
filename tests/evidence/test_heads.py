"""The newest checkpoint is kept away from the record."""

from pathlib import Path

from proctor.evidence.heads import keep, kept


def test_the_newest_one_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path, "proctor/ab/w0") is None
    keep(tmp_path, "proctor/ab/w0", "one — 1\n")
    keep(tmp_path, "proctor/ab/w1", "other\n")
    keep(tmp_path, "proctor/ab/w0", "two — 2\n")
    assert kept(tmp_path, "proctor/ab/w0") == "two — 2\n"
    assert kept(tmp_path, "proctor/ab/w1") == "other\n"
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
