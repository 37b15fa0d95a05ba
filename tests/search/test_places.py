"""Which files there are."""

from pathlib import Path

from proctor.search.places import places, superseded, unlink


def test_files(tmp_path: Path) -> None:
    for name in (
        "w0-20260102.1.db", "w0-20260102.2.db", "w1-20260102.1.db", "w0-20260103.0.db",
        "w0-20269999.1.db", "w0-20260103.1.db", "w0.lock", "w0-20260103.1.db-wal",
    ):  # fmt: skip
        (tmp_path / name).touch()
    assert [place.name for place in places(tmp_path)] == [
        "w0-20260103.1.db", "w1-20260102.1.db", "w0-20260102.2.db",
    ]  # fmt: skip
    assert {place.name for place in superseded(tmp_path)} == {
        "w0-20260102.1.db", "w0-20260103.0.db",
    }  # fmt: skip
    unlink(tmp_path / "w0-20260103.1.db")
    assert not (tmp_path / "w0-20260103.1.db-wal").exists()
    assert places(tmp_path / "none") == []
