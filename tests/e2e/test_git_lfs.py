"""Git LFS by its own client: through proctor as direct, and refused where it must be."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.gitserver import git
from tests.support.lfsserver import LfsServer
from tests.support.outward import Outward, Plan, outward
from tests.support.web import Web

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("git-lfs") is None and "CI" not in os.environ,
        reason="git-lfs is not installed: scripts/setup-git installs it",
    ),
]

RULES = """\
rules:
  - {id: git, on: [git.fetch, git.push], then: allow}
"""
SECRET = 'aws_secret_access_key = "q8Zr2LxVn5TfWc7KdYb3Hs9PmJg4Ae6RtUu1Xo0B"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A server, a gateway before it, and a user's git.

    Attributes:
        server: Of git and LFS.
        web: What it listens on.
        out: The gateway.
        proxy: It is git's proxy, and not in the server's place.
    """

    server: LfsServer
    web: Web
    out: Outward
    proxy: bool

    def url(self, name: str) -> str:
        """Of a repository, as its user writes it."""
        return (
            f"{self.server.origin if self.proxy else self.out.gateway.url('git') + '/git'}/{name}"
        )

    def run(self, folder: Path, *arguments: str) -> str:
        """Run git; what it printed."""
        done = self.done(folder, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def done(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git."""
        own = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_TERMINAL_PROMPT": "0"}
        shown: tuple[str, ...] = ()
        if self.proxy:
            own["http_proxy"] = self.out.proxy()
        else:
            header = f"Authorization: Bearer {self.out.token()}"
            shown = ("-c", f"http.{self.url('')}.extraHeader={header}")
        return subprocess.run(
            ["git", "-c", "lfs.transfer.maxretries=1", *shown, *arguments],
            cwd=folder,
            env=own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def worked(self, folder: Path, name: str, files: dict[str, bytes]) -> Path:
        """A clone, made behind the gateway, with a commit of these files, not pushed."""
        self.server.git.make(name, commits=1)
        self.run(folder, "clone", "--quiet", self.url(f"{name}.git"), name)
        work = folder / name
        for key, value in (("user.name", "alice"), ("user.email", "alice@example.com")):
            git(work, "config", key, value)
        self.run(work, "lfs", "install", "--local")
        self.run(work, "lfs", "track", "*.bin")
        for place, content in files.items():
            (work / place).write_bytes(content)
        self.run(work, "add", ".")
        self.run(work, "commit", "--quiet", "--message", "Large")
        return work


@pytest.fixture(scope="module", params=["reverse", "forward"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One for all tests of this file: the gateway in the server's place, and as git's proxy."""
    proxy = request.param == "forward"
    folder = tmp_path_factory.mktemp("lfs")
    server = LfsServer(folder / "served")
    with Web(server) as web:
        # In capitals: Go's clients use no proxy for a host that is spelled "localhost".
        server.origin = f"http://LOCALHOST:{web.port}" if proxy else web.url
        listener = {
            "name": "git",
            "kind": "reverse",
            "listen": "127.0.0.1:0",
            "routes": [{"path": "/git", "upstream": web.url, "speaks": "git"}],
        }
        destination = {
            "host": "localhost",
            "port": web.port,
            "plaintext": True,
            "speaks": "git",
            "addresses": ["127.0.0.0/8", "::1/128"],
        }
        plan = Plan(
            destinations=[destination] if proxy else [],
            listeners=[] if proxy else [listener],
            rules=RULES,
        )
        with outward(folder / "home", plan) as out:
            yield World(server=server, web=web, out=out, proxy=proxy)


@pytest.fixture(autouse=True)
def sound(world: World) -> None:
    """The server does what it should."""
    world.server.elsewhere = ""
    world.server.broken = None


def holding(folder: Path, content: bytes) -> list[Path]:
    """Files of a clone, git's own among them, that hold this."""
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]


def test_pushed_and_cloned(world: World, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    work = world.worked(tmp_path, "large", {"a.bin": content, "b.bin": b"", "c.bin": b"x" * 100})
    world.run(work, "push", "--quiet", "origin", "main")
    assert content in world.server.objects.values()
    world.run(tmp_path, "clone", "--quiet", world.url("large.git"), "again")
    again = tmp_path / "again"
    world.run(again, "lfs", "pull")
    assert (again / "a.bin").read_bytes() == content
    assert (again / "c.bin").read_bytes() == b"x" * 100
    world.run(again, "lfs", "fsck")
    world.run(again, "lfs", "locks")
    kept = world.out.query("select path, status from flows where path like '/store/%'")
    assert kept
    assert not list((world.out.folder / ".proctor/git").glob("*.pack"))


def test_a_secret_is_not_uploaded(world: World, tmp_path: Path) -> None:
    before = dict(world.server.objects)
    work = world.worked(tmp_path, "leaky", {"notes.bin": b"[default]\n" + SECRET.encode()})
    done = world.done(work, "push", "origin", "main")
    assert done.returncode != 0
    assert "proctor: denied by rule redaction" in done.stderr
    assert world.server.objects == before


def test_a_secret_is_not_downloaded(world: World, tmp_path: Path) -> None:
    work = world.worked(tmp_path, "bad", {"notes.bin": b"[default]\n" + SECRET.encode()})
    world.run(work, "push", "--quiet", "--no-verify", "origin", "main")  # past the hook of LFS
    oid = world.run(work, "lfs", "ls-files", "--long").split(" ")[0]
    world.server.objects[oid] = b"[default]\n" + SECRET.encode()
    done = world.done(tmp_path, "clone", world.url("bad.git"), "again")
    said = done.stderr + world.done(tmp_path / "again", "lfs", "pull").stderr
    assert "(rule redaction)" in said
    assert f"lfs/{oid[:12]}:2 holds a secret" in said
    assert not holding(tmp_path / "again", SECRET.encode())


def test_another_object_is_refused(world: World, tmp_path: Path) -> None:
    work = world.worked(tmp_path, "swapped", {"a.bin": b"what was pushed"})
    world.run(work, "push", "--quiet", "origin", "main")
    world.server.broken = b"something else!"
    world.done(tmp_path, "clone", world.url("swapped.git"), "again")
    said = world.done(tmp_path / "again", "lfs", "pull").stderr
    assert "not the one that the batch API was asked about" in said
    assert not holding(tmp_path / "again", b"something else!")


def test_an_object_elsewhere_is_refused(world: World, tmp_path: Path) -> None:
    work = world.worked(tmp_path, "away", {"a.bin": b"what is elsewhere"})
    world.run(work, "push", "--quiet", "origin", "main")
    world.server.elsewhere = "http://elsewhere.example"
    world.done(tmp_path, "clone", world.url("away.git"), "again")
    said = world.done(tmp_path / "again", "lfs", "pull").stderr
    assert "is at a host that is no destination in proctor.yaml" in said
