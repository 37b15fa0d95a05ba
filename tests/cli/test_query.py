"""`proctor query`: what a person sees."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.audit.recorder import Recorder
from proctor.cli.query import open_record, query
from proctor.config import load
from proctor.errors import ClientError, ConfigurationError
from tests.support.envelopes import STILL, end
from tests.support.houses import house

APP = typer.Typer()
APP.command()(query)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = house(tmp_path_factory.mktemp("query"), "rules: []\n")

    async def make() -> None:
        recorder = await Recorder.open(load(file).audit.path, pace=STILL)
        for number in range(5):
            await end(recorder, f"f{number}", None, path=f"/\x1b[31m{number}")
        await recorder.close()

    asyncio.run(make())
    return file


def run(config: Path, sql: str, *more: str, text: str = "") -> Result:
    return CliRunner().invoke(APP, [sql, "--config", str(config), *more], input=text)


def test_json_when_piped(config: Path) -> None:
    result = run(config, "SELECT flow_id, seq, ts, groups FROM flows ORDER BY seq LIMIT 1")
    assert result.exit_code == 0
    (row,) = json.loads(result.stdout)
    assert (row["flow_id"], row["seq"], row["groups"]) == ("f0", 0, ["dev", "ops"])
    assert row["ts"].startswith("20")


def test_csv_and_table(config: Path) -> None:
    sql = "SELECT flow_id, path FROM flows ORDER BY seq"
    rows = list(csv.reader(io.StringIO(run(config, sql, "--format", "csv").stdout)))
    assert rows[0] == ["flow_id", "path"]
    assert len(rows) == 6
    table = run(config, sql, "--format", "table").stdout
    assert "f4" in table
    assert "\x1b[31m" not in table


def test_limit(config: Path) -> None:
    result = run(config, "SELECT seq FROM flows ORDER BY seq", "--limit", "2")
    assert json.loads(result.stdout) == [{"seq": 0}, {"seq": 1}]
    assert "first 2 rows" in result.stderr
    for limit in ("5", "0", "6"):
        result = run(config, "SELECT seq FROM flows", "--limit", limit)
        assert len(json.loads(result.stdout)) == 5
        assert result.stderr == ""


def test_columns_of_one_name(config: Path) -> None:
    result = run(config, "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a")
    assert json.loads(result.stdout) == [{"a": 1, "a_2": 2, "a_2_2": 3, "a_3": 4}]


def test_from_standard_input(config: Path) -> None:
    result = run(config, "-", text="SELECT count(*) AS n\nFROM flows;\n")
    assert json.loads(result.stdout) == [{"n": 5}]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DROP VIEW flows", "query-refused"),
        ("SELECT * FROM read_text('/etc/passwd')", "query-failed"),
        ("SELECT nothing FROM flows", "query-failed"),
    ],
)
def test_refused(config: Path, sql: str, code: str) -> None:
    error = run(config, sql).exception
    assert isinstance(error, ClientError)
    assert error.code == code


def test_no_record(tmp_path: Path) -> None:
    error = run(house(tmp_path, "rules: []\n"), "SELECT 1").exception
    assert isinstance(error, ConfigurationError)
    assert error.code == "store-missing"


def test_open_record_is_here_for_other_commands(config: Path) -> None:
    with open_record(load(config).audit.path) as database:
        assert database.execute("SELECT count(*) FROM flows").fetchall() == [(5,)]
