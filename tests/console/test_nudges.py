"""Pages are told that something has changed, and nothing else."""

import asyncio
from typing import cast

from proctor.approval.desk import Desk
from proctor.console.nudges import NUDGE, STILL, nudges
from tests.console.standin import StandIn


def test_one_nudge_for_a_burst_and_an_end() -> None:
    async def main() -> list[bytes]:
        desk = StandIn()
        heard: list[bytes] = []
        async for line in nudges(cast("Desk", desk), heartbeat=0.05, gap=0.01, life=0.3):
            heard.append(line)
            if len(heard) == 2:
                for number in range(50):
                    desk.change("approval", f"ap_{number}", "pending")
        assert desk.followers == []
        return heard

    heard = asyncio.run(main())
    assert heard[:3] == [NUDGE, STILL, NUDGE]
    assert heard.count(NUDGE) <= 4
    assert set(heard) == {NUDGE, STILL}


def test_it_ends_when_the_desk_drops_it_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        desk = StandIn()
        lines = nudges(cast("Desk", desk))
        assert await anext(lines) == NUDGE
        pending = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        desk.followers[0][1].put_nowait(None)
        assert await pending == NUDGE
        assert [line async for line in lines] == []
        assert desk.followers == []
        left = nudges(cast("Desk", desk))
        await anext(left)
        await left.aclose()
        assert desk.followers == []

    asyncio.run(main())
