"""What was compiled is kept whole, or made anew."""

from pathlib import Path

from proctor.redaction.compiled import keep, kept, usable


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
