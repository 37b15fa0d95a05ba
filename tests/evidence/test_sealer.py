"""Checkpoints are signed when they are due, over what is durable, one after the other."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.evidence import heads
from proctor.evidence import sealer as module
from proctor.evidence.ledger import Ledger
from proctor.evidence.sealer import Every, Sealer, Sealing, newest
from proctor.evidence.statement import FIRST, Statement
from proctor.tlog.note import Signer, parse_note
from proctor.tlog.tree import Frontier, leaf_hash, root_of

ORIGIN = "proctor/ab/w0"
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))


class Stand:
    """A sealer, and a clock that is moved by hand."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "writers" / "w0"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = tmp_path / "state"
        self.now = 0.0
        self.published: list[tuple[str, str]] = []
        self.ledger = Ledger(self.folder)
        self.sealer = Sealer(
            self.folder,
            origin=ORIGIN,
            signer=lambda: SIGNER,
            tree=Frontier(),
            last=newest(self.folder),
            ledger=self.ledger,
            sealing=Sealing(
                state=self.state,
                every=Every(records=10, seconds=5, idle=60),
                published=lambda origin, note: self.published.append((origin, note)),
            ),
            wall=lambda: 1_800_000_000 + self.now,
            clock=lambda: self.now,
        )

    def add(self, count: int) -> bytes:
        leaves = b"".join(leaf_hash(b"%d" % number) for number in range(count))
        self.sealer.add(leaves)
        return leaves

    def there(self) -> list[Statement]:
        """All that was signed; each by the right key and after the one before."""
        found: list[Statement] = []
        for line in (self.folder / module.NAME).read_text().splitlines():
            note = parse_note(json.loads(line))
            assert note.signed_by(SIGNER.public)
            found.append(Statement.parse(note.text))
            assert found[-1].after == (found[-2].hash if found[1:] else FIRST)
        return found

    def close(self) -> None:
        self.sealer.close()
        self.ledger.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


def test_the_first_is_due_at_once_and_then_the_next_when_idle(stand: Stand) -> None:
    assert stand.sealer.patience() == 0
    assert stand.sealer.seal()
    assert stand.sealer.patience() == 60
    stand.now = 60
    assert stand.sealer.patience() == 0


def test_a_record_is_covered_some_seconds_later(stand: Stand) -> None:
    stand.sealer.seal()
    stand.now = 10
    stand.add(1)
    assert stand.sealer.patience() == 5
    stand.now = 12
    stand.add(1)
    assert stand.sealer.patience() == 3  # counted from the first that none covers
    stand.now = 15
    assert stand.sealer.patience() == 0
    stand.sealer.seal()
    assert [said.size for said in stand.there()] == [0, 2]
    assert stand.sealer.patience() == 60


def test_many_records_are_covered_at_once(stand: Stand) -> None:
    leaves = stand.add(25)
    (said,) = stand.there()
    assert (said.size, said.root) == (25, root_of(leaves))


def test_what_it_says(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "writers" / "w1").mkdir()
    stand.add(3)
    stand.sealer.seal()
    (said,) = stand.there()
    assert said.time.timestamp() == 1_800_000_000
    assert said.due
    assert (said.due - said.time).total_seconds() == 120
    assert stand.ledger.writers == {"w1"}  # the others that were seen are on the ledger first
    assert said.ledger == stand.ledger.stand
    assert said.ledger.count == 1
    ((origin, note),) = stand.published
    assert origin == ORIGIN
    assert note == heads.kept(stand.state, ORIGIN)


def test_the_last_one_promises_none(stand: Stand) -> None:
    stand.sealer.seal()
    stand.sealer.seal(final=True)
    first, last = stand.there()
    assert (first.due is None, last.due is None) == (False, True)
    kept = heads.kept(stand.state, ORIGIN)
    assert kept
    assert Statement.parse(parse_note(kept).text) == last


def test_cover_signs_only_what_is_not(stand: Stand) -> None:
    assert stand.sealer.cover()
    assert (stand.folder / module.NAME).read_bytes() == b""
    stand.add(1)
    assert stand.sealer.cover()
    assert stand.sealer.cover()
    assert [said.size for said in stand.there()] == [1]


def test_a_full_disk_leaves_no_half_and_it_goes_on(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand.sealer.seal()
    stand.add(1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(module, "datasync", full)
        assert not stand.sealer.seal()
        assert not stand.sealer.cover()
    assert "checkpoint" in caplog.text
    assert stand.sealer.failures == 2
    assert [said.size for said in stand.there()] == [0]
    assert stand.sealer.patience() == 60  # not at once again
    assert stand.sealer.seal()
    assert [said.size for said in stand.there()] == [0, 1]


def test_it_goes_on_from_the_last_whole_line(tmp_path: Path) -> None:
    first = Stand(tmp_path)
    first.sealer.seal()
    first.add(2)
    first.sealer.seal()
    first.close()
    path = first.folder / module.NAME
    data = path.read_bytes()
    last = newest(first.folder)
    assert last
    assert last.size == 2
    for cut in (1, 10, len(data) - data.index(b"\n") - 2):
        path.write_bytes(data + data[:cut].rstrip(b"\n"))
        again = Stand(tmp_path)
        assert again.sealer.last == last
        assert path.read_bytes() == data
        again.close()
    path.write_bytes(b"")
    assert newest(first.folder) is None
    path.unlink()
    assert newest(first.folder) is None


def test_the_newest_of_many_is_found_at_the_end(stand: Stand) -> None:
    for _ in range(500):
        stand.sealer.seal()
    assert newest(stand.folder) == stand.sealer.last
