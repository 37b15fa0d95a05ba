"""README's commands that need a gateway, against one."""

from pathlib import Path

import pytest

from proctor.testing.gateway import Gateway, running
from proctor.testing.standin import StandIn, serving
from tests.e2e.conftest import Sdk
from tests.support.installation import REPOSITORY, Installation
from tests.support.shell import marked_blocks, run_block

pytestmark = pytest.mark.e2e


def test_the_commands(home: Installation, gateway: Gateway, sdk: Sdk, tmp_path: Path) -> None:
    sdk.client.models.list()
    (tmp_path / "proctor.yaml").symlink_to(home.config)
    blocks = marked_blocks(REPOSITORY / "README.md", "ci gateway")
    assert blocks
    for code in blocks:
        here = code.replace("http://127.0.0.1:8080", gateway.url("claude"))
        done = run_block(here, home.folder, ANTHROPIC_AUTH_TOKEN=home.token())
        assert done.stdout


def test_a_human_decides(tmp_path: Path) -> None:
    """With the rules and roles that `proctor init` writes."""
    with serving(StandIn()) as standin:
        home = Installation.build(tmp_path / "home", standin)
        roles = "roles: {reviewer: {groups: [reviewers]}, admin: {groups: [admins]}}\n"
        home.config.write_text(home.config.read_text() + roles)
        blocks = marked_blocks(REPOSITORY / "README.md", "ci dev")
        assert blocks
        with running(home.config, env=home.env, arguments=["--dev"]) as gateway:
            for code in blocks:
                done = run_block(code, home.folder, PROCTOR_CONSOLE=f"http://{gateway.console}")
                assert "Nothing waits for you." in done.stderr
