"""Windows in time zones whose clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.budgets.windows import window

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")


@pytest.mark.parametrize(
    ("over", "zone", "now", "begin", "end"),
    [
        ("hour", "UTC", "2026-03-02T10:59:59", "2026-03-02T10:00:00", "2026-03-02T11:00:00"),
        ("day", "UTC", "2026-03-02T10:59:59", "2026-03-02T00:00:00", "2026-03-03T00:00:00"),
        # 23 hours, since clocks go forward.
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("month", "UTC", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("month", "UTC", "2028-02-29T00:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
    ],
)
def test_examples(over: str, zone: str, now: str, begin: str, end: str) -> None:
    found = window(over, zone, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert [each.astimezone(UTC) for each in found] == [
        datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (begin, end)
    ]


@given(
    over=st.sampled_from(("hour", "day", "month")),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants them so
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - as above
        timezones=st.just(UTC),
    ),
)
def test_a_moment_lies_in_its_window_and_the_next_begins_where_it_ends(
    over: str, zone: str, now: datetime
) -> None:
    begin, end = window(over, zone, now)
    assert begin <= now < end
    assert window(over, zone, begin) == (begin, end)
    assert window(over, zone, end)[0] == end
    assert window(over, zone, end - timedelta(microseconds=1)) == (begin, end)
