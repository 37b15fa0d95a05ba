"""The Merkle tree of RFC 6962, section 2.1: hashes, roots, and a tree that only grows."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256().digest()
"""The root of a tree without leaves: the hash of nothing."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree of which only the roots of its whole subtrees are kept: what it takes to grow it.

    Attributes:
        size: Leaves.
        peaks: Roots of the whole subtrees, the largest first; as many as `size` has one bits.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """A frontier as it was kept.

        Raises:
            ValueError: So many peaks do not belong to such a size, or one is no hash.
        """
        if (
            size < 0
            or len(peaks) != size.bit_count()
            or any(len(peak) != HASH_SIZE for peak in peaks)
        ):
            raise ValueError("a frontier has one hash of 32 bytes for every one bit of its size")
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Adds the hash of one leaf."""
        below = self.size
        while below & 1:
            leaf = sha256(b"\x01" + self.peaks.pop() + leaf).digest()
            below >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def extend(self, leaves: bytes) -> None:
        """Adds many, 32 bytes each; faster than one by one."""
        base = self.size

        def subtree(start: int, width: int) -> bytes:
            at = (start - base) * HASH_SIZE
            return subtree_root(leaves[at : at + width * HASH_SIZE])

        self.grow(base + len(leaves) // HASH_SIZE, subtree)

    def grow(self, size: int, subtree: Callable[[int, int], bytes]) -> None:
        """Adds what is between the tree's size and another one.

        Args:
            size: Leaves there are then.
            subtree: Asked for the root of a subtree: its first leaf, and how many it has. That is a
                power of two, and the first leaf a multiple of it.
        """
        while self.size < size:
            left = size - self.size
            width = self.size & -self.size or 1 << left.bit_length() - 1
            while width > left:
                width >>= 1
            self._graft(subtree(self.size, width), width)

    def _graft(self, root: bytes, width: int) -> None:
        """Adds a whole subtree of `width` leaves; `size` is a multiple of it."""
        below = self.size // width
        while below & 1:
            root = sha256(b"\x01" + self.peaks.pop() + root).digest()
            below >>= 1
        self.peaks.append(root)
        self.size += width

    def root(self) -> bytes:
        """The tree's root."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, root = self.peaks
        for peak in reversed(rest):
            root = sha256(b"\x01" + peak + root).digest()
        return root

    def copy(self) -> "Frontier":
        """The tree as it stands."""
        return Frontier(self.size, self.peaks)


def subtree_root(leaves: bytes) -> bytes:
    """The root over a power of two of leaf hashes, 32 bytes each."""
    while len(leaves) > HASH_SIZE:
        leaves = b"".join(
            [sha256(b"\x01" + leaves[at : at + 64]).digest() for at in range(0, len(leaves), 64)]
        )
    return leaves


def root_of(leaves: bytes) -> bytes:
    """The root over any number of leaf hashes, 32 bytes each."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()
