"""`make demo`, both ways."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import CLAUDE
from tests.support.installation import CACHE, REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("client", ["sdk", "claude-code"])
def test_the_demo_does_what_it_says(client: str, tmp_path: Path) -> None:
    if client == "claude-code" and not CLAUDE.exists():
        if os.environ.get("CI"):
            pytest.fail("the real Claude Code is not installed")
        pytest.skip("the real Claude Code is not installed; `make npm` does that")
    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts/demo/demo.py", "--client", client, "--cache", CACHE],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NO " not in done.stdout
    assert list(tmp_path.iterdir()) == []
