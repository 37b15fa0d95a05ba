"""A folder that is written once: new files only, and what it remembers."""

import asyncio
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.evidence.leaves import write_leaves
from proctor.evidence.worm import FolderAnchor
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.note import Note
from tests.support.logs import ORIGIN, Log

LOG = Log().add(8)


def at(folder: Path, log: Log = LOG) -> FolderAnchor:
    """An anchor of a writer whose leaves are those of `log`."""
    writers = folder.parent / f"{folder.name}-writers"
    own = writers / log.origin.rpartition("/")[2]
    own.mkdir(parents=True, exist_ok=True)
    write_leaves(own, 0, log.array)
    return FolderAnchor(folder, writers=writers)


def take(folder: Path, *notes: Note, anchor: FolderAnchor | None = None) -> None:
    place = anchor or at(folder)
    for note in notes:
        asyncio.run(place.take(note, Checkpoint.parse(note.text)))


def texts(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.iterdir())]


def test_each_checkpoint_is_a_file(tmp_path: Path) -> None:
    notes = [LOG.note(3), LOG.note(8), LOG.note(8, "time 2")]
    take(tmp_path, *notes)
    assert sorted(texts(tmp_path)) == sorted(map(str, notes))
    first = min(tmp_path.iterdir())
    assert first.name.startswith(f"{ORIGIN.replace('/', '_')}-0000000000000000003-")
    assert first.stat().st_mode & 0o777 == 0o400


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    take(tmp_path, LOG.note(3))
    take(tmp_path, LOG.note(3))
    assert texts(tmp_path) == [str(LOG.note(3))]


def test_a_file_that_was_cut_stays_and_a_whole_one_comes_beside_it(tmp_path: Path) -> None:
    whole = str(LOG.note(3))
    take(tmp_path, LOG.note(3))
    (path,) = tmp_path.iterdir()
    path.chmod(0o600)
    path.write_text(whole[:20])
    take(tmp_path, LOG.note(3))
    assert texts(tmp_path) == [whole, whole[:20]]


def test_another_checkpoint_of_that_name_is_an_alarm(tmp_path: Path) -> None:
    take(tmp_path, LOG.note(3))
    (path,) = tmp_path.iterdir()
    path.chmod(0o600)
    path.write_text("another")
    with pytest.raises(InternalError) as caught:
        take(tmp_path, LOG.note(3))
    assert caught.value.code == "anchor-forked"
    assert path.read_text() == "another"


def test_a_record_that_was_put_back_is_an_alarm(tmp_path: Path) -> None:
    take(tmp_path, LOG.note(8))
    anchor = at(tmp_path)
    for _ in range(2):
        with pytest.raises(InternalError) as caught:
            take(tmp_path, LOG.note(5), anchor=anchor)
        assert caught.value.code == "anchor-ahead"
    assert texts(tmp_path) == [str(LOG.note(8))]
    other = Log(origin=f"{ORIGIN[:-1]}1").add(2)
    take(tmp_path, other.note())
    take(tmp_path, Log(origin=ORIGIN[:-1]).add(1).note())


def test_another_history_is_an_alarm_for_as_long_as_it_goes_on(tmp_path: Path) -> None:
    take(tmp_path, LOG.note(5))
    fork = Log().add(4).add(6, "other")
    anchor = at(tmp_path, fork)
    for size in (5, 8, 10):
        with pytest.raises(InternalError) as caught:
            take(tmp_path, fork.note(size), anchor=anchor)
        assert caught.value.code == "anchor-forked"
    assert texts(tmp_path) == [str(LOG.note(5))]
    take(tmp_path, LOG.note(8), anchor=at(tmp_path))


def test_other_files_are_nobodys_business(tmp_path: Path) -> None:
    begins = ORIGIN.replace("/", "_")
    for name in (f"{begins}-9.note", f"{begins}-{'9' * 19}.txt", "README"):
        (tmp_path / name).touch()
    take(tmp_path, LOG.note(3))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        take(tmp_path / "missing", LOG.note(3))
