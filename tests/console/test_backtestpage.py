"""A report as people look at it."""

import re

from proctor.console.backtestpage import DAYS, bars, standalone
from tests.policy.reports import HOSTILE, report, row


def test_a_page_of_its_own_loads_nothing_and_obeys_nobody() -> None:
    text = standalone(report(row(what=HOSTILE, principal=f"i#{HOSTILE}")), [HOSTILE])
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href|action)=", text)
    assert "1 surprises" in text
    assert "flow-1" in text


def test_nothing_changes() -> None:
    text = standalone(report(), [])
    assert "Nothing would have been decided otherwise" in text
    assert "surprises" not in text.partition("<body>")[2]


def test_more_rows_than_are_shown() -> None:
    text = standalone(report(*(row(what=f"w{n}") for n in range(203))), [])
    assert "3 rows more" in text


def test_bars() -> None:
    drawn = bars({"a": 1, "b": 2, "c": 0})
    assert [bar.height for bar in drawn] == [30, 60, 0]
    assert [bar.y for bar in drawn] == [30, 0, 60]
    assert bars({}) == []
    many = bars({f"{n:03d}": n for n in range(DAYS + 5)})
    assert (len(many), many[0].name) == (DAYS, "005")
    assert many[-1].x + many[-1].width <= 600
