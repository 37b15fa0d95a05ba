"""Room for packs, and names of what servers told."""

import asyncio
import os
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.git import room
from proctor.git.packreport import PackLimits
from proctor.git.packs import Packs
from proctor.git.room import GitRoom, Offers, Refs, unkept
from proctor.model import Finding
from proctor.protocols.git.push import Command

FOUND = Finding(type="API_KEY", location="a:1", direction="request", score=1.0, digest="d")


def test_names_of_ids() -> None:
    refs = Refs()
    refs.told("alice", "a", {"refs/heads/main": "1", "refs/tags/v1": "1", "HEAD": "2"})
    assert refs.of("alice", "a", ["1", "3"]) == ("refs/heads/main", "refs/tags/v1")
    assert refs.of("bob", "a", ["1"]) == ()
    for number in range(room.REPOSITORIES):
        refs.told("alice", f"r{number}", {"x": "1"})
    assert refs.of("alice", "a", ["1"]) == ()


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REFS", 3)
    refs = Refs()
    refs.told("alice", "a", {"a": "1", "b": "2"})
    refs.told("alice", "a", {"c": "3", "d": "4"})
    assert refs.of("alice", "a", ["1"]) == ()
    assert refs.of("alice", "a", ["3", "4"]) == ("c", "d")


def test_files_of_ours(tmp_path: Path) -> None:
    (tmp_path / "git").mkdir(mode=0o700)
    (tmp_path / "git/push-old.pack").write_bytes(b"of a process that was killed")
    made = GitRoom(
        tmp_path,
        Packs(None),
        limits=PackLimits(),
        most=10,
        allowed=lambda found: found.location == "a:1",
    )
    assert not list(made.folder.glob("*.pack"))
    handle, path = made.spool("push")
    os.close(handle)
    assert path.parent == tmp_path / "git"
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.kept([FOUND]) == ()
    made.folder.joinpath(path).unlink()
    made.folder.rmdir()
    with pytest.raises(InternalError) as caught:
        made.spool()
    assert caught.value.code == "git-spool"
    asyncio.run(made.close())


def test_words() -> None:
    assert "No space left" in unkept(OSError(28, "x")).got


def test_what_a_server_said_before_a_push() -> None:
    offers, main = Offers(), b"refs/heads/main"
    assert offers.differs("alice", "a", [Command(main, "0" * 40, "b" * 40)]) == ""
    offers.told("alice", "a", {main: "a" * 40})
    assert offers.differs("alice", "a", [Command(main, "a" * 40, "b" * 40)]) == ""
    assert offers.differs("alice", "a", [Command(b"refs/heads/new", "0" * 40, "b" * 40)]) == ""
    # Whoever says that a ref is new, so that it would not count as forced.
    lie = Command(main, "0" * 40, "b" * 40)
    assert offers.differs("alice", "a", [lie]) == "refs/heads/main"
    assert offers.differs("bob", "a", [lie]) == ""
    for number in range(room.OFFERS):
        offers.told("alice", f"r{number}", {})
    assert offers.differs("alice", "a", [lie]) == ""
