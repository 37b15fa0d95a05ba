"""Parquet files: their hash, and the leaves of the records in them, made anew.

Hashing a million records takes seconds on one core, and small hashes hold the interpreter's lock;
large records are therefore read by several processes.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from proctor.audit.store import SEGMENTS
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.snapshot import File

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """What is in one file.

    Attributes:
        name: Under the record's folder.
        sha256: Of all its bytes, hex.
        first: Number of the first record.
        leaves: 32 bytes each, in the order of the numbers; of a file of content empty.
        numbers: Those of the leaves, where one is missing or there twice; else None.
        references: To content, as they stand in records, and the first record of each.
        events: Records of events that explain what else would look wrong.
        error: Why it could not be read, or empty.
    """

    name: str
    sha256: str = ""
    first: int = 0
    leaves: bytes = b""
    numbers: tuple[int, ...] | None = None
    references: dict[bytes, int] = field(default_factory=dict)
    events: tuple[bytes, ...] = ()
    error: str = ""


def read_all(
    root: Path, files: Sequence[File], references: Iterable[str], tick: Callable[[int], None]
) -> Iterator[Cold]:
    """Reads files, in their order.

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
    jobs = [(str(root), file, file.name in wanted) for file in files]
    workers = min(len(os.sched_getaffinity(0)), len(jobs))
    if sum(sizes) < _MANY or workers <= 1:
        for job, size in zip(jobs, sizes, strict=True):
            yield _read(job)
            tick(size)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for found, size in zip(pool.map(_read, jobs), sizes, strict=True):
            yield found
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


def _read(job: tuple[str, File, bool]) -> Cold:
    """One file; runs in a process of its own."""
    root, file, wanted = job
    data = (Path(root) / file.name).read_bytes()
    digest = sha256(data).hexdigest()
    if file.kind != SEGMENTS:
        return Cold(name=file.name, sha256=digest)
    try:
        return _segment(file, data, digest, wanted)
    except Exception as error:  # noqa: BLE001 - whatever a broken file makes Arrow raise; it is said
        return Cold(name=file.name, sha256=digest, error=type(error).__name__)


def _segment(file: File, data: bytes, digest: str, wanted: bool) -> Cold:  # noqa: FBT001 - from a job
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import parquet  # noqa: PLC0415 - as above

    table = parquet.ParquetFile(pa.BufferReader(data))
    numbers: list[int] = []
    leaves: list[bytes] = []
    references: dict[bytes, int] = {}
    events: list[bytes] = []
    for group in range(table.num_row_groups):
        if table.metadata.row_group(group).total_byte_size > _MAX_GROUP:
            raise ValueError("a row group that is not proctor's")
        part = table.read_row_group(group, columns=["seq", "event_kind", "raw"], use_threads=False)
        seqs = part.column("seq").to_pylist()
        numbers += seqs
        events += _events(part)
        for chunk in part.column("raw").chunks:
            if chunk.null_count:
                raise ValueError("a record without bytes")
            buffer, offsets = _buffers(chunk)
            leaves += _leaves(buffer, offsets)
            if wanted:
                _references(bytes(buffer), offsets, seqs, references)
    if numbers == list(range(file.last, file.first - 1, -1)):
        leaves.reverse()
        return Cold(
            name=file.name,
            sha256=digest,
            first=file.first,
            leaves=b"".join(leaves),
            references=references,
            events=tuple(events),
        )
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return Cold(
        name=file.name,
        sha256=digest,
        first=file.first,
        leaves=b"".join([leaves[at] for at in order]),
        numbers=tuple(numbers[at] for at in order),
        references=references,
        events=tuple(events),
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
    data: bytes, offsets: Sequence[int], seqs: Sequence[int], references: dict[bytes, int]
) -> None:
    for number, (start, end) in zip(seqs, pairwise(offsets), strict=False):
        for match in REFERENCE.finditer(data, start, end):
            references.setdefault(match[0], number)


def _buffers(chunk: Any) -> tuple[memoryview, list[int]]:
    import pyarrow as pa  # noqa: PLC0415 - as above

    _, where, what = chunk.buffers()
    view = memoryview(where)
    numbers = view.cast("q") if pa.types.is_large_string(chunk.type) else view.cast("i")
    offsets = numbers[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
    return memoryview(what or b""), offsets
