"""`proctor doctor` says how the record is signed."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.audit.recorder import Recorder
from proctor.config import Config, load
from proctor.evidence.keys import KEY_FILE, make_key
from proctor.evidence.sealer import Sealing
from proctor.runtime.checkup import Finding, State
from proctor.runtime.evidence import evidence_findings
from tests.support.envelopes import STILL
from tests.support.houses import house


def write(config: Config, *, sealed: bool = True, records: int = 3) -> None:
    async def main() -> None:
        sealing = Sealing(state=config.state) if sealed else None
        recorder = await Recorder.open(config.audit.path, pace=STILL, sealing=sealing)
        for number in range(records):
            await recorder.event("x", {"number": number})
        await recorder.close()

    asyncio.run(main())


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(house(tmp_path, "rules: []\n"))


def look(config: Config, later: float = 0) -> list[Finding]:
    return list(evidence_findings(config, datetime.now(UTC) + timedelta(seconds=later)))


def test_no_record_and_one_from_before_there_were_keys(config: Config) -> None:
    assert look(config) == []
    write(config, sealed=False)
    assert [each.what for each in look(config)] == ["None yet; the next start makes it"]


def test_a_signed_record(config: Config) -> None:
    write(config)
    key, checkpoints = look(config, 300)
    assert {key.state, checkpoints.state} == {State.OK}
    assert "key number 1" in key.what
    assert checkpoints.what.startswith("w0: 3 records, 5 min ago")


def test_a_checkpoint_that_is_overdue(config: Config) -> None:
    write(config)
    path = config.audit.path / "writers/w0/checkpoints.jsonl"
    promising = path.read_bytes().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(promising))
    _, checkpoints = look(config, 3600)
    assert checkpoints.state is State.WARN
    assert "w0: the next checkpoint is overdue" in checkpoints.what


def test_the_key_is_missing_another_or_open_to_others(config: Config) -> None:
    write(config)
    path = config.state / KEY_FILE
    path.chmod(0o644)
    (found,) = look(config)
    assert "Others can reach the record" in found.what
    make_key(path)
    found = look(config)[0]
    assert (found.state, "another key" in found.what) == (State.FAIL, True)
    path.unlink()
    found = look(config)[0]
    assert (found.state, "not there" in found.what) == (State.FAIL, True)


def test_a_trail_or_a_checkpoint_that_cannot_be_read(config: Config) -> None:
    write(config)
    checkpoints = config.audit.path / "writers/w0/checkpoints.jsonl"
    kept = checkpoints.read_bytes()
    for junk in (b'"x"\n', b"\xff\n", b"{}\n", b"[" * 90_000 + b"\n"):
        checkpoints.write_bytes(kept + junk)
        assert look(config)[-1].state is State.FAIL
    note = config.audit.path / "keys/000001.note"
    note.write_bytes(note.read_bytes().replace(b"\n1\n", b"\n2\n"))
    (found,) = look(config)
    assert (found.state, "trail" in found.what) == (State.FAIL, True)


def test_a_writer_that_rests(config: Config) -> None:
    write(config)
    journal = config.audit.path / "writers/w0/0.jsonl"
    journal.write_bytes(b"")
    write(config)
    found = {each.what.partition(":")[0]: each.state for each in look(config)}
    assert found["The writer w0 rests"] is State.WARN
    assert found["w1"] is State.OK
