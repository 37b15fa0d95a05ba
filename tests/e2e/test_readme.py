"""README's commands that need a gateway, against one."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor import yamlfile
from proctor.testing import tls
from proctor.testing.gateway import Gateway, running
from proctor.testing.ports import free_ports
from proctor.testing.standin import StandIn, serving
from tests.e2e.conftest import CLAUDE, Sdk, needs_claude_code
from tests.support import clients
from tests.support.gitserver import GitServer
from tests.support.installation import REPOSITORY, Installation
from tests.support.shell import marked_blocks, run_block
from tests.support.web import Web

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


def plain(text: str) -> Any:
    return yamlfile.parse(text.encode(), name="README.md").data


@contextlib.contextmanager
def egress(
    folder: Path, replaced: dict[str, str], ca: Path | None = None
) -> Iterator[Installation]:
    """README's listeners beside the one for Claude, with other hosts and ports."""
    (text,) = re.findall(
        r"^<!-- egress -->\n```yaml\n(.*?)^```",
        (REPOSITORY / "README.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    with serving(StandIn()) as standin:
        home = Installation.build(folder / "home", standin)
        told, added = plain(home.config.read_text()), plain(text)
        for key, items in added.items():
            told[key] += items
        _, proxy, tools = told["listeners"]
        for listener, port in zip(told["listeners"], free_ports(3), strict=True):
            replaced[listener["listen"]] = listener["listen"] = f"127.0.0.1:{port}"
        for each in proxy["destinations"]:
            if host := replaced.get(each["host"]):
                name, _, at = host.partition(":")
                each |= {"host": name, "port": int(at), "upstream_tls": {"ca": str(ca)}}
        for route in tools["routes"]:
            route["upstream"] = replaced.get(route["upstream"], route["upstream"])
        home.config.write_text(json.dumps(told))
        (home.folder / "alice.token").write_text(home.token())
        with running(home.config, env={**home.env, "TICKETS_KEY": "real-key"}):
            yield home


def adapted(code: str, replaced: dict[str, str]) -> str:
    for name, other in replaced.items():
        code = code.replace(name, other)
    return code


def test_what_claude_calls(tmp_path: Path) -> None:
    clients.needs("git", "curl")
    files = tls.make(tmp_path / "tls")
    server = GitServer(tmp_path / "served")
    server.make("app")
    context = files.server_context()
    with Web(tls=context) as api, Web(server, tls=context) as code:
        hosts = {
            "tickets.internal": f"localhost:{api.port}",
            "git.internal": f"localhost:{code.port}",
        }
        with egress(tmp_path, hosts, files.ca) as home:
            blocks = marked_blocks(REPOSITORY / "README.md", "ci egress")
            told = [
                run_block(adapted(block, hosts), home.folder, HOME=str(tmp_path))
                for block in blocks
            ]
    assert (home.folder / "app" / "number").exists()
    assert [each.header("x-api-key") for each in api.requests] == ["real-key"]
    assert "/v1/issues" in told[-1].stdout
    assert "/app.git/git-upload-pack" in told[-1].stdout


def test_an_mcp_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_claude_code()
    mcpserver = pytest.importorskip(
        "tests.support.mcpserver", reason="the MCP SDK is not installed"
    )
    (block,) = marked_blocks(REPOSITORY / "README.md", "ci egress claude")
    monkeypatch.setenv("PATH", str(CLAUDE.parent), prepend=":")
    with mcpserver.McpServer() as server:
        replaced = {"https://mcp.internal/jira": server.url}
        with egress(tmp_path, replaced) as home:
            done = run_block(
                adapted(block, replaced),
                home.folder,
                HOME=str(tmp_path),
                PROCTOR_AGENT_TOKEN=home.token(),
                IS_SANDBOX="1",
                CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            )
    assert "Connected" in done.stdout
