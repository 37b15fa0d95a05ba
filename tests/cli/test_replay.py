"""`proctor replay`: what a person or a script gets."""

import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.replay import replay
from proctor.errors import ClientError, ConfigurationError
from proctor.testing.gateway import COMMAND, environment
from tests.support.houses import house
from tests.support.recorded import OTHER, SESSION, STREAM, others, record, story

APP = typer.Typer()
APP.command()(replay)
ALICES = (SESSION, "--principal", "alice")
ASKED = {"model": "m", "stream": True, "messages": [
    {"role": "user", "content": "How many files are here?"}]}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    record(folder / "recordings", story, others)
    return house(folder, "rules: []\n")


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(APP, ["--config", str(config), *args])


def test_all_at_once_where_there_is_no_terminal(config: Path) -> None:
    result = run(config, *ALICES)
    assert result.exception is None
    at = 0
    for shown in (
        "── 1 · 03:04:05 · claude-sonnet-5-5", "you       How many files", "thinks    The person",
        "tool      Bash", "result    Bash\n          line 0", "refused   by no-remote-features",
        "error     overloaded_error",
    ):  # fmt: skip
        at = result.stdout.find(shown, at)
        assert at >= 0, shown
    assert "\x1b" not in result.stdout


def test_as_json(config: Path) -> None:
    found = json.loads(run(config, *ALICES, "--format", "json").stdout)
    assert found["session"] == SESSION
    assert found["events"][1]["text"] == "How many files are here?"
    assert found["seconds"] == max(each["until"] for each in found["events"])


def test_another_session(config: Path) -> None:
    assert "Another." in run(config, OTHER[:6]).stdout


def test_for_asciinema(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    args = (*ALICES, "--cast", str(path), "--width", "80", "--speed", "2")
    assert run(config, *args).exit_code == 0
    head, *events = map(json.loads, path.read_text().splitlines())
    assert (head["version"], head["term"]["cols"], head["title"]) == (3, 80, SESSION)
    assert "How many files" in "".join(each[2] for each in events)
    kept = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    again = run(config, *args).exception
    assert isinstance(again, ConfigurationError)
    assert again.code == "replay-cast"
    assert path.read_bytes() == kept


@pytest.mark.parametrize(
    "args",
    [
        ("--format", "csv"),
        ("--serve", "--format", "json"),
        ("--serve", "--cast", "x"),
        ("--listen", "127.0.0.1:0"),
        (SESSION, "echo"),
        ("--serve", "--listen", "nowhere"),
        ("--speed", "0.5"),
        ("--on-divergence", "guess"),
        ("--send",),
        ("--to", "claude"),
        ("--turns", "1"),
        ("--send", "--to", "claude", "--turns", "x"),
        ("--send", "--to", "claude", "--serve"),
        ("--from", "tickets"),
        ("--credential", "key"),
        ("--ca", "x.pem"),
    ],
)
def test_wrong_use(config: Path, args: tuple[str, ...]) -> None:
    result = run(config, *(args if SESSION in args else (*ALICES, *args)))
    assert result.exit_code == 2


def test_nothing_on_record(tmp_path: Path) -> None:
    result = run(house(tmp_path, "rules: []\n"))
    assert isinstance(result.exception, ClientError)
    assert result.exception.code == "record-empty"


CLIENT = f"""
import os, urllib.request
asked = urllib.request.Request(
    os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", data={json.dumps(ASKED).encode()!r},
    headers={{"authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]}})
found = urllib.request.urlopen(asked).read()
raise SystemExit(len(found) % 100)
"""


def test_a_command_against_the_recording(config: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "replay", *ALICES, "--config", str(config), "--serve", "--",
         sys.executable, "-c", CLIENT],
        env=environment(), capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == len(STREAM) % 100, done.stderr
    assert "8 turns of session" in done.stderr
    assert "turn 8 cannot be served: its content was not recorded" in done.stderr
    assert "request 1: turn 1" in done.stderr
    assert "1 request; none diverged; not asked for: 2, 3, 4, 5, 6, 7, 9" in done.stderr


def test_until_it_is_interrupted(config: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "replay", *ALICES, "--config", str(config), "--serve"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = (process.stdout.readline() for _ in range(2))
        url, token = (line.strip().partition("=")[2] for line in lines)
        assert url.startswith("http://127.0.0.1:")
        asked = {**ASKED, "messages": [{"role": "user", "content": "\x1b[2J else"}]}
        with httpx.Client(trust_env=False, timeout=30) as client:
            answer = client.post(f"{url}/v1/messages", json=asked, headers={"x-api-key": token})
        assert answer.content == STREAM
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "parts from turn 1 in message 1" in said
    assert '- recorded: {"content":[{"text":"How many files' in said
    assert "1 diverged, first request 1 in message 1 (turn 1)" in said
    assert "\x1b" not in said


def test_what_is_asked_of_the_console(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def send(_api: object, body: dict[str, object], _output: object) -> bool:
        asked.append(body)
        return True

    module = sys.modules[replay.__module__]
    monkeypatch.setattr(module, "send", send)
    monkeypatch.setattr(module, "console_at", lambda *_: nullcontext())
    url, ca = "https://api.example/v2", tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    how = ("--send", "--to", url, "--ca", str(ca), "--credential", "key", "--from", "tickets",
           "--turns", "3-7")  # fmt: skip
    assert run(config, SESSION, *how).exit_code == 0
    assert asked == [{
        "session": SESSION, "principal": None, "to": url, "from": "tickets", "first": 3, "last": 7,
        "betas": "", "reason": "", "credential": "key", "ca": ca.read_text(),
    }]  # fmt: skip
    for wrong in ("-----BEGIN PRIVATE KEY-----", "ä", "x" * 40_000):
        ca.write_text(wrong)
        assert run(config, SESSION, *how).exit_code == 2
    assert len(asked) == 1
