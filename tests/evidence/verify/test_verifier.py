"""What is wrong is named, with its place; what is right is not."""

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.errors import ClientError
from proctor.evidence import heads
from proctor.evidence.sealer import Every, Sealing
from proctor.evidence.statement import Statement
from proctor.evidence.verify import signed, verifier
from proctor.evidence.verify.findings import Finding, Level
from proctor.evidence.verify.verifier import Asked, Report, verify
from proctor.tlog.note import parse_note
from tests.support.envelopes import QUICK, STILL

LATE = datetime.now(UTC) + timedelta(days=1)


async def write(path: Path, count: int, *, pace: Pace = STILL) -> None:
    sealing = Sealing(state=path.parent / "state", every=Every(records=5, seconds=3600.0))
    recorder = await Recorder.open(path, pace=pace, sealing=sealing)
    for number in range(count):
        await recorder.event("x", {"number": number})
    await recorder.close()


@pytest.fixture
def record(tmp_path: Path) -> Path:
    asyncio.run(write(tmp_path / "recordings", 12))
    return tmp_path / "recordings"


def look(path: Path, **asked: object) -> Report:
    return verify(Asked(**{"record": path, "now": LATE, **asked}))  # type: ignore[arg-type]  # its own fields


def only(report: Report, code: str) -> Finding:
    (found,) = [each for each in report.findings.listed if each.code == code]
    return found


def edit(journal: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    journal.write_bytes(b"".join(change(journal.read_bytes().splitlines(keepends=True))))


def test_the_record_that_was_edited_is_named(record: Path) -> None:
    journal = record / "writers/w0/0.jsonl"
    edit(
        journal,
        lambda lines: [*lines[:4], lines[4].replace(b'"number":4', b'"number":7'), *lines[5:]],
    )
    found = only(look(record), "record-changed")
    assert (found.level, found.writer, found.seq) == (Level.PROBLEM, "w0", 4)
    assert found.file == "writers/w0/0.jsonl"
    begins = journal.read_bytes().index(b'{"v":1,"kind":"event","writer":"w0","seq":4,')
    assert found.at == f"byte {begins}"


def test_a_record_that_was_deleted_is_named(record: Path) -> None:
    edit(record / "writers/w0/0.jsonl", lambda lines: [*lines[:4], *lines[5:]])
    missing = [each for each in look(record).findings.listed if each.code == "record-missing"]
    assert missing
    assert {each.seq for each in missing} == {4}


def test_a_record_that_was_cut_off(record: Path) -> None:
    edit(record / "writers/w0/0.jsonl", lambda lines: lines[:-1])
    found = only(look(record), "truncated")
    assert (found.seq, found.expected, found.found) == (11, "12 records", "11")


def test_records_out_of_order_and_there_twice(record: Path) -> None:
    edit(record / "writers/w0/0.jsonl", lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]])
    assert only(look(record), "record-reordered").seq == 4
    edit(record / "writers/w0/0.jsonl", lambda lines: [*lines[:4], lines[5], *lines[4:]])
    assert "record-twice" in look(record).findings.codes()


def test_a_record_that_goes_back_to_an_older_state(record: Path) -> None:
    log = record / "writers/w0/checkpoints.jsonl"
    newest = json.loads(log.read_bytes().splitlines()[-1])
    edit(log, lambda lines: lines[:2])
    edit(record / "writers/w0/0.jsonl", lambda lines: lines[:5])
    assert look(record).findings.codes() == {"ended-unannounced"}
    kept = look(record, kept=(("kept.note", newest),)).findings.codes()
    assert {"rolled-back", "truncated"} <= kept


def test_a_copy_is_judged_as_of_when_it_was_made(record: Path) -> None:
    log = record / "writers/w0/checkpoints.jsonl"
    edit(log, lambda lines: lines[:2])
    edit(record / "writers/w0/0.jsonl", lambda lines: lines[:5])
    assert look(record, now=datetime.now(UTC)).findings.codes() == set()


def test_another_key(record: Path) -> None:
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert "key-not-in-trail" in look(record, key=key).findings.codes()


def test_without_a_key_that_is_said(record: Path) -> None:
    assert only(look(record), "key-not-given").level is Level.NOTICE


