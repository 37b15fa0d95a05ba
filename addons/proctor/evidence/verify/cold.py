"""Parquet files: their hash, and the leaves of the records in them, made anew.

Hashing a million records takes seconds on one core, and small hashes hold the interpreter's lock;
large records are therefore read by several processes.
"""

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from hashlib import file_digest, sha256
from itertools import islice, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, Final

from proctor.audit.store import SEGMENTS
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.snapshot import File
from proctor.tlog.tree import HASH_SIZE, subtree_root

REFERENCE: Final = re.compile(
    rb'\{"scope":"([^"\\]{1,64})","hash":"([0-9a-f]{64})","size":(\d{1,15}),'
    rb'"enc":"(?:utf8|base64)","blocks":"([0-9,-]*)"\}'
)
# Events that explain what else would look wrong.
TELLING: Final = frozenset(
    {"erasure", "hold.added", "hold.released", "record.resumed", "retention"}
)
# From so many bytes of files on, processes are worth their start.
_MANY = 16 * 1024 * 1024
# A row group is 8 MiB of rows as proctor writes it; one of this size is not proctor's.
_MAX_GROUP = 2**30


# Leaves whose root is made where they are: most of a tree is, then.
NODE: Final = 64
# A part of a file is no smaller and no larger than that, in compressed bytes.
_PARTS = (2 * 1024 * 1024, 32 * 1024 * 1024)
# Parts for each process: so that all of them end at about the same time.
_SHARES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """What is in one file.

    Attributes:
        name: Under the record's folder.
        sha256: Of all its bytes, hex.
        first: Number of the first record.
        leaves: 32 bytes each, in the order of the numbers; of a file of content empty.
        numbers: Those of the leaves, where one is missing or there twice; else None.
        nodes: Runs of roots of NODE leaves, 32 bytes each, and which is the first of each run.
        references: To content, as they stand in records, and the first record of each.
        events: Records of events that explain what else would look wrong.
        error: Why it could not be read, or empty.
    """

    name: str
    sha256: str = ""
    first: int = 0
    leaves: bytes = b""
    numbers: tuple[int, ...] | None = None
    nodes: tuple[tuple[int, bytes], ...] = ()
    references: dict[bytes, int] = field(default_factory=dict)
    events: tuple[bytes, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A part of a file that is to be read.

    Attributes:
        root: The record's folder.
        file: Which.
        part: Which part, from 0.
        parts: Of how many.
        references: Those in records are wanted.
    """

    root: str
    file: File
    part: int
    parts: int
    references: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What is in a part of a file; as in Cold."""

    sha256: str = ""
    first: int = 0
    leaves: bytes = b""
    numbers: tuple[int, ...] | None = None
    nodes: tuple[int, bytes] = (0, b"")
    references: dict[bytes, int] = field(default_factory=dict)
    events: tuple[bytes, ...] = ()
    error: str = ""

    @property
    def count(self) -> int:
        return len(self.leaves) // HASH_SIZE

    def pairs(self) -> Iterator[tuple[int, bytes]]:
        numbers = self.numbers or range(self.first, self.first + self.count)
        for place, number in enumerate(numbers):
            yield number, self.leaves[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def read_all(
    root: Path, files: Sequence[File], references: Iterable[str], tick: Callable[[int], None]
) -> Iterator[Cold]:
    """Reads files, in their order; other processes begin with it at once, where it takes any.

    Args:
        root: The record's folder.
        files: Which.
        references: Names of those whose records' references are wanted.
        tick: Told the bytes of each file that has been read.

    Raises:
        FileNotFoundError: One has gone meanwhile.
    """
    wanted = set(references)
    sizes = [(root / file.name).stat().st_size for file in files]
    workers = len(os.sched_getaffinity(0))
    most = min(max(_PARTS[0], sum(sizes) // (workers * _SHARES)), _PARTS[1])
    parts = [
        -(-size // most) or 1 if file.kind == SEGMENTS else 1
        for file, size in zip(files, sizes, strict=True)
    ]
    jobs = (
        Job(root=str(root), file=file, part=part, parts=count, references=file.name in wanted)
        for file, count in zip(files, parts, strict=True)
        for part in range(count)
    )
    stack = ExitStack()
    if sum(sizes) < _MANY or workers <= 1:
        pieces: Iterator[_Piece] = map(_read, jobs)
    else:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        pieces = stack.enter_context(pool).map(_read, jobs)
    return _joined(stack, pieces, list(zip(files, sizes, parts, strict=True)), tick)


def _joined(
    stack: ExitStack,
    pieces: Iterator[_Piece],
    files: Sequence[tuple[File, int, int]],
    tick: Callable[[int], None],
) -> Iterator[Cold]:
    with stack:
        for file, size, count in files:
            yield _join(file, list(islice(pieces, count)))
            tick(size)


def seeded(root: Path, names: Iterable[str], findings: Findings) -> None:
    """Sees to it that the files that are there to be empty are."""
    from pyarrow import parquet  # noqa: PLC0415 - ships no types; slow

    for name in names:
        try:
            with (root / name).open("rb") as source:
                rows = parquet.ParquetFile(source).metadata.num_rows
        except FileNotFoundError:
            continue
        except Exception as error:  # noqa: BLE001 - whatever a broken file makes Arrow raise
            findings.problem(
                "file-unreadable", "A file cannot be read", file=name, found=type(error).__name__
            )
            continue
        if rows:
            findings.problem(
                "file-strange",
                "A file that is there to be empty has rows",
                file=name,
                expected="no rows",
                found=f"{rows} rows",
            )


def raws(root: Path, file: File, numbers: set[int]) -> dict[int, bytes]:
    """The bytes of some records in a file."""
    from pyarrow import parquet  # noqa: PLC0415 - as above

    found: dict[int, bytes] = {}
    if not numbers or max(numbers) < file.first or min(numbers) > file.last:
        return found
    with (root / file.name).open("rb") as source:
        table = parquet.ParquetFile(source)
        place = table.schema_arrow.names.index("seq")
        for group in range(table.num_row_groups):
            span = table.metadata.row_group(group).column(place).statistics
            if span is not None and (span.min > max(numbers) or span.max < min(numbers)):
                continue
            part = table.read_row_group(group, columns=["seq", "raw"])
            there = numbers.intersection(part.column("seq").to_pylist())
            if there:
                for row in part.to_pylist():
                    if row["seq"] in there and row["raw"] is not None:
                        found.setdefault(row["seq"], row["raw"].encode())
    return found


def _read(job: Job) -> _Piece:
    """A part of one file; runs in a process of its own."""
    path = Path(job.root) / job.file.name
    with path.open("rb") as source:
        digest = "" if job.part else file_digest(source, "sha256").hexdigest()
        if job.file.kind != SEGMENTS:
            return _Piece(sha256=digest)
        try:
            return _records(source, job, digest)
        except Exception as error:  # noqa: BLE001 - whatever a broken file makes Arrow raise; it is said
            return _Piece(sha256=digest, error=type(error).__name__)


def _records(source: BinaryIO, job: Job, digest: str) -> _Piece:
    from pyarrow import parquet  # noqa: PLC0415 - as above

    table = parquet.ParquetFile(source)
    groups = table.num_row_groups
    numbers: list[int] = []
    leaves: list[bytes] = []
    references: dict[bytes, int] = {}
    events: list[bytes] = []
    for group in range(groups * job.part // job.parts, groups * (job.part + 1) // job.parts):
        if table.metadata.row_group(group).total_byte_size > _MAX_GROUP:
            raise ValueError("a row group that is not proctor's")
        part = table.read_row_group(group, columns=["seq", "event_kind", "raw"], use_threads=False)
        seqs = part.column("seq").to_pylist()
        numbers += seqs
        events += _events(part)
        done = 0
        for chunk in part.column("raw").chunks:
            if chunk.null_count:
                raise ValueError("a record without bytes")
            buffer, offsets = _buffers(chunk)
            leaves += _leaves(buffer, offsets)
            if job.references:
                _references(buffer, offsets, seqs[done : done + len(chunk)], references)
            done += len(chunk)
    right = numbers == list(range(numbers[0], numbers[0] - len(numbers), -1)) if numbers else True
    if right:
        leaves.reverse()
        first = numbers[-1] if numbers else 0
    else:
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        leaves = [leaves[at] for at in order]
        first, numbers = 0, [numbers[at] for at in order]
    joined = b"".join(leaves)
    return _Piece(
        sha256=digest,
        first=first,
        leaves=joined,
        numbers=None if right else tuple(numbers),
        nodes=_nodes(first, joined) if right else (0, b""),
        references=references,
        events=tuple(events),
    )


def _nodes(first: int, leaves: bytes) -> tuple[int, bytes]:
    """Roots of the whole subtrees of NODE leaves, and the place of the first of them."""
    start = -(-first // NODE)
    end = (first + len(leaves) // HASH_SIZE) // NODE
    step, skipped = NODE * HASH_SIZE, (start * NODE - first) * HASH_SIZE
    return start, b"".join(
        subtree_root(leaves[at : at + step])
        for at in range(skipped, skipped + (end - start) * step, step)
    )


def _join(file: File, pieces: Sequence[_Piece]) -> Cold:
    """What all parts of a file say."""
    references: dict[bytes, int] = {}
    for piece in reversed(pieces):  # the oldest records come last
        for reference, number in piece.references.items():
            references.setdefault(reference, number)
    found = Cold(
        name=file.name,
        sha256=pieces[0].sha256,
        first=file.first,
        references=references,
        events=tuple(event for piece in pieces for event in piece.events),
        error=next((piece.error for piece in pieces if piece.error), ""),
    )
    if found.error or file.kind != SEGMENTS:
        return found
    pieces = [piece for piece in pieces[::-1] if piece.leaves]
    at = file.first
    for piece in pieces:
        at = at + piece.count if piece.numbers is None and piece.first == at else -1
    if at == file.last + 1:
        leaves = b"".join(piece.leaves for piece in pieces)
        return replace(found, leaves=leaves, nodes=tuple(piece.nodes for piece in pieces))
    pairs = sorted(pair for piece in pieces for pair in piece.pairs())
    return replace(
        found,
        leaves=b"".join(leaf for _, leaf in pairs),
        numbers=tuple(number for number, _ in pairs),
    )


def _events(part: Any) -> list[bytes]:
    """Records of the events that explain something, found by their column.

    What they say is read from the record itself; a wrong column only leaves something unexplained.
    """
    kinds = part.column("event_kind")
    if kinds.null_count == len(kinds):
        return []
    rows = [at for at, kind in enumerate(kinds.to_pylist()) if kind in TELLING]
    return [part.column("raw")[row].as_py().encode() for row in rows]


def _leaves(data: memoryview, offsets: Sequence[int]) -> list[bytes]:
    """Leaf hashes of a column of strings, straight from its buffer."""
    begun = sha256(b"\x00").copy
    found = []
    for start, end in pairwise(offsets):
        state = begun()
        state.update(data[start:end])
        found.append(state.digest())
    return found


def _references(
    data: memoryview, offsets: Sequence[int], seqs: Sequence[int], references: dict[bytes, int]
) -> None:
    """References in a column of records; one look at all, since none goes beyond its record."""
    for match in REFERENCE.finditer(data, offsets[0], offsets[-1]):
        number = seqs[bisect_right(offsets, match.start()) - 1]
        references[match[0]] = min(references.get(match[0], number), number)


def _buffers(chunk: Any) -> tuple[memoryview, list[int]]:
    import pyarrow as pa  # noqa: PLC0415 - as above

    _, where, what = chunk.buffers()
    view = memoryview(where)
    numbers = view.cast("q") if pa.types.is_large_string(chunk.type) else view.cast("i")
    offsets = numbers[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
    return memoryview(what or b""), offsets
