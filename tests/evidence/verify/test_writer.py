"""One flipped byte of one record: which record, whose, of which flow, in which file.

And what is looked at closely although nobody asked for all of it.
"""

import asyncio
import json
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from proctor.audit.recorder import Recorder
from proctor.audit.segments import Segment, Workshop
from proctor.audit.store import CONTENT, SEGMENTS
from proctor.evidence.ledger import Ledger
from proctor.evidence.sealer import Every, Sealing
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.verifier import Asked, verify
from proctor.evidence.verify.writer import _split
from tests.support.changes import remake
from tests.support.envelopes import ALICE, QUICK, begin, end, run, turn, until


@pytest.mark.parametrize("full", [False, True])
def test_the_byte_that_was_changed_in_a_segment(copy: Path, *, full: bool) -> None:
    """Of a record that no journal holds any more; Parquet and its columns as they should be."""
    hot = b"".join(path.read_bytes() for path in copy.glob("writers/w0/[0-9]*.jsonl"))
    path, at = next(
        (path, at)
        for path in sorted(copy.glob("segments/w0-*.parquet"))
        for at, row in enumerate(pq.read_table(path).to_pylist())
        if row["flow_id"] and row["raw"].encode() not in hot
    )
    table = pq.read_table(path)
    raws = table.column("raw").to_pylist()
    flows = table.column("flow_id").to_pylist()
    place = raws[at].index('"host":"') + len('"host":"')
    raws[at] = raws[at][:place] + chr(ord(raws[at][place]) ^ 1) + raws[at][place + 1 :]
    column = table.schema.get_field_index("raw")
    pq.write_table(table.set_column(column, "raw", pa.array(raws)), path)
    listed = verify(Asked(record=copy, full=full)).findings.listed
    (found,) = [each for each in listed if each.code == "record-changed"]
    assert (found.writer, found.seq, found.flow_id, found.file) == (
        "w0",
        table.column("seq")[at].as_py(),
        flows[at],
        path.relative_to(copy).as_posix(),
    )
    assert found.time


def test_runs_are_cut_where_others_begin() -> None:
    assert _split(0, 9, [(2, 3), (8, 20)]) == [
        (0, 1, False), (2, 3, True), (4, 7, False), (8, 9, True),
    ]  # fmt: skip
    assert _split(5, 9, [(0, 4), (10, 12)]) == [(5, 9, False)]
    assert _split(5, 9, [(0, 20)]) == [(5, 9, True)]


async def write(path: Path, made: str) -> None:
    """Two flows with content, sealed as it should be; until a file is there."""
    sealing = Sealing(state=path.parent / "state", every=Every(records=2, seconds=3600.0))
    recorder = await Recorder.open(path, pace=QUICK, sealing=sealing)
    for number in range(2):
        scope = recorder.scope(ALICE, run("a"))
        prompt = recorder.put(scope, f"alice says {number}".encode())
        flow = f"a-{number}"
        seq = await begin(recorder, flow, principal=ALICE, turn=turn(prompt))
        await end(recorder, flow, seq, principal=ALICE, turn=turn(prompt))
    await until(lambda: any(path.glob(made)))
    await recorder.close()


def look(path: Path, *, full: bool = False) -> Findings:
    return verify(Asked(record=path, full=full)).findings


def test_what_a_gateway_wrote_wrongly_before_it_signed_takes_a_full_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(self: Ledger, root: Path, file: Path, *, rows: int, why: str, day: str) -> None:
        if file.parent.name == SEGMENTS:
            remake(file, "SELECT * REPLACE ('deny' AS verdict) FROM {rows}")
        made(self, root, file, rows=rows, why=why, day=day)

    made = Ledger.made
    monkeypatch.setattr(Ledger, "made", lie)
    asyncio.run(write(tmp_path / "recordings", "segments/w*.parquet"))
    assert look(tmp_path / "recordings").codes() == set()
    assert look(tmp_path / "recordings", full=True).codes() == {"columns-differ"}


@pytest.mark.parametrize("records_stay", [True, False])
def test_content_that_only_a_journal_holds_is_read_against_signed_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, records_stay: bool
) -> None:
    """Between the two halves of a conversion: who knows the salt can make up names of blocks."""

    def convert(self: Workshop, slot: object, folder: str, segment: Segment) -> int:
        if folder == CONTENT:
            raise OSError("no space left")
        return whole(self, slot, folder, segment)  # type: ignore[arg-type]  # a slot

    whole = Workshop.convert
    monkeypatch.setattr(Workshop, "convert", convert)
    record = tmp_path / "recordings"
    asyncio.run(write(record, "segments/w*.parquet"))
    assert look(record).codes() == set()
    for journal in record.glob("writers/w0/[0-9]*.jsonl"):
        lines = journal.read_bytes().splitlines(keepends=True)
        salt = next((json.loads(line)["salt"] for line in lines if b'"salt":' in line), "")
        for at, line in enumerate(lines):
            said = json.loads(line)
            if said.get("text") == "alice says 0":
                said["text"] = "alice says 9"
                key = bytes.fromhex(salt)
                digest = blake2b(said["text"].encode(), key=key, digest_size=16)
                said["hash"] = digest.hexdigest()
                lines[at] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        kept = [line for line in lines if records_stay or b'"text"' in line or b'"salt"' in line]
        journal.write_bytes(b"".join(kept))
    assert "content-changed" in look(record).codes()
