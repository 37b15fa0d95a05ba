"""Backups and bundles are verified as what they are."""

import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit.envelope import timestamp as stamp
from proctor.evidence import copied
from proctor.evidence.backup import back_up
from proctor.evidence.keys import KEY_FILE, read_key
from proctor.evidence.sealer import newest
from proctor.evidence.verify.copies import as_of
from proctor.evidence.verify.findings import Findings, Level
from proctor.evidence.verify.snapshot import take
from proctor.evidence.verify.trust import trusted
from proctor.evidence.verify.verifier import Asked, verify
from proctor.export.bundle import write_bundle
from proctor.export.records import Choice
from tests.evidence.test_outsider import key, write


@dataclass(frozen=True)
class Copies:
    backup: Path
    bundle: Path
    key: bytes
    made: datetime
    later: datetime

    def findings(self, path: Path) -> Findings:
        return verify(Asked(record=path, key=self.key, now=self.later)).findings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Copies of a record as of a moment at which it was written."""
    folder = tmp_path_factory.mktemp("made")
    record = write(folder)
    path = record / "writers/w1/checkpoints.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    last = newest(path.parent)
    assert last is not None
    now = last.time.timestamp() + 0.1
    signs = read_key(folder / "state" / KEY_FILE)
    bundle = write_bundle(
        record,
        folder / "bundle",
        Choice(session="s1"),
        now,
        key=signs,
        put_on_record=lambda _: None,
    )
    return Copies(
        backup=back_up(record, folder / "copies", now, key=signs).path,
        bundle=bundle.path,
        key=key(folder),
        made=last.time + timedelta(seconds=1),
        later=last.time + timedelta(hours=1),
    )


@pytest.fixture
def copies(made: Copies, tmp_path: Path) -> Copies:
    """The same, to be changed."""
    return Copies(
        backup=shutil.copytree(made.backup, tmp_path / "backup"),
        bundle=shutil.copytree(made.bundle, tmp_path / "bundle"),
        key=made.key,
        made=made.made,
        later=made.later,
    )


def test_whole_copies(made: Copies) -> None:
    found = made.findings(made.backup)
    # On a busy machine the word of its end was the only one over the last record.
    assert (found.codes(), found.codes(Level.NOTICE) - {"not-covered"}) == (set(), {"copy"})
    found = made.findings(made.bundle)
    assert (found.codes(), found.codes(Level.NOTICE)) == (set(), {"copy", "records-left-out"})


def test_a_copy_that_does_not_say_so_has_ended_unannounced(copies: Copies) -> None:
    (copies.backup / "backup.json").unlink()
    (copies.backup / copied.NAME).unlink()
    assert copies.findings(copies.backup).codes() == {"ended-unannounced"}


def test_a_copy_that_nobody_signed_is_not_believed(copies: Copies) -> None:
    for path, more in ((copies.backup, set[str]()), (copies.bundle, {"copy-unsigned"})):
        (path / copied.NAME).unlink()
        found = copies.findings(path)
        assert found.codes() == {"ended-unannounced"} | more
        assert "copy-unsigned" in found.codes() | found.codes(Level.NOTICE)
        asked = Asked(record=path, key=copies.key, now=copies.made)
        assert verify(asked).findings.codes() == more


def test_a_record_that_was_cut_short_is_no_copy_because_it_says_so(copies: Copies) -> None:
    """Neither by itself, nor with what was signed of a real one, nor by another key."""
    log = copies.backup / "writers/w0/checkpoints.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    last = newest(log.parent)
    assert last is not None
    note = json.loads((copies.backup / "backup.json").read_bytes())
    (copies.backup / "backup.json").write_text(
        json.dumps({**note, "at": stamp(last.time.timestamp())})
    )
    wrong = {"copy-wrong", "ended-unannounced"}
    assert wrong <= copies.findings(copies.backup).codes()
    other = Ed25519PrivateKey.generate()
    copied.sign(copies.backup, "backup.json", other, last.time.timestamp())
    assert wrong <= copies.findings(copies.backup).codes()
    (copies.backup / copied.NAME).unlink()
    assert "ended-unannounced" in copies.findings(copies.backup).codes()


def test_a_copy_of_a_time_to_come(copies: Copies) -> None:
    asked = Asked(record=copies.backup, key=copies.key, now=copies.made - timedelta(hours=1))
    assert "copy-wrong" in verify(asked).findings.codes()


def test_every_byte_of_what_was_signed(copies: Copies) -> None:
    """Through the part alone that reads it: all of a record each time would take minutes."""
    shot = take(copies.backup, Findings())
    store_id = str(shot.note["id"])
    keys = trusted(copies.backup, store_id, copies.key, Findings())

    def codes() -> set[str]:
        findings = Findings()
        as_of(shot, store_id, keys, copies.later, findings)
        return findings.codes()

    assert codes() == set()
    path = copies.backup / copied.NAME
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at])
        assert codes() == {"copy-wrong"}, at
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert codes() == {"copy-wrong"}, at


def problems(path: Path, copies: Copies) -> int:
    """By what reads the notes alone."""
    findings = Findings()
    shot = take(path, findings)
    store_id = str(shot.note["id"])
    keys = trusted(path, store_id, copies.key, findings)
    as_of(shot, store_id, keys, copies.later, findings)
    return findings.problems


@pytest.mark.parametrize("note", ["backup.json", "bundle.json"])
def test_a_note_that_was_cut(copies: Copies, note: str) -> None:
    path = (copies.backup if note == "backup.json" else copies.bundle) / note
    data = path.read_bytes()
    for cut in (*range(0, len(data) - 2, max(1, len(data) // 9)), len(data) - 3):
        path.write_bytes(data[:cut])
        assert problems(path.parent, copies)
    for junk in (b"[]", b"\xff", b"[" * 60_000, b'{"made":{}}', b'{"records":[]}'):
        path.write_bytes(junk)
        assert problems(path.parent, copies)


def drop_row(path: Path) -> None:
    file = next((path / "segments").glob("w0-*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.slice(0, table.num_rows - 1), file)


def edit_raw(path: Path) -> None:
    file = next((path / "segments").glob("w0-*.parquet"))
    table = pq.read_table(file)
    rows = [raw.replace('"subject":"alice"', '"subject":"carol"') for raw in
            table.column("raw").to_pylist()]  # fmt: skip
    at = table.schema.get_field_index("raw")
    pq.write_table(table.set_column(at, "raw", pa.array(rows)), file)


def drop_file(path: Path) -> None:
    next((path / "segments").glob("w0-*.parquet")).unlink()


def flip_leaf(path: Path) -> None:
    file = path / "writers/w0/leaves"
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    file.write_bytes(data)


def more_kept(path: Path) -> None:
    note = json.loads((path / "bundle.json").read_bytes())
    note["records"]["w0"]["kept"].pop()
    (path / "bundle.json").write_text(json.dumps(note))


def smaller(path: Path) -> None:
    note = json.loads((path / "bundle.json").read_bytes())
    note["records"]["w0"]["size"] -= 1
    (path / "bundle.json").write_text(json.dumps(note))


def no_writer(path: Path) -> None:
    note = json.loads((path / "bundle.json").read_bytes())
    del note["records"]["w0"]
    (path / "bundle.json").write_text(json.dumps(note))


def flip_content(path: Path) -> None:
    file = next((path / "content").glob("w0-*.parquet"))
    table = pq.read_table(file)
    rows = [
        text and b64encode(b"x" + b64decode(text)[1:]).decode()
        for text in table.column("text").to_pylist()
    ]
    at = table.schema.get_field_index("text")
    pq.write_table(table.set_column(at, "text", pa.array(rows)), file)


@pytest.mark.parametrize(
    "change",
    [drop_row, edit_raw, drop_file, flip_leaf, more_kept, smaller, no_writer, flip_content],
)
def test_a_bundle_that_was_changed(copies: Copies, change: Callable[[Path], None]) -> None:
    change(copies.bundle)
    assert copies.findings(copies.bundle).problems