def test_a_restart_after_a_kill_explains_the_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recordings"
    log = path / "writers/w0/checkpoints.jsonl"

    async def killed() -> None:
        recorder = await Recorder.open(path, pace=STILL, sealing=Sealing(state=tmp_path / "state"))
        await recorder.event("x", {})
        await recorder.close()
        # What a killed gateway never writes.
        edit(log, lambda lines: lines[:-1])
        shutil.rmtree(tmp_path / "state/heads")

    asyncio.run(killed())
    asyncio.run(killed())
    monkeypatch.setattr(signed, "SLACK", timedelta(seconds=-120))
    report = look(path)
    assert report.findings.codes() == {"ended-unannounced"}
    assert "gap-in-time" in report.findings.codes(Level.NOTICE)


def test_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> list[set[str]]:
        sealing = Sealing(state=tmp_path / "state", every=Every(records=3, seconds=0.01))
        recorder = await Recorder.open(path, pace=QUICK, sealing=sealing)
        found = []
        for _ in range(5):
            looking = asyncio.create_task(asyncio.to_thread(verify, Asked(record=path)))  # noqa: TID251 - awaited below
            while not looking.done():
                await recorder.event("x", {})
            found.append((await looking).findings.codes())
        await recorder.close()
        return found

    assert asyncio.run(main()) == [set()] * 5


def test_a_writer_that_another_one_saw(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def main() -> None:
        sealing = Sealing(state=tmp_path / "state")
        one = await Recorder.open(path, pace=STILL, sealing=sealing)
        two = await Recorder.open(path, pace=STILL, sealing=sealing)
        await two.close()
        await one.close()

    asyncio.run(main())
    assert look(path).findings.codes() == set()
    (path / "writers/w1").rename(tmp_path / "w1")
    assert only(look(path), "writer-missing").writer == "w1"


def test_heads_that_were_kept_agree(record: Path) -> None:
    origin = json.loads((record / "writers/w0/checkpoints.jsonl").read_bytes().splitlines()[-1])
    kept = heads.kept(record.parent / "state", origin.partition("\n")[0])
    assert kept is not None
    assert look(record, kept=(("head", kept),)).findings.codes() == set()


def test_the_last_words_of_a_copy_that_nobody_signed_explain_nothing(copy: Path) -> None:
    """Whoever says --as-of does not thereby believe what no checkpoint covers."""
    log = copy / "writers/w0/checkpoints.jsonl"
    edit(log, lambda lines: lines[:-1])  # as if it were still running
    time = moment_of(json.loads(log.read_bytes().splitlines()[-1]))
    assert "record-missing" not in look(copy, now=time).findings.codes()
    segment = min(copy.glob("segments/w0-1-*.parquet"))
    ledger = copy / "writers/w0/ledger.jsonl"
    said = {"i": len(ledger.read_bytes().splitlines()), "ts": "t", "op": "gone"}
    said |= {"file": f"segments/{segment.name}", "why": "retention"}
    with ledger.open("ab") as target:
        target.write(json.dumps(said, separators=(",", ":")).encode() + b"\n")
    segment.unlink()
    assert "record-missing" in look(copy, now=time).findings.codes()


def moment_of(note: str) -> datetime:
    return Statement.parse(parse_note(note).text).time


def test_two_histories_that_the_true_key_signed(record: Path) -> None:
    """Each is whole by itself; who has kept a checkpoint of the other sees it."""
    other = shutil.copytree(record, record.parent / "other")
    state = shutil.copytree(record.parent / "state", record.parent / "state2")
    shutil.rmtree(state / heads.FOLDER)

    async def more(path: Path, folder: Path, what: str) -> str:
        recorder = await Recorder.open(path, pace=STILL, sealing=Sealing(state=folder))
        await recorder.event("x", {"what": what})
        await recorder.close()
        return str(
            json.loads((path / "writers/w0/checkpoints.jsonl").read_bytes().splitlines()[-1])
        )

    one = asyncio.run(more(record, record.parent / "state", "one"))
    two = asyncio.run(more(other, state, "two"))
    for path, own, foreign in ((record, one, two), (other, two, one)):
        assert look(path).findings.codes() == set()
        assert look(path, kept=(("kept", own),)).findings.codes() == set()
        found = look(path, kept=(("kept", foreign),)).findings.codes()
        assert found & {"forked", "rolled-back"}, found


def test_files_that_go_before_they_are_read(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked again; at last that is said, and no trace shown."""
    left = [5]

    def gone(*_: object) -> Callable[[], None]:
        left[0] -= 1
        if left[0] >= 0:
            raise FileNotFoundError
        return lambda: None

    monkeypatch.setattr(verifier, "seeded", gone)
    assert look(record).findings.codes() == set()
    left[0] = 10**6
    with pytest.raises(ClientError) as caught:
        look(record)
    assert caught.value.code == "verify-unsettled"
