"""`proctor export`: what a person gets, and what is on record of it."""

import asyncio
import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.audit.inquiry import open_record
from proctor.audit.recorder import Recorder
from proctor.cli.common import user
from proctor.cli.export import export
from proctor.config import load
from proctor.errors import ClientError, InternalError
from proctor.export import oneoff
from tests.export.stocked import fill
from tests.support.envelopes import STILL
from tests.support.houses import house

APP = typer.Typer()
APP.command()(export)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    fill(load(house(folder, "rules: []\n")).audit.path)
    return folder


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "house")
    return tmp_path / "house" / "proctor.yaml"


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(APP, [*arguments, "--config", str(config)])


def told(config: Path) -> list[dict[str, Any]]:
    """Exports that are on record."""
    with open_record(load(config).audit.path) as database:
        rows = database.execute("SELECT detail FROM events WHERE kind = 'export' ORDER BY ts")
        return [json.loads(detail) for (detail,) in rows.fetchall()]


def test_to_a_file(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "records.ndjson"
    result = run(config, "--view", "flows", "--output", str(target), "--principal", "alice")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["flow_id"] for row in rows] == ["f1", "f2", "f3"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    (found,) = told(config)
    assert (found["by"], found["format"], found["views"]) == (user(), "ndjson", ["flows"])
    assert (found["principal"], found["rows"], found["to"]) == ("alice", 3, str(target))


def test_to_standard_output(config: Path) -> None:
    result = run(config, "--view", "events")
    assert [json.loads(line)["action"] for line in result.stdout.splitlines()] == ["start", "stop"]
    assert told(config)[0]["to"] == "standard output"


@pytest.mark.parametrize("form", ["ndjson", "har", "mitm", "otlp"])
def test_each_form(config: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / "out"
    result = run(config, "--format", form, "--output", str(target))
    assert result.exit_code == 0, result.output
    assert target.stat().st_size > 1000
    assert told(config)[0]["rows"] >= 4


def test_parquet_is_a_folder(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "week"
    arguments = ("--format", "parquet", "--view", "turns", "--view", "sessions")
    assert run(config, *arguments, "--output", str(folder)).exit_code == 0
    assert sorted(each.name for each in folder.iterdir()) == ["sessions.parquet", "turns.parquet"]
    assert pq.read_table(folder / "turns.parquet").num_rows == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "turns.parquet").stat().st_mode) == 0o600
    assert told(config)[0]["rows"] == {"turns": 1, "sessions": 1}
    again = run(config, *arguments, "--output", str(folder))
    assert isinstance(again.exception, ClientError)


def test_nothing_is_replaced_unless_it_is_said(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    result = run(config, "--output", str(target))
    assert isinstance(result.exception, ClientError)
    assert result.exception.code == "output-exists"
    assert target.read_text() == "old"
    assert told(config) == []
    assert run(config, "--output", str(target), "--force").exit_code == 0
    assert target.read_text() != "old"


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_what_cannot_be_put_on_record_does_not_happen(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    async def refuse(*_: object) -> int:
        raise InternalError("journal-unwritable", "The record cannot be written")

    monkeypatch.setattr(Recorder, "event", refuse)
    before = set(tmp_path.iterdir())
    result = run(config, "--format", form, "--output", str(tmp_path / "out"))
    assert isinstance(result.exception, InternalError)
    assert set(tmp_path.iterdir()) == before
    result = run(config)
    assert (result.stdout, type(result.exception)) == ("", InternalError)


def test_beside_a_writer(config: Path, tmp_path: Path) -> None:
    """A gateway holds w0; the event goes to the next."""

    async def main() -> Result:
        recorder = await Recorder.open(load(config).audit.path, pace=STILL)
        try:
            return await asyncio.to_thread(run, config, "--output", str(tmp_path / "out"))
        finally:
            await recorder.close()

    assert asyncio.run(main()).exit_code == 0
    assert len(told(config)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--view", "sessions"),
        ("--format", "har", "--view", "flows"),
        ("--format", "har", "--content"),
        ("--format", "otlp", "--profile", "ocsf"),
        ("--format", "parquet"),
        ("--since", "yesterday"),
        ("--format", "xml"),
    ],
    ids=" ".join,
)
def test_wrong_use(config: Path, arguments: tuple[str, ...]) -> None:
    assert run(config, *arguments).exit_code == 2
    assert told(config) == []


@pytest.mark.parametrize("since", ["1h", "2020-01-01", "2020-01-01T00:00:00+05:00"])
def test_times(config: Path, since: str) -> None:
    assert run(config, "--since", since, "--view", "events").stdout.count("\n") == 2
    assert run(config, "--until", since, "--view", "flows").stdout == ""


def test_a_folder_that_is_not_there(config: Path, tmp_path: Path) -> None:
    for form in ("ndjson", "parquet"):
        result = run(config, "--format", form, "--output", str(tmp_path / "no" / "out"))
        assert isinstance(result.exception, ClientError)
        assert result.exception.code == "output-unwritable"


def test_whoever_reads_may_have_enough(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise BrokenPipeError(errno.EPIPE, "gone")

    monkeypatch.setattr(oneoff.Work, "write", broken)
    assert run(config).exit_code == 1


def test_bytes_do_not_go_to_a_terminal(config: Path) -> None:
    own, other = os.openpty()
    command = [sys.executable, "-c", "from proctor.cli import main; main()"]
    done = subprocess.run(
        [*command, "export", "--format", "mitm", "--config", str(config)],
        stdout=other,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(other)
    os.set_blocking(own, False)
    with pytest.raises(OSError):  # noqa: PT011 - nothing was written: the far end is closed
        os.read(own, 1)
    os.close(own)
    assert (done.returncode, b"--output" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (("--session", "nosuch"), "session-unknown"),
        (("--principal", "nobody"), "principal-unknown"),
    ],
)
@pytest.mark.parametrize("form", ["ndjson", "parquet", "har", "bundle"])
def test_a_name_that_is_not_on_record(
    config: Path, tmp_path: Path, asked: tuple[str, ...], code: str, form: str
) -> None:
    target = tmp_path / "out"
    how = ("--bundle", str(target)) if form == "bundle" else ("--format", form, "--output",
                                                             str(target))  # fmt: skip
    error = run(config, *how, *asked).exception
    assert isinstance(error, ClientError)
    assert error.code == code
    assert not target.exists()
    assert told(config) == []


def session_of(config: Path) -> str:
    with open_record(load(config).audit.path) as database:
        row = database.execute("SELECT max(session_id) FROM flows").fetchone()
        assert row is not None
        return str(row[0])


def test_one_that_is_but_not_then_is_an_empty_file(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    result = run(config, "--session", session_of(config), "--since", "2199-01-01", "--output",
                 str(target))  # fmt: skip
    assert (result.exit_code, target.read_bytes()) == (0, b"")
