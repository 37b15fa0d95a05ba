"""What a client sees, as it is put on record: rows as JSON, values as texts."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from proctor.postgres.statements import Run
from proctor.protocols.postgres.messages import BEGIN, each, read_row, string

_TEXT: Final = 0
_LEGIBLE: Final = "backslashreplace"


def shown(run: Run, encoding: str) -> bytes:
    r"""What the client saw of a result, as JSON: names of columns, and rows of texts.

    Values that are not text are shown as PostgreSQL shows bytes: `\x` and hex digits.
    """
    rows: list[list[str | None]] = []
    columns = names(run.description, encoding)
    formats = run.formats
    binary = any(formats)
    for piece in run.results:
        for row in each(piece):
            values = read_row(row[BEGIN:])
            rows.append(
                [
                    legible(value, format_of(formats, at), encoding)
                    for at, value in enumerate(values)
                ]
                if binary
                else [
                    value if value is None else value.decode(encoding, _LEGIBLE) for value in values
                ]
            )
    seen: dict[str, object] = {"columns": columns, "rows": rows}
    if run.rows > len(rows):
        seen["more"] = run.rows - len(rows)
    return orjson.dumps(seen)


def copied(run: Run, encoding: str) -> bytes:
    """What the client saw of COPY, as JSON."""
    text = b"".join(row[BEGIN:] for piece in run.results for row in each(piece))
    return orjson.dumps({"copy": legible(text, _TEXT, encoding)})


@lru_cache(maxsize=64)
def names(description: bytes, encoding: str) -> Sequence[str]:
    """Names of the columns of a RowDescription's body."""
    if not description:
        return ()
    found: list[str] = []
    at = 2
    for _ in range(int.from_bytes(description[:2], "big")):
        name, at = string(description, at)
        found.append(name.decode(encoding, "replace"))
        at += 18
    return tuple(found)


def format_of(formats: Sequence[int], at: int) -> int:
    """The format of a value, of those that were said for all or for each."""
    if not formats:
        return _TEXT
    return formats[0] if len(formats) == 1 else formats[at] if at < len(formats) else _TEXT


def legible(value: bytes | None, kind: int, encoding: str) -> str | None:
    """A value of such a format as a text."""
    if value is None:
        return None
    if kind == _TEXT:
        return value.decode(encoding, _LEGIBLE)
    return f"\\x{value.hex()}"
