"""Lines that say what the lines far below them hold: the header of a table, `Recovery codes:`.

A stream looks at what is new with a little of what went before. A header lies further up, so it is
kept for as long as its table goes on, and a row is not cut before it is complete.
"""

import re
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 1024
"""Characters of a heading."""
_ROW: Final = 512
"""Characters of a row that are waited for."""
_ROWS: Final = 2000
_DELIMITERS: Final = "|\t;,"
_NAME: Final = re.compile(r"(?!(?:\S* ){4})[\w .()/#-]{0,40}")  # a sentence is no name
_SECRET: Final = re.compile(r"(?i)(?:passw(?:or)?[dt]|pwd|secret|token|key)\Z")
_CODES: Final = re.compile(r"(?i)(?:recovery|backup|scratch|emergency)[ _-]codes?")


@dataclass(slots=True)
class Headings:
    """Reads a text line by line, and knows under which heading it is.

    Attributes:
        line: The heading; "" where there is none.
    """

    line: str = ""
    _delimiter: str = ""
    _count: int = 0
    _rows: int = 0

    def take(self, line: str) -> None:
        """The next whole line, without its end."""
        if self.line and self._rows < _ROWS and self._goes_on(line):
            self._rows += 1
            return
        self.line = ""
        if len(line) <= _LONGEST:
            self._begin(line.rstrip("\r"))

    def waits(self, row: str) -> bool:
        """Whether a line that has just begun may become a row under the heading."""
        if not self.line or len(row) > _ROW:
            return False
        return not self._delimiter or row.count(self._delimiter) <= self._count

    def _goes_on(self, line: str) -> bool:
        if self._delimiter:
            return line.count(self._delimiter) == self._count
        return bool(line.strip())

    def _begin(self, line: str) -> None:
        delimiter = next((mark for mark in _DELIMITERS if mark in line), "")
        names = [name.strip(" \"'") for name in line.split(delimiter)] if delimiter else []
        table = any(map(_SECRET.search, names)) and all(map(_NAME.fullmatch, names))
        if not table and not _CODES.search(line):
            return
        self.line = line
        self._delimiter = delimiter if table else ""
        self._count = len(names) - 1
        self._rows = 0
