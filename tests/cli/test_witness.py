"""`proctor witness`: what it writes, what it shows, and a process that really answers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from proctor.cli import make_app
from proctor.errors import ClientError, ConfigurationError
from proctor.tlog.cosignature import CosignerKey, parse_lines
from proctor.witness.settings import load
from tests.support.held import eventually
from tests.support.logs import ORIGIN, Log

APP = make_app(only="witness")
NAME = "witness.example/w1"
LOG = Log().add(3)
MAIN = "from proctor.cli import main; main()"


def run(*args: str) -> Result:
    return CliRunner().invoke(APP, ["witness", *args])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "witness"
    result = run("init", NAME, "--folder", str(folder), "--listen", "127.0.0.1:0")
    assert result.exit_code == 0, result.output
    return folder / "witness.yaml"


def test_init_writes_files_of_its_own_and_prints_the_key(config: Path) -> None:
    assert CosignerKey.parse(run("show", "--config", str(config)).stderr.strip()).name == NAME
    for path in (config, config.with_name("witness-key.pem")):
        assert path.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    before = config.with_name("witness-key.pem").read_bytes()
    again = run("init", NAME, "--folder", str(config.parent)).exception
    assert isinstance(again, ConfigurationError)
    assert again.code == "witness-files"
    assert config.with_name("witness-key.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a: b # c", "x\ny: z"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "new"
    assert isinstance(run("init", name, "--folder", str(folder)).exception, ConfigurationError)
    assert not folder.exists()


def test_an_odd_name_is_kept_as_it_is(tmp_path: Path) -> None:
    result = run("init", "w:1#{x}'\"", "--folder", str(tmp_path / "w"))
    assert load(tmp_path / "w" / "witness.yaml").name == "w:1#{x}'\""
    assert CosignerKey.parse(result.stdout).name == "w:1#{x}'\""


def test_logs_are_added_once_and_comments_stay(config: Path) -> None:
    prefix = ORIGIN.removesuffix("w0")
    for _ in range(2):
        for args in ((), ("--prefix", prefix)):
            result = run("log", "add", str(LOG.key), *args, "--config", str(config))
            assert result.exit_code == 0, result.output
    found = load(config)
    assert len(found.logs) == 2
    assert len(found.keys_for(ORIGIN)) == 2
    assert len(found.keys_for(f"{prefix}w1")) == 1
    assert "# A witness" in config.read_text()
    assert config.stat().st_mode & 0o777 == 0o600


def test_what_is_no_log_is_refused(config: Path) -> None:
    before = config.read_bytes()
    for args in (("nonsense",), (str(LOG.key), "--prefix", "proctor")):
        assert isinstance(run("log", "add", *args, "--config", str(config)).exception, ClientError)
    assert config.read_bytes() == before


def test_a_key_that_is_not_there(config: Path) -> None:
    config.with_name("witness-key.pem").unlink()
    for command in ("show", "run"):
        error = run(command, "--config", str(config)).exception
        assert isinstance(error, ConfigurationError)
        assert error.code == "witness-files"


def test_a_process_that_answers_until_it_is_told_to_end(config: Path) -> None:
    command = [sys.executable, "-c", MAIN, "witness", "run", "--config", str(config)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("Listening on ").strip()
        request = LOG.request(0, None, "time 2026-11-22T14:00:00Z")

        def ask() -> httpx.Response:
            return httpx.post(
                f"{url}/add-checkpoint", content=str(request), trust_env=False, timeout=30
            )

        assert ask().status_code == 404
        # It is told of a log while it runs.
        run("log", "add", str(LOG.key), "--config", str(config))
        answer = eventually(lambda: found if (found := ask()).status_code != 404 else None)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    shown = run("show", "--format", "csv", "--config", str(config))
    key = CosignerKey.parse(shown.stderr.strip())
    assert len(key.times(parse_lines(answer.text, request.note.text))) == 1
    assert shown.stdout.splitlines() == [
        "origin,size,time",
        f"{ORIGIN},3,2026-11-22T14:00:00Z",
    ]
