"""What was counted, put together."""

from datetime import timedelta
from pathlib import Path

from proctor.policy.backtest import Ask, Change, Seen, Tally
from proctor.policy.backtestreport import report_of, settings_changed
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.policy.rules import Rule
from tests.policy.reports import NOW
from tests.support.judged import rules


def terms(folder: Path, approval: str) -> tuple[Rule, ...]:
    text = f"rules: [{{id: r, on: llm.request, then: hold, approval: {approval}}}]"
    return load_policy(rules(folder, text), features=Features()).rules


def test_the_load_by_day_hour_group_and_person() -> None:
    at = NOW.timestamp()
    two = ((("ops",), 2), (("sec", "ops"), 1))
    tally = Tally(
        asks=[
            Ask(at, "d", "i#alice", "r", two, 1800),
            Ask(at + 60, "d", "i#alice", "r", two, 1800),
            Ask(at + 86400, "d", "i#bob", "q", two[:1], 1800),
        ]
    )
    report = report_of(
        tally, since=NOW, until=NOW + timedelta(days=4), version="v", old=(), new=(), seconds=1
    )
    load = report.load
    assert (load.asks, load.per_day, load.waiting) == (2, 0.5, 2)
    assert load.days == {"2026-03-02": 1, "2026-03-03": 1}
    assert load.hours[9] == 2
    assert load.groups == {"ops": 4, "sec or ops": 1}
    assert load.rules == {"r": 1, "q": 1}
    assert report.load_then.asks == 0
    assert report.decide_us is None


def test_rows_come_most_first_and_what_stops_people_before_all() -> None:
    tally = Tally(changes={("llm.request", "newly-held"): 2, ("llm.request", "unchanged"): 1})
    for change, count in ((Change.ALLOWED, 9), (Change.DENIED, 1), (Change.DENIED, 5)):
        key = (change.value, "llm.request", "a", "b", f"i#{count}", (), "m")
        tally.rows[key] = Seen(count, 1.0, 2.0, [("f", "")])
    report = report_of(tally, since=NOW, until=NOW, version="v", old=(), new=(), seconds=1)
    assert [(row.change, row.count) for row in report.rows] == [
        (Change.DENIED, 5), (Change.DENIED, 1), (Change.ALLOWED, 9),
    ]  # fmt: skip
    said = report.as_json()
    assert report.actions == 3
    assert said["changes"]["newly-held"] == 2
    assert said["rows"][0]["examples"] == [{"flow_id": "f", "session_id": None}]


def test_settings_of_approval_that_differ(tmp_path: Path) -> None:
    old = terms(tmp_path / "1", "{from: [a]}")
    new = terms(
        tmp_path / "2", "{from: [a, b], count: 2, wait: 1m, ttl: 1h, reason: required, grant: 1h}"
    )
    assert list(settings_changed(old, old)) == []
    assert [each[1:] for each in settings_changed(old, new)] == [
        ("from", "a", "a or b"), ("count", "1", "2"), ("wait", "240 s", "60 s"),
        ("ttl", "1800 s", "3600 s"), ("reason", "optional", "required"),
        ("grant", "none", "3600 s"),
    ]  # fmt: skip
    assert list(settings_changed((), new)) == []
