"""One writer's tree, made anew from what is there, against every root that was signed.

Where a root is not what was signed, the record that was changed is named. Kept leaves that give the
signed root show it at once; else each record's `prev`, the leaf of the one before it, does.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from proctor.evidence.verify.cold import Cold
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import ENVELOPE, Hot
from proctor.evidence.verify.reader import NODE
from proctor.evidence.verify.signed import Sealed, moment
from proctor.tlog.tree import HASH_SIZE, Frontier, subtree_root

_NAMED: Final = 20
"""Records that are named one by one, of each kind."""

type Raws = Callable[[set[int]], dict[int, bytes]]
"""The bytes of some records, by number."""


@dataclass(slots=True, kw_only=True)
class Leaves:
    """A writer's leaves, as far as the records are there.

    Attributes:
        writer: Whose.
        array: 32 bytes each; zeros where `there` is not set.
        there: One byte each.
        nodes: Roots of NODE leaves that are there, by their place among all such.
    """

    writer: str
    array: bytearray = field(default_factory=bytearray)
    there: bytearray = field(default_factory=bytearray)
    nodes: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """One more than the number of the last record."""
        return len(self.there)

    def put(
        self,
        first: int,
        leaves: bytes,
        findings: Findings,
        file: str,
        nodes: Iterable[tuple[int, bytes]] = (),
    ) -> None:
        """Takes in a run of leaves, and nodes over them; what is there must be the same."""
        count = len(leaves) // HASH_SIZE
        self.grow(first + count)
        at, end = first * HASH_SIZE, (first + count) * HASH_SIZE
        if self.there.find(1, first, first + count) >= 0 and self.array[at:end] != leaves:
            self._compare(first, leaves, findings, file)
            return
        self.array[at:end] = leaves
        self.there[first : first + count] = b"\x01" * count
        for place, roots in nodes:
            for number in range(len(roots) // HASH_SIZE):
                root = roots[number * HASH_SIZE : (number + 1) * HASH_SIZE]
                self.nodes[place + number] = root

    def subtree(self, start: int, width: int) -> bytes:
        """The root over so many leaves, from those that were made before where they are there."""
        first = start // NODE
        made = [self.nodes.get(first + place) for place in range(width // NODE)]
        if made and None not in made:
            return subtree_root(b"".join(each for each in made if each))
        return subtree_root(bytes(self.array[start * HASH_SIZE : (start + width) * HASH_SIZE]))

    def grow(self, size: int) -> None:
        """Makes room."""
        more = size - self.size
        if more > 0:
            self.array += bytes(more * HASH_SIZE)
            self.there += bytes(more)

    def missing(self, size: int) -> list[tuple[int, int]]:
        """Runs of numbers below `size` whose records are not there."""
        runs = []
        at = self.there.find(0, 0, size)
        while at >= 0:
            end = self.there.find(1, at, size)
            end = size if end < 0 else end
            runs.append((at, end - 1))
            at = self.there.find(0, end, size)
        return runs

    def _compare(self, first: int, leaves: bytes, findings: Findings, file: str) -> None:
        for number in range(first, first + len(leaves) // HASH_SIZE):
            new = leaves[(number - first) * HASH_SIZE : (number - first + 1) * HASH_SIZE]
            at = number * HASH_SIZE
            if not self.there[number]:
                self.array[at : at + HASH_SIZE] = new
                self.there[number] = 1
            elif self.array[at : at + HASH_SIZE] != new:
                findings.problem(
                    "copies-differ",
                    "A record is in two places, and they do not agree",
                    writer=self.writer,
                    seq=number,
                    file=file,
                    expected=f"leaf {self.array[at : at + HASH_SIZE].hex()}",
                    found=f"leaf {new.hex()}",
                )


# A number that is out of this would make an array of it that fills the memory.
_FURTHEST = 10**8


def gather(writer: str, cold: Sequence[Cold], hot: Hot, findings: Findings) -> Leaves:
    """The leaves of all records that are there."""
    leaves = Leaves(writer=writer)
    limit = sum(len(each.leaves) for each in cold) // HASH_SIZE + len(hot.leaves) + _FURTHEST
    for each in cold:
        if each.numbers is None:
            leaves.put(each.first, each.leaves, findings, each.name, each.nodes)
            continue
        for place, number in enumerate(each.numbers):
            leaf = each.leaves[place * HASH_SIZE : (place + 1) * HASH_SIZE]
            if not 0 <= number < limit:
                findings.problem(
                    "record-reordered",
                    "A record has a number that cannot be",
                    writer=writer,
                    file=each.name,
                    found=str(number),
                )
            elif place and each.numbers[place - 1] == number:
                findings.problem(
                    "record-twice",
                    "A record is there twice",
                    writer=writer,
                    seq=number,
                    file=each.name,
                )
            else:
                leaves.put(number, leaf, findings, each.name)
    for number, leaf in sorted(hot.leaves.items()):
        if number < limit:
            leaves.put(number, leaf, findings, hot.where[number][0])
        else:
            findings.problem(
                "record-reordered",
                "A record has a number that cannot be",
                writer=writer,
                file=hot.where[number][0],
                at=f"byte {hot.where[number][1]}",
                found=str(number),
            )
    return leaves


@dataclass(slots=True, kw_only=True)
class Checked:
    """How far a tree was proved.

    Attributes:
        proved: Records that a signed root covers.
        doubtful: Runs of records that do not give a root that was signed: first, and after last.
        tree: The tree over all leaves.
        peaks: Of the tree over the first `mark` leaves, where that was asked for.
    """

    proved: int = 0
    doubtful: list[tuple[int, int]] = field(default_factory=list)
    tree: Frontier = field(default_factory=Frontier)
    peaks: list[bytes] | None = None


def check_tree(  # noqa: PLR0913 - what it takes, by name
    leaves: Leaves,
    sealed: Iterable[Sealed],
    *,
    hint: bytes,
    mark: int,
    raws: Raws,
    describe: Callable[[int], dict[str, str | int | None]],
    findings: Findings,
) -> Checked:
    """Compares roots.

    Args:
        leaves: Those made anew, and, where a record is rightly gone, those kept.
        sealed: Checkpoints, in any order.
        hint: The leaves that were kept; believed only where they give a signed root.
        mark: A size whose peaks are wanted.
        raws: Gets the bytes of records.
        describe: Where a record is, and whose.
        findings: Takes what is wrong.
    """
    checked = Checked()
    tree, array = checked.tree, leaves.array

    def grow(end: int) -> None:
        for stop in (mark, end) if tree.size < mark < end else (end,):
            tree.grow(stop, leaves.subtree)
            if stop == mark:
                checked.peaks = list(tree.peaks)

    believed = True
    for each in sorted(sealed, key=lambda one: one.statement.size):
        size = each.statement.size
        if not each.good:
            continue
        if size > leaves.size:
            findings.problem(
                "truncated",
                "A checkpoint covers records that are not there",
                writer=leaves.writer,
                seq=leaves.size,
                time=moment(each.statement.time),
                file=each.where,
                expected=f"{size} records",
                found=str(leaves.size),
            )
            break
        start = tree.size
        before = tree.copy()
        grow(size)
        if tree.root() == each.statement.root:
            checked.proved = size if believed else checked.proved
            continue
        other = before.copy()
        other.extend(hint[start * HASH_SIZE : size * HASH_SIZE])
        kept = other.size == size and other.root() == each.statement.root
        numbers = _differing(array, hint, start, size) if kept else []
        if kept:
            numbers = [number for number in numbers if leaves.there[number]]
        else:
            numbers = broken(leaves, start, size, raws)
        checked.doubtful.append((start, size))
        _name(leaves.writer, numbers, each, start, size, describe, findings)
        believed = False
        if not kept:
            break  # nothing after it can be compared with what was signed
        tree.peaks = other.peaks
    grow(leaves.size)
    return checked


def _differing(array: bytes | bytearray, hint: bytes, start: int, end: int) -> list[int]:
    return [
        number
        for number in range(start, end)
        if array[number * HASH_SIZE : (number + 1) * HASH_SIZE]
        != hint[number * HASH_SIZE : (number + 1) * HASH_SIZE]
    ]


def broken(leaves: Leaves, start: int, end: int, raws: Raws) -> list[int]:
    """Records that are not what the next one says they were.

    Args:
        leaves: Made anew.
        start: The first record that is asked about.
        end: After the last.
        raws: Gets the bytes of records.
    """
    found = []
    for base in range(start, end, 10_000):
        upto = min(base + 10_000, end)
        there = raws(set(range(base, upto + 1)))
        for number in range(base, upto):
            after = ENVELOPE.match(there.get(number + 1, b""))
            leaf = leaves.array[number * HASH_SIZE : (number + 1) * HASH_SIZE]
            if after and leaves.there[number] and bytes.fromhex(after[4].decode()) != leaf:
                found.append(number)
    return found


def _name(  # noqa: PLR0913, PLR0917 - what there is to say
    writer: str,
    numbers: Sequence[int],
    each: Sealed,
    start: int,
    size: int,
    describe: Callable[[int], dict[str, str | int | None]],
    findings: Findings,
) -> None:
    for number in numbers[:_NAMED]:
        findings.problem(
            "record-changed",
            "A record is not what was signed",
            **{
                **describe(number),
                "expected": f"the record under the checkpoint over {size}, {each.where}",
                "found": "other bytes",
            },
        )
    if not numbers or len(numbers) > _NAMED:
        findings.problem(
            "root-wrong",
            "The records do not give the root that was signed"
            if not numbers
            else f"{len(numbers)} records are not what was signed",
            writer=writer,
            seq=start,
            time=moment(each.statement.time),
            file=each.where,
            at=f"records {start} to {size - 1}",
            expected=each.statement.root.hex(),
        )
