"""`proctor budgets`: who has used what, and beginning anew."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor.budgets.file import NAME, BudgetFile
from proctor.budgets.model import Pot
from proctor.cli import make_app

APP = make_app(only="budgets")
CONFIG = """\
schema_version: 1
listeners:
  - name: claude
    kind: reverse
    listen: 127.0.0.1:0
    upstream: http://127.0.0.1:1
    speaks: http
identity:
  issuers: [{issuer: local, audience: proctor, groups: groups}]
budgets:
  - {name: run, per: session, of: tokens, limit: 100}
"""
RUN = Pot("run", "local#alice \x1b[2J", 0, "local#alice")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "proctor.yaml"
    path.write_text(CONFIG)
    with closing(BudgetFile(tmp_path / ".proctor" / NAME)) as file:
        file.add({RUN: 120.0}, {}, time.time())
    return path


def test_it_is_listed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(APP, ["budgets", "list", "--config", str(config)])
    (row,) = json.loads(said.stdout)
    assert row == {
        "budget": "run",
        "who": RUN.who,
        "of": "tokens",
        "used": 120.0,
        "limit": 100.0,
        "share": 1.2,
        "standing": "over",
        "then": "deny",
        "until": None,
    }
    table = CliRunner().invoke(
        APP, ["budgets", "list", "local#alice", "--format", "table", "--config", str(config)]
    )
    assert "\x1b" not in table.stdout
    assert "over" in table.stdout
    monkeypatch.chdir(config.parent)
    assert json.loads(CliRunner().invoke(APP, ["budgets"]).stdout) == [row]


def test_what_is_used_up(config: Path) -> None:
    over = ["budgets", "list", "--over", "--config", str(config)]
    assert CliRunner().invoke(APP, over).exit_code == 0
    none = CliRunner().invoke(APP, [*over, "local#bob"])
    assert (none.exit_code, none.stderr) == (1, "Nothing is used up.\n")


def test_beginning_anew(config: Path) -> None:
    reset = ["budgets", "reset", "run", RUN.who, "--config", str(config)]
    done = CliRunner().invoke(APP, reset)
    assert (done.exit_code, done.stdout) == (0, "local#alice \\x1b[2J begins run anew.\n")
    again = CliRunner().invoke(APP, reset)
    assert again.exit_code == 1
    assert "Nothing is used of run" in again.stderr
    listed = CliRunner().invoke(APP, ["budgets", "list", "--config", str(config)])
    assert json.loads(listed.stdout) == []
    assert "Nothing is used yet." in listed.stderr
