"""Dropping one day of ten from the record, as the gateway does it."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from figures import Figure, median, spread
from lab import Lab

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.segments import Workshop
from proctor.evidence.dropping import Dropping, Plan, advance
from proctor.evidence.retention import Cutoffs, RetentionSettings
from proctor.model import Session

DAYS = 10
FLOWS = 2000
_SOON = Pace(journal_age=0.05, settle=0.0, reuse=0.0, unlink=600.0, retry=0.05)
_FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Write ten days, then drop the oldest, and the next."""
    del rounds
    plans, drops, rows = asyncio.run(_dropped(lab, max(20, int(FLOWS * min(1.0, scale * 10)))))
    yield Figure(
        what="drop a day of 10",
        value=median(drops) * 1000,
        unit="ms",
        goal=50,
        note=f"{rows:,} rows; {spread([each * 1000 for each in drops])}; finding them"
        f" {median(plans) * 1000:.0f} ms",
        details={"drops": drops, "plans": plans},
    )


async def _dropped(lab: Lab, flows: int) -> tuple[list[float], list[float], int]:
    now = _FIRST

    def clock() -> float:
        return now.timestamp()

    recorder = await Recorder.open(lab.folder / "days", clock=clock, pace=_SOON)
    plans, drops, rows = [], [], 0
    try:
        for _ in range(DAYS):
            await _day(recorder, flows, now)
            now += timedelta(days=1)
        merged = recorder.records * (DAYS - 1) // DAYS - 1
        while min(_merged(recorder)) < merged:  # noqa: ASYNC110 - another thread's work
            await asyncio.sleep(0.05)
        for day in range(3):
            cutoffs = Cutoffs.at(
                RetentionSettings(default=86400.0), _FIRST + timedelta(days=day + 2)
            )
            dropping = Dropping(
                keeper=recorder.keeper,
                cutoffs=cutoffs,
                holds=(),
                alive=recorder.alive(),
                since=int(now.timestamp() * 1000),
            )
            started = time.perf_counter()
            plan = await recorder.do(partial(_planned, dropping))
            plans.append(time.perf_counter() - started)
            started = time.perf_counter()
            for due in plan.files:
                await recorder.do(partial(dropping.drop, due=due))
            drops.append(time.perf_counter() - started)
            rows = plan.rows
    finally:
        await recorder.close()
    return plans, drops, rows


def _planned(dropping: Dropping, workshop: Workshop) -> Plan:
    steps = dropping.plan(workshop)
    while (plan := advance(steps)) is None:
        pass
    return plan


def _merged(recorder: Recorder) -> tuple[int, int]:
    """Up to where records and content are in files of the last level."""
    state = recorder.keeper.state
    return state.segments.last[-1], state.content.last[-1]


async def _day(recorder: Recorder, flows: int, now: datetime) -> None:
    waits = []
    for number in range(flows):
        name = f"{now:%m%d}-{number // 50}"
        session = Session(id=name, client="bench", started=now, correlated_by="header")
        scope = recorder.scope("https://idp#alice", session)
        body = recorder.put(scope, f"{name} asks {number} ".encode() * 40).as_json()
        fields = {
            "flow_id": f"{name}-{number}",
            "session_id": name,
            "principal": "https://idp#alice",
            "rule_id": "claude",
            "request": body,
        }
        waits.append(recorder.append("flow.end", fields))
    await asyncio.gather(*waits)
    recorder.rotate()
    while recorder.keeper.state.segments.last[0] < recorder.records - 1:  # noqa: ASYNC110 - another thread's work
        await asyncio.sleep(0.01)
