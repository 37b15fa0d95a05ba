"""`proctor backtest`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proctor.cli import make_app
from proctor.errors import ConfigurationError
from proctor.policy import backtestfind
from tests.support.houses import house
from tests.support.judged import Desk, judged
from tests.support.parts import BOB

APP = make_app(only="backtest")
RULES = "rules: [{id: all, on: [llm.request, llm.tool_use, http.request], then: allow}]\n"
NEW = """
rules:
  - {id: all, on: [llm.request, llm.tool_use, http.request], then: allow}
  - {id: rm, on: llm.tool_use, match: "Bash(rm *)", then: hold, approval: {from: [ops]}}
  - {id: evil, on: http.request, when: 'http.host == "evil.example"', then: deny}
"""


async def play(desk: Desk) -> None:
    desk.now = datetime.now(UTC) - timedelta(hours=1)
    await desk.turn(("Bash", {"command": "rm x\x1b"}))
    await desk.http("GET", "evil.example", "/", principal=BOB)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest")
    made = house(folder, RULES)
    judged(folder / "recordings", folder / "rules", play)
    (folder / "new.yaml").write_text(NEW)
    return made


def run(config: Path, *args: str, rules: str = "new.yaml") -> Result:
    words = ["backtest", str(config.parent / rules), "--config", str(config), *args]
    return CliRunner().invoke(APP, words)


def test_json(config: Path) -> None:
    result = run(config)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["changes"]["newly-held"], found["changes"]["newly-denied"]) == (1, 1)
    assert found["surprises"] == []


def test_table_csv_and_markdown(config: Path) -> None:
    table = run(config, "--format", "table", "--fail-on", "newly-denied")
    assert table.exit_code == 1
    assert "newly-held" in table.stdout
    assert "Newly denied: 1 (1 person)." in table.stdout
    assert "Surprise: newly-denied: http.request GET evil.example" in table.stderr
    assert "\x1b[2" not in table.stdout
    assert " bob " in table.stdout
    assert "https://" not in table.stdout
    rows = run(config, "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("change,kind,what,principal")
    assert len(rows) == 3
    told = run(config, "--format", "markdown", "--fail-on", "newly-allowed")
    assert told.exit_code == 0
    assert "**As expected**" in told.stdout


def test_the_check_of_a_pull_request(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "expect.yaml"
    file.write_text("fail_on: [newly-denied, newly-held]\nexcept: [{rule: evil}]\n")
    result = run(config, "--expect", str(file))
    assert result.exit_code == 1
    (said,) = json.loads(result.stdout)["surprises"]
    assert said.startswith("newly-held: llm.tool_use Bash(rm)")
    file.write_text("fail_on: [newly-denied, newly-held]\nexcept: [{rule: evil}, {rule: rm}]\n")
    assert run(config, "--expect", str(file)).exit_code == 0
    file.write_text("fail_on: [denied]\n")
    assert isinstance(run(config, "--expect", str(file)).exception, ConfigurationError)


def test_a_page(config: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run(config, "--report", str(page), "--fail-on", "newly-held").exit_code == 1
    text = page.read_text()
    assert "1 surprises" in text
    assert "newly denied" in text
    assert page.stat().st_mode & 0o777 == 0o600
    assert run(config, "--report", str(tmp_path / "none" / "x")).exit_code == 2
    assert run(config, "--report", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize(
    "args",
    [
        ["--since", "soon"],
        ["--since", "1h", "--until", "2h"],
        ["--fail-on", "denied"],
        ["--expect", "x", "--fail-on", "newly-held"],
        ["--workers", "0"],
    ],
)
def test_wrong_use(config: Path, args: list[str]) -> None:
    assert run(config, *args).exit_code == 2


def test_no_such_rules(config: Path) -> None:
    assert run(config, rules="none").exit_code == 2


def test_times(config: Path) -> None:
    found = json.loads(run(config, "--since", "2020-01-01", "--until", "2020-01-02").stdout)
    assert (found["actions"], found["since"]) == (0, "2020-01-01T00:00:00.000000Z")


def test_detectors_that_differ(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = config.parent / "changed.yaml"
    other.write_text(config.read_text() + "redaction: {max_size: 1MiB}\n")
    asked: list[Any] = []

    def find(search: Any, _progress: Any, **_: Any) -> dict[str, Any]:
        asked.append(search)
        took = {"before": 1.0, "now": 1.0}
        return {
            "texts": 1, "bytes": 1, "parts": 1, "of_parts": 1, "failed": 0, "ms_a_text": took,
            "no_longer_found": {}, "rows": [],
        }  # fmt: skip

    monkeypatch.setattr(backtestfind, "find", find)
    result = run(config, "--new-config", str(other), "--format", "markdown")
    assert result.exit_code == 0, result.output
    assert "Looked anew at 1 texts" in result.stdout
    assert asked[0].now.max_size == 1024 * 1024
    assert run(config, "--new-config", str(config)).exit_code == 0
    assert len(asked) == 1
