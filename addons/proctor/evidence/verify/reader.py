"""Reads a part of a Parquet file: its hash, and the leaves of the records in it, made anew.

This is all that the processes load which help to read a large record: nothing else of proctor, so
that they are at work at once.
"""

import os
import pickle
import re
import signal
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from itertools import pairwise
from typing import Any, BinaryIO, Final

from proctor.tlog.tree import HASH_SIZE

REFERENCE: Final = re.compile(
    rb'\{"scope":"([^"\\]{1,64})","hash":"([0-9a-f]{64})","size":(\d{1,15}),'
    rb'"enc":"(?:utf8|base64)","blocks":"([0-9,-]*)"\}'
)
# Events that explain what else would look wrong.
TELLING: Final = frozenset(
    {"erasure", "hold.added", "hold.released", "record.resumed", "retention"}
)
# Leaves whose root is made where they are: most of a tree is, then.
NODE: Final = 64
# A row group is 8 MiB of rows as proctor writes it; one of this size is not proctor's.
_MAX_GROUP = 2**30
# Of a record, what says who and when: the envelope's own members come first.
_HEAD: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A part of a file that is to be read.

    Attributes:
        path: Which file.
        records: It holds records; else only its hash is wanted.
        rows: How many rows it has is all that is wanted.
        part: Which part, from 0.
        parts: Of how many.
        references: Those in records are wanted.
    """

    path: str
    records: bool = False
    rows: bool = False
    part: int = 0
    parts: int = 1
    references: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is in a part of a file.

    Attributes:
        sha256: Of all bytes of the file, hex, in its first part.
        first: Number of the first record.
        leaves: 32 bytes each, in the order of the numbers.
        numbers: Those of the leaves, where one is missing or there twice; else None.
        nodes: Roots of NODE leaves, 32 bytes each, and which is the first of them.
        references: To content, as they stand in records, and the first record of each.
        events: Records of events that explain what else would look wrong.
        heads: How the first and the last record begin, by number.
        rows: How many it has, where that was asked for.
        error: Why it could not be read, or empty.
    """

    sha256: str = ""
    first: int = 0
    leaves: bytes = b""
    numbers: tuple[int, ...] | None = None
    nodes: tuple[int, bytes] = (0, b"")
    references: dict[bytes, int] = field(default_factory=dict)
    events: tuple[bytes, ...] = ()
    heads: dict[int, bytes] = field(default_factory=dict)
    rows: int = 0
    error: str = ""

    @property
    def count(self) -> int:
        """Records."""
        return len(self.leaves) // HASH_SIZE

    def pairs(self) -> Iterator[tuple[int, bytes]]:
        """Number and leaf of each record."""
        numbers = self.numbers or range(self.first, self.first + self.count)
        for place, number in enumerate(numbers):
            yield number, self.leaves[place * HASH_SIZE : (place + 1) * HASH_SIZE]


class Reader:
    """Reads parts of files, one after the other.

    Parts of one file come in a row, and what stands at its end, about all its columns, takes some
    time to read: so it is kept for the next part.
    """

    def __init__(self) -> None:
        self._file: tuple[str, int, int, int] | None = None
        self._footer: Any = None

    def read(self, job: Job) -> Piece:
        """Reads one.

        Raises:
            OSError: It is not there, or the disk does not give it.
        """
        with open(job.path, "rb") as source:  # noqa: PTH123 - pathlib would load for longer
            digest = "" if job.part else file_digest(source, "sha256").hexdigest()
            if not job.records and not job.rows:
                return Piece(sha256=digest)
            try:
                table = self._open(source, job)
                if job.rows:
                    return Piece(sha256=digest, rows=table.metadata.num_rows)
                return _records(table, job, digest)
            except Exception as error:  # noqa: BLE001 - whatever a broken file makes Arrow raise; it is said
                return Piece(sha256=digest, error=type(error).__name__)

    def _open(self, source: BinaryIO, job: Job) -> Any:
        from pyarrow import parquet  # noqa: PLC0415 - ships no types; slow

        seen = os.fstat(source.fileno())
        file = (job.path, seen.st_ino, seen.st_size, seen.st_mtime_ns)
        table = parquet.ParquetFile(source, metadata=self._footer if file == self._file else None)
        self._file, self._footer = file, table.metadata
        return table


