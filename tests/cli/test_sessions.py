"""`proctor sessions`: what a person or a script sees."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.sessions import COLUMNS, _rounded, _shortened, sessions
from tests.support.houses import house
from tests.support.recorded import SESSION, Tape, answer, others, record, story, text

APP = typer.Typer()
APP.command()(sessions)
GOLDEN = Path(__file__).parents[1] / "golden/cli"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sessions")
    record(folder / "recordings", story, others)
    return house(folder, "rules: []\n")


def run(config: Path, *args: str, width: str = "120") -> Result:
    return CliRunner().invoke(APP, ["--config", str(config), *args], env={"COLUMNS": width})


@pytest.mark.parametrize("width", ["120", "80"])
def test_table(config: Path, width: str) -> None:
    result = run(config, "--format", "table", width=width)
    assert result.stdout == (GOLDEN / f"sessions-{width}.txt").read_text()


def test_json(config: Path) -> None:
    rows = json.loads(run(config).stdout)
    assert [row["subject"] for row in rows] == ["alice", "bob", "alice", "alice"]
    assert tuple(rows[0]) == COLUMNS
    assert (rows[3]["session_id"], rows[3]["duration"]) == (SESSION, 186.752)
    assert rows[3]["started_at"] == "2026-01-02T03:04:05+00:00"
    assert rows[3]["cache_read_tokens"] == 36_000


def test_csv(config: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(config, "--format", "csv").stdout)))
    assert [row["denied"] for row in rows] == ["0", "0", "0", "1"]


def test_some(config: Path) -> None:
    assert len(json.loads(run(config, "--principal", "bob").stdout)) == 1
    assert len(json.loads(run(config, "--limit", "3").stdout)) == 3
    long = (datetime.now(UTC) - datetime(2026, 1, 3, tzinfo=UTC)) // timedelta(seconds=1)
    if long > 0:
        assert len(json.loads(run(config, "--since", f"{long}s").stdout)) == 2


@pytest.mark.parametrize("args", [["--since", "soon"], ["--limit", "0"]])
def test_wrong_use(config: Path, args: list[str]) -> None:
    assert run(config, *args).exit_code == 2


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_record_says_what_to_do(tmp_path: Path, made: bool) -> None:  # noqa: FBT001 - a case
    if made:
        record(tmp_path / "recordings")
    config = house(tmp_path, "rules: []\n")
    result = run(config, "--format", "table")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Start `proctor run`" in result.stderr
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:" in result.stderr
    result = run(config)
    assert json.loads(result.stdout) == []
    assert run(config, "--principal", "x").stderr.startswith("No such session")


def test_names_are_not_obeyed(tmp_path: Path) -> None:
    async def play(tape: Tape) -> None:
        await tape.turn(tape.say(text("hi")), answer(text("x")), session="\x1b[2J[red]\u202e")

    record(tmp_path / "recordings", play)
    shown = run(house(tmp_path, "rules: []\n"), "--format", "table").stdout
    assert "\\x1b[2J[re" in shown
    assert "\x1b" not in shown


def test_shortened_names_are_unique() -> None:
    names = ["aaaaaaaaaa1", "aaaaaaaaaa2", "b", "aaaaaaaaaa"]
    assert _shortened(names) == {
        "aaaaaaaaaa": "aaaaaaaaaa",
        "aaaaaaaaaa1": "aaaaaaaaaa1",
        "aaaaaaaaaa2": "aaaaaaaaaa2",
        "b": "b",
    }
    assert _shortened(["3f2a7c1e-1", "3f2b"])["3f2a7c1e-1"] == "3f2a7c1e"


@pytest.mark.parametrize(("count", "text"), [(999, "999"), (18_340, "18.3k"), (2_100_000, "2.1M")])
def test_rounded(count: int, text: str) -> None:
    assert _rounded(count) == text
