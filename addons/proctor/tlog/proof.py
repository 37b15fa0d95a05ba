"""Proofs over the tree of RFC 6962: that a leaf is in it, and that it only ever grew.

Made as RFC 6962 defines them (2.1.1, 2.1.2), checked as RFC 9162 says step by step (2.1.3.2 and
2.1.4.2). The leaves come from a source that hands out ranges of leaf hashes, 32 bytes each, so that
ten million of them are one array and no objects.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from proctor.errors import ClientError, InternalError
from proctor.tlog.tree import EMPTY_ROOT, HASH_SIZE, Frontier, node_hash

MAX_HASHES: Final = 63
"""The most that a proof over a tree of 63-bit size can hold (tlog-witness, add-checkpoint)."""

# Leaves that are in memory at a time: 2 MiB of them.
_CHUNK: Final = 1 << 16

type Leaves = Callable[[int, int], bytes]
"""The leaf hashes from one seq up to, not including, another; 32 bytes each, none missing."""


def grow(tree: Frontier, leaves: Leaves, size: int) -> None:
    """Adds the leaves from `tree.size` up to `size`.

    Raises:
        InternalError: Code `leaves-short`, the source has not got them.
    """
    while tree.size < size:
        tree.extend(_read(leaves, tree.size, min(size, tree.size + _CHUNK)))


def inclusion_proof(leaves: Leaves, index: int, size: int) -> tuple[bytes, ...]:
    """What leads from one leaf to the root, its sibling first (RFC 6962, 2.1.1).

    Args:
        leaves: Of the tree; every one of them is read once.
        index: Of the leaf, from 0.
        size: Of the tree.

    Raises:
        ValueError: There is no such leaf in such a tree.
        InternalError: Code `leaves-short`.
    """
    if not 0 <= index < size:
        raise ValueError("the index is not one of the tree's")
    return tuple(_root(leaves, *part) for part in reversed(list(_siblings(index, size))))


def consistency_proof(
    leaves: Leaves, old: int, size: int, *, known: Frontier | None = None
) -> tuple[bytes, ...]:
    """What shows that a tree begins with an older one (RFC 6962, 2.1.2).

    Args:
        leaves: Of the tree.
        old: Size of the older tree. From 0, and from a tree to itself, nothing has to be shown.
        size: Of the tree.
        known: The older tree, where it is at hand: only the leaves after it are read.

    Raises:
        ValueError: The older tree is the larger one, or `known` is another.
        InternalError: Code `leaves-short`.
    """
    if not 0 <= old <= size or (known is not None and known.size != old):
        raise ValueError("the older tree is not of that size, or larger than the other")
    peaks = {} if known is None else dict(zip(_peaks(old), known.peaks, strict=True))
    parts = _subproof(old, 0, size) if 0 < old < size else ()
    return tuple(peaks.get(part) or _root(leaves, *part) for part in parts)


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Refuses a proof that does not lead from the leaf to the root (RFC 9162, 2.1.3.2).

    Args:
        leaf: Its hash.
        index: Where it stands, from 0.
        size: Of the tree.
        proof: Hashes, 32 bytes each.
        root: Of the tree.

    Raises:
        ClientError: Code `proof-wrong`.
    """
    if not 0 <= index < size:
        raise _wrong(f"index {index}", f"less than the tree's size, {size}")
    _check_hashes(leaf, root, *proof)
    node, last, found = index, size - 1, leaf
    for each in proof:
        if not last:
            raise _wrong(f"{len(proof)} hashes", f"fewer in a tree of {size}")
        if node & 1 or node == last:
            found = node_hash(each, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, each)
        node, last = node >> 1, last >> 1
    if last:
        raise _wrong(f"{len(proof)} hashes", f"more in a tree of {size}")
    if found != root:
        raise _wrong("another root", "the root of the checkpoint")


def check_consistency(
    old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Refuses a proof that does not show the one tree to begin with the other (RFC 9162, 2.1.4.2).

    Args:
        old: Size of the older tree.
        old_root: Its root.
        size: Size of the newer tree.
        root: Its root.
        proof: Hashes, 32 bytes each. Empty from 0 (tlog-witness), and from a tree to itself.

    Raises:
        ClientError: Code `proof-wrong`.
    """
    if not 0 <= old <= size:
        raise _wrong(f"{size} leaves", f"at least as many as before, {old}")
    _check_hashes(old_root, root, *proof)
    if (old == 0 and old_root != EMPTY_ROOT) or (size == 0 and root != EMPTY_ROOT):
        raise _wrong("a root of a tree without leaves", "the hash of nothing (RFC 6962, 2.1)")
    if old in {0, size}:
        if proof:
            raise _wrong(f"{len(proof)} hashes", f"none from {old} to {size}")
        if old == size and old_root != root:
            raise _wrong("another root", f"the same, the size of {size} being the same")
        return
    if not proof:
        raise _wrong("no hashes", f"some from {old} to {size}")
    _fold(old, old_root, size, root, proof)


def _fold(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162, 2.1.4.2 from its second step on."""
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for each in path[1:]:
        if not last:
            raise _wrong(f"{len(proof)} hashes", f"fewer from {old} to {size}")
        if node & 1 or node == last:
            before, after = node_hash(each, before), node_hash(each, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, each)
        node, last = node >> 1, last >> 1
    if last:
        raise _wrong(f"{len(proof)} hashes", f"more from {old} to {size}")
    if before != old_root:
        raise _wrong("another root before", "the root of the older tree")
    if after != root:
        raise _wrong("another root after", "the root of the newer tree")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_SIZE for each in hashes):
        raise _wrong("what is no hash", f"{HASH_SIZE} bytes")


def _siblings(index: int, size: int) -> Iterator[tuple[int, int]]:
    """The subtrees beside the way from the root down to a leaf: first leaf, and end."""
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            yield middle, end
            end = middle
        else:
            yield start, middle
            start = middle


def _subproof(old: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The subtrees whose roots prove consistency, in the proof's order (RFC 6962, 2.1.2)."""
    above = []
    whole = True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            above.append((middle, end))
            end = middle
        else:
            above.append((start, middle))
            start, whole = middle, False
    if not whole:
        yield start, end
    yield from reversed(above)


def _peaks(size: int) -> Iterator[tuple[int, int]]:
    """The whole subtrees that a tree is made of, the largest first, as in `Frontier.peaks`."""
    start = 0
    while start < size:
        end = start + (1 << (size - start).bit_length() - 1)
        yield start, end
        start = end


def _split(size: int) -> int:
    """The largest power of two that is less than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _root(leaves: Leaves, start: int, end: int) -> bytes:
    tree = Frontier()
    grow(tree, lambda low, high: leaves(start + low, start + high), end - start)
    return tree.root()


def _read(leaves: Leaves, start: int, end: int) -> bytes:
    found = leaves(start, end)
    if len(found) != (end - start) * HASH_SIZE:
        raise InternalError(
            "leaves-short",
            "The record's list of leaf hashes is too short",
            got=f"{len(found) // HASH_SIZE} from {start}",
            expected=f"{end - start}",
            hint="`proctor verify` says what is missing.",
        )
    return found


def _wrong(got: str, expected: str) -> ClientError:
    return ClientError(
        "proof-wrong",
        "The proof does not hold",
        got=got,
        expected=expected,
        status=422,
    )
