"""Refusals that fill no disk."""

from proctor.stages.bucket import Bucket


def test_ten_seconds_worth_at_once_and_then_the_rate() -> None:
    now = [100.0]
    bucket = Bucket(2, clock=lambda: now[0])
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]
    now[0] += 0.5
    assert [bucket.take(), bucket.take()] == [True, False]
    now[0] += 1000
    assert sum(bucket.take() for _ in range(100)) == 20
    now[0] += 0.4
    assert not bucket.take()
