"""Pushes by git's own client over HTTP/2 in a tunnel, which is how it speaks wherever it may."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor.testing import tls
from proctor.testing.http1 import Received
from proctor.testing.service import Answer
from tests.e2e.test_git_push import World, commit
from tests.support import clients
from tests.support.gitserver import GitServer, git
from tests.support.held import eventually
from tests.support.outward import Plan, outward
from tests.support.web import Web, answer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RULES = """\
rules:
  - {id: reading, on: git.fetch, then: allow}
  - {id: pushes, on: git.push, then: allow}
  - id: no-tags
    on: git.push
    when: git.refs.exists(r, r.startsWith("refs/tags/"))
    then: deny
    reason: No tags.
  - id: no-force-push
    on: git.push
    when: git.forced
    then: hold
    approval: {from: [reviewers], wait: 30s, ttl: 10m}
    reason: Somebody has a look first.
"""


class Server(GitServer):
    """One that can fail.

    Attributes:
        failing: It takes no pushes.
    """

    failing = False

    def __call__(self, request: Received) -> Answer:
        """As git has it, or 500."""
        if self.failing and request.method == "POST":
            return answer(500, b"No.", "text/plain")
        return super().__call__(request)


@dataclass(slots=True)
class Inside(World):
    """The same over TLS, inside a CONNECT."""

    def url(self, name: str) -> str:
        return f"{self.web.url}/{name}.git"

    def env(self) -> dict[str, str]:
        return {
            "https_proxy": self.out.proxy(),
            "no_proxy": "",
            "GIT_SSL_CAINFO": str(self.out.ca),
            "GIT_HTTP_PROXY_AUTHMETHOD": "basic",
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clients.needs("git")
    folder = tmp_path_factory.mktemp("git-h2")
    server = Server(folder / "served")
    files = tls.make(folder / "tls")
    with Web(server, tls=files.server_context()) as web:
        plan = Plan(
            destinations=[
                {
                    "host": "localhost",
                    "port": web.port,
                    "speaks": "git",
                    "upstream_tls": {"ca": str(files.ca)},
                }
            ],
            rules=RULES,
            more={"roles": {"reviewer": {"groups": ["reviewers"]}}},
        )
        with outward(folder / "home", plan, "--dev") as out:
            yield Inside(out, web, server, folder)


def test_it_is_http_2(world: World) -> None:
    world.server.make("which")
    told = {**world.env(), "GIT_CURL_VERBOSE": "1"}
    said = clients.run(told, world.folder, "git", "ls-remote", world.url("which"))
    assert "HTTP/2 200" in said.stderr


@pytest.mark.parametrize("size", [0, 2 * 2**20, 20 * 2**20])
def test_a_held_push_that_is_approved(world: World, size: int) -> None:
    name = f"approved-{size}"
    work = world.clone(name)
    new = rewritten(work, size)
    posted = world.posted()
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(world.push, work, "--force", "origin", "HEAD:main")
        world.decide()
        code, said = pushed.result()
    assert code == 0, said
    assert f"remote: proctor: waiting for approval {world.card['id']}" in said
    assert world.posted() == posted + 1
    assert world.at(name, "main") == new
    world.well()


@pytest.mark.parametrize("size", [0, 2 * 2**20])
def test_a_held_push_that_is_denied(world: World, size: int) -> None:
    name = f"denied-{size}"
    work = world.clone(name)
    rewritten(work, size)
    posted = world.posted()
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(world.push, work, "--force", "origin", "HEAD:main")
        world.decide(yes=False)
        code, said = pushed.result()
    assert code == 1, said
    assert "remote: proctor: waiting for approval" in said
    assert "! [remote rejected] HEAD -> main (denied by rule no-force-push: Denied by bob" in said
    assert world.posted() == posted
    world.well()


@pytest.mark.parametrize("size", [0, 2 * 2**20, 20 * 2**20])
def test_a_push_that_is_denied(world: World, size: int) -> None:
    name = f"tag-{size}"
    work = world.clone(name)
    rewritten(work, size)
    posted = world.posted()
    code, said = world.push(work, "origin", "HEAD:refs/tags/v1")
    assert code == 1, said
    assert "! [remote rejected] HEAD -> v1 (denied by rule no-tags: No tags." in said
    assert world.posted() == posted
    world.well()


def test_a_server_that_fails_after_it_was_approved(world: World) -> None:
    assert isinstance(world.server, Server)
    work = world.clone("fails")
    rewritten(work)
    world.server.failing = True
    try:
        with ThreadPoolExecutor(1) as pool:
            pushed = pool.submit(world.push, work, "--force", "origin", "HEAD:main")
            world.decide()
            code, said = pushed.result()
    finally:
        world.server.failing = False
    # What has begun cannot become a 500; that it was broken off has to be seen.
    assert code == 1, said
    assert "the remote end hung up unexpectedly" in said
    world.well()


def test_a_client_that_goes_while_it_waits(world: World) -> None:
    work = world.clone("gone")
    rewritten(work, 2 * 2**20)
    posted = world.posted()
    pushing = subprocess.Popen(
        ["git", "push", "--force", "origin", "HEAD:main"],
        cwd=work,
        env={"PATH": os.environ["PATH"], "HOME": str(work), **world.env()},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        (waiting,) = world.waiting()
    finally:
        os.killpg(pushing.pid, signal.SIGKILL)
        pushing.wait()
    with world.console() as http:

        def ended() -> bool | None:
            return http.get(f"approvals/{waiting['id']}").json()["state"] == "cancelled" or None

        assert eventually(ended)
    packs = world.out.folder / ".proctor/git"
    assert eventually(lambda: not list(packs.iterdir()) or None)
    assert world.posted() == posted
    world.well()


def rewritten(work: Path, size: int = 0) -> str:
    """Another history, with a file of this size; the commit's name."""
    git(work, "reset", "-q", "--hard", "HEAD~1")
    (work / "blob").write_bytes(os.urandom(size))
    return commit(work, "other", "1\n")
