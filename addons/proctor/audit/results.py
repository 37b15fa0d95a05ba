"""What a statement gave back, as the record keeps it: rows as texts, or what COPY moved."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from proctor.audit.reader import Content

MAX_READ: Final = 2**20
"""Bytes of a result that is laid out as a table; a larger one is shown as its beginning."""

NULL: Final = "∅"
"""In place of a value that is none."""

_RETURN: Final = "↵"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A result.

    Attributes:
        columns: Their names.
        rows: Values as texts; None for null. Not yet made safe to show.
        more: Rows that are not kept.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    more: int = 0

    def width(self) -> int:
        """Columns there are, named or not."""
        return max(len(self.columns), *(len(row) for row in self.rows), 0)


def read_result(content: Content | None) -> Rows | str | None:
    """Rows, or a text where it is something else; None where there is nothing to show.

    Args:
        content: As recorded; not one that was erased.
    """
    if content is None or not content.text:
        return None
    if content.omitted:
        return content.text
    try:
        value = json.loads(content.text)
    except (ValueError, RecursionError):
        return content.text
    if isinstance(value, dict) and isinstance(copied := value.get("copy"), str):
        return copied
    found = _rows(value) if isinstance(value, dict) else None
    return content.text if found is None else found


def drawn(found: Rows, *, rows: int, columns: int, cell: int) -> str:
    """A table in plain text, for where there is nothing but lines.

    Args:
        found: What is drawn.
        rows: At most so many.
        columns: At most so many.
        cell: Characters of a value at most.
    """
    shown = min(found.width(), columns)
    lines = [
        [short(value, cell) for value in padded(row, shown)]
        for row in (found.columns, *found.rows[:rows])
    ]
    widths = [max(len(line[at]) for line in lines) for at in range(shown)]
    head, *rest = (
        " │ ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    rule = "─┼─".join("─" * width for width in widths)
    return "\n".join([head, rule, *rest, *left_out(found, rows=rows, columns=columns)])


def left_out(found: Rows, *, rows: int, columns: int) -> list[str]:
    """What is not shown of a table, in words."""
    said: list[str] = []
    if hidden := max(0, len(found.rows) - rows) + found.more:
        said.append(f"… {hidden:,} more rows")
    if (hidden := found.width() - columns) > 0:
        said.append(f"… {hidden:,} more columns")
    return said


def padded(row: Sequence[str | None], width: int) -> list[str | None]:
    """A row with as many values as the table has columns."""
    return [*row[:width], *[""] * (width - len(row))]


def short(value: str | None, limit: int) -> str:
    """A value on one line, so that none of it looks like another row."""
    if value is None:
        return NULL
    text = _RETURN.join(value[: limit + 1].splitlines()) if value else ""
    return f"{text[:limit]}…" if len(value) > limit else text


def _rows(value: dict[str, Any]) -> Rows | None:
    columns, rows, more = value.get("columns"), value.get("rows"), value.get("more", 0)
    if not isinstance(columns, list) or not isinstance(rows, list) or not isinstance(more, int):
        return None
    if not all(isinstance(row, list) for row in rows):
        return None
    return Rows(
        columns=tuple(map(str, columns)),
        rows=tuple(tuple(None if each is None else str(each) for each in row) for row in rows),
        more=max(0, more),
    )
