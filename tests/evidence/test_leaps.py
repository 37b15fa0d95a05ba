"""A clock that leaps is not believed at once."""

from datetime import UTC, datetime, timedelta

import pytest

from proctor.evidence.leaps import Leaps, uptime

START = datetime(2026, 1, 1, tzinfo=UTC)


class Stand:
    """A clock and the time that goes by, both set by hand."""

    def __init__(self) -> None:
        self.leapt = self.passed = 0.0
        self.leaps = Leaps(
            clock=lambda: START + timedelta(seconds=self.passed + self.leapt),
            uptime=lambda: self.passed,
        )
        assert self.leaps.believed()

    def after(self, seconds: float, leap: float = 0.0) -> bool:
        self.passed += seconds
        self.leapt += leap
        return self.leaps.believed()


def test_time_that_goes_by_is_believed() -> None:
    stand = Stand()
    assert all(stand.after(seconds) for seconds in (5, 3600, 400 * 86400, 0))
    assert stand.after(5, leap=60)
    assert stand.after(5, leap=-60)


def test_a_leap_is_believed_after_a_day(caplog: pytest.LogCaptureFixture) -> None:
    stand = Stand()
    assert not stand.after(5, leap=365 * 86400)
    assert not stand.after(86000)
    assert stand.after(400)
    assert [getattr(each, "event", "") for each in caplog.records] == ["clock.leapt"]


def test_a_leap_that_is_set_right_is_forgotten() -> None:
    stand = Stand()
    assert not stand.after(5, leap=365 * 86400)
    assert stand.after(5, leap=-365 * 86400)


def test_the_machine_says_how_long_it_runs() -> None:
    assert 0 < uptime() <= uptime()
