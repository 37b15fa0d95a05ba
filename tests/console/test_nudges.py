"""Pages are told that something has changed, and nothing else."""

import asyncio
from pathlib import Path
from typing import Any, cast

from proctor.approval.desk import Desk
from proctor.console.nudges import NUDGE, STILL, nudges
from tests.console.samples import CAROL
from tests.console.stand import Stand
from tests.console.standin import StandIn


async def always() -> bool:
    return True


def test_one_nudge_for_a_burst_and_an_end() -> None:
    async def main() -> list[bytes]:
        desk = StandIn()
        heard: list[bytes] = []
        async for line in nudges(cast("Desk", desk), always, heartbeat=0.05, gap=0.01, life=0.3):
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
        lines = nudges(cast("Desk", desk), always)
        assert await anext(lines) == NUDGE
        pending = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        desk.followers[0][1].put_nowait(None)
        assert await pending == NUDGE
        assert [line async for line in lines] == []
        assert desk.followers == []
        left = nudges(cast("Desk", desk), always)
        await anext(left)
        await left.aclose()
        assert desk.followers == []

    asyncio.run(main())


def test_who_has_signed_out_is_told_nothing_more() -> None:
    async def main() -> None:
        desk, signed_in = StandIn(), True

        async def still() -> bool:
            return signed_in

        for quiet in (True, False):
            signed_in = True
            lines = nudges(cast("Desk", desk), still, heartbeat=0.01 if quiet else 5)
            assert await anext(lines) == NUDGE
            if quiet:
                assert await anext(lines) == STILL
            signed_in = False
            desk.change("approval", "ap_1", "pending")
            assert [line async for line in lines] == []
            assert desk.followers == []

    asyncio.run(main())


class Page:
    """A page that listens."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.news = asyncio.Event()
        self.left = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        self.news.set()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def told(self) -> None:
        async with asyncio.timeout(30):
            while not self.body:
                self.news.clear()
                await self.news.wait()


def test_one_person_has_twenty_pages(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    app = stand.app()
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/events", "query_string": b"", "headers": [],
    }  # fmt: skip

    async def main() -> None:
        pages = [Page() for _ in range(20)]
        async with asyncio.TaskGroup() as group:

            async def opened(page: Page) -> asyncio.Task[None]:
                task = group.create_task(app(dict(scope), page.receive, page.send))
                await page.told()
                return task

            running = [await opened(page) for page in pages]
            assert {(page.status, page.body) for page in pages} == {(200, NUDGE)}
            one_more = Page()
            await opened(one_more)
            assert one_more.status == 429
            stand.reviewer = CAROL
            pages.append(Page())
            await opened(pages[-1])
            assert pages[-1].status == 200
            stand.reviewer = Stand(tmp_path).reviewer
            pages[0].left.set()
            await running[0]
            pages.append(Page())
            await opened(pages[-1])
            assert pages[-1].status == 200
            for page in pages:
                page.left.set()
        assert stand.desk.followers == []

    asyncio.run(main())
