"""What commits change, told by trees."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.git.history import Entry, History, read_commit
from proctor.git.packfile import COMMIT, TAG, TREE, Object
from proctor.git.packreport import PackError, PackLimits
from tests.support import packing

A, B, C = (bytes([number]) * 20 for number in (1, 2, 3))


def made(*trees: bytes, limits: PackLimits | None = None) -> tuple[History, list[bytes]]:
    history, names = History(limits or PackLimits()), []
    for data in trees:
        names.append(packing.name_of("tree", data))
        history.add(Object(TREE, names[-1], data))
    return history, names


def test_what_differs() -> None:
    deep = packing.tree(("100644", b"x", A))
    deeper = packing.tree(("100755", b"x", A), ("100644", b"\xff\n", B))
    inner = packing.name_of("tree", deep), packing.name_of("tree", deeper)
    old = packing.tree(("100644", b"gone", A), ("40000", b"sub", inner[0]), ("120000", b"to", C))
    new = packing.tree(("40000", b"sub", inner[1]), ("40000", b"to", inner[0]))
    history, names = made(deep, deeper, old, new)
    unknown: set[bytes] = set()
    assert dict(history.changed(names[2], names[3], unknown)) == {
        b"gone": Entry(0, b""),
        b"to": Entry(0, b""),
        b"to/x": Entry(0o100644, A),
        b"sub/x": Entry(0o100755, A),
        b"sub/\xff\n": Entry(0o100644, B),
    }
    assert not unknown
    assert not list(history.changed(names[2], names[2], unknown))


def test_a_tree_that_is_not_here_is_told() -> None:
    history, names = made(packing.tree(("40000", b"sub", A)), packing.tree(("40000", b"sub", B)))
    unknown: set[bytes] = set()
    assert [path for path, _ in history.changed(names[0], names[1], unknown)] == [b"sub"]
    assert unknown == {A, B}


def test_every_place_of_a_tree_is_walked_once() -> None:
    leaf = packing.tree(("100644", b"f", A))
    name = packing.name_of("tree", leaf)
    history, names = made(leaf, packing.tree(("40000", b"a", name), ("40000", b"b", name)))
    found = [path for path, entry in history.walk([(b"", names[1])] * 2) if not entry.folder]
    assert sorted(found) == [b"a/f", b"b/f"]


def test_a_tree_of_trees_of_trees_ends() -> None:
    history = History(PackLimits(paths=10_000))
    name = A
    for _ in range(30):
        data = packing.tree(*(("40000", b"%d" % number, name) for number in range(10)))
        name = packing.name_of("tree", data)
        history.add(Object(TREE, name, data))
    with pytest.raises(PackError, match="at most 10000"):
        list(history.walk([(b"", name)]))


@pytest.mark.parametrize(
    "data",
    [
        b"100644 a",
        b"100644 a\0" + A[:19],
        b"abc a\0" + A,
        b"100644 \0" + A,
        b"100644 a/b\0" + A,
        packing.tree(("100644", b"a", A), ("40000", b"a", B)),
    ],
)
def test_what_is_no_tree(data: bytes) -> None:
    history, names = made(data)
    with pytest.raises(PackError):
        history.entries(names[0])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_tree_or_none(data: bytes) -> None:
    history, names = made(data)
    with suppress(PackError):  # and nothing else is raised
        history.entries(names[0])


def test_a_commit() -> None:
    found = read_commit(A, packing.commit(B, C, A, mail="x@y\xe9.example"))
    assert found.id == A.hex()
    assert (found.tree, found.parents) == (B.hex(), (C.hex(), A.hex()))
    assert (found.author, found.committer) == ("x@y\xe9.example", "x@y\xe9.example")
    assert found.subject == "A word"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"tree xyz\n\n",
        b"parent " + b"a" * 40,
        packing.commit(A).replace(b"author", b"tree " + b"b" * 40 + b"\nauthor", 1),
        packing.commit(A, B).replace(b"parent 0", b"parent \xff"),
    ],
)
def test_what_is_no_commit(data: bytes) -> None:
    with pytest.raises(PackError):
        History(PackLimits()).add(Object(COMMIT, A, data))


def test_a_tag_names_something() -> None:
    history = History(PackLimits())
    history.add(Object(TAG, A, b"object " + b"a" * 40 + b"\ntype commit\n"))
    assert history.tags == {A.hex(): "a" * 40}
    with pytest.raises(PackError):
        history.add(Object(TAG, A, b"type commit\n"))
