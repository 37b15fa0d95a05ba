"""Tables: comma-separated values (RFC 4180), and their kin with tabs, semicolons or bars."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from proctor.redaction.model import Change
from proctor.redaction.structure.codec import Codec, Unit, applied, mapped
from proctor.redaction.structure.jsonwalk import add_text
from proctor.redaction.structure.layout import Layout, Path, Place
from proctor.redaction.structure.names import like_value, shown

_SEPARATORS: Final = ",\t;|"
_SAMPLE: Final = 4096
_DOUBLED: Final = re.compile('""')
_HEADING: Final = re.compile(r"(?=[^\n]{0,39}[^\W\d_])[\w .:/()#%&-]{1,40}")


type _Cell = tuple[int, int, bool]  # first character, the one after the last, whether in quotes


def add_table(
    layout: Layout, holder: int, *, separator: str = "", prefix: str = "", path: Path = ()
) -> None:
    """Add each cell; the first row names the columns if it looks like that.

    Args:
        layout: What they are added to.
        holder: What they are written in.
        separator: Between cells; "" to guess it from the first row.
        prefix: What the locations begin with.
        path: What the paths begin with.

    Raises:
        RedactionError: `redaction-size`.
    """
    text = layout.text(holder)
    separator = separator or _separator(text)
    bare = _bare(separator)
    columns: list[tuple[str, str]] | None = None
    number = 0
    for row in _rows(text, separator):
        if columns is None:
            names = _headings(text, row)
            columns = [(name, shown(name)) for name in names]
            if names:
                for (start, end, quoted), name in zip(row, names, strict=True):
                    layout.add(
                        name,
                        f"{prefix}#columns",
                        "",
                        holder,
                        start,
                        end,
                        in_quotes if quoted else bare,
                        path,
                        Place.NAME,
                    )
                continue
        where, parent = f"{prefix}[{number}]", (*path, number)
        for index, (start, end, quoted) in enumerate(row):
            if start == end:
                continue
            said = text[start:end]
            codec = bare
            if quoted:
                said, codec = said.replace('""', '"'), in_quotes
            if index < len(columns):
                name, display = columns[index]
                add_text(
                    layout,
                    said,
                    f"{where}.{display}",
                    name,
                    holder,
                    start,
                    end,
                    codec,
                    parent,
                    name,
                )
            else:
                add_text(
                    layout, said, f"{where}[{index}]", "", holder, start, end, codec, parent, index
                )
        number += 1


def _rows(text: str, separator: str) -> Iterator[list[_Cell]]:
    """The cells of each row; a quote that is never closed is a character like any other."""
    sep = re.escape(separator)
    cell = re.compile(
        rf'(?:"(?P<quoted>(?:[^"]++|"")*+)"(?={sep}|[\r\n]|\Z)|(?P<bare>[^{sep}\r\n]*+))'
        rf"(?P<end>{sep}|\r\n|[\r\n]|\Z)"
    )
    row: list[_Cell] = []
    for match in cell.finditer(text, 1 if text.startswith("\ufeff") else 0):
        quoted = match.start(1) >= 0
        row.append((*match.span(1 if quoted else 2), quoted))
        if match[3] != separator:
            yield row
            row = []


def in_quotes(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of what stands between the quotes of a cell."""
    units = (Unit(match.start(), match.end(), 1) for match in _DOUBLED.finditer(raw))
    return mapped(changes, units, lambda new: new.replace('"', '""'))


def _bare(separator: str) -> Codec:
    """The codec of a cell without quotes, which gets them where it needs them."""

    def codec(raw: str, changes: Sequence[Change]) -> list[Change]:
        if not any(mark in change.text for change in changes for mark in (separator, *'"\r\n')):
            return list(changes)
        new = applied(raw, changes).replace('"', '""')
        return [Change(0, len(raw), f'"{new}"')]

    return codec


def _separator(text: str) -> str:
    """The commonest in the first line; of equals, the first."""
    line = text[:_SAMPLE].lstrip("\ufeff").partition("\n")[0]
    return max(_SEPARATORS, key=line.count)


def _headings(text: str, row: list[tuple[int, int, bool]]) -> list[str]:
    """What the first row says, if all of it are names and no two the same."""
    cells = [
        text[start:end].replace('""', '"') if quoted else text[start:end]
        for start, end, quoted in row
    ]
    distinct = len(set(cells)) == len(cells)
    named = all(_HEADING.fullmatch(cell) and not like_value(cell) for cell in cells)
    return cells if distinct and named else []
