"""The objects of a pack (gitformat-pack), each inflated within bounds.

dulwich reads what one object is; the walk is our own, since every size is checked before it is
believed: a few bytes may claim gigabytes, and a delta may make megabytes of nothing.
"""

import hashlib
import mmap
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Final, NamedTuple

from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta, unpack_object_at

from proctor.git.packreport import PackError, PackLimits

COMMIT: Final = 1
TREE: Final = 2
BLOB: Final = 3
TAG: Final = 4
NAMES: Final = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
HASHES: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
"""Object formats (gitprotocol-capabilities, object-format)."""

_OFS_DELTA: Final = 6
_REF_DELTA: Final = 7
_HEAD: Final = 12
_VERSIONS: Final = frozenset({2, 3})
_MOST: Final = 64  # bits of a size
_PIECE: Final = 65_536  # bytes that zlib is given at once
_LEAST: Final = 128


class Object(NamedTuple):
    """One object: its kind, its id in bytes, and what is in it."""

    type: int
    id: bytes
    data: bytes


class Pack:
    """A pack as it lies on disk.

    Args:
        contents: All of it.
        limits: How much of it is read.
        algorithm: `sha1` or `sha256`.
        clock: Monotonic, seconds.

    Attributes:
        count: Objects that it says it has.
        inflated: Bytes of the objects so far.
        missing: Ids of objects that deltas rest on and that are not in it: it is thin.

    Raises:
        PackError: It is none, or says that it is too much.
    """

    def __init__(
        self,
        contents: "bytes | mmap.mmap",
        limits: PackLimits,
        *,
        algorithm: str = "sha1",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._contents = contents
        self._limits = limits
        self._hash: Callable[..., Any] = HASHES[algorithm]
        self._ids = self._hash().digest_size
        self._clock = clock
        self._until = clock() + limits.seconds
        self.inflated = 0
        self.missing: set[bytes] = set()
        if len(contents) < _HEAD + self._ids or contents[:4] != b"PACK":
            raise unreadable("it is cut off or does not begin with PACK")
        if int.from_bytes(contents[4:8]) not in _VERSIONS:
            raise unreadable("a version that is not known")
        self.count = int.from_bytes(contents[8:12])
        if self.count > limits.objects:
            raise too_much(f"{self.count} objects", f"at most {limits.objects}")
        with memoryview(contents) as view:
            if self._hash(view[: -self._ids]).digest() != view[-self._ids :]:
                raise unreadable("its checksum is wrong")

    def objects(self) -> Iterator[Object]:
        """All objects: first those that are whole, in order, then those made of deltas.

        Raises:
            PackError: It cannot be read whole. What rests on objects that are not in it is no
                error, but in `missing`.
        """
        try:
            yield from self._walk()
        except (zlib.error, ApplyDeltaError, AssertionError, ValueError, IndexError, EOFError):
            raise unreadable("an object in it is broken") from None

    def _walk(self) -> Iterator[Object]:
        by_offset: dict[int, list[int]] = defaultdict(list)
        by_id: dict[bytes, list[int]] = defaultdict(list)
        whole: dict[int, bytes] = {}
        types: dict[int, int] = {}
        position = _HEAD
        for _ in range(self.count):
            found, end = self._at(position)
            if found.pack_type_num in NAMES:
                made = self._made(found.pack_type_num, b"".join(found.decomp_chunks))
                whole[position], types[position] = made.id, made.type
                yield made
            elif isinstance(found.delta_base, int):
                by_offset[position - found.delta_base].append(position)
            elif isinstance(found.delta_base, bytes):
                by_id[found.delta_base].append(position)
            else:
                raise unreadable("an object of a kind that is not known")
            position = end
        if position != len(self._contents) - self._ids:
            raise unreadable("there is more in it than its objects")
        for offset, name in whole.items():
            if offset in by_offset or name in by_id:
                base = b"".join(self._at(offset)[0].decomp_chunks)
                waiting = [*by_offset.pop(offset, ()), *by_id.pop(name, ())]
                yield from self._chains(waiting, types[offset], base, by_offset, by_id)
        self._left(by_offset, by_id)

    def _left(self, by_offset: dict[int, list[int]], by_id: dict[bytes, list[int]]) -> None:
        """What rests on something that is not here may rest on what is elsewhere, or on itself."""
        known = {place for places in by_id.values() for place in places}
        grown = True
        while grown:
            below = {place for base in known & by_offset.keys() for place in by_offset[base]}
            grown = not below <= known
            known |= below
        if not by_offset.keys() <= known:
            raise unreadable("a delta rests on what is no object")
        self.missing.update(by_id)

    def _chains(
        self,
        waiting: list[int],
        kind: int,
        base: bytes,
        by_offset: dict[int, list[int]],
        by_id: dict[bytes, list[int]],
    ) -> Iterator[Object]:
        todo = [(offset, base, 1) for offset in waiting]
        while todo:
            offset, base, depth = todo.pop()
            if depth > self._limits.depth:
                raise too_much("deltas on more deltas", f"at most {self._limits.depth}")
            delta = b"".join(self._at(offset)[0].decomp_chunks)
            start, size = _sizes(delta)
            if start != len(base):
                raise unreadable("a delta for something else")
            self._bound(size)
            made = self._made(kind, b"".join(apply_delta(base, delta)))
            if len(made.data) != size:
                raise unreadable("a delta that makes something else than it says")
            yield made
            below = [*by_offset.pop(offset, ()), *by_id.pop(made.id, ())]
            todo += [(place, made.data, depth + 1) for place in below]

    def _at(self, offset: int) -> tuple[Any, int]:
        """The object at an offset, not resolved, and where it ends."""
        if self._clock() > self._until:
            raise too_much("", f"to be read in {self._limits.seconds:g} s")
        size = self._size(offset)
        self._bound(size)
        piece = min(_PIECE, max(_LEAST, size))
        return unpack_object_at(self._contents, offset, self._hash, zlib_bufsize=piece)

    def _size(self, offset: int) -> int:
        """Bytes that the object at an offset says it has."""
        if not _HEAD <= offset < len(self._contents) - self._ids:
            raise unreadable("it has fewer objects than it says")
        byte = self._contents[offset]
        size, shift = byte & 15, 4
        while byte & 128:
            offset += 1
            byte = self._contents[offset]
            size |= (byte & 127) << shift
            shift += 7
            if shift > _MOST:
                raise unreadable("a size that is none")
        return size

    def _bound(self, size: int) -> None:
        if size > self._limits.object:
            raise too_much(f"an object of {size} bytes", f"at most {self._limits.object}")
        if self.inflated + size > self._limits.inflated:
            raise too_much("more when inflated", f"at most {self._limits.inflated} bytes")

    def _made(self, kind: int, data: bytes) -> Object:
        self.inflated += len(data)
        state = self._hash(b"%s %d\0" % (NAMES[kind], len(data)))
        state.update(data)
        return Object(kind, state.digest(), data)


def _sizes(delta: bytes) -> tuple[int, int]:
    """Of what a delta rests on, and of what it makes."""
    sizes: list[int] = []
    position = 0
    for _ in range(2):
        size = shift = 0
        byte = 128
        while byte & 128:
            byte = delta[position]
            position += 1
            size |= (byte & 127) << shift
            shift += 7
            if shift > _MOST:
                raise unreadable("a size that is none")
        sizes.append(size)
    return sizes[0], sizes[1]


def unreadable(got: str) -> PackError:
    """A pack that nobody can read."""
    return PackError(
        "git-pack-unreadable",
        "The pack cannot be read, so nothing of it was passed on",
        got=got,
        expected="a pack as git makes it (gitformat-pack)",
    )


def too_much(got: str, expected: str) -> PackError:
    """A pack that nobody reads to its end."""
    return PackError(
        "git-pack-limit",
        "The pack is more than can be looked at, so nothing of it was passed on",
        got=got,
        expected=expected,
        hint="Send or fetch less at once.",
    )
