"""What people see of approvals."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from proctor.approval.model import Origin, Role, State
from tests.approval.desks import SHELL, open_desk, refused, run
from tests.approval.samples import ISSUER, asking, reviewer

BOT = f"{ISSUER}#bot"
BOB, CAROL = reviewer("bob"), reviewer("carol")
ADMIN = reviewer("root", groups=(), roles=frozenset({Role.ADMIN}))
BREAKER = reviewer("dave", groups=(), roles=frozenset({Role.BREAK_GLASS}))
ASKING = asking(demands=(SHELL,))


def test_lists_hold_what_one_may_see(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            first = await desk.ask(ASKING)
            sec = replace(SHELL, from_groups=("sec",))
            second = await desk.ask(replace(ASKING, digest="d2", session="s2", demands=(sec,)))
            ids = [item.id for item in await desk.approvals(ADMIN)]
            assert ids == [second.id, first.id]
            assert [item.id for item in await desk.approvals(BOB)] == [first.id]
            assert await refused(desk.approval(second.id, BOB)) == "approval-group"
            assert [i.id for i in await desk.approvals(ADMIN, session="s2")] == [second.id]
            assert len(await desk.approvals(ADMIN, limit=1)) == 1
            assert await desk.approvals(ADMIN, states=[State.USED]) == []
            assert await desk.history(second, BOB) == []
            await desk.decide(first.id, BOB, approve=False)
            assert [item.id for item in await desk.history(second, BOB)] == [first.id]
            assert await desk.history(second, CAROL) == []
            before = await desk.previous(second, ADMIN)
            assert before is not None
            assert before.id == first.id
            assert await desk.previous(first, ADMIN) is None
            elsewhere = reviewer("erin", groups=("sec",))
            assert await desk.previous(second, elsewhere) is None

    run(work())


def test_what_others_may_see_hides_nothing_of_one_s_own(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_desk(tmp_path) as desk:
            sec = replace(SHELL, from_groups=("sec",))
            first = await desk.ask(ASKING)
            for number in range(3):
                await desk.ask(replace(ASKING, digest=f"s{number}", demands=(sec,)))
            last = await desk.ask(replace(ASKING, digest="last", demands=(sec,)))
            second = await desk.ask(replace(ASKING, digest="d2"))
            wanted = [first.id, second.id]
            assert [i.id for i in await desk.approvals(BOB, limit=2)] == wanted[::-1]
            assert [i.id for i in await desk.approvals(BOB, limit=1, oldest_first=True)] == [
                first.id
            ]
            pending = (State.PENDING,)
            assert [await desk.count(who, pending) for who in (BOB, ADMIN)] == [2, 6]
            assert await desk.count(BOB, (State.USED,)) == 0
            bot = reviewer("bot", groups=(), roles=frozenset())
            assert await desk.count(bot) == 6
            nobody = reviewer("eve", groups=("net",))
            assert await desk.count(nobody) == 0
            assert await desk.approvals(nobody) == []
            await desk.decide(last.id, BREAKER, approve=True, break_glass=True, reason="fire")
            await desk.use(last.id)
            assert await desk.unreviewed(BOB) == []
            assert [item.id for item in await desk.unreviewed(ADMIN)] == [last.id]
            await desk.reviewed(last.id, ADMIN)
            assert await desk.unreviewed(ADMIN) == []

    run(work())


def test_a_grant_is_used_no_more_often_than_was_asked_for(tmp_path: Path) -> None:
    async def work() -> None:
        wish = replace(ASKING, origin=Origin.GRANT, for_=timedelta(minutes=30), uses=2)
        short = timedelta(minutes=5)
        async with open_desk(tmp_path) as desk:
            for number, (length, given, uses) in enumerate(
                ((None, None, 2), (short, None, 2), (short, 1, 1))
            ):
                made = await desk.request_grant(replace(wish, digest=f"d{number}"))
                done = await desk.decide(made.id, BOB, approve=True, grant=length, uses=given)
                grants = {grant.id: grant for grant in await desk.grants(ADMIN)}
                assert grants[done.grant_id].uses == uses
            made = await desk.request_grant(replace(wish, digest="more"))
            wider = desk.decide(made.id, BOB, approve=True, grant=short, uses=3)
            assert await refused(wider) == "grant-too-wide"

    run(work())
