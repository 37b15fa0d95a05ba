"""How long what is kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proctor.evidence.retention import NEVER, VIEWS, Cutoffs, RetentionSettings, floor_of

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "view", "rule", "day"),
    [
        ({}, "flows", None, NEVER),
        ({"default": "10d"}, "flows", None, "2026-11-12"),
        ({"default": "10d", "turns": "2d"}, "turns", None, "2026-11-20"),
        ({"default": "2d", "turns": "10d"}, "turns", None, "2026-11-12"),
        ({"turns": "2d"}, "flows", None, NEVER),
        ({"default": "2d", "rules": {"quiet": "10d"}}, "turns", "quiet", "2026-11-12"),
        ({"default": "2d", "rules": {"quiet": "10d"}}, "turns", "other", "2026-11-20"),
        ({"default": "36h"}, "flows", None, "2026-11-21"),
        ({"default": "999999999d"}, "flows", None, NEVER),
    ],
)
def test_a_rule_goes_before_a_view_and_a_view_before_the_default(
    said: dict[str, object], view: str, rule: str | None, day: str
) -> None:
    cutoffs = Cutoffs.at(RetentionSettings.model_validate(said), NOW)
    assert cutoffs.of(view, rule) == day


@pytest.mark.parametrize(
    "said",
    [{"default": "1h"}, {"size": 0}, {"turn": "1d"}, {"rules": {"a": "0s"}}, {"rules": "1d"}],
)
def test_what_is_wrong_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RetentionSettings.model_validate(said)


def test_size_goes_before_all() -> None:
    settings = RetentionSettings.model_validate({"turns": "300d", "rules": {"a": "300d"}})
    cutoffs = Cutoffs.at(settings, NOW, "2026-11-01")
    assert {cutoffs.of(view, None) for view in VIEWS} == {"2026-11-01"}
    assert cutoffs.of("turns", "a") == cutoffs.newest == "2026-11-01"


@given(sizes=st.dictionaries(st.integers(0, 30), st.integers(0, 100)), limit=st.integers(1, 500))
def test_only_as_many_days_go_as_have_to(sizes: dict[int, int], limit: int) -> None:
    today = NOW.date().isoformat()
    named = {(NOW - timedelta(days=back)).date().isoformat(): size for back, size in sizes.items()}
    floor = floor_of(named, limit, today)
    left = sum(size for day, size in named.items() if day >= floor)
    assert floor <= today
    assert left <= limit or left == named.get(today, 0)
    if gone := [day for day in named if day < floor]:
        assert left + named[max(gone)] > limit
    assert floor_of(named, None, today) == NEVER
