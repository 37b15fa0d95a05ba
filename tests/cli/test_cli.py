"""The command line as a whole."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor import __version__, cli
from proctor.errors import AuthenticationError, ConfigurationError, ProctorError

PROGRAM = "import sys; from proctor.cli import main; main(sys.argv[1:])"
ENV = {"PYTHONPATH": str(Path(cli.__file__).parents[2])}


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from proctor.cli import COMMANDS, make_app; make_app(only='');"
        "sys.exit(sum(f'proctor.cli.{name}' in sys.modules for name in COMMANDS))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env=ENV).returncode == 0
    done = CliRunner().invoke(cli.make_app(only=""), ["--help"])
    assert done.exit_code == 0
    for name in cli.COMMANDS:
        assert f"  {name} " in done.output


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_is_there_and_helps(name: str) -> None:
    done = CliRunner().invoke(cli.make_app(only=name), [name, "--help"])
    assert done.exit_code == 0, done.output
    assert f"proctor {name}" in done.output
    assert len(done.output.splitlines()) > 4


def test_version() -> None:
    done = CliRunner().invoke(cli.make_app(only=""), ["--version"])
    assert done.output == f"proctor {__version__}\n"


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["init", "--nope"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "Usage: proctor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("x-y", "Bad\x1b[2J", where="f:3"), 2),
        (AuthenticationError("x-y", "Bad\x1b[2J"), 1),
        (ProctorError("x-y", "Bad\x1b[2J"), 1),
    ],
)
def test_errors_are_told_not_dumped(
    error: ProctorError,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "make_app", lambda **_: lambda *_, **__: fail())
    with pytest.raises(SystemExit) as caught:
        cli.main(["init"])
    assert caught.value.code == status
    told = capsys.readouterr()
    assert told.out == ""
    assert "error [x-y] " in told.err
    assert "Bad\\x1b[2J" in told.err
    assert "Traceback" not in told.err


def test_as_a_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM,
            *("token", "--local", "-s", "alice", "--config", "none.yaml"),
        ],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error [file-unreadable] none.yaml: ")
    assert len(done.stderr.splitlines()) == 1
