"""Whoever reads sees each record once, wherever a journal's way into segments is held."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from proctor.audit import keeper as keeping
from proctor.audit import steady
from proctor.audit.inquiry import open_record, select
from proctor.audit.keeper import Keeper
from proctor.audit.opening import prepare
from proctor.audit.reader import reading
from proctor.audit.recorder import Recorder
from proctor.audit.segments import Workshop
from proctor.audit.state import LEVELS, Gone
from proctor.audit.steady import steadily
from proctor.audit.store import Store
from proctor.errors import ConfigurationError, InternalError
from proctor.evidence import hot
from proctor.evidence.verify import snapshot
from proctor.export.records import Choice, plan, walk
from proctor.model import ContentRef
from proctor.policy.recordedrows import stretches
from proctor.search.indexer import Indexer
from proctor.tlog.tree import HASH_SIZE
from tests.support.envelopes import ALICE, QUICK, START, STILL, begin, run, turn
from tests.support.whole import problems, records

ROUNDS = 4
TEXTS = [f"text {number}".encode() for number in range(ROUNDS)]
RECORDS = list(range(2 * ROUNDS - 1))
"""Of each round a begin, and at the next start the end that the stop of the gateway was."""


@dataclass
class Stand:
    """A record whose hand-over goes on step by step, when it is told to."""

    keeper: Keeper
    workshop: Workshop
    refs: list[ContentRef]
    steps: list[Callable[[], object]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.keeper.store.path

    def on(self, count: int) -> None:
        """Does the next steps."""
        for _ in range(count):
            self.steps.pop(0)()

    def merge(self) -> None:
        for folder, bounds in self.keeper._kinds():
            for level in range(LEVELS - 1):
                self.keeper._merge(self.workshop, folder, bounds, level)


STEPS = ("convert", "publish", "empty", "merge", "count", "sweep", "merge", "count", "sweep")


@contextmanager
def stand_at(path: Path, refs: list[ContentRef]) -> Iterator[Stand]:
    """The writer of a record, without a thread."""
    opened = prepare(Store.at(path), lambda _: None, QUICK)
    keeper = opened.keeper
    keeper.start()
    keeper.stop()  # what it makes at the start is there; the rest is for us to do
    workshop = Workshop(keeper.store, keeper.tmp)
    keeper._full = [keeping._Full(slot) for slot in opened.found.full]
    found = Stand(keeper, workshop, refs)
    work: dict[str, Callable[[], object]] = {
        "convert": lambda: keeper._convert(workshop),
        "publish": keeper._publish,
        "empty": keeper._empty,
        "merge": found.merge,
        "count": keeper._publish,
        "sweep": keeper._sweep,
    }
    found.steps = [work[step] for step in STEPS]
    try:
        yield found
    finally:
        workshop.close()
        keeper.close()
        opened.journal.close()
        os.close(opened.lock)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ContentRef]]:
    """A record of some rounds, all of whose small segments but the last count."""
    path = tmp_path_factory.mktemp("steady") / "recordings"
    refs: list[ContentRef] = []

    async def one(text: bytes) -> None:
        recorder = await Recorder.open(path, pace=STILL)
        refs.append(recorder.put(recorder.scope(ALICE, run()), text))
        await begin(recorder, f"flow-{len(refs)}", turn=turn(refs[-1]))
        await recorder.close()

    for number, text in enumerate(TEXTS):
        if number:
            with stand_at(path, refs) as stand:
                stand.on(3)
        asyncio.run(one(text))
    return path, refs


@pytest.fixture
def stand(
    base: tuple[Path, list[ContentRef]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stand]:
    monkeypatch.setattr(keeping, "FAN_IN", 2)
    path = tmp_path / "recordings"
    shutil.copytree(base[0], path)
    with stand_at(path, base[1]) as found:
        yield found


def numbers(path: Path) -> list[int]:
    with open_record(path) as database:
        rows = select(database, "SELECT seq FROM _records", lambda answer: answer.fetchall())
    return sorted(seq for (seq,) in rows)


def from_rows(path: Path) -> list[int]:
    with reading(path) as reader:
        return [row["seq"] for row in reader.rows("SELECT seq FROM _records ORDER BY seq", {})]


def from_arrow(path: Path) -> list[int]:
    with reading(path) as reader:
        batches = list(reader.arrow("SELECT seq FROM _records", {}, 100))
    return sorted(seq for batch in batches for seq in batch.column("seq").to_pylist())


def exported(path: Path) -> list[int]:
    with reading(path) as reader:
        return [row["seq"] for row in walk(reader, plan(reader, Choice()))]


def replayed(path: Path) -> list[int]:
    with open_record(path) as database:
        parts = stretches(database, START.replace(year=2000), START.replace(year=2100))
    return [seq for part in parts for seq in range(part.first, part.last + 1)]


def indexed(path: Path) -> list[int]:
    return list(range(Indexer(path).step().records))


@contextmanager
def held_up(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]
) -> Iterator[list[int]]:
    """Has something happen once between bounds and files; counts how often they are read."""
    hold, tries = steady.hold, [0]

    def held(database: duckdb.DuckDBPyConnection) -> steady.Held | None:
        tries[0] += 1
        found = hold(database)
        if tries[0] == 1:
            meanwhile()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(steady, "hold", held)
        yield tries


@pytest.mark.parametrize("more", [1, len(STEPS)])
@pytest.mark.parametrize("done", range(len(STEPS)))
def test_between_the_bounds_and_the_files(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, done: int, more: int
) -> None:
    stand.on(done)
    with held_up(monkeypatch, lambda: stand.on(min(more, len(stand.steps)))) as tries:
        assert numbers(stand.path) == RECORDS
    assert tries[0] <= 2


@pytest.mark.parametrize("done", range(len(STEPS)))
def test_between_the_list_of_files_and_the_files(stand: Stand, done: int) -> None:
    stand.on(done)
    tries: list[None] = []

    def meanwhile(_number: int) -> bool:
        tries.append(None)
        stand.on(len(stand.steps))
        return True

    sql = "SELECT seq FROM _records WHERE (SELECT meanwhile(min(range)) FROM range(3))"
    with open_record(stand.path, threads=1) as database:
        database.create_function("meanwhile", meanwhile, ["BIGINT"], "BOOLEAN", side_effects=True)
        found = steadily(database, lambda: database.execute(sql).fetchall())
    assert sorted(seq for (seq,) in found) == RECORDS
    assert tries


READERS = [numbers, from_rows, from_arrow, exported, replayed, indexed]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("done", [1, 5])
def test_every_reader(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], list[int]], done: int
) -> None:
    stand.on(done)
    with held_up(monkeypatch, lambda: stand.on(len(stand.steps))) as tries:
        assert read(stand.path) == RECORDS
    assert tries[0] >= 2


def test_content_and_flows(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.on(1)
    with reading(stand.path) as reader, held_up(monkeypatch, lambda: stand.on(2)) as tries:
        assert list(reader.bytes_of(stand.refs).values()) == TEXTS
        assert tries == [2]
    with reading(stand.path) as reader, held_up(monkeypatch, lambda: stand.on(6)) as tries:
        flows = list(reader.rows("SELECT flow_id FROM flows ORDER BY flow_id", {}))
        assert [row["flow_id"] for row in flows] == [f"flow-{n + 1}" for n in range(ROUNDS)]
        assert tries[0] >= 2


@pytest.mark.parametrize("done", [0, 1, 2])
def test_verify(stand: Stand, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    stand.on(done)
    files = snapshot._files

    def listed(*args: Any) -> Any:
        stand.on(min(len(stand.steps), 3))
        return files(*args)

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "_files", listed)
        assert (records(stand.path), problems(stand.path)) == ({"w0": len(RECORDS)}, [])


@pytest.mark.parametrize("done", [0, 1, 2])
def test_leaves(stand: Stand, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    whole = hot.all_leaves(stand.keeper.folder, len(RECORDS))(0, len(RECORDS))
    assert len(whole) == len(RECORDS) * HASH_SIZE
    stand.on(done)
    journaled, left = hot._journaled, stand.steps

    def moved(*args: Any) -> bytes:
        stand.on(3 - done if len(left) == len(STEPS) - done else 0)
        return journaled(*args)

    with monkeypatch.context() as patch:
        patch.setattr(hot, "_journaled", moved)
        assert hot.all_leaves(stand.keeper.folder, len(RECORDS))(0, len(RECORDS)) == whole


def test_what_moves_all_the_time(stand: Stand) -> None:
    def read() -> None:
        gone = Gone.read(stand.keeper.folder)
        gone.segments.last[0] += 1
        gone.write(stand.keeper.folder, stand.keeper.tmp)

    stand.on(3)
    with open_record(stand.path) as database:
        with pytest.raises(InternalError) as caught:
            steadily(database, read)
    assert caught.value.code == "record-moving"


def test_a_file_that_went_is_looked_for_again(stand: Stand) -> None:
    wrong = [duckdb.IOException("gone"), duckdb.IOException("gone")]

    def read() -> int:
        if wrong:
            raise wrong.pop()
        return 7

    with open_record(stand.path) as database:
        assert steadily(database, read) == 7
        wrong += [duckdb.IOException("not there")] * steady.TRIES
        with pytest.raises(duckdb.IOException):
            steadily(database, read)
    assert not wrong


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"segments":[1],"content":[1]}', "9" * 9])
def test_what_says_that_files_are_gone_is_no_such_thing(stand: Stand, said: str) -> None:
    (stand.keeper.folder / Gone.NAME).write_text(said)
    with pytest.raises(ConfigurationError) as caught:
        numbers(stand.path)
    assert caught.value.code == "store-unreadable"
    stand.keeper.start()  # it says so anew
    stand.keeper.stop()
    stand.on(3)
    assert numbers(stand.path) == RECORDS


def test_bounds_that_cannot_be_read_are_told_as_ever(stand: Stand) -> None:
    (stand.keeper.folder / "state.json").write_text("{")
    with pytest.raises(ConfigurationError) as caught, reading(stand.path) as reader:
        list(reader.rows("SELECT 1 FROM _records", {}))
    assert caught.value.code == "store-unreadable"


def test_another_connection_is_read_as_it_is() -> None:
    with duckdb.connect() as database:
        assert steady.hold(database) is None
        assert steadily(database, lambda: database.execute("SELECT 1").fetchall()) == [(1,)]


def test_the_bounds_are_those_of_before_the_files_were_listed(stand: Stand) -> None:
    sql = "SELECT upto FROM _bounds WHERE kind = 'segments' AND tier = 0"
    with open_record(stand.path) as database:
        before = database.execute(sql).fetchall()
        held = steady.hold(database)
        stand.on(2)
        assert database.execute(sql).fetchall() == before
        assert held is not None
        assert held.good()
        stand.on(1)
        assert not held.good()
        assert steadily(database, lambda: database.execute(sql).fetchall()) > before
