"""RFC 6962, 2.1: the tree as the RFC defines it, against the tree that only grows."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.tlog.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of, subtree_root


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word by word, over hashes of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def some(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def test_known_answers() -> None:
    # Of the Certificate Transparency project's own test data: eight leaves and their roots.
    data = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]  # fmt: skip
    roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    tree = Frontier()
    assert tree.root() == EMPTY_ROOT
    for text, root in zip(data, roots, strict=True):
        tree.append(leaf_hash(bytes.fromhex(text)))
        assert tree.root().hex() == root


def test_every_size_up_to_300_is_as_the_rfc_says() -> None:
    leaves = some(300)
    tree = Frontier()
    for count in range(301):
        assert tree.root() == mth(leaves[:count]) == root_of(b"".join(leaves[:count]))
        if count < len(leaves):
            tree.append(leaves[count])


@given(st.integers(0, 200), st.integers(0, 200))
def test_many_at_once_is_one_by_one(first: int, then: int) -> None:
    leaves = some(first + then)
    one, many = Frontier(), Frontier()
    for leaf in leaves:
        one.append(leaf)
    many.extend(b"".join(leaves[:first]))
    before = many.copy()
    many.extend(b"".join(leaves[first:]))
    assert (many.size, many.peaks) == (one.size, one.peaks)
    assert before.size == first  # a copy stays where it was
    assert Frontier(many.size, many.peaks).root() == mth(leaves)


def test_a_leaf_is_never_a_node() -> None:
    left, right = some(2)
    assert leaf_hash(left + right) != node_hash(left, right)
    assert subtree_root(left + right) == node_hash(left, right)


@pytest.mark.parametrize(
    ("size", "peaks"), [(1, []), (0, [bytes(32)]), (2, [bytes(32)] * 2), (1, [b"short"]), (-1, [])]
)
def test_a_frontier_that_is_none(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="one hash of 32 bytes"):
        Frontier(size, peaks)
