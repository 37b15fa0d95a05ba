"""A process that behaves like a gateway, or does not."""

import signal
import sys
from pathlib import Path

import pytest

from proctor.testing import gateway
from proctor.testing.gateway import Gateway, command, environment, running

READY = """
import json, signal, sys
print("not json", file=sys.stderr)
line = {"event": "ready", "listeners": {"claude": "127.0.0.1:1"}, "console": "127.0.0.1:2"}
print(json.dumps(line), file=sys.stderr, flush=True)
signal.sigwait([signal.SIGTERM])
"""
BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])"


def fake(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(gateway, "COMMAND", (sys.executable, "-c", code))


def test_it_starts_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, f"{BLOCKED}\n{READY}")
    with running(tmp_path / "proctor.yaml", env={}) as started:
        assert started.url("claude") == "http://127.0.0.1:1"
        assert started.url("claude", "https") == "https://127.0.0.1:1"
        assert started.console == "127.0.0.1:2"
        assert started.log[0] == {"text": "not json"}
    assert started.process.returncode == 0


def test_it_is_killed_where_it_does_not_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, f"{BLOCKED}\n{READY}\nsignal.pause()")
    monkeypatch.setattr(gateway, "_PATIENCE", 0.5)
    with running(tmp_path / "proctor.yaml", env={}) as started:
        pass
    assert started.process.returncode == -signal.SIGKILL


def test_one_that_does_not_come_up_shows_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, 'raise SystemExit("no such file: proctor.yaml")')
    with pytest.raises(RuntimeError, match="no such file"):
        Gateway.start(tmp_path / "proctor.yaml", env={})


def test_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, "import os, sys; print(sys.argv[1:], os.environ['OWN'], os.getcwd())")
    done = command("query", "select 1", cwd=tmp_path, OWN="x")
    assert done.stdout == f"['query', 'select 1'] x {tmp_path}\n"


def test_nothing_of_the_callers_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "own")
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere")
    found = environment(MORE="1")
    assert found["MORE"] == "1"
    assert not {"ANTHROPIC_API_KEY", "HTTPS_PROXY"} & set(found)
