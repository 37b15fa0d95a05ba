"""Values in the lines that COPY brings, each a text (PostgreSQL, COPY, "File Formats").

In the text format a character after a backslash stands for another one, and values stand between
tabs; in csv they stand between commas, and in quotes where they hold any. With another delimiter a
line is one text, or a few: what is in it is found as well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from proctor.protocols.postgres.messages import BEGIN, Back, each, message
from proctor.redaction.model import Change, Leaf, Skipped
from proctor.redaction.structure.codec import Unit, applied, mapped
from proctor.redaction.structure.csvdoc import in_quotes

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WRITTEN: Final = {ord(char): f"\\{mark}" for mark, char in _MEANT.items()} | {ord("\\"): "\\\\"}
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*+)"(?=,|\r?\n|\Z)')
_BARE: Final = re.compile(r"[^,\r\n]*+")
_NULL: Final = "\\N"


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where a value stands in its line, and whether in quotes."""

    start: int
    end: int
    quoted: bool = False


class Lines:
    """A `Document` of CopyData messages, each of which holds one line, as the server sends them.

    Args:
        data: The messages.
        encoding: Python's name for the client's.
        csv: They are of the csv format; else of the text format.
    """

    def __init__(self, data: bytes, encoding: str, *, csv: bool) -> None:
        self.leaves: list[Leaf] = []
        self.skipped: Sequence[Skipped] = ()
        self._encoding = encoding
        self._csv = csv
        self._lines: list[tuple[bytes, list[_Cell]]] = []
        for one in each(data):
            line = one[BEGIN:].decode(encoding, "replace")
            found = list((_between_commas if csv else _between_tabs)(line))
            self._lines.append((one, [cell for _, cell in found]))
            for number, cell in found:
                raw = line[cell.start : cell.end]
                self.leaves.append(Leaf(self._read(raw, cell), f"column {number}"))

    def splice(self, changes: Mapping[int, Sequence[Change]]) -> bytes:
        """The messages with these changes, by number of the leaf."""
        parts: list[bytes] = []
        number = 0
        for one, cells in self._lines:
            mine = {
                cell: changes[index] for index, cell in enumerate(cells, number) if index in changes
            }
            number += len(cells)
            parts.append(self._changed(one, mine) if mine else one)
        return b"".join(parts)

    def _changed(self, one: bytes, changes: Mapping[_Cell, Sequence[Change]]) -> bytes:
        line = one[BEGIN:].decode(self._encoding, "replace")
        raw = [
            Change(cell.start + change.start, cell.start + change.end, change.text)
            for cell, own in changes.items()
            for change in self._written(line[cell.start : cell.end], own, cell)
        ]
        return message(Back.COPY_DATA, applied(line, raw).encode(self._encoding, "replace"))

    def _read(self, raw: str, cell: _Cell) -> str:
        if cell.quoted:
            return raw.replace('""', '"')
        return raw if self._csv else _ESCAPED.sub(lambda m: _MEANT.get(m[1], m[1]), raw)

    def _written(self, raw: str, changes: Sequence[Change], cell: _Cell) -> Sequence[Change]:
        """Changes of a value, as changes of how it is written."""
        if cell.quoted:
            return in_quotes(raw, changes)
        if not self._csv:
            units = (Unit(match.start(), match.end(), 1) for match in _ESCAPED.finditer(raw))
            return mapped(changes, units, lambda new: new.translate(_WRITTEN))
        new = applied(raw, changes)
        if not any(mark in new for mark in ',"\r\n'):
            return changes
        doubled = new.replace('"', '""')
        return [Change(0, len(raw), f'"{doubled}"')]


def _between_tabs(line: str) -> Iterator[tuple[int, _Cell]]:
    at = 0
    for number, value in enumerate(line.removesuffix("\n").split("\t"), 1):
        if value and value != _NULL:
            yield number, _Cell(at, at + len(value))
        at += len(value) + 1


def _between_commas(line: str) -> Iterator[tuple[int, _Cell]]:
    """A quote that is never closed is a character like any other."""
    at, number, size = 0, 1, len(line)
    while at < size:
        quoted = _QUOTED.match(line, at)
        bare = _BARE.match(line, at)
        if quoted:
            yield number, _Cell(*quoted.span(1), quoted=True)
            at = quoted.end()
        elif bare and bare.end() > at:
            yield number, _Cell(*bare.span())
            at = bare.end()
        else:
            number += line[at] == ","
            at += 1
