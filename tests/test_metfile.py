"""What all processes know of what has reached agents."""

import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError, InternalError
from proctor.metfile import NAME, MetFile, forget

ALICE, BOB = "https://idp.example#alice", "https://idp.example#b\ud800b"
IDLE, LONGEST = 100.0, 1000.0
NOW = 50_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "state" / NAME


@pytest.fixture
def file(path: Path) -> Iterator[MetFile]:
    with closing(opened(path)) as made:
        yield made


def opened(path: Path) -> MetFile:
    return MetFile(path, idle=IDLE, longest=LONGEST)


def test_what_one_writes_the_other_is_told_of(file: MetFile, path: Path) -> None:
    with closing(opened(path)) as other:
        assert other.changed()
        assert not other.changed()
        assert other.read(ALICE, NOW) is None
        file.add(ALICE, ["API_KEY"], 0.0, NOW)
        assert other.changed()
        assert not file.changed() or not file.changed()
        known = other.read(ALICE, NOW + 1)
        assert known is not None
        assert (known.types, known.score, known.last) == ({"API_KEY": NOW}, 0.0, NOW)
        other.add(ALICE, ["API_KEY", "PASSWORD"], 0.7, NOW + 2)
        assert other.read(BOB, NOW) is None
    known = file.read(ALICE, NOW + 2)
    assert known is not None
    assert known.types == {"API_KEY": NOW, "PASSWORD": NOW + 2}
    assert (known.score, known.at) == (0.7, NOW + 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_worst_score_stays(file: MetFile) -> None:
    for at, score in enumerate((0.4, 0.9, 0.5)):
        file.add(BOB, [], score, NOW + at)
    known = file.read(BOB, NOW + 3)
    assert known is not None
    assert (known.score, known.at, known.types) == (0.9, NOW + 1, {})


def test_it_is_over_when_nothing_is_heard_and_in_the_end(file: MetFile) -> None:
    file.add(ALICE, ["API_KEY"], 0.9, NOW)
    assert file.read(ALICE, NOW + IDLE) is not None
    assert file.read(ALICE, NOW + IDLE + 1) is None
    file.heard(ALICE, NOW + IDLE)
    assert file.read(ALICE, NOW + IDLE + 1) is not None
    file.heard(ALICE, NOW + LONGEST)
    late = file.read(ALICE, NOW + LONGEST + 1)
    assert late is not None
    assert (late.types, late.score) == ({}, 0.0)


def test_after_a_rest_it_begins_anew(file: MetFile) -> None:
    file.add(ALICE, ["API_KEY"], 0.9, NOW)
    file.add(BOB, ["API_KEY"], 0.0, NOW + IDLE + 1)
    file.heard(ALICE, NOW + IDLE + 2)
    known = file.read(ALICE, NOW + IDLE + 2)
    assert known is not None
    assert (known.types, known.score) == ({}, 0.0)


def test_somebody_is_forgotten(file: MetFile, path: Path) -> None:
    file.add(ALICE, ["API_KEY"], 0.0, NOW)
    file.add(BOB, ["API_KEY"], 0.0, NOW)
    forget(path, ALICE)
    assert file.read(ALICE, NOW) is None
    assert file.read(BOB, NOW) is not None
    forget(path.parent / "none.db", ALICE)
    assert not (path.parent / "none.db").exists()


def test_another_file_is_not_taken(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"no database at all, but something else" * 100)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        opened(path)
    assert caught.value.code == "met-unusable"


def test_a_link_and_a_newer_version_are_not_taken(file: MetFile, path: Path) -> None:
    file._database.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        opened(path)
    folder = path.parent / "folder"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        opened(folder)


def test_what_cannot_be_read_is_an_error(file: MetFile) -> None:
    file._database.execute("DROP TABLE met")
    asked: list[Callable[[], object]] = [
        partial(file.read, ALICE, NOW),
        partial(file.add, ALICE, ["API_KEY"], 0.0, NOW),
        partial(file.forget, ALICE),
    ]
    for ask in asked:
        file._database.execute("INSERT OR REPLACE INTO heard VALUES (?, ?)", (ALICE.encode(), NOW))
        with pytest.raises(InternalError) as caught:
            ask()
        assert caught.value.code == "met-unavailable"
    file.close()
    with pytest.raises(InternalError):
        file.changed()
