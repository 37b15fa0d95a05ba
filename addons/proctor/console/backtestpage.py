"""A backtest's report as people look at it: in the console, and as a page of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from proctor.console.rendering import environment
from proctor.policy.backtest import Change
from proctor.policy.backtestreport import Report
from proctor.policy.backtestshown import summary

ROWS: Final = 200
"""Rows a page shows."""

DAYS: Final = 62
"""Days its chart has bars for, the last ones."""

_HEIGHT: Final = 60
_WIDTH: Final = 600
_WIDEST: Final = 40

WORDS: Final = {
    Change.DENIED.value: ("newly denied", "deny"),
    Change.HELD.value: ("newly held", "hold"),
    Change.ALLOWED.value: ("newly allowed", "allow"),
    Change.UNKNOWN.value: ("could not be told", "unknown"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart, in its own units."""

    x: float
    y: float
    width: float
    height: float
    name: str
    count: int


def bars(counts: Mapping[str, int]) -> list[Bar]:
    """A bar for each count, `_WIDTH` by `_HEIGHT` together."""
    shown = list(counts.items())[-DAYS:]
    most = max((count for _, count in shown), default=0) or 1
    step = min(_WIDTH / max(len(shown), 1), _WIDEST)
    return [
        Bar(
            x=round(index * step, 1),
            y=round(_HEIGHT - _HEIGHT * count / most, 1),
            width=round(max(step - 1, 0.5), 1),
            height=round(_HEIGHT * count / most, 1),
            name=name,
            count=count,
        )
        for index, (name, count) in enumerate(shown)
    ]


def shown(report: Mapping[str, Any], lines: Sequence[str]) -> dict[str, object]:
    """What `_backtest.html` needs.

    Args:
        report: `Report.as_json()`.
        lines: The report in words.
    """
    return {
        "report": report,
        "lines": lines,
        "rows": report["rows"][:ROWS],
        "more": max(0, len(report["rows"]) - ROWS),
        "words": WORDS,
        "days": bars(report["approvals"]["days"]),
        "hours": bars({f"{hour:02d}:00": n for hour, n in enumerate(report["approvals"]["hours"])}),
        "width": _WIDTH,
        "height": _HEIGHT,
    }


def standalone(report: Report, surprises: Sequence[str]) -> str:
    """The report as one HTML file that loads nothing."""
    given = shown(report.as_json(), summary(report))
    made = environment().get_template("backtestfile.html")
    return made.render(**given, surprises=surprises, now=datetime.now(UTC), links=False)
