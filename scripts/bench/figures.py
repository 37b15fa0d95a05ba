"""A figure: what was measured, what it should be, and whether it is."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        what: In words.
        value: The measured number, or None where it could not be measured.
        unit: Of value and goal.
        goal: The most it may be, or None where it is only reported.
        least: The goal is the least it may be.
        note: What else there is to say: spread, absolute numbers.
        details: Everything behind it, for the JSON file.
    """

    what: str
    value: float | None
    unit: str
    goal: float | None = None
    least: bool = False
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def status(self) -> str:
        """`ok`, `missed`, `failed` (not measured) or `reported` (no goal)."""
        if self.value is None:
            return "failed"
        if self.goal is None:
            return "reported"
        reached = self.value >= self.goal if self.least else self.value <= self.goal
        return "ok" if reached else "missed"

    def as_json(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "least": self.least,
            "status": self.status,
            "note": self.note,
            "details": self.details,
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def added(direct: Sequence[float], through: Sequence[float]) -> list[float]:
    """What each request took longer than its twin."""
    return [there - here for here, there in zip(direct, through, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Least and greatest, for a note."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


median = statistics.median
