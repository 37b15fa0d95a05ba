"""What all processes know of values in untrusted answers."""

import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError, InternalError
from proctor.provenance import camefile
from proctor.provenance.camefile import MAX_ROWS, MAX_VALUES, NAME, SIZE, CameFile, Row, forget

ALICE, BOB = "https://idp.example#alice", "https://idp.example#b\ud800b"
IDLE, LONGEST = 100.0, 1000.0
NOW = 50_000.0
ONE, TWO = b"1" * SIZE, b"2" * SIZE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "state" / NAME


@pytest.fixture
def file(path: Path) -> Iterator[CameFile]:
    with closing(opened(path)) as made:
        yield made


def opened(path: Path) -> CameFile:
    return CameFile(path, idle=IDLE, longest=LONGEST)


def names(rows: list[Row]) -> list[tuple[bytes, ...]]:
    return [each.names for each in rows]


def test_what_one_writes_the_other_reads(file: CameFile, path: Path) -> None:
    with closing(opened(path)) as other:
        before = other.version()
        assert other.version() == before
        file.add(ALICE, [ONE, TWO], b"page", NOW)
        assert other.version() != before
        (row,) = other.read(ALICE, 0, NOW + 1)
        assert (row.source, row.names) == (b"page", (ONE, TWO))
        file.add(ALICE, [ONE], b"", NOW + 2)
        assert other.read(ALICE, row.id, NOW + 3) == [Row(row.id + 1, b"", (ONE,))]
        assert other.read(BOB, 0, NOW) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_over_when_nothing_is_heard_and_in_the_end(file: CameFile) -> None:
    file.add(ALICE, [ONE], b"page", NOW)
    assert file.read(ALICE, 0, NOW + IDLE)
    assert not file.read(ALICE, 0, NOW + IDLE + 1)
    file.heard(ALICE, NOW + IDLE)
    assert file.read(ALICE, 0, NOW + IDLE + 1)
    for at in range(2, 11):
        file.heard(ALICE, NOW + at * IDLE)
    assert file.read(ALICE, 0, NOW + LONGEST)
    assert not file.read(ALICE, 0, NOW + LONGEST + 1)


def test_after_a_rest_it_begins_anew(file: CameFile) -> None:
    file.add(ALICE, [ONE], b"page", NOW)
    file.add(BOB, [ONE], b"page", NOW)
    file.heard(ALICE, NOW + IDLE + 1)
    assert file.read(ALICE, 0, NOW + IDLE + 1) == []
    file.add(ALICE, [TWO], b"page", NOW + IDLE + 2)
    assert names(file.read(ALICE, 0, NOW + IDLE + 2)) == [(TWO,)]
    ((left,),) = file._database.execute("SELECT count(*) FROM came").fetchall()
    assert left == 1


def test_somebody_is_forgotten(file: CameFile, path: Path) -> None:
    for who in (ALICE, BOB):
        file.add(who, [ONE], b"page", NOW)
    forget(path, ALICE)
    assert not file.read(ALICE, 0, NOW)
    assert file.read(BOB, 0, NOW)
    forget(path.parent / "none.db", ALICE)
    assert not (path.parent / "none.db").exists()


def test_no_more_is_kept_than_there_is_room_for(
    file: CameFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camefile, "MAX_ROWS", 3)
    monkeypatch.setattr(camefile, "MAX_VALUES", 5)
    monkeypatch.setattr(camefile, "MAX_PRINCIPALS", 1)
    monkeypatch.setattr(camefile, "_OVER", 1)
    assert (MAX_ROWS, MAX_VALUES) == (500, 20_000)
    many = [bytes([n]) * SIZE for n in range(9)]
    for n in range(5):
        file.add(ALICE, [many[n]], b"page", NOW)
    file.add(ALICE, [ONE], b"", NOW)
    assert names(file.read(ALICE, 0, NOW)) == [(many[2],), (many[3],), (many[4],), (ONE,)]
    file.add(ALICE, many, b"page", NOW)
    assert names(file.read(ALICE, 0, NOW)) == [(ONE,), tuple(many[-5:])]
    for at, who in ((61.0, BOB), (70.0, ALICE), (75.0, BOB), (122.0, BOB)):
        file.add(who, [TWO], b"page", NOW + at)
    assert not file.read(ALICE, 0, NOW + 122)
    assert file.read(BOB, 0, NOW + 122)


def test_a_few_too_many_go_later(file: CameFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camefile, "MAX_ROWS", 2)
    monkeypatch.setattr(camefile, "_OVER", 4)
    for n in range(3):
        file.add(ALICE, [bytes([n]) * SIZE], b"page", NOW)
    assert len(file.read(ALICE, 0, NOW)) == 3
    file.add(ALICE, [ONE], b"page", NOW)  # the fourth
    assert len(file.read(ALICE, 0, NOW)) == 2
    file.add(ALICE, [ONE], b"page", NOW)
    assert len(file.read(ALICE, 0, NOW)) == 3
    file.add(BOB, [ONE], b"page", NOW + 61)  # or a minute later
    assert len(file.read(ALICE, 0, NOW + 61)) == 2


def test_another_file_is_not_taken(file: CameFile, path: Path) -> None:
    file._database.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError) as caught:
        opened(path)
    assert caught.value.code == "met-unusable"


def test_what_cannot_be_read_is_an_error(file: CameFile) -> None:
    file._database.execute("DROP TABLE came")
    asked: list[Callable[[], object]] = [
        partial(file.read, ALICE, 0, NOW),
        partial(file.add, ALICE, [ONE], b"page", NOW),
        partial(file.heard, ALICE, NOW),
        partial(file.forget, ALICE),
    ]
    for ask in asked:
        with pytest.raises(InternalError) as caught:
            ask()
        assert caught.value.code == "met-unavailable"
        assert NAME in caught.value.hint
    file.close()
    with pytest.raises(InternalError):
        file.version()
