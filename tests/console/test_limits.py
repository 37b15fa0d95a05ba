"""Buckets of tries."""

import pytest

from proctor.console import limits
from proctor.console.limits import Limiter
from proctor.errors import ClientError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    limiter = Limiter(burst=3, per_minute=6, monotonic=clock, what="sign-ins")
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(ClientError) as caught:
        limiter.take("a")
    assert (caught.value.code, caught.value.status) == ("too-many-tries", 429)
    limiter.take("b")
    clock.now = 10
    limiter.take("a")
    with pytest.raises(ClientError):
        limiter.check("a")
    clock.now = 10_000
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(ClientError):
        limiter.take("a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_ADDRESSES", 10)
    limiter = Limiter(burst=1, per_minute=1, monotonic=Clock(), what="x")
    for number in range(100):
        limiter.take(str(number))
    assert len(limiter._buckets) == 10
    with pytest.raises(ClientError):
        limiter.check("99")
