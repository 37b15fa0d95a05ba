"""`proctor doctor`."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor.audit.recorder import Recorder
from proctor.cli import make_app
from proctor.cli.doctor import examine
from proctor.config import load
from proctor.evidence.sealer import Sealing
from proctor.runtime.checkup import State
from tests.support.envelopes import STILL
from tests.support.installation import CACHE


@pytest.fixture
def house(tmp_path: Path) -> Path:
    arguments = ["init", str(tmp_path), "--yes", "--listen", "127.0.0.1:0"]
    arguments += ["--console", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"]
    CliRunner().invoke(make_app(only="init"), arguments, catch_exceptions=False)
    config = tmp_path / "proctor.yaml"
    text = config.read_text()
    config.write_text(text.replace("\n  profile:", f"\n  cache: {CACHE}\n  profile:", 1))
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(make_app(only="doctor"), ["doctor", *arguments])
    return done.exit_code, done.output


def test_json_and_exit_status(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-Zx9")
    status, output = run("--config", str(house / "proctor.yaml"))
    assert status == 1
    found = {row["check"]: row for row in json.loads(output)}
    assert found["upstream claude"]["state"] == "fail"
    assert found["upstream claude"]["mend"]
    for check in ("python", "configuration", "rules", "permissions", "record", "running"):
        assert found[check]["state"] == "ok", found[check]
    assert found["credential anthropic"]["state"] == "ok"
    assert "Zx9" not in output


def test_a_table(house: Path) -> None:
    status, output = run("--config", str(house / "proctor.yaml"), "--format", "table")
    assert status == 1
    assert "Set ANTHROPIC_API_KEY" in output


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    status, output = run("--config", str(tmp_path / "none.yaml"))
    assert status == 1
    assert [row["check"] for row in json.loads(output)] == ["python", "user", "configuration"]


def test_a_record_of_a_newer_proctor(house: Path) -> None:
    (house / "recordings" / "store.json").write_text('{"schema_version": 99}')
    found = {item.check: item for item in examine(house / "proctor.yaml")}
    assert found["record"].state is State.FAIL
    assert "newer proctor" in found["record"].what


def test_a_record_is_counted_and_one_that_was_changed_is_named(house: Path) -> None:
    state = load(house / "proctor.yaml").state

    async def write() -> None:
        recorder = await Recorder.open(
            house / "recordings", pace=STILL, sealing=Sealing(state=state)
        )
        for number in range(3):
            await recorder.event("x", {"number": number})
        await recorder.close()

    asyncio.run(write())
    found = {item.check: item for item in examine(house / "proctor.yaml")}
    assert found["record"].state is State.OK
    assert "3 records" in found["record"].what
    journal = house / "recordings/writers/w0/0.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"number":1', b'"number":9'))
    found = {item.check: item for item in examine(house / "proctor.yaml")}
    assert found["record"].state is State.FAIL
    assert "w0 1" in found["record"].what


def test_no_record_yet(house: Path) -> None:
    (house / "recordings" / ".gitignore").unlink()
    (house / "recordings").rmdir()
    found = {item.check: item for item in examine(house / "proctor.yaml")}
    assert found["record"].state is State.OK
