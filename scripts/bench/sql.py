"""SQL over a million recorded flows, written by the recorder itself."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from figures import Figure, median, spread
from lab import Lab
from records import START, Writer, envelopes
from store import SOON, convert, settled
from stretch import stretch

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store

PER_SESSION = 100
TIMES = 10
_WAVE = PER_SESSION * Writer.AT_ONCE  # flows of whole sessions
_PART, _REST = 19, 10  # waves: ten times the one and once the other are a million flows
_CHUNK = 50
_ASKED = 20
_ASK = Path(__file__).parent / "ask.py"


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Write them, then ask, in fresh processes and in one that is warm."""
    del rounds
    store = Store(path=lab.folder / "million")
    started = time.perf_counter()
    flows = _written(store, scale)
    wrote = time.perf_counter() - started
    size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
    files = len(list(store.path.glob("*/*.parquet")))
    yield Figure(
        what=f"{flows:,} flows written",
        value=wrote,
        unit="s",
        note=f"{size / 1e6:,.0f} MB in {files} segments",
    )
    times = max(3, int(_ASKED * min(1, scale * 10)))
    # Flows of the first wave, each in another copy of it.
    some = [(number, number % TIMES) for number in random.sample(range(_WAVE), times)]
    sessions = [
        Writer.session_id(Writer.session_of(number, PER_SESSION), copy) for number, copy in some
    ]
    for what, goal, sql, keys, rows in (
        (
            "a session's flows",
            100,
            "SELECT * FROM flows WHERE session_id = ?",
            sessions,
            PER_SESSION,
        ),
        ("the last 50 flows", 100, "SELECT * FROM flows ORDER BY ts DESC LIMIT 50", sessions, 50),
        (
            "a turn's prompt",
            None,
            "SELECT prompt FROM turns WHERE flow_id = ?",
            [Writer.flow_id(number, copy) for number, copy in some],
            1,
        ),
    ):
        warm = _ask(store, sql, [keys[0], *keys], rows)[1:]
        fresh = [_ask(store, sql, [key], rows)[0] for key in keys]
        yield Figure(
            what=f"SQL over {flows:,} flows: {what}",
            value=median(fresh),
            unit="ms",
            goal=goal,
            note=f"new process {spread(fresh, 0)}; warm {median(warm):.0f} ms",
            details={"fresh": fresh, "warm": warm},
        )


def _written(store: Store, scale: float) -> int:
    """Make the record; returns how many flows are in it."""
    part, rest = (_WAVE * max(1, round(waves * scale)) for waves in (_PART, _REST))
    pace = timedelta(seconds=2)  # from flow to flow: a million take some weeks
    asyncio.run(_write(store, range(part), START, pace))
    asyncio.run(convert(store))
    stretch(store, TIMES, part * pace)
    asyncio.run(_write(store, range(part, part + rest), START + TIMES * part * pace, pace))
    return TIMES * part + rest


async def _write(store: Store, numbers: range, begin: datetime, pace: timedelta) -> None:
    """Some flows, `pace` apart; what came last stays in the journal, as in a running gateway."""
    now = begin.timestamp()
    recorder = await Recorder.open(store.path, pace=SOON, clock=lambda: now)
    try:
        writer = Writer(recorder, await envelopes(), PER_SESSION)
        for first in range(numbers.start, numbers.stop, _CHUNK):
            await writer.write(range(first, first + _CHUNK))
            now += _CHUNK * pace.total_seconds()
        await settled(store)
    finally:
        await recorder.close()


def _ask(store: Store, sql: str, keys: Sequence[str], rows: int) -> list[float]:
    """Milliseconds of each answer.

    Raises:
        RuntimeError: It failed, or an answer has another number of rows.
    """
    done = subprocess.run(
        [sys.executable, str(_ASK), str(store.views), sql, *keys],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"asking failed: {done.stderr[-1000:]}")
    answers = json.loads(done.stdout)
    for answer in answers:
        if answer["rows"] != rows:
            raise RuntimeError(f"{sql}: {answer['rows']} rows instead of {rows}")
    return [answer["ms"] for answer in answers]
