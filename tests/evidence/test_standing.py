"""A record goes on where it stopped, or its writer rests: never a second history."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from proctor.audit.recorder import Recorder
from proctor.evidence import leaves
from proctor.evidence.sealer import Every, Sealing, newest
from proctor.evidence.standing import resting
from proctor.tlog.tree import leaf_hash, root_of
from tests.support.envelopes import QUICK, STILL, ask, until

OFTEN = Every(records=5, seconds=0.05, idle=60)


class House:
    """A record and proctor's own folder."""

    def __init__(self, root: Path) -> None:
        self.path = root / "recordings"
        self.state = root / "state"
        self.root = root

    @property
    def w0(self) -> Path:
        return self.path / "writers" / "w0"

    def run(
        self,
        *,
        count: int = 0,
        pace: object = STILL,
        sealing: bool = True,
        then: Callable[[Recorder], Awaitable[None]] | None = None,
    ) -> str:
        """Writes so many events; returns the writer."""

        async def main() -> str:
            recorder = await Recorder.open(
                self.path,
                pace=pace,  # type: ignore[arg-type]
                sealing=Sealing(state=self.state, every=OFTEN) if sealing else None,
            )
            for number in range(count):
                await recorder.event("test", {"number": number})
            if then:
                await then(recorder)
            await recorder.close()
            return recorder.writer

        return asyncio.run(main())

    def check(self, writer: str = "w0") -> int:
        """The newest checkpoint says what the record holds; returns its size."""
        rows = ask(self.path, f"SELECT seq, raw FROM _records WHERE writer = '{writer}' ORDER BY 1")  # noqa: S608
        hashes = b"".join(leaf_hash(raw.encode()) for _, raw in rows)
        said = newest(self.path / "writers" / writer)
        assert said
        assert [seq for seq, _ in rows] == list(range(said.size))
        assert said.root == root_of(hashes)
        assert said.due is None
        return said.size


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_it_goes_on_where_it_stopped(house: House) -> None:
    house.run(count=7)
    assert house.check() == 7
    house.run(count=5, pace=QUICK)
    house.run(count=30, pace=QUICK)
    assert house.check() == 42
    assert ask(house.path, "SELECT kind FROM events WHERE kind <> 'test'") == []


def test_it_goes_on_from_segments(house: House) -> None:
    async def settled(_: Recorder) -> None:
        await until(lambda: leaves.kept(house.w0) == 40)

    house.run(count=40, pace=QUICK, then=settled)
    state = json.loads((house.w0 / "state.json").read_text())
    assert len(state["peaks"]) == (40).bit_count()
    house.run(count=3)
    assert house.check() == 43


def test_a_record_without_checkpoints_gets_them(house: House) -> None:
    async def settled(_: Recorder) -> None:
        await until(lambda: leaves.kept(house.w0) == 40)

    house.run(count=40, pace=QUICK, sealing=False, then=settled)
    house.run(count=2, sealing=False)
    assert newest(house.w0) is None
    # An older proctor kept neither tree nor leaves.
    state = json.loads((house.w0 / "state.json").read_text())
    del state["peaks"]
    (house.w0 / "state.json").write_text(json.dumps(state))
    (house.w0 / "leaves").unlink()
    (house.w0 / "ledger.jsonl").unlink()
    house.run(count=1)
    assert house.check() == 43
    assert leaves.kept(house.w0) == 40


def test_one_that_was_killed_says_so(house: House) -> None:
    house.run(count=3)
    path = house.w0 / "checkpoints.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    shutil.rmtree(house.state / "heads")
    house.run()
    ((detail,),) = ask(house.path, "SELECT detail FROM events WHERE kind = 'record.resumed'")
    assert json.loads(detail)["since"]
    assert house.check() == 4


def cut_a_record(house: House) -> None:
    path = house.w0 / "0.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def cut_records_and_checkpoints(house: House) -> None:
    cut_a_record(house)
    path = house.w0 / "checkpoints.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def change_a_record(house: House) -> None:
    path = house.w0 / "0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number":3', b'"number":9'))


def take_a_record_out(house: House) -> None:
    path = house.w0 / "0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))


def spoil_a_line(house: House) -> None:
    path = house.w0 / "0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"garbage\n", *lines[3:]]))


def spoil_checkpoints(house: House) -> None:
    (house.w0 / "checkpoints.jsonl").write_text('"no note"\n')


def lose_checkpoints(house: House) -> None:
    (house.w0 / "checkpoints.jsonl").unlink()


@pytest.mark.parametrize(
    "tamper",
    [
        cut_a_record,
        cut_records_and_checkpoints,
        change_a_record,
        take_a_record_out,
        spoil_a_line,
        spoil_checkpoints,
        lose_checkpoints,
    ],
)
def test_what_was_changed_rests_and_another_begins(
    house: House, tamper: Callable[[House], None]
) -> None:
    house.run(count=9)
    tamper(house)
    before = {path: path.read_bytes() for path in house.w0.glob("*.jsonl")}
    assert house.run(count=2) == "w1"
    assert json.loads((house.w0 / "retired.json").read_text())["why"]
    (row,) = ask(house.path, "SELECT writer, detail FROM events WHERE kind = 'record.retired'")
    assert row[0] == "w1"
    assert json.loads(row[1])["writer"] == "w0"
    assert house.check("w1") == 3
    assert {path: path.read_bytes() for path in house.w0.glob("*.jsonl")} == before
    assert house.run(count=1) == "w1"  # for good


def test_an_older_copy_rests(house: House) -> None:
    house.run(count=4)
    shutil.copytree(house.path, house.root / "copy")
    house.run(count=4)
    shutil.rmtree(house.path)
    (house.root / "copy").rename(house.path)
    assert house.run(count=1) == "w1"
    assert "older" in json.loads((house.w0 / "retired.json").read_text())["why"]


def test_who_rests_and_why(house: House) -> None:
    assert resting(house.path) == {}
    house.run(count=1)
    (house.w0 / "retired.json").write_text('{"why": "for a reason"}')
    assert resting(house.path) == {"w0": "for a reason"}
    for junk in ("", "[]", "{}", "[" * 5000):
        (house.w0 / "retired.json").write_text(junk)
        assert resting(house.path) == {"w0": "unknown: its note cannot be read"}
