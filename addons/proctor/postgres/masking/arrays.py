"""Arrays of texts, changed element by element in either format (array_out, array_send)."""

import re
from collections.abc import Callable, Iterator
from struct import Struct, error
from typing import Final

_INT: Final = Struct("!i")
_HEAD: Final = Struct("!iii")  # dimensions, whether there are NULLs, OID of the elements
_MAX_DIMENSIONS: Final = 6  # MAXDIM

# An element in quotes, one without, or what stands between; bounds only at the very beginning.
_PIECES: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([{},])|((?:[^"{},\\]|\\.)+)', re.DOTALL)
_BOUNDS: Final = re.compile(r"(?:\[-?\d+:-?\d+\])+=")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

type Change = Callable[[bytes], bytes | None]


def map_text(data: bytes, change: Change, encoding: str) -> bytes | None:
    """An array in text format with other elements; None where it is none.

    Args:
        data: As the server writes it.
        change: Of one element's characters; None makes it NULL.
        encoding: Python's name for the client's.
    """
    try:
        text = bytes(data).decode(encoding)
        bounds = _BOUNDS.match(text)
        start = bounds.end() if bounds else 0
        found = "".join(_changed(text[start:], change, encoding))
    except (UnicodeError, ValueError):
        return None
    return (text[:start] + found).encode(encoding)


def _changed(text: str, change: Change, encoding: str) -> Iterator[str]:
    at = depth = 0
    while at < len(text):
        piece = _PIECES.match(text, at)
        if piece is None or (at > 0 and depth == 0):
            raise ValueError("no array")
        at = piece.end()
        quoted, mark, plain = piece.groups()
        if mark is not None:
            depth += {"{": 1, "}": -1, ",": 0}[mark]
            yield mark
        elif depth == 0:
            raise ValueError("no array")
        elif plain == "NULL":
            yield plain
        else:
            value = _ESCAPED.sub(r"\1", quoted if quoted is not None else plain)
            new = change(value.encode(encoding))
            yield "NULL" if new is None else _quoted(new.decode(encoding))
    if depth:
        raise ValueError("no array")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def map_binary(data: bytes, change: Change) -> bytes | None:
    """An array in binary format with other elements; None where it is none."""
    try:
        return _binary(bytes(data), change)
    except (error, ValueError):
        return None


def _binary(data: bytes, change: Change) -> bytes:
    dimensions, _, oid = _HEAD.unpack_from(data)
    if not 0 <= dimensions <= _MAX_DIMENSIONS:
        raise ValueError("no array")
    at = body = _HEAD.size + 8 * dimensions
    elements: list[bytes] = []
    nulls = 0
    while at < len(data):
        (size,) = _INT.unpack_from(data, at)
        at += 4
        if size >= 0 and at + size > len(data):
            raise ValueError("no array")
        new = change(data[at : at + size]) if size >= 0 else None
        at += max(size, 0)
        nulls |= new is None
        elements.append(_INT.pack(-1) if new is None else _INT.pack(len(new)) + new)
    return _HEAD.pack(dimensions, nulls, oid) + data[_HEAD.size : body] + b"".join(elements)
