"""README's shell blocks, found and run."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from proctor.testing.gateway import COMMAND, environment

_BLOCK = re.compile(
    r"^<!-- (?P<mark>ci(?: [a-z]+)*) -->\n```sh\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def marked_blocks(page: Path, mark: str) -> list[str]:
    """The code of the page's blocks that stand under `<!-- mark -->`."""
    return [found["code"] for found in _BLOCK.finditer(page.read_text()) if found["mark"] == mark]


def run_block(code: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a block in a folder as a person would, with `proctor` in the PATH; it must succeed."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "proctor"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o700)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env=environment(**{**env, "PATH": f"{programs}:{os.environ['PATH']}"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done
