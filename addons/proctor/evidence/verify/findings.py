"""What verification has to say: problems and notices, each with its place."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST: Final = 100
"""Findings that are listed; the rest is counted."""

_LONG = 300


class Level(StrEnum):
    """How bad it is."""

    PROBLEM = "problem"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: A problem, or only worth knowing.
        code: Its stable name; docs/evidence.md says what to do about each.
        what: What it is, in a sentence.
        writer: Whose record, or empty.
        seq: Which record, or the first of several; None where it is of none.
        flow_id: Of that record, as far as it can be read.
        time: Of that record, or of what is spoken of; RFC 3339.
        file: Under the record's folder.
        at: Where in the file: a line or a byte.
        expected: What should be there.
        found: What is.
    """

    level: Level
    code: str
    what: str
    writer: str = ""
    seq: int | None = None
    flow_id: str = ""
    time: str = ""
    file: str = ""
    at: str = ""
    expected: str = ""
    found: str = ""


@dataclass(slots=True)
class Findings:
    """Collects them; keeps the first, counts all."""

    listed: list[Finding] = field(default_factory=list)
    counts: Counter[tuple[Level, str]] = field(default_factory=Counter)

    def problem(self, code: str, what: str, **where: str | int | None) -> None:
        """Something is not as it was written."""
        self._add(Level.PROBLEM, code, what, where)

    def notice(self, code: str, what: str, **where: str | int | None) -> None:
        """Something is worth knowing."""
        self._add(Level.NOTICE, code, what, where)

    @property
    def problems(self) -> int:
        """How many there are, listed or not."""
        return sum(count for (level, _), count in self.counts.items() if level is Level.PROBLEM)

    @property
    def notices(self) -> int:
        """How many there are, listed or not."""
        return sum(count for (level, _), count in self.counts.items() if level is Level.NOTICE)

    def codes(self, level: Level = Level.PROBLEM) -> set[str]:
        """The codes of one level."""
        return {code for each, code in self.counts if each is level}

    def _add(self, level: Level, code: str, what: str, where: dict[str, str | int | None]) -> None:
        self.counts[level, code] += 1
        of_level = sum(1 for each in self.listed if each.level is level)
        if of_level < MOST:
            short = {
                name: value[:_LONG] if isinstance(value, str) else value
                for name, value in where.items()
            }
            self.listed.append(Finding(level=level, code=code, what=what, **short))  # type: ignore[arg-type]  # callers name its own fields
