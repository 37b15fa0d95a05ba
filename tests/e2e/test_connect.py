"""What `proctor connect` prints makes the real clients go by the proxy, with the token."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.testing import gateway, tls
from proctor.testing.tls import Files
from tests.e2e.conftest import CLAUDE, needs_claude_code
from tests.support import clients, npmregistry, pyindex
from tests.support.gitserver import GitServer
from tests.support.tunnel import Tunnel
from tests.support.web import Web

pytestmark = pytest.mark.e2e

TOKEN = "made.up-token_1"
CONFIG = """\
schema_version: 1
listeners:
  - name: egress
    kind: forward
    listen: 127.0.0.1:{port}
    destinations:
      - {{host: localhost, port: {also}, path: /mcp, speaks: mcp, name: oracle}}
identity:
  issuers: [{{issuer: local, audience: proctor}}]
rules: rules/
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    with Tunnel() as standing:
        yield standing


def connected(
    client: str, folder: Path, tunnel: Tunnel, files: Files, also: int = 443
) -> dict[str, str]:
    """The environment of a shell that evaluated what the command printed, and only that."""
    (folder / "proctor.yaml").write_text(CONFIG.format(port=tunnel.port, also=also))
    (folder / "rules").mkdir()
    printed = gateway.command("connect", client, "--ca", str(files.ca), cwd=folder)
    assert printed.returncode == 0, printed.stderr
    assert TOKEN not in printed.stdout
    own = {"PATH": os.environ["PATH"], "PROCTOR_AGENT_TOKEN": TOKEN}
    done = subprocess.run(
        ["sh", "-c", 'eval "$1"; env -0', "sh", printed.stdout],
        env=own,
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    return {name: value for name, value in found.items() if name not in {*own, "PWD", "_"}}


@pytest.mark.parametrize("client", ["git", "claude"])
def test_git(client: str, tunnel: Tunnel, files: Files, tmp_path: Path) -> None:
    clients.needs("git")
    env = connected(client, tmp_path, tunnel, files)
    server = GitServer(tmp_path / "served")
    server.make("numbers")
    with Web(server, tls=files.server_context()) as serving:
        clone = clients.git_clone(env, f"{serving.url}/numbers.git", tmp_path)
        clients.git_push(env, clone, 10)
    passed_all(tunnel, client, serving)
    assert tunnel.asked == 0, "git showed its token at once"


@pytest.mark.parametrize("client", ["curl", "claude"])
def test_curl(client: str, tunnel: Tunnel, files: Files, tmp_path: Path) -> None:
    clients.needs("curl")
    env = connected(client, tmp_path, tunnel, files)
    with Web(tls=files.server_context()) as serving:
        clients.curl(env, serving.url, tmp_path)
    passed_all(tunnel, client, serving)


@pytest.mark.parametrize("client", ["pip", "claude"])
def test_pip(client: str, tunnel: Tunnel, files: Files, tmp_path: Path) -> None:
    env = connected(client, tmp_path, tunnel, files)
    with Web(pyindex.index, tls=files.server_context()) as serving:
        clients.pip_install(env, serving.url, tmp_path)
    passed_all(tunnel, client, serving)


@pytest.mark.parametrize("client", ["npm", "claude"])
def test_npm(client: str, tunnel: Tunnel, files: Files, tmp_path: Path) -> None:
    clients.needs("npm", "node")
    env = connected(client, tmp_path, tunnel, files)
    with Web(npmregistry.registry, tls=files.server_context()) as serving:
        clients.npm_install(env, serving.url, tmp_path)
    passed_all(tunnel, client, serving)


@pytest.mark.parametrize("client", ["python", "claude"])
@pytest.mark.parametrize("library", list(clients.PYTHON))
def test_python(client: str, library: str, tunnel: Tunnel, files: Files, tmp_path: Path) -> None:
    env = connected(client, tmp_path, tunnel, files)
    with Web(tls=files.server_context()) as serving:
        clients.python_get(env, serving.url, tmp_path, library)
    passed_all(tunnel, client, serving)


@pytest.mark.parametrize("client", ["node", "claude"])
def test_node(client: str, tunnel: Tunnel, files: Files, tmp_path: Path) -> None:
    clients.needs("node")
    env = connected(client, tmp_path, tunnel, files)
    with Web(tls=files.server_context()) as serving:
        clients.node_fetch(env, serving.url, tmp_path)
    if clients.node_version() >= (22, 21):
        passed_all(tunnel, client, serving)
    else:
        assert tunnel.passed == [], "an old node goes by itself, as docs and command say"


def test_claude_code_asks_mcp_servers_by_the_proxy(
    tunnel: Tunnel, files: Files, tmp_path: Path
) -> None:
    needs_claude_code()
    mcpserver = pytest.importorskip(
        "tests.support.mcpserver", reason="the MCP SDK is not installed"
    )
    with mcpserver.McpServer(tls=files) as server:
        env = connected("claude", tmp_path, tunnel, files, server.port)
        told = gateway.command("connect", "claude", "--format", "json", cwd=tmp_path)
        steps = [line for step in json.loads(told.stdout)["steps"] for line in step["commands"]]
        (adding,) = [line for line in steps if line.startswith("claude mcp add")]
        own = env | {"IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
        clients.done(own, tmp_path, str(CLAUDE), *shlex.split(adding)[1:])
        assert "Connected" in clients.done(own, tmp_path, str(CLAUDE), "mcp", "list")
        assert server.heads
    assert set(tunnel.passed) == {(f"localhost:{server.port}", f"claude:{TOKEN}")}


def passed_all(tunnel: Tunnel, client: str, serving: Web) -> None:
    assert serving.requests
    assert set(tunnel.passed) == {(f"localhost:{serving.port}", f"{client}:{TOKEN}")}