def _records(table: Any, job: Job, digest: str) -> Piece:
    groups = table.num_row_groups
    numbers = array("q")
    leaves: list[bytes] = []
    references: dict[bytes, int] = {}
    events: list[bytes] = []
    heads: list[bytes] = []
    for group in range(groups * job.part // job.parts, groups * (job.part + 1) // job.parts):
        if table.metadata.row_group(group).total_byte_size > _MAX_GROUP:
            raise ValueError("a row group that is not proctor's")
        part = table.read_row_group(group, columns=["seq", "event_kind", "raw"], use_threads=False)
        seqs = _numbers(part.column("seq"))
        numbers += seqs
        events += _events(part)
        done = 0
        for chunk in part.column("raw").chunks:
            if chunk.null_count:
                raise ValueError("a record without bytes")
            buffer, offsets = _buffers(chunk)
            leaves += _leaves(buffer, offsets)
            heads = [*heads[:1], *_ends(buffer, offsets)]
            if job.references:
                _references(buffer, offsets, seqs[done : done + len(chunk)], references)
            done += len(chunk)
    last = numbers[0] if numbers else -1
    right = numbers == array("q", range(last, last - len(numbers), -1))
    ends = dict(zip((numbers[0], numbers[-1]), (heads[0], heads[-1]), strict=True)) if heads else {}
    if right:
        leaves.reverse()
        first = numbers[-1] if numbers else 0
    else:
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        leaves = [leaves[at] for at in order]
        first, numbers = 0, array("q", [numbers[at] for at in order])
    return Piece(
        sha256=digest,
        first=first,
        leaves=b"".join(leaves),
        numbers=None if right else tuple(numbers),
        nodes=_nodes(first, leaves) if right else (0, b""),
        references=references,
        events=tuple(events),
        heads=ends,
    )


def _numbers(column: Any) -> "array[int]":
    """A column of numbers, straight from its buffers."""
    found = array("q")
    for chunk in column.chunks:
        if str(chunk.type) != "int64" or chunk.null_count:
            raise ValueError("a column that is not proctor's")
        start = chunk.offset * found.itemsize
        found.frombytes(chunk.buffers()[1][start : start + len(chunk) * found.itemsize])
    return found


def _events(part: Any) -> Iterable[bytes]:
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


def _nodes(first: int, leaves: Sequence[bytes]) -> tuple[int, bytes]:
    """Roots of the whole subtrees of NODE leaves, and the place of the first of them."""
    start = -(-first // NODE)
    end = (first + len(leaves)) // NODE
    level = leaves[start * NODE - first : max(start, end) * NODE - first]
    begun = sha256(b"\x01").copy
    for _ in range(NODE.bit_length() - 1):
        above = []
        for left, right in zip(level[::2], level[1::2], strict=True):
            state = begun()
            state.update(left + right)
            above.append(state.digest())
        level = above
    return start, b"".join(level)


def _ends(data: memoryview, offsets: Sequence[int]) -> list[bytes]:
    """How the first and the last record begin."""
    return [
        bytes(data[start : min(end, start + _HEAD)])
        for start, end in (offsets[:2], offsets[-2:])
        if len(offsets) > 1
    ]


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


def serve() -> None:
    """Reads what the process that started this one asks for, until it asks for nothing more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asks is told, and ends this one
    # Arrow loads it if it is there, which takes twice as long as Arrow itself, and needs it not.
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # what keeps it from loading
    reader = Reader()
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this
        except EOFError:
            return
        try:
            found: Piece | OSError = reader.read(job)
        except OSError as error:
            found = error
        pickle.dump(found, sys.stdout.buffer)
        sys.stdout.flush()
