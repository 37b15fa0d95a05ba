"""Files: whole or not at all; appended to, mended and put aside."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.export.files import Draft, Rotated


def test_a_draft_is_there_when_it_is_published(tmp_path: Path) -> None:
    target = tmp_path / "out"
    draft = Draft(target)
    with draft.open() as file:
        file.write(b"all of it")
        assert stat.S_IMODE(draft.path.stat().st_mode) == 0o600
        assert not target.exists()
        draft.publish(file)
    assert target.read_bytes() == b"all of it"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_draft_that_failed_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with Draft(tmp_path / "out").open() as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unless_it_is_said(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(ClientError) as caught, Draft(target).open():
        pass
    assert caught.value.code == "output-exists"
    with (draft := Draft(target, force=True)).open() as file:
        file.write(b"new")
        draft.publish(file)
    assert target.read_text() == "new"


def test_what_appears_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    target = tmp_path / "out"
    draft = Draft(target)
    with draft.open() as file:
        target.write_text("somebody's")
        with pytest.raises(ClientError) as caught:
            draft.publish(file)
    assert caught.value.code == "output-exists"
    assert target.read_text() == "somebody's"


@pytest.mark.parametrize("force", [True, False])
def test_a_folder_that_is_not_there(tmp_path: Path, *, force: bool) -> None:
    with pytest.raises(ClientError) as caught, Draft(tmp_path / "no" / "out", force=force).open():
        pass
    assert caught.value.code == "output-unwritable"


def test_appending(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    file = Rotated(path, limit=10**6, keep=2)
    file.append(b"a\n")
    file.append(b"b\n")
    assert path.read_bytes() == b"a\nb\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@settings(max_examples=30)
@given(
    st.lists(st.binary(min_size=1, max_size=40).map(lambda b: b.replace(b"\n", b"x")), min_size=1),
    st.integers(0),
)
def test_a_torn_line_is_taken_off(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "out"
    whole = b"".join(line + b"\n" for line in lines)
    torn = whole[: cut % (len(whole) + 1)]
    path.write_bytes(torn)
    Rotated(path, limit=10**6, keep=1).append(b"next\n")
    assert path.read_bytes() == torn[: torn.rfind(b"\n") + 1] + b"next\n"


def test_a_torn_line_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"a\n" + b"x" * 200_000)
    Rotated(path, limit=10**6, keep=1).append(b"b\n")
    assert path.read_bytes() == b"a\nb\n"


def test_rotation_keeps_so_many(tmp_path: Path) -> None:
    path = tmp_path / "out"
    file = Rotated(path, limit=4, keep=2)
    for letter in b"abcdef":
        file.append(bytes([letter]) * 2 + b"\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "out.1", "out.2"]
    assert [Path(f"{path}{end}").read_bytes() for end in ("", ".1", ".2")] == [
        b"ff\n", b"ee\n", b"dd\n",
    ]  # fmt: skip


def test_a_mode_that_was_given_stays_but_never_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "out"
    file = Rotated(path, limit=4, keep=1)
    file.append(b"aaa\n")
    path.chmod(0o644)
    file.append(b"bbb\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_only_a_file_of_its_own(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(OSError, match=r"not a regular|symbolic|directory"):
        Rotated(path, limit=10, keep=1).append(b"a\n")
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    file = Rotated(path, limit=10**6, keep=1)
    file.append(b"a\n")
    real = os.write

    def full(handle: int, data: bytes) -> int:
        if len(data) < 5:
            raise OSError(28, "No space left on device")
        return real(handle, data[: len(data) - 4])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="space"):
        file.append(b"0123456789\n")
    assert path.read_bytes() == b"a\n"
