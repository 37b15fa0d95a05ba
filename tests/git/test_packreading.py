"""What is told of a pack: changes, findings, and what lies at secret paths."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from proctor.git.blobs import BlobScanner
from proctor.git.packreading import Order, Reading
from proctor.git.packreport import PackError, PackReport
from proctor.redaction.model import Budget, Leaf, Spot
from proctor.redaction.settings import RedactionSettings
from tests.support import packing
from tests.support.packing import name_of, pack, whole

WORD = "hush-hush"


class Words:
    """Finds one word."""

    version = "1"
    detectors = ("test:word",)

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        raise NotImplementedError

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        found: dict[int, tuple[Spot, ...]] = {}
        for number, leaf in enumerate(leaves):
            start = leaf.text.find(WORD)
            if start >= 0:
                end = start + len(WORD)
                found[number] = (Spot(start, end, "API_KEY", "test:word", 1.0, WORD),)
        return found


class Files:
    """Objects of a repository, made one by one."""

    def __init__(self) -> None:
        self.objects: dict[bytes, bytes] = {}

    def add(self, kind: str, data: bytes) -> bytes:
        name = name_of(kind, data)
        self.objects[name] = whole(kind, data)
        return name

    def commit(self, files: dict[str, bytes], *parents: bytes) -> bytes:
        """A commit of files in folders of one level."""
        folders: dict[str, dict[str, bytes]] = {}
        for path, data in files.items():
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, {})[name] = self.add("blob", data)
        entries = [("100644", name.encode(), item) for name, item in folders.pop("", {}).items()]
        for folder, inside in folders.items():
            tree = packing.tree(*(("100644", name.encode(), item) for name, item in inside.items()))
            entries.append(("40000", folder.encode(), self.add("tree", tree)))
        return self.add(
            "commit", packing.commit(self.add("tree", packing.tree(*entries)), *parents)
        )

    def without(self, *names: bytes) -> bytes:
        return pack([data for name, data in self.objects.items() if name not in names])

    def only(self, *names: bytes) -> bytes:
        return pack([self.objects[name] for name in names])


def told(folder: Path, data: bytes, order: Order | None = None) -> PackReport:
    path = folder / "it.pack"
    path.write_bytes(data)
    scanner = BlobScanner(Words(), RedactionSettings(), key=b"k" * 32)
    return Reading(replace(order or Order(path=path), path=path), scanner).report()


def test_what_commits_change(tmp_path: Path) -> None:
    files = Files()
    first = files.commit({"a": b"1", "infra/x": b"1"})
    second = files.commit({"a": b"2", "infra/x": b"1"}, first)
    hidden = files.commit({"a": b"2", "infra/x": b"evil"}, second)
    last = files.commit({"a": b"2", "infra/x": b"1"}, hidden)
    report = told(tmp_path, files.without())
    assert [item.id for item in report.commits] == [
        item.hex() for item in (first, second, hidden, last)
    ]
    assert {(item.path, item.size) for item in report.changes} == {
        *{("a", 1), ("infra/x", 1), ("infra/x", 4)}
    }
    assert report.missing == report.incomplete == ()
    alone = told(tmp_path, files.only(second, hidden, last))
    assert set(alone.missing) >= {first.hex()}


def test_a_merge_changes_what_no_parent_has(tmp_path: Path) -> None:
    files = Files()
    base = files.commit({"a": b"1", "b": b"1", "c": b"1"})
    one = files.commit({"a": b"2", "b": b"1", "c": b"1"}, base)
    other = files.commit({"a": b"1", "b": b"2", "c": b"1"}, base)
    merge = files.commit({"a": b"2", "b": b"2", "c": b"evil"}, one, other)
    pair = Order(path=tmp_path, between=((one.hex(), merge.hex()), ("", base.hex())))
    report = told(tmp_path, files.without(), pair)
    sizes = {
        item.path: item.size
        for item in report.changes
        if item.blob == name_of("blob", b"evil").hex()
    }
    assert sizes == {"c": 4}
    assert {item.path for item in report.between} == {"a", "b", "c"}


def test_what_a_pack_lacks_comes_from_another(tmp_path: Path) -> None:
    files = Files()
    first = files.commit({"a": b"1", "b": b"1"})
    before = dict(files.objects)
    second = files.commit({"a": b"2", "b": b"1"}, first)
    base = tmp_path / "base.pack"
    base.write_bytes(pack(list(before.values())))
    new = files.without(*before)
    assert told(tmp_path, new).missing == (first.hex(),)
    report = told(tmp_path, new, Order(path=tmp_path, bases=(base,)))
    assert [item.path for item in report.changes] == ["a"]
    assert [item.id for item in report.commits] == [second.hex()]
    assert report.missing == ()


def test_a_secret_is_at_its_path_and_line(tmp_path: Path) -> None:
    files = Files()
    files.commit({"deploy/keys": f"one\ntwo {WORD}\n".encode(), "b": b"\0\1\2" * 90})
    report = told(tmp_path, files.without())
    assert [(item.type, item.location, item.direction) for item in report.findings] == [
        ("API_KEY", "deploy/keys:2", "request")
    ]
    assert WORD not in repr(report)
    assert report.skipped == 270
    lone = told(tmp_path, pack([whole("blob", WORD.encode())]))
    assert lone.findings[0].location.startswith("blob ")


def test_a_secret_between_binary_bytes(tmp_path: Path) -> None:
    binary = b"\0\1\2\3" * 200 + b"key=" + WORD.encode() + b"\0\1\2\3" * 200
    report = told(tmp_path, pack([whole("blob", binary)]))
    assert [item.type for item in report.findings] == ["API_KEY"]
    assert ":" not in report.findings[0].location


def test_secret_paths(tmp_path: Path) -> None:
    files = Files()
    files.commit({"a/.env": b"1", ".ENV": b"2", "secrets/x": b"3", "secrets.md": b"4"})
    order = Order(path=tmp_path, secret_paths=("**/.env", "secrets/"), direction="response")
    found = told(tmp_path, files.without(), order).findings
    assert [item.location for item in found] == [".ENV", "a/.env", "secrets/x"]
    assert {item.type for item in found} == {"SECRET_PATH"}


def test_a_file_without_its_folder_is_known_again(tmp_path: Path) -> None:
    files = Files()
    files.commit({"secrets/x": b"3", "b": b"4"})
    secret, other = name_of("blob", b"3"), name_of("blob", b"4")
    places = tmp_path / "places.db"
    order = Order(
        path=tmp_path, secret_paths=("secrets/",), places=places, repository="one", history=False
    )
    assert told(tmp_path, files.without(secret, other), order).findings == ()
    assert places.stat().st_mode & 0o777 == 0o600
    found = told(tmp_path, files.only(secret, other), order).findings
    assert [item.location for item in found] == ["secrets/x"]
    assert told(tmp_path, files.only(secret), replace(order, repository="two")).findings == ()


def test_folders_that_come_one_by_one_are_known_by_their_place(tmp_path: Path) -> None:
    files = Files()
    commit = files.commit({"secrets/x": b"3"})
    inner = packing.tree(("100644", b"x", name_of("blob", b"3")))
    root = packing.tree(("40000", b"secrets", name_of("tree", inner)))
    order = Order(
        path=tmp_path, secret_paths=("secrets/",), places=tmp_path / "places.db", history=False
    )
    for name in (commit, name_of("tree", root), name_of("tree", inner)):
        assert told(tmp_path, files.only(name), order).findings == ()
    found = told(tmp_path, files.only(name_of("blob", b"3")), order).findings
    assert [item.location for item in found] == ["secrets/x"]


def test_one_file_is_looked_at_as_a_blob(tmp_path: Path) -> None:
    order = Order(path=tmp_path, loose="ab" * 32)
    assert told(tmp_path, b"", order).findings == ()
    found = told(tmp_path, b"\n" + WORD.encode(), order).findings
    assert [item.location for item in found] == ["lfs/abababababab:2"]


def test_nothing_is_told_of_what_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(PackError):
        told(tmp_path, b"")
