"""What an auditor asks of witnesses: that as many as were named have seen all of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.evidence import cosigned, sealer
from proctor.evidence.countersigned import Lack, lacking
from proctor.evidence.ledger import Stand
from proctor.evidence.statement import FIRST, Statement
from proctor.tlog.cosignature import Cosigner, CosignerKey, Policy
from proctor.tlog.note import Note, Signature

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
ONE, TWO, THREE = (
    Cosigner(
        f"witness.example/{letter}", Ed25519PrivateKey.from_private_bytes(letter.encode() * 32)
    )
    for letter in "abc"
)


def statement(size: int, minute: int = 0, writer: str = "w0") -> Statement:
    return Statement(
        origin=f"proctor/4f/{writer}", size=size, root=bytes([size]) * 32,
        time=NOW + timedelta(minutes=minute), due=None, after=FIRST,
        ledger=Stand(0, bytes(32)),
    )  # fmt: skip


class Record:
    """A record's folder, as far as it is looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def sealed(self, said: Statement, *witnesses: Cosigner, signed: str = "") -> "Record":
        folder = self.path / "writers" / said.origin.rpartition("/")[2]
        folder.mkdir(parents=True, exist_ok=True)
        note = Note(str(said), (Signature(said.origin, b"1234", bytes(64)),))
        with (folder / sealer.NAME).open("a") as file:
            file.write(json.dumps(str(note)) + "\n")
        for each in witnesses:
            cosigned.keep(
                folder,
                cosigned.Cosigned(
                    checkpoint=cosigned.text_hash(str(said)), origin=said.origin, size=said.size,
                    at="2026-11-22T14:00:00Z",
                    line=each.sign(signed or str(said), int(NOW.timestamp())).line(),
                ),
            )  # fmt: skip
        return self

    def lacks(self, needed: int, *keys: CosignerKey) -> list[Lack]:
        policy = Policy(keys=keys or (ONE.public, TWO.public), needed=needed)
        return list(lacking(self.path, policy))


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path)


def test_enough_have_seen_all_of_it(record: Record) -> None:
    record.sealed(statement(3)).sealed(statement(5), ONE, TWO)
    assert record.lacks(1) == record.lacks(2) == []
    assert record.lacks(1, TWO.public) == []


def test_too_few_or_others(record: Record) -> None:
    record.sealed(statement(5), ONE, THREE)
    assert record.lacks(2) == [
        Lack(
            writer="w0", records=5, got="witness.example/a",
            expected="2 of witness.example/a, witness.example/b", seen=0,
        )
    ]  # fmt: skip
    (none,) = record.lacks(1, TWO.public)
    assert none.got == "none"


def test_the_newest_is_what_counts(record: Record) -> None:
    record.sealed(statement(3), ONE, TWO).sealed(statement(5), ONE).sealed(statement(6))
    (found,) = record.lacks(2)
    assert (found.records, found.got, found.seen) == (6, "none", 3)
    (found,) = record.lacks(1)
    assert found.seen == 5


def test_a_tree_that_has_not_grown_since_is_the_same(record: Record) -> None:
    record.sealed(statement(5, 1), ONE).sealed(statement(5, 2), TWO).sealed(statement(5, 3))
    assert record.lacks(2) == []
    # Of that size, but another one.
    other = Statement(
        **{name: getattr(statement(5, 4), name) for name in Statement.__slots__} | {"root": FIRST}
    )
    record.sealed(other)
    (found,) = record.lacks(1)
    assert found.got == "none"


def test_every_writer_for_itself(record: Record) -> None:
    record.sealed(statement(5), ONE).sealed(statement(4, writer="w1"))
    assert [each.writer for each in record.lacks(1)] == ["w1"]


def test_two_names_of_one_key_are_one(record: Record) -> None:
    again = Cosigner("witness.example/again", ONE.key)
    record.sealed(statement(5), ONE, again)
    (found,) = record.lacks(2, ONE.public, again.public, TWO.public)
    assert found.got == "witness.example/a, witness.example/again"


@pytest.mark.parametrize("harm", ["signature", "line", "checkpoint"])
def test_what_cannot_be_relied_on_is_none(record: Record, harm: str) -> None:
    record.sealed(statement(5), ONE, signed="another\n" if harm == "signature" else "")
    folder = record.path / "writers" / "w0"
    if harm == "line":
        (folder / cosigned.NAME).write_text("{}\n")
    elif harm == "checkpoint":
        with (folder / sealer.NAME).open("a") as file:
            file.write("1\n")
    (found,) = record.lacks(1)
    assert found.got == (
        "cosignature-wrong" if harm == "signature" else "files that cannot be read"
    )


def test_a_signature_of_another_checkpoint_put_to_this_one(record: Record) -> None:
    old, new = statement(3), statement(5)
    record.sealed(old, ONE).sealed(new, ONE, signed=str(old))
    (found,) = record.lacks(1)
    assert found.got == "cosignature-wrong"


def test_a_line_that_was_cut_short_does_not_count(record: Record) -> None:
    record.sealed(statement(5), ONE)
    path = record.path / "writers" / "w0" / sealer.NAME
    path.write_bytes(path.read_bytes() + json.dumps(str(statement(9))).encode())
    assert record.lacks(1) == []


def test_only_the_end_is_looked_through(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(1, 30):
        record.sealed(statement(size), *([ONE] if size in {1, 29} else []))
    monkeypatch.setattr("proctor.evidence.countersigned._TAIL", 900)
    assert record.lacks(1) == []
    record.sealed(statement(30)).sealed(statement(31)).sealed(statement(32)).sealed(statement(33))
    (found,) = record.lacks(1)
    assert found.seen == 0


def test_nothing_there(record: Record) -> None:
    assert record.lacks(1) == []
    (record.path / "writers" / "w0").mkdir(parents=True)
    assert record.lacks(1) == []
