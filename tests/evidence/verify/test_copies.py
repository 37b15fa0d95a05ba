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

from proctor.evidence.backup import back_up
from proctor.evidence.sealer import newest
from proctor.evidence.verify.findings import Findings, Level
from proctor.evidence.verify.verifier import Asked, verify
from proctor.export.bundle import write_bundle
from proctor.export.records import Choice
from tests.evidence.test_outsider import key, write


@dataclass(frozen=True)
class Copies:
    backup: Path
    bundle: Path
    key: bytes
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
    bundle = write_bundle(
        record, folder / "bundle", Choice(session="s1"), now, put_on_record=lambda _: None
    )
    return Copies(
        backup=back_up(record, folder / "copies", now).path,
        bundle=bundle.path,
        key=key(folder),
        later=last.time + timedelta(hours=1),
    )


@pytest.fixture
def copies(made: Copies, tmp_path: Path) -> Copies:
    """The same, to be changed."""
    return Copies(
        backup=shutil.copytree(made.backup, tmp_path / "backup"),
        bundle=shutil.copytree(made.bundle, tmp_path / "bundle"),
        key=made.key,
        later=made.later,
    )


def test_whole_copies(made: Copies) -> None:
    found = made.findings(made.backup)
    assert (found.codes(), found.codes(Level.NOTICE)) == (set(), {"copy"})
    found = made.findings(made.bundle)
    assert (found.codes(), found.codes(Level.NOTICE)) == (set(), {"copy", "records-left-out"})


def test_a_copy_that_does_not_say_so_has_ended_unannounced(copies: Copies) -> None:
    (copies.backup / "backup.json").unlink()
    assert copies.findings(copies.backup).codes() == {"ended-unannounced"}


@pytest.mark.parametrize("note", ["backup.json", "bundle.json"])
def test_a_moment_that_is_none(copies: Copies, note: str) -> None:
    path = (copies.backup if note == "backup.json" else copies.bundle) / note
    said = json.loads(path.read_bytes())
    name = "at" if note == "backup.json" else "made"
    moments: list[object] = [
        None,
        1,
        "",
        "yesterday",
        "2026-11-22",
        "2999-01-01T00:00:00Z",
        [],
        "9" * 5000,
    ]
    for moment in moments:
        path.write_text(json.dumps({**said, name: moment}))
        assert {"copy-unreadable", "ended-unannounced"} <= copies.findings(path.parent).codes()


@pytest.mark.parametrize("note", ["backup.json", "bundle.json"])
def test_a_note_that_was_cut(copies: Copies, note: str) -> None:
    path = (copies.backup if note == "backup.json" else copies.bundle) / note
    data = path.read_bytes()
    for cut in (*range(0, len(data) - 2, max(1, len(data) // 9)), len(data) - 3):
        path.write_bytes(data[:cut])
        assert copies.findings(path.parent).problems
    for junk in (b"[]", b"\xff", b"[" * 60_000, b'{"made":{}}', b'{"records":[]}'):
        path.write_bytes(junk)
        assert copies.findings(path.parent).problems


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
