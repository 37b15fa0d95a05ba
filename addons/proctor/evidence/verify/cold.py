"""Parquet files: what the readers of their parts found, put together.

Hashing a million records takes seconds on one core, and small hashes hold the interpreter's lock;
large records are therefore read by several processes.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from proctor.audit.store import SEGMENTS
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.reader import Job, Piece, Reader
from proctor.evidence.verify.snapshot import File

# From so many bytes of files on, processes are worth their start.
_MANY = 16 * 1024 * 1024
# A part of a file is no smaller and no larger than that, in compressed bytes.
_PARTS = (2 * 1024 * 1024, 32 * 1024 * 1024)
# Parts for each process: so that all of them end at about the same time.
_SHARES = 12
_SERVE: Final = "from proctor.evidence.verify.reader import serve; serve()"


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
        heads: How some of its records begin, by number; the first and the last among them.
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
    heads: dict[int, bytes] = field(default_factory=dict)
    error: str = ""


class Readers:
    """Reads parts of files: here if there is little to read, else with a process for each core.

    The processes begin to load as soon as this is made.
    """

    def __init__(self, size: int) -> None:
        """Begins.

        Args:
            size: Bytes there are to be read, about.
        """
        cores = len(os.sched_getaffinity(0))
        self.count = cores if size >= _MANY and cores > 1 else 0
        self._here = Reader()
        self._stack = ExitStack()
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for _ in range(self.count):
            self._idle.put(self._start())
        self._threads = self._stack.enter_context(ThreadPoolExecutor(self.count or 1))

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the processes."""
        self._threads.shutdown(cancel_futures=True)
        self._stack.close()  # a process ends when nobody can ask it any more

    def read(self, jobs: Iterable[Job]) -> Iterator[Piece]:
        """Reads parts, in their order; processes begin with it at once.

        Raises:
            OSError: A file is not there, or the disk does not give it.
        """
        return self._threads.map(self._ask, jobs) if self.count else map(self._here.read, jobs)

    def _start(self) -> "subprocess.Popen[bytes]":
        # The same modules as here, and none out of the folder that this happens to run in.
        path = [each for each in sys.path if each]
        program = f"import sys; sys.path[:] = {path!r}; {_SERVE}"
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self._stack.enter_context(process)

    def _ask(self, job: Job) -> Piece:
        process = self._idle.get()
        try:
            assert process.stdin is not None  # noqa: S101 - for the types: both are pipes
            assert process.stdout is not None  # noqa: S101 - likewise
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            found: Piece | OSError = pickle.load(process.stdout)  # noqa: S301 - from our own process
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise ChildProcessError("a process that reads files ended before its time") from None
        finally:
            self._idle.put(process)
        if isinstance(found, OSError):
            raise found
        return found


def read_all(
    readers: Readers,
    root: Path,
    files: Sequence[File],
    tick: Callable[[int], None],
    *,
    references: bool,
) -> Iterator[Cold]:
    """Reads files, in their order; other processes begin with it at once, where there are any.

    Args:
        readers: Who reads.
        root: The record's folder.
        files: Which.
        tick: Told the bytes of each file that has been read.
        references: Those in records are wanted.

    Raises:
        FileNotFoundError: One has gone meanwhile.
    """
    sizes = [(root / file.name).stat().st_size for file in files]
    most = min(max(_PARTS[0], sum(sizes) // ((readers.count or 1) * _SHARES)), _PARTS[1])
    parts = [
        -(-size // most) or 1 if file.kind == SEGMENTS else 1
        for file, size in zip(files, sizes, strict=True)
    ]
    pieces = readers.read(
        Job(
            path=str(root / file.name),
            records=file.kind == SEGMENTS,
            part=part,
            parts=count,
            references=references,
        )
        for file, count in zip(files, parts, strict=True)
        for part in range(count)
    )
    return _joined(pieces, list(zip(files, sizes, parts, strict=True)), tick)


def _joined(
    pieces: Iterator[Piece],
    files: Sequence[tuple[File, int, int]],
    tick: Callable[[int], None],
) -> Iterator[Cold]:
    for file, size, count in files:
        yield _join(file, list(islice(pieces, count)))
        tick(size)


def seeded(
    readers: Readers, root: Path, names: Iterable[str], findings: Findings
) -> Callable[[], None]:
    """Sees to it that the files that are there to be empty are.

    Returns:
        What waits for the answer, and says it.
    """
    there = [name for name in names if (root / name).exists()]
    pieces = readers.read(Job(path=str(root / name), rows=True) for name in there)

    def say() -> None:
        for name, piece in zip(there, pieces, strict=True):
            if piece.error:
                findings.problem(
                    "file-unreadable", "A file cannot be read", file=name, found=piece.error
                )
            elif piece.rows:
                findings.problem(
                    "file-strange",
                    "A file that is there to be empty has rows",
                    file=name,
                    expected="no rows",
                    found=f"{piece.rows} rows",
                )

    return say


def raws(root: Path, file: File, numbers: set[int]) -> dict[int, bytes]:
    """The bytes of some records in a file."""
    from pyarrow import parquet  # noqa: PLC0415 - ships no types; slow

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


def _join(file: File, pieces: Sequence[Piece]) -> Cold:
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
        heads={number: head for piece in pieces for number, head in piece.heads.items()},
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
