"""The real clients and servers of the tests of a forward listener, with nothing in between."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proctor.testing import tls
from proctor.testing.tls import Files
from tests.support import clients, npmregistry, pyindex
from tests.support.gitserver import GitServer, git
from tests.support.web import Web

pytestmark = pytest.mark.e2e

LARGE = 3 * 2**20  # more than http.postBuffer, so that git sends it in chunks


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def env(files: Files) -> dict[str, str]:
    return clients.trusting(files.ca)


@pytest.fixture(scope="module")
def web(files: Files) -> Iterator[Web]:
    with Web(tls=files.server_context()) as serving:
        yield serving


@pytest.mark.parametrize("options", [(), ("--depth=1",)], ids=["whole", "shallow"])
def test_git(env: dict[str, str], files: Files, tmp_path: Path, options: tuple[str, ...]) -> None:
    clients.needs("git")
    server = GitServer(tmp_path / "served")
    bare = server.make("numbers")
    with Web(server, tls=files.server_context()) as serving:
        clone = clients.git_clone(env, f"{serving.url}/numbers.git", tmp_path, *options)
        assert git(clone, "rev-list", "--count", "HEAD") == ("1" if options else "3")
        pushed = clients.git_push(env, clone, LARGE)
        assert git(bare, "rev-parse", "main") == pushed
        git(bare, "update-ref", "refs/heads/main", "main~1")
        assert clients.git_fetch(env, clone) == git(bare, "rev-parse", "main") != pushed
    (large,) = (each for each in serving.requests if len(each.body) > LARGE)
    assert large.header("transfer-encoding") == "chunked"


def test_curl(env: dict[str, str], web: Web, tmp_path: Path) -> None:
    clients.needs("curl")
    told = clients.curl(env, f"{web.url}/a?b=c", tmp_path, "--data", "d=e", "--header", "X-F: g")
    assert '"target": "/a?b=c"' in told
    arrived = web.requests[-1]
    assert (arrived.method, arrived.body, arrived.header("x-f")) == ("POST", b"d=e", "g")


def test_pip(env: dict[str, str], files: Files, tmp_path: Path) -> None:
    with Web(pyindex.index, tls=files.server_context()) as serving:
        clients.pip_install(env, serving.url, tmp_path)
    assert [each.target for each in serving.requests][-1] == f"/files/{pyindex.FILE}"


@pytest.mark.parametrize("accept", ["application/vnd.pypi.simple.v1+json", "text/html"])
def test_an_index_speaks_both_ways(accept: str, files: Files) -> None:
    with Web(pyindex.index, tls=files.server_context()) as serving:
        with httpx.Client(
            verify=files.client_context(), headers={"accept": accept}, timeout=30
        ) as http:
            got = http.get(f"{serving.url}/simple/{pyindex.NAME}/")
    assert got.headers["content-type"] == accept
    assert f"/files/{pyindex.FILE}" in got.text


def test_npm(env: dict[str, str], files: Files, tmp_path: Path) -> None:
    clients.needs("npm", "node")
    with Web(npmregistry.registry, tls=files.server_context()) as serving:
        clients.npm_install(env, serving.url, tmp_path)
    assert serving.requests[0].target == f"/{npmregistry.NAME}"


def test_node(env: dict[str, str], web: Web, tmp_path: Path) -> None:
    clients.needs("node")
    assert clients.node_fetch(env, f"{web.url}/node", tmp_path)["target"] == "/node"


@pytest.mark.parametrize("library", list(clients.PYTHON))
def test_python(env: dict[str, str], web: Web, tmp_path: Path, library: str) -> None:
    got = clients.python_get(env, f"{web.url}/python", tmp_path, library)
    assert got["target"] == "/python"


def test_no_client_trusts_what_it_was_not_told_to(web: Web, tmp_path: Path) -> None:
    before = len(web.requests)
    tried = [
        ("curl", "--silent", web.url),
        ("git", "ls-remote", f"{web.url}/numbers.git"),
        ("node", "-e", f"fetch('{web.url}').catch(() => process.exit(1))"),
        *(
            (sys.executable, "-c", program.format(url=web.url))
            for program in clients.PYTHON.values()
        ),
    ]
    for command in tried:
        clients.needs(command[0])
        assert clients.run({}, tmp_path, *command).returncode != 0, command
    assert len(web.requests) == before
