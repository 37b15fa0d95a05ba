"""`proctor export --bundle`, and the commands that read one elsewhere."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proctor.audit.recorder import Recorder
from proctor.cli import make_app
from proctor.cli.common import user
from proctor.config import load
from proctor.evidence.sealer import Sealing
from tests.support.envelopes import ALICE, STILL, begin, end, flow, run, turn
from tests.support.houses import house


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = house(tmp_path, "rules: []\n")
    settings = load(file)

    async def main() -> None:
        sealing = Sealing(state=settings.state)
        recorder = await Recorder.open(settings.audit.path, pace=STILL, sealing=sealing)
        for name in ("s1", "t1"):
            body = recorder.put(recorder.scope(ALICE, run(name)), f"{name} says".encode())
            more = flow("", run(name)) | {"turn": turn(body), "request": body.as_json()}
            del more["flow_id"]
            await end(recorder, name, await begin(recorder, name, **more), **more)
        await recorder.close()

    asyncio.run(main())
    return file


def proctor(command: str, *arguments: str) -> Result:
    return CliRunner().invoke(make_app(only=command), [command, *arguments])


def test_a_bundle_is_on_record_and_is_read_elsewhere(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "case"
    done = proctor("export", "--bundle", str(out), "--session", "s1", "--config", str(config))
    assert done.exit_code == 0, done.output
    assert done.stderr == f"2 records in {out}, 2 others by hash alone\n"
    asked = "SELECT detail FROM events WHERE kind = 'export'"
    (row,) = json.loads(proctor("query", asked, "--config", str(config)).stdout)
    detail = json.loads(row["detail"])
    assert (detail["by"], detail["format"], detail["session"]) == (user(), "bundle", "s1")
    assert (detail["records"], detail["left_out"], detail["to"]) == (2, 2, str(out))

    asked = "SELECT session_id, prompt FROM turns"
    rows = json.loads(proctor("query", asked, "--audit", str(out)).stdout)
    assert rows == [{"session_id": "s1", "prompt": "s1 says"}]
    assert "s1 says" in proctor("show", "s1", "--audit", str(out)).stdout
    (row,) = json.loads(proctor("sessions", "--audit", str(out)).stdout)
    assert row["session_id"] == "s1"
    assert "No such session" in proctor("sessions", "--audit", str(tmp_path / "none")).stderr


@pytest.mark.parametrize(
    "more",
    [("--format", "har"), ("--output", "x"), ("--view", "flows"), ("--content",), ("--force",)],
)
def test_what_does_not_go_with_it(config: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    out = tmp_path / "case"
    done = proctor("export", "--bundle", str(out), *more, "--config", str(config))
    assert done.exit_code == 2
    assert not out.exists()
