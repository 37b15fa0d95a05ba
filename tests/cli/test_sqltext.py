"""How SQL statements look in a terminal."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.sessions import sessions
from proctor.cli.show import show
from tests.support.houses import house
from tests.support.recorded import SESSION, record
from tests.support.spoken import ALONE, FLOW, MANY, alone, spoken

FIRST = (
    "sql 1 SELECT public.orders 03:04:07 · allow by reading · 2 rows · 250 ms"
    " · masked: public.orders.email"
)
APP = typer.Typer()
APP.command()(show)
APP.command()(sessions)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sql")
    record(folder / "recordings", spoken, alone)
    return house(folder, "rules: []\n")


def run(config: Path, *args: str) -> Result:
    found = CliRunner().invoke(APP, [args[0], "--config", str(config), *args[1:]])
    assert found.exception is None
    return found


def test_a_session_shows_each_statement(config: Path) -> None:
    shown = run(config, "show", SESSION, "--width", "160").stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "total 2 turns, 1 tool call, 7 statements, 1 outside, 1 refused" in lines
    for expected in (
        FIRST,
        "SELECT id, email FROM orders WHERE id < $1",
        "$1 = '10', $2 = NULL, $3 = 'it''s'",
        "2 ∅",
        "… 3 more rows",
        "refused by drops: Denied by bob: not today.",
        "held ap_bbbbbbbbbbbbbbbb denied by rule drops",
        'error 42703: column "nope" does not exist',
        "observed watch would deny: Too wide.",
        "content not recorded",
        "found in it: EMAIL_ADDRESS",
        "result 1 a",
    ):
        assert expected in lines
    assert [line for line in lines if "not ended yet" in line and line.startswith("sql 7")]
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_long_connection_is_cut(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.cli.show.STATEMENTS", 5)
    shown = run(config, "show", ALONE).stdout
    assert shown.count("\nsql ") == 5
    assert f"… {MANY - 5} more statements; --full shows them" in shown
    whole = run(config, "show", ALONE, "--full").stdout
    assert whole.count("\nsql ") == MANY
    assert "more statements" not in whole
    assert "open for 15.0 s" in whole


def test_as_json(config: Path) -> None:
    found = json.loads(run(config, "show", SESSION, "--format", "json").stdout)
    assert found["session"]["statements"] == 7
    (turn,) = (each for each in found["turns"] if each["flow_id"] == FLOW)
    first, refused, *_ = turn["statements"]
    assert first["sql"]["text"].startswith("SELECT id")
    assert (first["rows"], first["verbs"], first["verdict"]) == (2, ["SELECT"], "allow")
    assert json.loads(first["result"]["text"])["more"] == 3
    assert [held["state"] for held in refused["held"]] == ["denied"]


def test_sessions_count_them(config: Path) -> None:
    (row,) = json.loads(run(config, "sessions", "--format", "json").stdout)
    assert row["statements"] == 7
    head = run(config, "sessions", "--format", "table").stdout
    assert " sql " in head
