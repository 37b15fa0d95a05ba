"""A record of several days, made in a moment, and what is left of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.evidence import erasure
from proctor.evidence.hot import all_leaves
from proctor.evidence.ledger import lines
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.sealer import Every, Sealing, newest
from proctor.evidence.upkeep import Upkeep
from proctor.model import Session
from proctor.tlog.tree import root_of
from tests.support.envelopes import ALICE, QUICK, ask, begin, end, turn, until

FIRST = datetime(2026, 1, 1, 9, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
# Nothing rotates by itself; just time enough for what upkeep itself reads meanwhile.
BRISK = replace(QUICK, journal_age=3600.0, reuse=0.5, unlink=60.0)
# Time for a reader to list files, read bounds and journals, and for any query to end.
GENTLE = replace(QUICK, journal_age=3600.0, settle=0.3, reuse=1.0, unlink=60.0)


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = FIRST

    def seconds(self) -> float:
        """Since the epoch."""
        return self.now.timestamp()


@asynccontextmanager
async def writing(
    path: Path,
    time: Time,
    settings: RetentionSettings | None = None,
    pace: Pace = BRISK,
    idle: float = 60.0,
    **more: object,
) -> AsyncIterator[tuple[Recorder, Upkeep]]:
    """A recorder, and who looks after it."""
    sealing = Sealing(state=path.parent / "state", every=Every(seconds=0.05, idle=idle))
    recorder = await Recorder.open(path, clock=time.seconds, pace=pace, sealing=sealing)
    given: dict[str, Any] = {"look": 0.02, "pace": pace, **more}
    upkeep = Upkeep(
        recorder=recorder,
        settings=settings or RetentionSettings(),
        clock=lambda: time.now,
        sealing=sealing,
        **given,
    )
    try:
        yield recorder, upkeep
    finally:
        await recorder.close()


def says(day: int, name: str = "s") -> str:
    """What is typed on a day."""
    return f"{name} typed on day {day} " + "words " * 40


async def one(
    recorder: Recorder, day: int, session: Session, text: str = "", **more: object
) -> None:
    """One exchange with content."""
    scope = recorder.scope(ALICE, session)
    body = recorder.put(scope, (text or says(day)).encode())
    ref = body.as_json()
    seq = await begin(
        recorder,
        f"f{day}-{session.id}",
        session_id=session.id,
        request=ref,
        turn=turn(body),
        **more,
    )
    await end(
        recorder,
        f"f{day}-{session.id}",
        seq,
        session_id=session.id,
        request=ref,
        turn=turn(body),
        **more,
    )


async def settled(recorder: Recorder) -> None:
    """Waits until the journals are files, and the bounds count them."""
    recorder.rotate()
    await until(lambda: not journals(recorder.store))
    await until(lambda: _counts(recorder))


def journals(store: Store) -> bool:
    """Whether a journal has lines."""
    return any(path.stat().st_size for path in store.writers.glob("*/[0-9]*.jsonl"))


def _counts(recorder: Recorder) -> bool:
    state = recorder.keeper.state
    return state.segments.last[0] == recorder._chain.seq - 1


async def days(path: Path, time: Time, count: int, make: Callable[[int], Session]) -> None:
    """Some days, each of its own session."""
    async with writing(path, time, pace=QUICK) as (recorder, _):
        for day in range(count):
            await one(recorder, day, make(day))
            await settled(recorder)
            time.now += DAY


def files(path: Path) -> dict[str, int]:
    """Parquet files that have rows, and how many."""
    found = {}
    with duckdb.connect() as database:
        for file in sorted([*path.glob("segments/w*.parquet"), *path.glob("content/w*.parquet")]):
            rows = database.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchall()
            if rows[0][0]:
                found[file.relative_to(path).as_posix()] = int(rows[0][0])
    return found


def on_the_ledger(path: Path, writer: str = "w0") -> None:
    """Every Parquet file is as the ledger says, and none is missing."""
    there: dict[str, str] = {}
    for _, said in lines(path / "writers" / writer / "ledger.jsonl"):
        if said["op"] == "made":
            there[said["file"]] = said["sha256"]
        elif said["op"] == "gone":
            there.pop(said["file"])
        assert said["op"] != "changed"
    found = {
        file.relative_to(path).as_posix(): sha256(file.read_bytes()).hexdigest()
        for folder in ("segments", "content")
        for file in path.glob(f"{folder}/{writer}-*.parquet")
    }
    assert found == there


def bytes_of(path: Path) -> bytes:
    """Every byte of every file under a folder."""
    return b"".join(each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file())


TWO_DAYS = RetentionSettings(default=2 * 86400.0)
ADMIN = "https://idp#root"


def flows(path: Path) -> list[str]:
    return [name for (name,) in ask(path, "SELECT flow_id FROM flows ORDER BY ts, flow_id")]


def texts(path: Path) -> dict[str, str | None]:
    return dict(ask(path, "SELECT session_id, prompt FROM turns"))


def told(path: Path, kind: str) -> list[dict[str, object]]:
    rows = ask(path, f"SELECT detail FROM events WHERE kind = '{kind}' ORDER BY seq")  # noqa: S608
    return [json.loads(detail) for (detail,) in rows]


async def carried_out(upkeep: Upkeep, path: Path) -> None:
    """Until no order is left."""
    async with asyncio.timeout(30):
        while erasure.orders(Store.at(path)):
            await upkeep.carry_out()
            await asyncio.sleep(0.01)


def proved(path: Path, writer: str = "w0") -> None:
    """What was signed still follows from the leaves."""
    folder = path / "writers" / writer
    last = newest(folder)
    assert last is not None
    assert last.size
    assert root_of(all_leaves(folder, last.size)(0, last.size)) == last.root
