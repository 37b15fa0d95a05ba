# ruff: noqa: S608 - made of this package's own names and quoted paths
"""A writer's leaves: 32 bytes for each record, in a plain array.

It keeps records provable whose bytes are gone (retention), and makes proofs without reading all. It
proves nothing by itself: whoever verifies recomputes what is there.
"""

import os
from pathlib import Path
from typing import Final

from proctor.audit.journal import datasync
from proctor.audit.segments import segments
from proctor.audit.store import Store
from proctor.tlog.tree import HASH_SIZE, leaf_hash

NAME: Final = "leaves"
_ROWS = 10_000


def write_leaves(folder: Path, first: int, leaves: bytes) -> None:
    """Writes leaves to their places, durably.

    Args:
        folder: The writer's.
        first: Number of the first record.
        leaves: 32 bytes each.

    Raises:
        OSError: The disk does not take it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(folder / NAME, flags, 0o600)
    try:
        at, rest = first * HASH_SIZE, memoryview(leaves)
        while rest:
            done = os.pwrite(handle, rest, at)
            at, rest = at + done, rest[done:]
        datasync(handle)
    finally:
        os.close(handle)


def read_leaves(folder: Path, first: int, count: int) -> bytes:
    """Reads leaves; fewer where the file ends before.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with (folder / NAME).open("rb") as source:
            source.seek(first * HASH_SIZE)
            return source.read(count * HASH_SIZE)
    except FileNotFoundError:
        return b""


def kept(folder: Path) -> int:
    """How many leaves the file has."""
    path = folder / NAME
    return path.stat().st_size // HASH_SIZE if path.exists() else 0


def rebuild(store: Store, writer: str, last: int) -> bytes | None:
    """Makes the leaves of all records in segments anew, for a record that was kept without them.

    Args:
        store: The record.
        writer: Whose.
        last: Number of the last record that is in a segment.

    Returns:
        The leaves from 0 to `last`, or None where a record is missing.
    """
    import duckdb  # noqa: PLC0415 - only a record of an older proctor needs it here

    leaves = bytearray()
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as database:
        # A record may lie in a small file and in a merged one: the larger one is read.
        for segment in sorted(segments(store.segments, writer), key=lambda s: (s.first, -s.level)):
            if segment.first != len(leaves) // HASH_SIZE or segment.last > last:
                continue
            path = str(store.segments / segment.name).replace("'", "''")
            rows = database.execute(f"SELECT seq, raw FROM read_parquet('{path}') ORDER BY seq")
            while batch := rows.fetchmany(_ROWS):
                for number, raw in batch:
                    if number != len(leaves) // HASH_SIZE:
                        return None
                    leaves += leaf_hash(raw.encode())
    return bytes(leaves) if len(leaves) == (last + 1) * HASH_SIZE else None
