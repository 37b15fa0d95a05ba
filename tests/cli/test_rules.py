"""`proctor rules suggest`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proctor.cli import make_app
from proctor.errors import ClientError
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from tests.support.houses import house
from tests.support.judged import Desk, judged, rules
from tests.support.parts import ALICE, BOB

APP = make_app(only="rules")
RULES = """
rules:
  - {id: some, on: llm.request, then: allow}
  - {id: shell, on: llm.tool_use, match: "Bash(git *)", then: allow}
  - {id: rm, on: llm.tool_use, match: "Bash(rm *)", then: hold, approval: {from: [ops]}}
"""


async def play(desk: Desk) -> None:
    desk.now = datetime.now(UTC) - timedelta(hours=1)
    git, remove = ("Bash", {"command": "git status"}), ("Bash", {"command": "rm x"})
    await desk.turn(git, git, remove, ("Bash", {"command": "denied"}), session="mine")
    await desk.http("GET", "a.example", "/x", session="mine")
    await desk.turn(("Bash", {"command": "denied"}), principal=ALICE, session="theirs")
    await desk.turn(git, principal=BOB, session="mine")
    desk.seen = False
    await desk.mcp("jira", "create", {}, session="old")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suggest")
    made = house(folder, RULES)
    judged(folder / "recordings", folder / "rules", play)
    return made


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(APP, ["rules", "suggest", *args, "--config", str(config)])


def test_what_a_session_did(config: Path, tmp_path: Path) -> None:
    result = run(config, "mine", "--principal", "alice")
    assert result.exit_code == 0, result.output
    assert '- "Bash(git status)"  # 2 times' in result.stdout
    assert "met the rule rm (hold)" in result.stdout
    assert "nothing else that was denied or held would pass" in result.stdout
    assert "denied)" not in result.stdout
    policy = load_policy(rules(tmp_path, result.stdout), features=Features())
    assert [sorted(rule.on) for rule in policy.rules] == [["llm.request"], ["llm.tool_use"]]


def test_what_it_tried(config: Path) -> None:
    result = run(config, "mine", "--principal", "alice", "--tried")
    assert result.exit_code == 0, result.output
    assert '- "Bash(denied)"  # once' in result.stdout
    assert 'http.host == "a.example"' in result.stdout
    assert "1 actions outside this session would pass as well" in result.stdout
    assert "As it stands it cannot be loaded: There is no listener 'egress'." in result.stdout


def test_what_the_record_does_not_hold(config: Path) -> None:
    result = run(config, "old", "--tried")
    assert result.exit_code == 1
    assert "1 of 1 actions are not covered." in result.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [(["nobody"], "session-unknown"), (["mine"], "session-ambiguous"), (["flow-00001"], "")],
)
def test_which_session(config: Path, args: list[str], code: str) -> None:
    result = run(config, *args)
    if code:
        assert isinstance(result.exception, ClientError)
        assert result.exception.code == code
    else:
        assert result.exit_code == 0


def test_wrong_use_and_no_record(config: Path, tmp_path: Path) -> None:
    assert run(config, "theirs", "--since", "soon").exit_code == 2
    empty = run(house(tmp_path, RULES))
    assert isinstance(empty.exception, ClientError)
    assert empty.exception.code == "record-empty"
