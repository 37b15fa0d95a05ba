"""All leaves of a writer that runs: those in its file `leaves`, and those still in its journals."""

import re
from pathlib import Path
from typing import Final

from proctor.evidence import leaves
from proctor.tlog.proof import Leaves
from proctor.tlog.tree import HASH_SIZE, leaf_hash

# How a line that is an envelope begins (audit/envelope.py); other lines are content.
_ENVELOPE: Final = re.compile(
    rb'\{"v":1,"kind":"[^"\\]{1,64}","writer":"[^"\\]{1,16}","seq":(\d{1,18}),'
)
_HEAD = 160


def all_leaves(folder: Path, size: int) -> Leaves:
    """The first `size` leaves; what is in journals is read now, the rest as it is asked for.

    Args:
        folder: The writer's.
        size: Records that are durable.

    Returns:
        A source that is short where a record is nowhere.

    Raises:
        OSError: A journal cannot be read.
    """
    # The file first: what leaves the journals later is in both for a minute. Where that was not
    # enough, the file has got them meanwhile.
    while True:
        first = min(leaves.kept(folder), size)
        hot = _journaled(folder, first, size) if first < size else b""
        if first + len(hot) // HASH_SIZE >= size or leaves.kept(folder) <= first:
            break

    def read(start: int, end: int) -> bytes:
        cold = leaves.read_leaves(folder, start, max(0, min(end, first) - start))
        low, high = max(start, first) - first, max(end, first) - first
        return cold + hot[low * HASH_SIZE : high * HASH_SIZE]

    return read


def _journaled(folder: Path, first: int, size: int) -> bytes:
    """The leaves from `first` on, as far as none is missing."""
    found: dict[int, bytes] = {}
    for path in sorted(folder.glob("*.jsonl")):
        if not path.stem.isdecimal():
            continue
        with path.open("rb") as lines:
            for line in lines:
                match = _ENVELOPE.match(line[:_HEAD])
                if match and line.endswith(b"\n") and first <= int(match[1]) < size:
                    found[int(match[1])] = leaf_hash(line[:-1])
    array = bytearray()
    while (leaf := found.get(first)) is not None:
        array += leaf
        first += 1
    return bytes(array)
