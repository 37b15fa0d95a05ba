"""The loop over rows in Python, where the compiled one (`_run.pyx`) was not built.

Both pass the same tests. The compiled one takes a tenth of the time.
"""

from collections.abc import Callable, Sequence
from struct import Struct, error
from typing import Final

_HEAD: Final = Struct("!BIH")
_SIZE: Final = Struct("!i")
_ROW: Final = ord("D")
_NULL: Final = _SIZE.pack(-1)


def run(
    data: bytes,
    count: int,
    changes: Sequence[Callable[[bytes], bytes | None] | None],
    constants: Sequence[bytes | None],
) -> bytes | None:
    """Several whole DataRow messages, masked; None where they do not fit.

    Args:
        data: The messages.
        count: Columns of each.
        changes: By column, what makes another value of it; None for what stays.
        constants: By column, length and value that are always the same; None where there are none.
    """
    parts: list[bytes] = []
    at, total = 0, len(data)
    try:
        while at < total:
            kind, size, columns = _HEAD.unpack_from(data, at)
            end = at + 1 + size
            if kind != _ROW or columns != count or end > total or end < at + _HEAD.size:
                return None
            row = _row(data, at + _HEAD.size, end, changes, constants)
            if row is None:
                return None
            parts += (_HEAD.pack(_ROW, len(row) + 6, columns), row)
            at = end
    except error:
        return None
    return b"".join(parts)


def _row(
    data: bytes,
    at: int,
    end: int,
    changes: Sequence[Callable[[bytes], bytes | None] | None],
    constants: Sequence[bytes | None],
) -> bytes | None:
    parts: list[bytes] = []
    done = at
    for change, constant in zip(changes, constants, strict=True):
        if at + 4 > end:
            return None
        (size,) = _SIZE.unpack_from(data, at)
        if size < 0:
            at += 4
            continue
        stop = at + 4 + size
        if stop > end:
            return None
        if change is not None:
            new = constant or written(change(data[at + 4 : stop]))
            parts += (data[done:at], new)
            done = stop
        at = stop
    parts.append(data[done:end])
    return b"".join(parts)


def written(value: bytes | None) -> bytes:
    """A value with its length before it, as it stands in a row."""
    return _NULL if value is None else _SIZE.pack(len(value)) + value
