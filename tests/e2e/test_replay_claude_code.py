"""A recorded Claude Code session, served back to Claude Code with its upstream gone."""

import json
import os
import shlex
import subprocess
import uuid
from pathlib import Path

import pytest

from proctor.testing.gateway import COMMAND, running
from proctor.testing.standin import StandIn, serving
from tests.e2e.conftest import CLAUDE, ClaudeCode, needs_claude_code
from tests.support.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROMPT = "run: cat notes.txt | tee -a made.txt"
SECOND = "say: and the limes"
SAID = "The tool said: remember the lemons\nand the limes\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, Path, str]:
    """A session of two prompts with a tool each; gateway and upstream have ended."""
    needs_claude_code()
    folder = tmp_path_factory.mktemp("replayed")
    for name in ("home", "work"):
        (folder / name).mkdir()
    (folder / "work/notes.txt").write_text("remember the lemons\n")
    session = str(uuid.uuid4())
    with serving(StandIn()) as standin:
        home = Installation.build(folder / "proctor", standin)
        with running(home.config, env=home.env) as gateway:
            claude = ClaudeCode(folder=folder, url=gateway.url("claude"))
            token = home.token()
            first = claude.run("--session-id", session, PROMPT, token=token)
            second = claude.run("--resume", session, SECOND, token=token)
            assert first.stdout + second.stdout == SAID, first.stderr + second.stderr
    return home, folder, session


def replayed(
    home: Installation, folder: Path, session: str, prompts: list[str], *options: str
) -> subprocess.CompletedProcess[str]:
    """One Claude Code a prompt, in one session and a home of its own, under `--serve`."""
    mine = folder / f"home-{uuid.uuid4()}"
    mine.mkdir()
    name = str(uuid.uuid4())
    tools = ["--tools", "Bash,Read", "--allowedTools", "Bash,Read", "--"]
    runs = [
        shlex.join([str(CLAUDE), "-p", "--resume" if n else "--session-id", name, *tools, prompt])
        for n, prompt in enumerate(prompts)
    ]
    served = ["replay", session, "--config", str(home.config), "--serve", *options]
    return subprocess.run(
        [*COMMAND, *served, "--", "sh", "-c", " && ".join(runs)],
        cwd=folder / "work",
        env={"HOME": str(mine), "PATH": os.environ["PATH"], "IS_SANDBOX": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_same_end_without_an_upstream_twice_the_same(
    recorded: tuple[Installation, Path, str],
) -> None:
    home, folder, session = recorded
    made = folder / "work/made.txt"
    said = []
    for times in (2, 3):
        done = replayed(home, folder, session, [PROMPT, SECOND])
        assert (done.returncode, done.stdout) == (0, SAID), done.stderr
        assert "none diverged" in done.stderr
        assert "not asked for" not in done.stderr
        assert made.read_text() == "remember the lemons\n" * times  # the tool ran again
        said.append([line for line in done.stderr.splitlines() if "request" in line])
    assert said[0] == said[1]


def test_the_first_divergence_is_shown(recorded: tuple[Installation, Path, str]) -> None:
    home, folder, session = recorded
    other = [PROMPT, "say: and the oranges"]
    done = replayed(home, folder, session, other)
    assert (done.returncode, done.stdout) == (0, SAID), done.stderr
    assert "recorded: " in done.stderr
    assert "limes" in done.stderr
    assert "oranges" in done.stderr
    assert "1 diverged" in done.stderr
    stopped = replayed(home, folder, session, other, "--on-divergence", "stop")
    assert stopped.returncode == 1
    assert "not the recorded conversation any more" in stopped.stdout + stopped.stderr
    assert stopped.stderr.count("parts from turn") == 1  # the client does not ask again


def test_settings_of_ones_own_do_not_lead_it_elsewhere(
    recorded: tuple[Installation, Path, str],
) -> None:
    home, folder, session = recorded
    mine = folder / "home-with-settings"
    (mine / ".claude").mkdir(parents=True)
    env = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_AUTH_TOKEN": "of-another"}
    (mine / ".claude/settings.json").write_text(json.dumps({"env": env}))
    tools = ["--tools", "Bash,Read", "--allowedTools", "Bash,Read", "--"]
    done = subprocess.run(
        [*COMMAND, "replay", session, "--config", str(home.config), "--serve", "--",
         str(CLAUDE), "-p", *tools, PROMPT],
        cwd=folder / "work",
        env={"HOME": str(mine), "PATH": os.environ["PATH"], "IS_SANDBOX": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, SAID.splitlines(keepends=True)[0]), done.stderr
    assert "none diverged" in done.stderr
