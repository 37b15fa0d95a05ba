"""`proctor search`: what a person or a script sees."""

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli import search as module
from proctor.cli.search import COLUMNS, search
from proctor.errors import ClientError
from proctor.search.indexer import Indexer, Progress
from tests.support.houses import house
from tests.support.recorded import HOSTILE, Tape, answer, others, record, story, text

APP = typer.Typer()
APP.command()(search)


async def _hostile(tape: Tape) -> None:
    await tape.turn(tape.say(text(f"look here: {HOSTILE}")), answer(text("ok")))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    record(folder / "recordings", story, others, _hostile)
    return house(folder, "rules: []\n")


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(APP, ["--config", str(config), *args], env={"COLUMNS": "100"})


def test_table(config: Path) -> None:
    result = run(config, '"how many files"', "--format", "table")
    assert result.exit_code == 0
    head, context, show, *_ = result.stdout.splitlines()
    assert head == "2026-01-02 03:04:05 alice prompt session 3f2a7c1e"
    assert "How many files" in context
    assert show == "  proctor show f0001-0000"


def test_json(config: Path) -> None:
    (row,) = json.loads(run(config, '"how many files"').stdout)
    assert tuple(row) == COLUMNS
    assert (row["part"], row["subject"], row["verdict"]) == ("prompt", "alice", "allow")
    ((start, end),) = row["marks"]
    assert row["text"][start:end].lower() == "how many files"


def test_csv(config: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(config, "files", "--format", "csv").stdout)))
    assert rows
    assert rows[0]["show"].startswith("proctor show f")


def test_filters(config: Path) -> None:
    everything = json.loads(run(config, "f* OR*").stdout or "[]")
    assert isinstance(everything, list)
    assert len(json.loads(run(config, "files", "--limit", "1").stdout)) == 1
    tools = json.loads(run(config, "ls*", "--tool", "Bash", "--in", "input").stdout)
    assert {row["tool"] for row in tools} == {"Bash"}
    for filters in (
        ("--principal", "nobody"), ("--until", "2025-01-01"), ("--entity", "IBAN"),
        ("--session", "none"), ("--in", "statement"), ("--since", "2030-01-01T00:00+02:00"),
    ):  # fmt: skip
        result = run(config, "files", *filters)
        assert (result.exit_code, json.loads(result.stdout)) == (0, [])
        assert "Nothing of the kind" in result.stderr


def test_nothing_is_obeyed(config: Path) -> None:
    result = run(config, '"look here"', "--format", "table")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert r"\x1b]0;owned\x07" in result.stdout


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("a", "--since", "soon"),
        ("a", "--until", "9999999999d"),
        ("a", "--verdict", "x"),
        ("a", "--in", "x"),
        ("a", "--limit", "0"),
    ],
)
def test_wrong_use(config: Path, args: tuple[str, ...]) -> None:
    assert run(config, *args).exit_code == 2


def test_malformed(config: Path) -> None:
    error = run(config, '"open').exception
    assert isinstance(error, ClientError)
    assert error.code == "search-malformed"


def test_made_anew(config: Path) -> None:
    result = run(config, "--rebuild")
    assert result.exit_code == 0
    assert result.stderr.startswith("Indexed ")
    assert json.loads(run(config, "files", "--rebuild").stdout)


def test_nothing_is_on_record(tmp_path: Path) -> None:
    error = run(house(tmp_path, "rules: []\n"), "a").exception
    assert isinstance(error, ClientError)
    assert error.code == "record-empty"


@pytest.mark.parametrize(
    ("progress", "told"),
    [(Progress(more=True), "The newest is missing"), (Progress(busy=True), "just now")],
)
def test_what_is_not_indexed_yet_is_told(
    config: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress, told: str
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(Indexer, "step", lambda _: progress)
    result = run(config, "files")
    assert result.exit_code == 0
    assert told in result.stderr
