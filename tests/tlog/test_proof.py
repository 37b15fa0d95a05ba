"""Proofs against RFC 6962's own definitions, another project's vectors, and each other."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError, InternalError
from proctor.tlog.proof import (
    check_consistency,
    check_inclusion,
    consistency_proof,
    grow,
    inclusion_proof,
)
from proctor.tlog.tree import EMPTY_ROOT, Frontier, leaf_hash, root_of
from tests.support.rfc6962 import mth, path, subproof

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
DATA = [b"record %d" % n for n in range(64)]
# Its roots are a dozen letters in place of hashes; ours are asked for their length.
NO_HASHES = "consistency/additional/sizes-are-equal-one-and-proof-is-empty"
ARRAY = b"".join(map(leaf_hash, DATA))


def leaves(start: int, end: int) -> bytes:
    return ARRAY[start * 32 : end * 32]


ROOTS = [mth(DATA[:n]) for n in range(len(DATA) + 1)]


def refused(check: Any, *args: Any) -> bool:
    try:
        check(*args)
    except ClientError as error:
        return error.code == "proof-wrong"
    return False


def test_every_inclusion_proof_of_every_tree_up_to_64() -> None:
    for size in range(1, len(DATA) + 1):
        for index in range(size):
            proof = inclusion_proof(leaves, index, size)
            assert list(proof) == path(index, DATA[:size])
            check_inclusion(leaves(index, index + 1), index, size, proof, ROOTS[size])


def test_every_consistency_proof_of_every_tree_up_to_64() -> None:
    for size in range(len(DATA) + 1):
        known = Frontier()
        for old in range(size + 1):
            grow(known, leaves, old)
            proof = consistency_proof(leaves, old, size)
            expected = subproof(old, DATA[:size], b=True) if 0 < old < size else []
            assert list(proof) == expected

            def after(start: int, end: int, old: int = old) -> bytes:
                assert start >= old, "only what came after is read"
                return leaves(start, end)

            assert consistency_proof(after, old, size, known=known) == proof
            check_consistency(old, ROOTS[old], size, ROOTS[size], proof)


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda each: each["name"])
def test_inclusion_as_another_project_judges_it(vector: dict[str, Any]) -> None:
    wrong = refused(
        check_inclusion,
        b64decode(vector["leafHash"]),
        vector["leafIdx"],
        vector["treeSize"],
        [b64decode(each) for each in vector["proof"] or []],
        b64decode(vector["root"] or ""),
    )
    assert wrong is vector["wantErr"]


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda each: each["name"])
def test_consistency_as_another_project_judges_it(vector: dict[str, Any]) -> None:
    wrong = refused(
        check_consistency,
        vector["size1"],
        b64decode(vector["root1"] or ""),
        vector["size2"],
        b64decode(vector["root2"] or ""),
        [b64decode(each) for each in vector["proof"] or []],
    )
    assert wrong is (vector["wantErr"] or vector["name"] == NO_HASHES)


@given(st.integers(1, 64), st.data())
def test_a_proof_of_something_else_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(leaves, index, size))
    root, leaf = ROOTS[size], leaves(index, index + 1)
    assert refused(check_inclusion, leaf_hash(b"another"), index, size, proof, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index or size == 1))
    if other != index:
        assert refused(check_inclusion, leaf, other, size, proof, root)
    assert refused(check_inclusion, leaf, index, size, [*proof, EMPTY_ROOT], root)
    assert refused(check_inclusion, leaf, size, size, proof, root)
    assert refused(check_inclusion, leaf, -1, size, proof, root)
    if proof:
        assert refused(check_inclusion, leaf, index, size, proof[:-1], root)
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        assert refused(check_inclusion, leaf, index, size, proof, root)


@given(st.integers(0, 63), st.data())
def test_a_log_that_was_rewritten_has_no_proof(old: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(old, 64))
    proof = list(consistency_proof(leaves, old, size))
    fork = leaf_hash(b"another")
    if old:
        changed = data.draw(st.integers(0, old - 1))
        forked = ARRAY[: changed * 32] + fork + ARRAY[changed * 32 + 32 : size * 32]
        assert refused(check_consistency, old, ROOTS[old], size, root_of(forked), proof)
        honest = consistency_proof(lambda low, high: forked[low * 32 : high * 32], old, size)
        assert refused(check_consistency, old, ROOTS[old], size, root_of(forked), honest)
    assert refused(check_consistency, old, fork, size, ROOTS[size], proof)
    assert refused(check_consistency, old, ROOTS[old], size, ROOTS[size], [*proof, fork])
    if size > old:
        assert refused(check_consistency, size, ROOTS[size], old, ROOTS[old], proof)
    if proof:
        assert refused(check_consistency, old, ROOTS[old], size, ROOTS[size], proof[:-1])


def test_large_ranges_are_read_in_parts() -> None:
    size = 3 * (1 << 16) + 5
    array = bytes(32) * size
    asked = []

    def source(start: int, end: int) -> bytes:
        asked.append(end - start)
        return array[start * 32 : end * 32]

    proof = inclusion_proof(source, 1 << 16, size)
    assert max(asked) <= 1 << 16
    assert sum(asked) == size - 1
    check_inclusion(bytes(32), 1 << 16, size, proof, root_of(array))


def test_a_source_that_has_too_little_is_our_own_fault() -> None:
    with pytest.raises(InternalError) as caught:
        inclusion_proof(lambda start, end: leaves(start, min(end, 20)), 3, 30)
    assert caught.value.code == "leaves-short"


@pytest.mark.parametrize("ask", [(5, 5), (-1, 5), (0, 0)])
def test_there_is_no_proof_of_what_cannot_be(ask: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="index"):
        inclusion_proof(leaves, *ask)
    with pytest.raises(ValueError, match="older"):
        consistency_proof(leaves, 6, 5)
    with pytest.raises(ValueError, match="older"):
        consistency_proof(leaves, 4, 5, known=Frontier())
