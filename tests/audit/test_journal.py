"""The ring of journals, on disks that fail."""

import asyncio
import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

import pytest

from proctor.audit import journal as module
from proctor.audit.envelope import Chain
from proctor.audit.journal import IS_BEGIN, Item, Journal, Slot, open_journal
from proctor.tlog.tree import leaf_hash

LIMIT = 1000


class Stand:
    """A journal over two slots, and what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free: SimpleQueue[Slot] = SimpleQueue()
        for number in range(2):
            os.close(open_journal(folder / f"{number}.jsonl"))
            self.free.put(Slot(folder / f"{number}.jsonl"))
        self.full: list[Slot] = []
        self.now = 0.0
        self.wall = 0.0
        self.covered = True
        self.loop = asyncio.new_event_loop()
        self.chain = Chain("w0")
        self.journal = Journal(
            folder,
            free=self.free,
            full=self.full.append,
            limit=LIMIT,
            clock=lambda: self.now,
            wall=lambda: self.wall,
            covered=lambda: self.covered,
        )

    def record(self, size: int = 300, kind: str = "event", begin: int = -2) -> Item:
        """An envelope of about this many bytes."""
        seq = self.chain.seq
        line = self.chain.seal(kind, 0, {"x": "x" * (size - 200)})
        flow = IS_BEGIN if kind == "flow.begin" else begin
        return Item(line, seq, flow, self.loop.create_future())

    def bytes(self) -> bytes:
        """What all journals hold, in order."""
        names = sorted(self.folder.glob("*.jsonl"), key=lambda path: int(path.stem))
        return b"".join(path.read_bytes() for path in names)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.journal.close()
    stand.loop.close()


def test_what_is_in_a_slot(stand: Stand) -> None:
    items = [
        stand.record(kind="flow.begin"),
        Item(b'{"c":1}\n', 7),
        stand.record(kind="flow.end", begin=0),
        Item(b'{"c":1}\n', 8),
    ]
    stand.now = 5.0
    stand.journal.write(items)
    slot = stand.journal.slot
    assert stand.bytes() == b"".join(item.line for item in items)
    assert slot.size == len(stand.bytes())
    assert (slot.first_seq, slot.seq, slot.records) == (0, 1, 2)
    assert (slot.first_n, slot.n, slot.blocks) == (7, 8, 2)
    assert slot.begins == {0: items[0].line}
    assert slot.ended == [0]
    assert slot.leaf() == stand.chain.prev
    assert slot.since == 5.0


def test_a_full_slot_is_handed_on(stand: Stand) -> None:
    for _ in range(4):
        stand.journal.write([stand.record()])
    (full,) = stand.full
    assert full.path.name == "0.jsonl"
    assert full.size <= LIMIT < full.size + 300
    assert stand.journal.slot.path.name == "1.jsonl"
    full.clear()
    assert full.path.read_bytes() == b""
    assert (full.size, full.records, full.seq, full.n) == (0, 0, -1, -1)


def test_the_ring_grows_rather_than_overwrites(stand: Stand) -> None:
    items = [stand.record() for _ in range(20)]
    for item in items:
        stand.journal.write([item])
    assert stand.bytes() == b"".join(item.line for item in items)
    assert len(stand.full) == 6
    stand.full[2].clear()
    stand.free.put(stand.full[2])
    stand.journal.rotate()
    assert stand.journal.slot is stand.full[2]


def test_leaves_and_digest_go_with_the_lines(stand: Stand) -> None:
    items = [stand.record(), Item(b'{"c":1}\n', 7), stand.record()]
    leaves = [leaf_hash(item.line[:-1]) for item in (items[0], items[2])]
    assert stand.journal.write(items) == b"".join(leaves)
    more = stand.record()
    assert stand.journal.write([more]) == leaf_hash(more.line[:-1])
    slot = stand.journal.slot
    assert slot.unbroken()
    assert slot.digest.hexdigest() == sha256(stand.bytes()).hexdigest()
    slot.add(Item(stand.record().line, slot.seq + 2), is_record=True)
    assert not slot.unbroken()
    slot.clear()
    assert (bytes(slot.leaves), slot.day) == (b"", "")
    assert slot.digest.hexdigest() == sha256().hexdigest()


def test_a_day_ends_a_slot(stand: Stand) -> None:
    stand.wall = 1_800_000_000.0
    stand.journal.write([stand.record()])
    stand.wall += 86400
    stand.journal.write([stand.record()])
    (full,) = stand.full
    assert (full.day, stand.journal.slot.day) == ("2027-01-15", "2027-01-16")
    assert (full.records, stand.journal.slot.records) == (1, 1)


def test_what_no_checkpoint_covers_is_not_handed_on(stand: Stand) -> None:
    stand.covered = False
    for _ in range(6):
        stand.journal.write([stand.record()])
    assert stand.full == []
    assert stand.journal.slot.size > LIMIT
    stand.wall += 86400
    stand.journal.write([stand.record()])
    assert stand.journal.slot.day == ""  # two days in one
    stand.covered = True
    stand.journal.rotate()
    assert [full.records for full in stand.full] == [7]


def test_nothing_is_not_rotated(stand: Stand) -> None:
    stand.journal.rotate()
    assert stand.full == []


def test_without_room_for_another_it_stays(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(module, "open_journal", full)
    for _ in range(5):
        stand.journal.write([stand.record()])
    assert stand.full == []
    assert stand.journal.slot.records == 5
    monkeypatch.undo()
    stand.journal.write([stand.record()])
    assert len(stand.full) == 1


def test_writes_that_are_short(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:7]))
    item = stand.record()
    stand.journal.write([item])
    assert stand.bytes() == item.line


@pytest.mark.parametrize("after", [0, 1, 200])
def test_a_full_disk_leaves_nothing_behind(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    first, second = stand.record(), stand.record()
    stand.journal.write([first])
    write, room = os.write, after

    def limited(fd: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "no space")
        done = write(fd, bytes(data)[:room])
        room -= done
        return done

    monkeypatch.setattr(os, "write", limited)
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            stand.journal.write([second])
    with pytest.raises(OSError, match="no space"):
        stand.journal.probe()
    monkeypatch.undo()
    stand.journal.probe()
    assert stand.bytes() == first.line
    stand.journal.write([second])
    assert stand.bytes() == first.line + second.line


def test_a_sync_that_fails(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = stand.record(), stand.record()
    stand.journal.write([first])

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(module, "datasync", fail)
    with pytest.raises(OSError, match="broken"):
        stand.journal.write([second])
    with pytest.raises(OSError, match="broken"):  # it cannot be cut off either
        stand.journal.write([second])
    monkeypatch.undo()
    stand.journal.mend()
    assert stand.bytes() == first.line


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "0.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        open_journal(tmp_path / "0.jsonl")
    assert not (tmp_path / "elsewhere").exists()
