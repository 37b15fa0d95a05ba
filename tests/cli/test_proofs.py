"""`proctor record prove`, `consistency`, `key` and `rotate`, with gateways at work."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proctor.audit.recorder import Recorder
from proctor.cli import make_app
from proctor.config import load
from proctor.errors import ProctorError
from proctor.evidence.keys import KEY_FILE
from proctor.evidence.sealer import Every, Sealing
from proctor.evidence.verify.trust import parse_key
from proctor.evidence.verify.verifier import Asked, verify
from proctor.tlog.prooffile import InclusionFile
from tests.support.envelopes import QUICK, begin, end
from tests.support.houses import house


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return house(tmp_path, "rules: []\n")


def sealing(config: Path) -> Sealing:
    return Sealing(state=load(config).state, every=Every(records=3, seconds=0.02, idle=0.1))


def run(*arguments: str | Path) -> Result:
    words = [str(each) for each in arguments]
    app = make_app(only=words[0])
    return CliRunner().invoke(app, words, catch_exceptions=False)


def write(config: Path, count: int = 6) -> Path:
    path = load(config).audit.path

    async def main() -> None:
        recorder = await Recorder.open(path, pace=QUICK, sealing=sealing(config))
        for number in range(count):
            seq = await begin(recorder, f"flow-{number}")
            await end(recorder, f"flow-{number}", seq)
        await recorder.close()

    asyncio.run(main())
    return path


def test_a_proof_of_every_record(config: Path, tmp_path: Path) -> None:
    record = write(config)
    key = run("record", "key", "--config", config).stdout.strip()
    proof = tmp_path / "flow.tlog-proof"
    for what in ("flow-3", *(f"w0:{seq}" for seq in range(12))):
        assert run("record", "prove", what, "-o", proof, "--config", config).exit_code == 0
        done = run("verify", "--proof", proof, "--key", key)
        assert done.exit_code == 0
        assert '"seq":' in done.stdout
    assert '"kind":"flow.end"' in run("record", "prove", "flow-3", "--config", config).stdout or (
        b'"flow.end"' in (InclusionFile.parse(proof.read_text()).extra or b"")
    )
    with pytest.raises(ProctorError) as caught:
        run("record", "prove", "w0:999", "--config", config)
    assert caught.value.code == "record-unknown"
    assert record.is_dir()


def test_a_proof_that_was_changed_at_any_byte(config: Path, tmp_path: Path) -> None:
    write(config)
    key = run("record", "key", "--config", config).stdout.strip()
    text = run("record", "prove", "w0:3", "--config", config).stdout
    path = tmp_path / "proof"
    for at in range(0, len(text), 23):
        for changed in (text[:at], text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]):
            path.write_text(changed)
            with pytest.raises(ProctorError):
                run("verify", "--proof", path, "--key", key)


def test_growth(config: Path, tmp_path: Path) -> None:
    record = write(config)
    key = run("record", "key", "--config", config).stdout.strip()
    log = record / "writers/w0/checkpoints.jsonl"
    lines = log.read_bytes().splitlines()
    kept, growth = tmp_path / "kept.note", tmp_path / "growth"
    for line in lines:
        kept.write_text(json.loads(line))
        run("record", "consistency", kept, "-o", growth, "--config", config)
        assert run("verify", "--proof", growth, "--checkpoint", kept, "--key", key).exit_code == 0
    newest = tmp_path / "newest.note"
    newest.write_text(json.loads(lines[-1]))
    kept.write_text(json.loads(lines[0]))
    with pytest.raises(ProctorError) as caught:
        run("record", "consistency", newest, kept, "--config", config)
    assert caught.value.code == "proof-backwards"
    kept.write_text(kept.read_text().replace("/w0", "/../../x"))
    with pytest.raises(ProctorError):
        run("record", "consistency", kept, "--config", config)


def test_rotated_while_two_gateways_write(config: Path) -> None:
    """The trail is not broken, the old key is no more, and each key verifies the whole record."""
    settings = load(config)
    own = settings.state / KEY_FILE
    olds: list[bytes] = []

    async def main() -> None:
        recorders = [
            await Recorder.open(settings.audit.path, pace=QUICK, sealing=sealing(config))
            for _ in range(2)
        ]
        for _ in range(3):
            olds.append(own.read_bytes())
            done = await asyncio.to_thread(run, "record", "rotate", "--config", config)
            assert done.exit_code == 0
            for number in range(20):
                await recorders[number % 2].event("x", {"number": number})
                await asyncio.sleep(0.002)
        for recorder in recorders:
            await recorder.close()

    asyncio.run(main())
    keys = run("record", "key", "--config", config).stdout.split()
    assert len(keys) == 4
    late = datetime.now(UTC) + timedelta(days=1)
    for key in keys:
        report = verify(Asked(record=settings.audit.path, key=parse_key(key), now=late))
        assert not report.findings.counts
        assert {each.key for each in report.writers} == {4}
    everything = [path.read_bytes() for path in settings.state.rglob("*") if path.is_file()]
    for old in olds:
        secret = re.sub(rb"-----[^-]+-----|\s", b"", old)
        assert not any(secret in re.sub(rb"\s", b"", data) for data in everything)


def test_help_has_examples() -> None:
    for command in ("prove", "consistency", "key", "rotate"):
        assert f"proctor record {command}" in run("record", command, "--help").output
