"""Trees made of leaves and of nodes that were made elsewhere."""

from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.envelope import Chain
from proctor.evidence.ledger import NO_HEAD, Stand
from proctor.evidence.statement import FIRST, Statement
from proctor.evidence.verify.cold import Cold
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import Hot
from proctor.evidence.verify.reader import NODE
from proctor.evidence.verify.signed import Sealed
from proctor.evidence.verify.trees import Checked, Leaves, check_tree, gather
from proctor.tlog.tree import HASH_SIZE, Frontier, leaf_hash, root_of, subtree_root
from tests.evidence.verify.test_signed import ORIGIN, START

LEAVES = [sha256(b"%d" % number).digest() for number in range(300)]


def node(place: int) -> bytes:
    return subtree_root(b"".join(LEAVES[place * NODE : (place + 1) * NODE]))


def over(count: int) -> Sealed:
    said = Statement(
        origin=ORIGIN,
        size=count,
        root=root_of(b"".join(LEAVES[:count])),
        time=START,
        due=None,
        after=FIRST,
        ledger=Stand(0, NO_HEAD),
    )
    return Sealed(statement=said, where=f"over {count}", good=True)


def check(
    leaves: Leaves, sealed: list[Sealed], *, hint: bytes = b"", raws: dict[int, bytes] | None = None
) -> tuple[Checked, Findings]:
    findings = Findings()

    def describe(number: int) -> dict[str, Any]:
        return {"writer": "w0", "seq": number}

    checked = check_tree(
        leaves,
        sealed,
        hint=hint,
        mark=0,
        raws=lambda numbers: {n: raw for n, raw in (raws or {}).items() if n in numbers},
        describe=describe,
        findings=findings,
    )
    return checked, findings


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 4))
def test_nodes_give_the_same_roots(first: int, second: int, place: int) -> None:
    leaves = Leaves(writer="w0")
    leaves.put(0, b"".join(LEAVES), Findings(), "f", [(place, node(place))] if place < 4 else [])
    tree = Frontier()
    for size in sorted((first, second)):
        tree.grow(size, leaves.subtree)
        assert tree.root() == root_of(b"".join(LEAVES[:size]))
    checked, findings = check(leaves, [over(second), over(first)])
    assert (checked.proved, findings.problems) == (max(first, second), 0)


def test_a_node_of_leaves_that_differ_is_not_taken() -> None:
    leaves, findings = Leaves(writer="w0"), Findings()
    leaves.put(0, b"".join(LEAVES), findings, "one")
    other = [bytes(32), *LEAVES[1:NODE]]
    leaves.put(0, b"".join(other), findings, "two", [(0, subtree_root(b"".join(other)))])
    assert (findings.codes(), findings.listed[0].seq) == ({"copies-differ"}, 0)
    assert check(leaves, [over(300)])[1].problems == 0


def test_the_record_that_was_changed_is_named_by_kept_leaves() -> None:
    leaves = Leaves(writer="w0")
    changed = [*LEAVES[:70], bytes(32), *LEAVES[71:]]
    leaves.put(0, b"".join(changed), Findings(), "f")
    checked, findings = check(leaves, [over(50), over(200)], hint=b"".join(LEAVES))
    assert (checked.doubtful, checked.proved) == ([(50, 200)], 50)
    assert [(each.code, each.seq) for each in findings.listed] == [("record-changed", 70)]


def test_the_record_that_was_changed_is_named_by_the_next_one() -> None:
    chain = Chain("w0", 0, "0" * 64)
    lines = [chain.seal("event", 1.7e9, {"n": number})[:-1] for number in range(9)]
    good = b"".join(leaf_hash(line) for line in lines)
    sealed = over(9)
    said = Statement(
        **{**{n: getattr(sealed.statement, n) for n in Statement.__slots__}, "root": root_of(good)}
    )
    raws = dict(enumerate(lines))
    raws[4] = lines[4].replace(b'"n":4', b'"n":5')
    leaves = Leaves(writer="w0")
    leaves.put(0, b"".join(leaf_hash(raws[n]) for n in range(9)), Findings(), "f")
    found = check(leaves, [Sealed(statement=said, where="x", good=True)], raws=raws)[1]
    assert [(each.code, each.seq) for each in found.listed] == [("record-changed", 4)]


def test_a_root_that_nothing_explains() -> None:
    leaves = Leaves(writer="w0")
    leaves.put(0, bytes(32 * 9), Findings(), "f")
    found = check(leaves, [over(9)])[1]
    assert [(each.code, each.at) for each in found.listed] == [("root-wrong", "records 0 to 8")]


def test_a_checkpoint_over_more_than_there_is() -> None:
    leaves = Leaves(writer="w0")
    leaves.put(0, b"".join(LEAVES[:9]), Findings(), "f")
    checked, found = check(leaves, [over(9), over(10)])
    assert (checked.proved, found.codes()) == (9, {"truncated"})


def test_runs_that_are_missing() -> None:
    leaves = Leaves(writer="w0")
    leaves.put(2, LEAVES[2] * 2, Findings(), "f")
    leaves.put(6, LEAVES[6], Findings(), "f")
    assert leaves.missing(7) == [(0, 1), (4, 5)]


def test_numbers_that_cannot_be() -> None:
    findings = Findings()
    cold = Cold(name="f", leaves=bytes(3 * HASH_SIZE), numbers=(-1, 5, 5))
    leaves = gather(
        "w0", [cold], Hot(leaves={10**18: bytes(32)}, where={10**18: ("j", 7)}), findings
    )
    assert leaves.size == 6
    assert sorted(each.code for each in findings.listed) == [
        "record-reordered", "record-reordered", "record-twice",
    ]  # fmt: skip
