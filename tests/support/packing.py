"""Packs made by hand, the wrong ones too (gitformat-pack)."""

import hashlib
import struct
import zlib
from collections.abc import Sequence

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}


def name_of(kind: str, data: bytes, algorithm: str = "sha1") -> bytes:
    """An object's id."""
    return hashlib.new(algorithm, b"%s %d\0" % (kind.encode(), len(data)) + data).digest()


def head(kind: int, size: int) -> bytes:
    """Kind and size, as they stand before an object."""
    out = bytearray([(kind << 4) | (size & 15)])
    size >>= 4
    while size:
        out[-1] |= 128
        out.append(size & 127)
        size >>= 7
    return bytes(out)


def whole(kind: str, data: bytes) -> bytes:
    """An object as it is."""
    return head(KINDS[kind], len(data)) + zlib.compress(data)


def by_name(base: bytes, delta: bytes) -> bytes:
    """A delta that names what it rests on."""
    return head(7, len(delta)) + base + zlib.compress(delta)


def by_offset(back: int, delta: bytes) -> bytes:
    """A delta that says how far before it that stands."""
    out = [back & 127]
    back >>= 7
    while back:
        back -= 1
        out.insert(0, 128 | (back & 127))
        back >>= 7
    return head(6, len(delta)) + bytes(out) + zlib.compress(delta)


def number(size: int) -> bytes:
    """A size in a delta."""
    out = bytearray()
    while size > 127:
        out.append(128 | (size & 127))
        size >>= 7
    return bytes([*out, size])


def delta(base: bytes, more: bytes) -> bytes:
    """All of a base, and a few bytes behind it."""
    assert 0 < len(base) < 256
    assert 0 < len(more) < 128
    copied = bytes([0x90, len(base)])
    return number(len(base)) + number(len(base) + len(more)) + copied + bytes([len(more)]) + more


def pack(objects: Sequence[bytes], *, count: int | None = None, algorithm: str = "sha1") -> bytes:
    """All of it, with its checksum."""
    said = len(objects) if count is None else count
    body = b"PACK" + struct.pack(">II", 2, said) + b"".join(objects)
    return body + hashlib.new(algorithm, body).digest()


def tree(*entries: tuple[str, bytes, bytes]) -> bytes:
    """What is in a folder: mode, name and id."""
    return b"".join(b"%s %s\0%s" % (mode.encode(), name, item) for mode, name, item in entries)


def commit(tree_id: bytes, *parents: bytes, mail: str = "alice@example.com") -> bytes:
    """A commit of a tree."""
    lines = [f"tree {tree_id.hex()}", *(f"parent {item.hex()}" for item in parents)]
    who = f"Alice <{mail}> 1700000000 +0000"
    return "\n".join([*lines, f"author {who}", f"committer {who}", "", "A word\n"]).encode()
