"""Readers of changes."""

import asyncio
from dataclasses import replace

from proctor.approval import lifecycle
from proctor.approval.subscription import BEHIND, Subscription
from tests.approval.samples import pending

CHANGE = lifecycle.noted(pending())


def test_a_reader_sees_all_in_order_and_then_the_end() -> None:
    async def run() -> list[int]:
        subscribers: set[Subscription] = set()
        async with Subscription(subscribers) as changes:
            for number in range(3):
                changes.put(replace(CHANGE, seq=number))
            assert changes in subscribers
        assert not subscribers
        changes.close()
        seen = [change.seq async for change in changes]
        assert [change async for change in changes] == []
        return seen

    assert asyncio.run(run()) == [0, 1, 2]


def test_a_reader_too_far_behind_is_dropped() -> None:
    async def run() -> int:
        subscribers: set[Subscription] = set()
        changes = Subscription(subscribers)
        for _ in range(BEHIND + 5):
            for subscription in list(subscribers):
                subscription.put(CHANGE)
        assert not subscribers
        return len([change async for change in changes])

    assert asyncio.run(run()) == BEHIND
