"""Files that are kept open."""

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.search.partition import Mark, Partition
from proctor.search.places import Place, unlink
from proctor.search.shelf import Shelf
from tests.search.test_partition import PLACE, exchange, put, text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path)
    return tmp_path


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf(idle=60)
    with closing(made):
        yield made


def make(folder: Path, words: str = "apple", place: Place = PLACE) -> None:
    partition = Partition.made(folder, place)
    put(partition, (exchange(1), text(), words))
    partition.finish()
    partition.close()


def take(shelf: Shelf, folder: Path, words: str = "apple") -> tuple[Partition, int]:
    with shelf.lent(folder, PLACE) as partition:
        return partition, len([*partition.find(f'"{words}"')])


def test_one_is_lent_again(shelf: Shelf, folder: Path) -> None:
    first, found = take(shelf, folder)
    again, _ = take(shelf, folder)
    assert again is first
    assert found == 1
    with shelf.lent(folder, PLACE) as one, shelf.lent(folder, PLACE) as other:
        assert one is not other
    assert len(shelf._kept) == 2


def test_what_is_made_anew_is_opened_anew(shelf: Shelf, folder: Path) -> None:
    first, _ = take(shelf, folder)
    unlink(folder / PLACE.name)
    with pytest.raises(FileNotFoundError):
        take(shelf, folder)
    assert not shelf._kept
    make(folder, "pear")
    again, found = take(shelf, folder, "pear")
    assert (again is first, found) == (False, 1)


def test_what_is_taken_out_by_another_is_not_found(shelf: Shelf, folder: Path) -> None:
    assert take(shelf, folder)[1] == 1
    other = Partition.opened(folder, PLACE)
    assert other.without(["s"])
    other.close()
    first, found = take(shelf, folder)
    assert found == 0
    assert take(shelf, folder)[0] is first


def test_one_that_is_not_read_to_its_end_holds_no_lock(shelf: Shelf, folder: Path) -> None:
    partition = Partition.opened(folder, PLACE)
    put(partition, (exchange(2), text(name="2"), "apple"))

    def some() -> Generator[int]:
        with shelf.lent(folder, PLACE) as lent:
            for hit in lent.find('"apple"'):
                yield hit.seq

    with closing(some()) as hits:
        assert next(hits) == 2
    assert len(shelf._kept) == 1
    with partition.writing(Mark(seq=9, leaf="cd")):
        pass
    partition.close()


def test_in_wal_mode_none_is_kept(shelf: Shelf, tmp_path: Path) -> None:
    partition = Partition.made(tmp_path, PLACE)
    put(partition, (exchange(1), text(), "apple"))
    assert take(shelf, tmp_path)[1] == 1
    assert not shelf._kept
    partition.finish()
    assert partition.resting
    partition.close()


def test_one_that_failed_is_not_kept(shelf: Shelf, folder: Path) -> None:
    def fails() -> None:
        with shelf.lent(folder, PLACE) as partition:
            partition.limit(lambda: True)
            raise InternalError("x", "It failed")

    with pytest.raises(InternalError, match="It failed"):
        fails()
    assert not shelf._kept


def test_its_limit_goes(shelf: Shelf, folder: Path) -> None:
    with shelf.lent(folder, PLACE) as partition:
        partition.limit(lambda: True)
    assert take(shelf, folder)[1] == 1


def test_not_too_many(folder: Path) -> None:
    with closing(Shelf(idle=60, most=1)) as shelf:
        with shelf.lent(folder, PLACE) as one, shelf.lent(folder, PLACE) as other:
            assert one is not other
        assert [partition for _, _, partition in shelf._kept] == [one]


def test_after_a_while_they_are_closed(folder: Path) -> None:
    shelf = Shelf(idle=0.02)
    take(shelf, folder)
    while shelf._kept:
        threading.Event().wait(0.005)
    assert shelf._timer is None


def test_closed_for_good(folder: Path) -> None:
    shelf = Shelf()
    with shelf.lent(folder, PLACE):
        shelf.close()
    assert not shelf._kept
    assert shelf._timer is None
