"""Fetches by git's own client: through proctor as direct, and refused where they must be."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor.testing import gateway as program
from tests.support.gitserver import GitServer, git
from tests.support.outward import Outward, Plan, outward
from tests.support.web import Web

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RULES = """\
rules:
  - {id: fetches, on: git.fetch, then: allow}
  - id: known-to-leak
    on: git.fetch
    when: git.repository.endsWith("/tolerated")
    then: allow
    redact: {API_KEY: detect, PASSWORD: detect, SECRET: detect}
  - id: not-bobs
    on: git.fetch
    when: git.authors.exists(a, a == "bob@example.com")
    then: deny
    reason: Not by bob.
"""
KEY = "AKIA" + "Z7Q2M5X3R6T4Y8WN"
SECRET = f"""\
aws_access_key_id = "{KEY}"
aws_secret_access_key = "q8Zr2LxVn5TfWc7KdYb3Hs9PmJg4Ae6RtUu1Xo0B"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A git server, a gateway before it, and folders for clones.

    Attributes:
        server: Git's own.
        web: What it listens on.
        out: The gateway.
    """

    server: GitServer
    web: Web
    out: Outward

    def env(self) -> dict[str, str]:
        """For git behind the gateway."""
        return {"http_proxy": self.out.proxy(), "no_proxy": "", "GIT_TERMINAL_PROMPT": "0"}

    def url(self, name: str) -> str:
        """Of a repository."""
        return f"{self.web.url}/{name}.git"

    def through(self, folder: Path, *arguments: str) -> str:
        """Run git behind the gateway."""
        return git(folder, *arguments, env=self.env())

    def fails(self, folder: Path, *arguments: str) -> str:
        """The same, where it must not succeed; what it said."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)} | self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests of this file."""
    folder = tmp_path_factory.mktemp("git")
    server = GitServer(folder / "served")
    with Web(server) as web:
        destination = {
            "host": "localhost",
            "port": web.port,
            "plaintext": True,
            "speaks": "git",
            "addresses": ["127.0.0.0/8", "::1/128"],
            "git": {"secret_paths": ["**/.env", "config/prod.env", "private/"]},
        }
        with outward(folder / "home", Plan(destinations=[destination], rules=RULES)) as out:
            yield World(server=server, web=web, out=out)


def described(folder: Path) -> tuple[str, ...]:
    """What a clone holds."""
    git(folder, "fsck", "--strict", "--connectivity-only")
    return (
        git(folder, "rev-parse", "HEAD"),
        git(folder, "for-each-ref", "--format=%(refname) %(objectname)"),
        git(folder, "rev-list", "--all", "--objects", "--missing=allow-any"),
        git(folder, "ls-files", "--stage"),
    )


def filled(world: World, name: str) -> Path:
    """A repository with folders, branches and tags."""
    bare = world.server.make(name, commits=5)
    work = world.server.root / f"{name}.work"
    for place in ("src/a.py", "src/deep/b.py", "docs/c.md"):
        path = work / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {place}\n" + "print('hello')\n" * 200)
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Folders")
    git(work, "tag", "--annotate", "v1", "--message", "One")
    git(work, "branch", "other", "HEAD~2")
    git(work, "push", "--quiet", "--tags", str(bare), "main", "other")
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(bare, "config", key, "true")
    return bare


