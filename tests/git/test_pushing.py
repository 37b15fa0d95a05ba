"""What a push would do, told of real packs with git's own server behind it."""

import asyncio
import random
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proctor.git.packreading import Order, Reading
from proctor.git.packreport import PackError, PackReport
from proctor.git.pushing import MAX_LETTERS, MAX_PATHS, Look, Pushed, fitting
from proctor.git.spool import Spool
from proctor.git.upstream import Upstream, Where
from proctor.protocols.git.pktline import FLUSH, pkt
from tests.support.gitserver import GitServer, git
from tests.support.web import Web

ZERO = "0" * 40


@dataclass
class Packs:
    """Reads packs here and now.

    Attributes:
        orders: What was asked.
    """

    orders: list[Order] = field(default_factory=list[Order])

    async def read(self, order: Order) -> PackReport:
        self.orders.append(order)
        return Reading(order).report()


@dataclass
class World:
    """A server, a repository there, and a clone."""

    web: Web
    folder: Path
    bare: Path
    work: Path
    packs: Packs = field(default_factory=Packs)

    def commit(self, path: str, text: str) -> str:
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "-q", "-m", f"Change {path}")
        return self.head

    @property
    def head(self) -> str:
        return git(self.work, "rev-parse", "HEAD")

    def look(self, *commands: tuple[str, str, str], port: int = 0) -> Pushed:
        """What a push of these (ref, old, new) would do."""
        lines = [f"{old} {new} {ref}".encode() for ref, old, new in commands]
        lines[0] += b"\0report-status side-band-64k"
        spool = Spool(self._file, 10**8)
        spool.feed(b"".join(map(pkt, lines)) + FLUSH)
        news = [new for _, _, new in commands if new != ZERO]
        if news:
            have = git(self.bare, "for-each-ref", "--format=^%(objectname)")
            done = subprocess.run(
                ["git", "pack-objects", "--revs", "--stdout", "-q"],
                cwd=self.work,
                input=("\n".join([*news, *have.split()]) + "\n").encode(),
                capture_output=True,
                check=True,
            )
            spool.feed(done.stdout)
        push = spool.finish()
        where = Where(
            scheme="http",
            host="localhost",
            port=port or self.web.port,
            path=f"/{self.bare.name}",
            hosts=("127.0.0.1",),
        )
        look = Look(
            push,
            spool,
            repository="localhost/a",
            packs=self.packs,
            upstream=Upstream(where, self.folder),
            detect=False,
        )
        try:
            return asyncio.run(look.told())
        finally:
            spool.close()
            assert not list(self.folder.glob("base-*"))

    def _file(self) -> tuple[int, Path]:
        handle, name = tempfile.mkstemp(dir=self.folder)
        return handle, Path(name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    server = GitServer(tmp_path / "served")
    bare = server.make("a")
    git(bare, "config", "uploadpack.allowFilter", "true")
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", str(bare), str(work))
    (tmp_path / "packs").mkdir()
    with Web(server) as web:
        yield World(web, tmp_path / "packs", bare, work)


def test_a_branch_that_grows(world: World) -> None:
    old = world.head
    new = world.commit("a/b.txt", "1\n")
    found = world.look(("refs/heads/main", old, new))
    fields = found.fields
    assert (fields.forced, fields.deleted, fields.unknown) == (False, False, False)
    assert (fields.paths, fields.commits, fields.authors) == (
        ("a/b.txt",),
        1,
        ("alice@example.com",),
    )
    assert fields.refs == ("refs/heads/main",)
    assert found.summary["refs"][0]["change"] == "update"
    assert found.summary["paths"] == [{"path": "a/b.txt", "bytes": 2}]
    assert [each.detect for each in world.packs.orders] == [False]


def test_a_branch_that_is_rewritten(world: World) -> None:
    old = world.head
    git(world.work, "reset", "-q", "--hard", "HEAD~1")
    new = world.commit("b", "b\n")
    found = world.look(("refs/heads/main", old, new)).fields
    assert found.forced
    assert not found.unknown
    assert found.paths == ("b", "number")  # what was there before is not there any more


def test_a_branch_set_back_and_set_forward(world: World) -> None:
    new, old = git(world.work, "rev-parse", "HEAD~2"), world.head
    back = world.look(("refs/heads/main", old, new)).fields
    assert (back.forced, back.unknown, back.paths) == (True, False, ("number",))
    forward = world.look(("refs/heads/late", new, old)).fields
    assert (forward.forced, forward.unknown, forward.paths) == (False, False, ("number",))


def test_new_refs_and_tags(world: World) -> None:
    git(world.work, "tag", "-a", "v1", "-m", "One")
    tag = git(world.work, "rev-parse", "v1")
    made = world.look(("refs/tags/v1", ZERO, tag)).fields
    assert (made.forced, made.unknown, made.paths) == (False, False, ())
    moved = world.look(("refs/tags/v1", world.head, git(world.work, "rev-parse", "HEAD~1"))).fields
    assert moved.forced
    gone = world.look(("refs/tags/v1", world.head, ZERO)).fields
    assert (gone.deleted, gone.forced, gone.unknown) == (True, False, False)


def test_a_merge_of_what_the_server_has_shows_what_it_brings(world: World) -> None:
    base = world.head
    git(world.work, "checkout", "-q", "-b", "side")
    world.commit("infra/x", "x\n")
    git(world.work, "push", "-q", "origin", "side")
    git(world.work, "checkout", "-q", "main")
    world.commit("y", "y\n")
    git(world.work, "merge", "-q", "--no-ff", "-m", "Merge", "side")
    found = world.look(("refs/heads/main", base, world.head)).fields
    assert found.paths == ("infra/x", "y")
    assert not found.forced


def test_odd_names(world: World) -> None:
    old = world.head
    names = [b'a"b', b"a\nb", b"a\\b", b"\xff\xfe", "ä".encode(), b"INFRA", b"sp ace"]
    for name in names:
        path = bytes(world.work) + b"/" + name
        with open(path, "wb") as file:  # noqa: PTH123 - a name that is no text
            file.write(b"x")
    git(world.work, "add", "--all")
    git(world.work, "commit", "-q", "-m", "Odd")
    found = world.look(("refs/heads/main", old, world.head)).fields
    expected = sorted(each.decode("utf-8", "backslashreplace") for each in names)
    assert list(found.paths) == expected
    assert not found.unknown


def test_a_server_that_cannot_be_asked(world: World) -> None:
    old = world.head
    new = world.commit("a", "a\n")
    found = world.look(("refs/heads/main", old, new), port=1).fields
    assert (found.forced, found.unknown) == (False, True)
    assert "a" in found.paths
    git(world.work, "reset", "-q", "--hard", "HEAD~2")
    other = world.commit("b", "b\n")
    found = world.look(("refs/heads/main", old, other), port=1).fields
    assert (found.forced, found.unknown) == (True, True)


def test_the_same_push_again_is_the_same(world: World) -> None:
    old = world.head
    new = world.commit("a", "a\n" * 1000)
    first, again = (world.look(("refs/heads/main", old, new)) for _ in range(2))
    assert first.content == again.content
    world.commit("a", "b\n")
    assert world.look(("refs/heads/main", old, world.head)).content != first.content


def test_a_pack_that_is_none(world: World) -> None:
    spool = Spool(world._file, 1000)
    spool.feed(pkt(f"{ZERO} {'a' * 40} refs/heads/x\0report-status".encode()) + FLUSH + b"PACKED")
    push = spool.finish()
    where = Where(scheme="http", host="localhost", port=1, path="/a", hosts=("127.0.0.1",))
    look = Look(push, spool, repository="a", packs=Packs(), upstream=Upstream(where, world.folder))
    with pytest.raises(PackError):
        asyncio.run(look.told())
    spool.close()


@pytest.mark.parametrize("seed", range(6))
def test_histories_by_chance_agree_with_git(world: World, seed: int) -> None:
    """Against `git log` over what is new, and `git merge-base --is-ancestor`."""
    chance = random.Random(seed)  # noqa: S311 - of a test
    old, tips = world.head, ["main"]
    for number in range(6):
        tips = git(world.work, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()
        git(world.work, "checkout", "-q", chance.choice(tips))
        match chance.randrange(4):
            case 0:
                git(world.work, "checkout", "-q", "-b", f"b{number}")
                world.commit(f"{chance.choice('xyz')}/f{number}", f"{number}\n")
            case 1:
                other = chance.choice(tips)
                git(world.work, "merge", "-q", "-X", "ours", "--no-ff", "-m", "M", other)
            case _:
                world.commit(f"{chance.choice('xyz')}/f", f"{number} {seed}\n")
    git(world.work, "checkout", "-q", chance.choice(tips))
    new = world.head
    found = world.look(("refs/heads/main", old, new)).fields
    if new == old:
        return
    told = git(world.work, "log", "-c", "--name-only", "--format=", new, f"^{old}").split()
    told += git(world.work, "diff", "--name-only", old, new).split()
    assert set(found.paths) == set(told)
    ancestor = git(world.work, "merge-base", old, new) == old
    assert found.forced is not ancestor
    assert not found.unknown


def test_too_many_paths_become_their_folders() -> None:
    few = [f"a/{number}" for number in range(MAX_PATHS)]
    assert fitting(few) == tuple(few)
    many = [f"infra/deep/{number}/x/{number}" for number in range(5000)]
    assert fitting([*many, "top"]) == ("infra/deep/", "top")
    wide = [f"{number}" for number in range(5000)]
    assert len(fitting(wide)) == MAX_PATHS
    long = fitting(["x" * MAX_LETTERS, "y" * MAX_LETTERS])
    assert sum(map(len, long)) <= MAX_LETTERS
