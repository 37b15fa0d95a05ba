"""Commits and trees of packs: who made them, and what they change."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from proctor.git.packfile import COMMIT, TAG, TREE, Object, too_much, unreadable
from proctor.git.packreport import Commit, PackLimits

FOLDER: Final = 0o40000
LINK: Final = 0o160000
"""Mode of a submodule, whose commit is in another repository."""

_KIND: Final = 0o170000
_MAIL: Final = re.compile(rb"<([^<>]*)>[^<>]*$")
_ID: Final = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_WORDS: Final = 300
"""Characters of an address or a subject that are kept."""


class Entry(NamedTuple):
    """What stands at a path: a mode and an id; (0, b"") for nothing."""

    mode: int
    id: bytes

    @property
    def folder(self) -> bool:
        """Whether it is a tree."""
        return self.mode & _KIND == FOLDER


NOTHING: Final = Entry(0, b"")


class History:
    """Commits and trees as they come.

    Args:
        limits: How many paths are looked at.
        size: Bytes of an id.
    """

    def __init__(self, limits: PackLimits, size: int = 20) -> None:
        self.commits: dict[bytes, Commit] = {}
        self.tags: dict[str, str] = {}
        self.trees: dict[bytes, bytes] = {}
        self._limits = limits
        self._entry = re.compile(rb"([0-7]{5,6}) ([^\0/]+)\0(.{%d})" % size, re.DOTALL)
        self._visits = 0

    def add(self, item: Object) -> None:
        """Take an object; blobs are none of ours.

        Raises:
            PackError: It is no commit, tree or tag as git makes it.
        """
        if item.type == COMMIT:
            self.commits[item.id] = read_commit(item.id, item.data)
        elif item.type == TREE:
            self.trees[item.id] = item.data
        elif item.type == TAG:
            line = item.data.partition(b"\n")[0]
            if not line.startswith(b"object ") or not _ID.fullmatch(line[7:]):
                raise unreadable("a tag that names nothing")
            self.tags[item.id.hex()] = line[7:].decode()

    def entries(self, tree: bytes) -> dict[bytes, Entry]:
        """What is in a tree that is here, by name.

        Raises:
            PackError: It is none, or too many were asked for.
        """
        found: dict[bytes, Entry] = {}
        data, end = self.trees[tree], 0
        for match in self._entry.finditer(data):
            if match.start() != end or match[2] in found:
                raise unreadable("a tree with what is no entry, or one twice")
            found[match[2]] = Entry(int(match[1], 8), match[3])
            end = match.end()
        if end != len(data):
            raise unreadable("a tree that is cut off")
        self._visits += len(found) + 1
        if self._visits > self._limits.paths:
            raise too_much("more paths", f"at most {self._limits.paths}")
        return found

    def changed(self, old: bytes, new: bytes, unknown: set[bytes]) -> Iterator[tuple[bytes, Entry]]:
        """Paths at which two trees differ, with what stands there in the new one.

        Args:
            old: A tree's id; b"" for none.
            new: The same.
            unknown: Gets ids of trees that are not here.
        """
        todo = [(b"", old, new)]
        while todo:
            prefix, one, other = todo.pop()
            if one == other:
                continue
            before, after = self._known(one, unknown), self._known(other, unknown)
            if before is None or after is None:
                yield prefix.rstrip(b"/"), Entry(FOLDER, other)
                continue
            for name in sorted(before.keys() | after.keys()):
                was, now = before.get(name, NOTHING), after.get(name, NOTHING)
                if was == now:
                    continue
                path = prefix + name
                if was.folder or now.folder:
                    todo.append(
                        (path + b"/", was.id if was.folder else b"", now.id if now.folder else b"")
                    )
                if not now.folder and (now.mode or not was.folder):
                    yield path, now
                elif now.folder and was.mode and not was.folder:
                    yield path, NOTHING

    def _known(self, tree: bytes, unknown: set[bytes]) -> dict[bytes, Entry] | None:
        if not tree:
            return {}
        if tree not in self.trees:
            unknown.add(tree)
            return None
        return self.entries(tree)

    def walk(self, roots: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, Entry]]:
        """All paths below some trees, each tree once at each place.

        Args:
            roots: Prefix and id.
        """
        todo = list(roots)
        seen: set[tuple[bytes, bytes]] = set()
        while todo:
            place = todo.pop()
            prefix, tree = place
            if place in seen or tree not in self.trees:
                continue
            seen.add(place)
            for name, entry in self.entries(tree).items():
                path = prefix + name
                yield path, entry
                if entry.folder:
                    todo.append((path + b"/", entry.id))


def read_commit(name: bytes, data: bytes) -> Commit:
    """A commit's head and subject (git-commit-tree).

    Raises:
        PackError: It is none.
    """
    head, _, message = data.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, []).append(value)  # a continued line has no key
    trees, parents = fields.get(b"tree", []), fields.get(b"parent", [])
    if len(trees) != 1 or not all(_ID.fullmatch(item) for item in (*trees, *parents)):
        raise unreadable("a commit that is none")
    return Commit(
        id=name.hex(),
        parents=tuple(item.decode() for item in parents),
        tree=trees[0].decode(),
        author=_mail(fields, b"author"),
        committer=_mail(fields, b"committer"),
        subject=text(message.lstrip().partition(b"\n")[0])[:_WORDS],
    )


def _mail(fields: Mapping[bytes, list[bytes]], key: bytes) -> str:
    found = _MAIL.search(fields.get(key, [b""])[0])
    return text(found[1])[:_WORDS] if found else ""


def text(raw: bytes) -> str:
    r"""Bytes as text; what is no UTF-8 as `\xNN`."""
    return raw.decode("utf-8", "backslashreplace")
