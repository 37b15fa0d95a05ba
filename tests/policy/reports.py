"""A report to show, with names that somebody else chose."""

from datetime import UTC, datetime, timedelta
from typing import Any

from proctor.policy.backtest import Change
from proctor.policy.backtestreport import Load, Report, Row

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOSTILE = "<script>|`@alice` [x](http://evil.example)\x1b[2J\u202e"


def load(**more: Any) -> Load:
    given: dict[str, Any] = {
        "asks": 3, "per_day": 1.5, "days": {"2026-03-01": 1, "2026-03-02": 2},
        "hours": (0,) * 9 + (3,) + (0,) * 14, "groups": {"ops or sec": 6}, "rules": {"r": 3},
        "people": {"i#alice": 3}, "waiting": 1,
    }  # fmt: skip
    return Load(**{**given, **more})


def row(**more: Any) -> Row:
    given: dict[str, Any] = {
        "change": Change.DENIED, "kind": "llm.tool_use", "before": "all", "rule": "no",
        "principal": "i#alice", "groups": ("dev",), "what": "Bash(git)", "count": 4,
        "first": NOW - timedelta(days=1), "last": NOW, "examples": (("flow-1", "s1"),),
    }  # fmt: skip
    return Row(**{**given, **more})


def report(*rows: Row, **more: Any) -> Report:
    given: dict[str, Any] = {
        "since": NOW - timedelta(days=2), "until": NOW, "version": "sha256:0", "actions": 9,
        "changes": {Change.DENIED: 4, Change.SAME: 5}, "kinds": {}, "people": {Change.DENIED: 1},
        "rows": rows, "others": 0, "lacking": {}, "load": load(),
        "load_then": load(asks=0, per_day=0.0, groups={}, waiting=0), "by_grant": 0,
        "settings": (), "cut": 0, "fixed": 0, "asks_left_out": 0, "decide_us": None,
        "seconds": 0.5,
    }  # fmt: skip
    return Report(**{**given, **more})