WAYS = {
    "plain": (),
    "v0": ("-c", "protocol.version=0"),
    "v1": ("-c", "protocol.version=1"),
    "shallow": ("--depth=2",),
    "shallow-v0": ("-c", "protocol.version=0", "--depth=2"),
    "since": ("--shallow-exclude=v1", "--branch=other"),
    "blobless": ("--filter=blob:none",),
    "treeless": ("--filter=tree:0",),
    "limit": ("--filter=blob:limit=100",),
    "one-branch": ("--branch=other", "--single-branch", "--no-tags"),
    "bare": ("--bare",),
    "mirror": ("--mirror",),
    "sparse": ("--sparse", "--filter=blob:none"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_clone_through_proctor_is_the_clone_direct(
    world: World, tmp_path: Path, way: tuple[str, ...]
) -> None:
    if not (world.server.root / "full.git").exists():
        filled(world, "full")
    options = [item for item in way if not item.startswith(("-c", "protocol"))]
    config = way[:2] if way[:1] == ("-c",) else ()
    url = world.url("full")
    if way and way[0].startswith("--shallow-exclude"):
        options = ["--depth=1", *options[1:]]
    git(tmp_path, *config, "clone", "--quiet", *options, url, "direct")
    world.through(tmp_path, *config, "clone", "--quiet", *options, url, "through")
    assert described(tmp_path / "through") == described(tmp_path / "direct")


def test_fetch_pull_and_deepen(world: World, tmp_path: Path) -> None:
    bare = filled(world, "moving")
    world.through(tmp_path, "clone", "--quiet", "--depth=1", world.url("moving"), "copy")
    copy, work = tmp_path / "copy", world.server.root / "moving.work"
    world.through(copy, "fetch", "--quiet", "--unshallow")
    assert git(copy, "rev-list", "--count", "HEAD") == "6"
    (work / "number").write_text("a new line\n")
    git(work, "commit", "--quiet", "--all", "--message", "More")
    git(work, "push", "--quiet", str(bare), "main")
    world.through(copy, "pull", "--quiet", "--ff-only")
    assert git(copy, "rev-parse", "HEAD") == git(bare, "rev-parse", "main")
    assert "refs/heads/other" in world.through(copy, "ls-remote", "origin")
    git(copy, "fsck", "--strict")


def test_submodules(world: World, tmp_path: Path) -> None:
    filled(world, "inner")
    bare = world.server.make("outer")
    work = world.server.root / "outer.work"
    git(work, "submodule", "--quiet", "add", world.url("inner"), "lib")
    git(work, "commit", "--quiet", "--message", "A library")
    git(work, "push", "--quiet", str(bare), "main")
    world.through(tmp_path, "clone", "--quiet", "--recurse-submodules", world.url("outer"), "copy")
    assert (tmp_path / "copy/lib/src/deep/b.py").exists()
    assert described(tmp_path / "copy/lib")[0] == git(
        world.server.root / "inner.git", "rev-parse", "main"
    )


def test_a_repository_of_the_newer_kind(world: World, tmp_path: Path) -> None:
    bare = world.server.root / "newer.git"
    git(world.server.root, "init", "--quiet", "--bare", "--object-format=sha256", str(bare))
    work = tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(work))
    (work / "a").write_text("text\n" * 100)
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "One")
    git(work, "push", "--quiet", str(bare), "main:main")
    git(bare, "symbolic-ref", "HEAD", "refs/heads/main")
    world.through(tmp_path, "clone", "--quiet", world.url("newer"), "copy")
    assert len(described(tmp_path / "copy")[0]) == 64
    (work / ".env").write_text("COLOUR=blue\n")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Two")
    git(work, "push", "--quiet", str(bare), "main:main")
    said = world.fails(tmp_path / "copy", "fetch", "--quiet")
    assert "proctor: .env is marked secret" in said


def test_a_large_clone(world: World, tmp_path: Path) -> None:
    bare = world.server.make("large")
    work = world.server.root / "large.work"
    for number in range(10):
        (work / f"{number}.bin").write_bytes(os.urandom(4_000_000))
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Large")
    git(work, "push", "--quiet", str(bare), "main")
    world.through(tmp_path, "clone", "--quiet", world.url("large"), "copy")
    assert git(tmp_path / "copy", "rev-parse", "HEAD") == git(bare, "rev-parse", "main")
    assert (tmp_path / "copy/9.bin").read_bytes() == (work / "9.bin").read_bytes()
    assert not list((world.out.folder / ".proctor/git").glob("*.pack"))


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_secret_path_refuses_a_clone(world: World, tmp_path: Path, version: str) -> None:
    name = f"marked{version}"
    bare = world.server.make(name)
    work = world.server.root / f"{name}.work"
    (work / "config").mkdir()
    (work / "config/prod.env").write_text("COLOUR=blue\n")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Configuration")
    git(work, "push", "--quiet", str(bare), "main")
    said = world.fails(
        tmp_path, "-c", f"protocol.version={version}", "clone", "--quiet", world.url(name), "copy"
    )
    assert "remote error: proctor: config/prod.env is marked secret (rule secret-path)" in said
    assert not (tmp_path / "copy").exists()


