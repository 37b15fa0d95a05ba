"""Lists of which texts have a number, so that one number's are found by reading some kilobytes.

A run is sorted by number and cut into parts by its high bits. A part is packed: its numbers as
steps, then the first bytes of all ids, the second ones, and so on, which packs far better.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import zstandard

KEY_BITS = 27
"""Of a number; so many that hardly ever two that are looked for are the same by chance."""
RUN = 8 * 2**20
"""Entries that one run has, more or less; 200 MB of memory while it is made."""

_LOW_BITS = 14
_LOW = 2**_LOW_BITS - 1
_PARTS = 2 ** (KEY_BITS - _LOW_BITS)  # of some 2 KB, packed
_ID_BYTES = 4
_ENTRY = 2 + _ID_BYTES
_MAX_PART = 256 * 2**20


def parts(entries: npt.NDArray[np.uint64]) -> Iterator[tuple[int, bytes]]:
    """The parts of a run, by their numbers.

    Args:
        entries: Each a number, shifted by 32 bits, and the id of a text that has it. Is sorted.
    """
    entries.sort()
    new = np.ones(len(entries), np.bool_)
    np.not_equal(entries[1:], entries[:-1], out=new[1:])
    entries = entries[new]
    numbers = (entries >> np.uint64(32)).astype(np.uint32)
    ids = entries.astype("<u4")
    bounds = np.searchsorted(numbers, np.arange(_PARTS + 1, dtype=np.uint32) << _LOW_BITS)
    packer = zstandard.ZstdCompressor(level=1)
    for part in range(_PARTS):
        here = slice(bounds[part], bounds[part + 1])
        if here.start < here.stop:
            steps = np.diff(numbers[here], prepend=np.uint32(part << _LOW_BITS)).astype("<u2")
            planes = ids[here].view(np.uint8).reshape(-1, _ID_BYTES).T.tobytes()
            yield part, packer.compress(steps.tobytes() + planes)


def part_of(number: int) -> int:
    """In which part a number is."""
    return number >> _LOW_BITS


def ids_of(number: int, part: bytes, most: int) -> list[int] | None:
    """The ids of the texts that have a number, in order; None where they are more than `most`.

    Args:
        number: What is looked for.
        part: That which it is in.
        most: Not to be exceeded.

    Raises:
        ValueError: The part is damaged.
    """
    try:
        raw = zstandard.ZstdDecompressor().decompress(part, _MAX_PART)
    except zstandard.ZstdError:
        raise ValueError("a packed list") from None
    count, rest = divmod(len(raw), _ENTRY)
    if rest:
        raise ValueError("a packed list")
    low = np.cumsum(np.frombuffer(raw, "<u2", count), dtype=np.int64)
    first, last = np.searchsorted(low, (number & _LOW, (number & _LOW) + 1)).tolist()
    if last - first > most:
        return None
    planes = np.frombuffer(raw, np.uint8, offset=2 * count).reshape(_ID_BYTES, count)
    return np.ascontiguousarray(planes[:, first:last].T).view("<u4").ravel().tolist()
