"""An installation, a gateway in it and real clients before it."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anthropic
import pytest

from proctor.testing.gateway import Gateway, running
from proctor.testing.standin import StandIn, serving
from tests.support.forward import World, world
from tests.support.installation import REPOSITORY, Installation
from tests.support.origin import OK
from tests.support.scripted import answering
from tests.support.stage import Stage, staged

CLAUDE = REPOSITORY / ".npm/node_modules/.bin/claude"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation a module."""
    with serving(StandIn()) as standin:
        yield Installation.build(tmp_path_factory.mktemp("e2e") / "home", standin)


@pytest.fixture(scope="module")
def gateway(home: Installation) -> Iterator[Gateway]:
    """One gateway a module. A test that ends its gateway starts one by itself."""
    with running(home.config, env=home.env) as started:
        yield started


@pytest.fixture
def standin(home: Installation) -> StandIn:
    """The upstream, its list of requests emptied."""
    home.standin.requests.clear()
    home.standin.faults.clear()
    return home.standin


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """The anthropic SDK in a session of its own."""

    client: anthropic.Anthropic
    session_id: str


@pytest.fixture
def sdk(home: Installation, gateway: Gateway) -> Iterator[Sdk]:
    """The SDK, with a good token."""
    session_id = str(uuid.uuid4())
    with anthropic.Anthropic(
        base_url=gateway.url("claude"),
        auth_token=home.token(),
        max_retries=0,
        default_headers={"X-Claude-Code-Session-Id": session_id},
    ) as client:
        yield Sdk(client=client, session_id=session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeCode:
    """The real Claude Code, `claude -p`, in a folder and a home of its own."""

    folder: Path
    url: str

    def run(
        self, *arguments: str, token: str | None, tools: str = "Bash,Read", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """One run with a prompt as the last argument, at most 90 seconds."""
        *options, prompt = arguments
        own = {
            "HOME": str(self.folder / "home"),
            "PATH": os.environ["PATH"],
            "ANTHROPIC_BASE_URL": self.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "IS_SANDBOX": "1",
        }
        if token is not None:
            own["ANTHROPIC_AUTH_TOKEN"] = token
        return subprocess.run(
            [str(CLAUDE), "-p", *options, "--tools", tools, "--allowedTools", tools, "--", prompt],
            cwd=self.folder / "work",
            env=own | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )

    def helper(self, tokens: list[str]) -> str:
        """Settings with an apiKeyHelper that prints these tokens, one a run, the last for ever."""
        script = self.folder / "helper"
        (self.folder / "tokens").write_text("\n".join(tokens) + "\n")
        script.write_text(
            "#!/bin/sh\n"
            f"cd {self.folder}\n"
            "echo run >> runs\n"
            "n=$(wc -l < runs)\n"
            '(sed -n "${n}p" tokens; tail -n 1 tokens) | head -n 1\n'
        )
        script.chmod(0o700)
        return json.dumps({"apiKeyHelper": str(script)})

    def helper_runs(self) -> int:
        """How often the helper has been run."""
        return len((self.folder / "runs").read_text().splitlines())


def needs_claude_code() -> None:
    """Skip where the real Claude Code is not installed; in CI it must be."""
    if not CLAUDE.exists():
        why = "the real Claude Code is not installed; `make npm` does that"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


@pytest.fixture
def claude_code(gateway: Gateway, tmp_path: Path) -> ClaudeCode:
    """Claude Code before the gateway."""
    needs_claude_code()
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    return ClaudeCode(folder=tmp_path, url=gateway.url("claude"))


@pytest.fixture(scope="module")
def running_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway between hostile clients and a scripted upstream, one a module."""
    with staged(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def stage(running_stage: Stage) -> Iterator[Stage]:
    """The same, the upstream's counts at zero; afterwards a normal request still passes."""
    running_stage.origin.reset(answering(OK))
    running_stage.installed.standin.requests.clear()
    yield running_stage
    running_stage.well()


@pytest.fixture(scope="module")
def forward_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A forward listener and what is behind it, one a module."""
    with world(tmp_path_factory.mktemp("forward")) as made:
        yield made


@pytest.fixture
def ours(forward_world: World) -> Iterator[World]:
    """The same, the upstreams' counts at zero; afterwards nothing has failed."""
    for each in (forward_world.web, forward_world.plain):
        each.requests.clear()
    forward_world.pinned.reset(lambda _conversation: None)
    yield forward_world
    forward_world.well()