def test_a_secret_in_a_file_refuses_a_clone(world: World, tmp_path: Path) -> None:
    bare = world.server.make("leaky")
    work = world.server.root / "leaky.work"
    (work / "deploy").mkdir()
    (work / "deploy/keys.ini").write_text("[default]\n" + SECRET)
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Keys")
    (work / "deploy/keys.ini").unlink()
    git(work, "commit", "--quiet", "--all", "--message", "No keys")
    git(work, "push", "--quiet", str(bare), "main")
    said = world.fails(tmp_path, "clone", "--quiet", world.url("leaky"), "copy")
    assert "proctor: deploy/keys.ini:" in said
    assert "(rule redaction)" in said
    assert KEY not in said
    rows = world.out.query("select location, direction, entity_type from findings")
    assert {"deploy/keys.ini:3"} & {row["location"] for row in rows}, rows
    # What is after it alone may come.
    world.through(tmp_path, "clone", "--quiet", "--depth=1", world.url("leaky"), "tip")
    assert not (tmp_path / "tip/deploy").exists()


def test_a_canary_in_a_file_refuses_a_clone(world: World, tmp_path: Path) -> None:
    done = program.command("canary", "new", "--note", "in git", cwd=world.out.folder)
    assert done.returncode == 0, done.stderr
    value = done.stdout.split()[0]
    bare = world.server.make("planted")
    work = world.server.root / "planted.work"
    (work / "notes").write_text(f"one\ntwo\n{value}\n")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Notes")
    git(work, "push", "--quiet", str(bare), "main")
    said = world.fails(tmp_path, "clone", "--quiet", world.url("planted"), "copy")
    assert "proctor: notes:3 holds a secret (CANARY)" in said


def test_rules_decide_by_what_is_in_it(world: World, tmp_path: Path) -> None:
    for name, mail in (("tolerated", "alice@example.com"), ("bobs", "bob@example.com")):
        bare = world.server.make(name)
        work = world.server.root / f"{name}.work"
        (work / "keys.ini").write_text("[default]\n" + SECRET)
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message", "Keys", env={"GIT_AUTHOR_EMAIL": mail})
        git(work, "push", "--quiet", str(bare), "main")
    world.through(tmp_path, "clone", "--quiet", world.url("tolerated"), "copy")
    assert (tmp_path / "copy/keys.ini").read_text().endswith(SECRET)
    said = world.fails(tmp_path, "clone", "--quiet", world.url("bobs"), "bobs")
    assert "(rule not-bobs)" in said


def test_a_partial_clone_s_file_is_known_by_its_folder(world: World, tmp_path: Path) -> None:
    bare = world.server.make("parted")
    work = world.server.root / "parted.work"
    (work / "private").mkdir()
    (work / "private/notes.txt").write_text("for people only\n")
    (work / "public.txt").write_text("for all\n")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Notes")
    git(work, "push", "--quiet", str(bare), "main")
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(bare, "config", key, "true")
    for way in ("blob:none", "tree:0"):
        copy = tmp_path / way.replace(":", "-")
        world.through(
            tmp_path, "clone", "--quiet", "--no-checkout", f"--filter={way}", world.url("parted"),
            str(copy),
        )  # fmt: skip
        assert world.through(copy, "show", "HEAD:public.txt") == "for all"
        said = world.fails(copy, "show", "HEAD:private/notes.txt")
        assert "proctor: private/notes.txt is marked secret" in said
