"""`proctor record backup` and `restore`, as people use them."""

import asyncio
import errno
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proctor.audit.inquiry import open_record
from proctor.audit.recorder import Recorder
from proctor.cli import make_app
from proctor.config import load
from proctor.errors import ClientError
from proctor.evidence.sealer import Sealing
from tests.support.envelopes import STILL
from tests.support.houses import house


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = house(tmp_path, "rules: []\n")
    settings = load(file)

    async def main() -> None:
        sealing = Sealing(state=settings.state)
        recorder = await Recorder.open(settings.audit.path, pace=STILL, sealing=sealing)
        await recorder.event("x", {"number": 1})
        await recorder.close()

    asyncio.run(main())
    return file


def run(*arguments: str) -> Result:
    app = make_app(only="record")
    return CliRunner().invoke(app, ["record", *arguments], catch_exceptions=False)


def kinds(record: Path) -> list[str]:
    with open_record(record) as database:
        rows = database.execute("SELECT kind, detail FROM events ORDER BY ts").fetchall()
    return [f"{kind} {json.loads(detail).get('to', '')}".strip() for kind, detail in rows]


def test_there_and_back(config: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    done = run("backup", str(copies), "--config", str(config))
    assert done.exit_code == 0
    assert "2 records of 1 writer in" in done.output
    record = load(config).audit.path
    # The copy says of itself that it was made.
    assert kinds(record) == ["x", f"backup {copies}"]
    shutil.rmtree(record)
    done = run("restore", str(copies), str(record))
    assert done.exit_code == 0
    assert done.output.startswith("2 records in ")
    assert kinds(record) == ["x", f"backup {copies}"]


def test_help_has_an_example() -> None:
    for command in ("backup", "restore"):
        assert f"proctor record {command} /mnt" in run(command, "--help").output


def test_a_disk_that_is_full(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")

    monkeypatch.setattr("proctor.cli.backups.back_up", full)
    with pytest.raises(ClientError, match="No space left on device") as caught:
        run("backup", str(tmp_path / "copies"), "--config", str(config))
    assert caught.value.code == "backup-failed"
    assert "secret" not in str(caught.value)
