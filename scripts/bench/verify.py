"""Verifying a record of a million, and what the tree and its checkpoints add to each record.

The record is written by the recorder once and kept under bench-results, since that takes minutes.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import tamper
from figures import Figure, median, spread
from lab import ROOT, Lab
from records import Writer, envelopes
from store import SOON, settled

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.evidence.sealer import Sealing

RECORDS = 1_000_000
PER_SESSION = 100
TRIALS = 300
_GOAL = 2.0
_ADDED_GOAL = 10.0
_WAVE = PER_SESSION * Writer.AT_ONCE  # flows of whole sessions; two records each
_KEPT = ROOT / "bench-results" / "verify"
_APPENDS = 20_000
_AT_ONCE = 64


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Write it, if it is not there yet, and verify it as an outsider would."""
    waves = max(1, int(RECORDS * scale) // (2 * _WAVE))
    records = waves * 2 * _WAVE
    folder = _KEPT / str(records)
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        asyncio.run(_write(folder, waves))
        (folder / "whole").touch()
    size = sum(path.stat().st_size for path in (folder / "record").rglob("*") if path.is_file())
    for what, options in (("", []), (", all columns and content, too", ["--full"])):
        times = [_verify(folder / "record", options) for _ in range(1 if options else 3)]
        yield Figure(
            what=f"verify {records:,} records{what}",
            value=median([wall for wall, _ in times]),
            unit="s",
            goal=_GOAL if not options and records == RECORDS else None,
            note=f"{spread([wall for wall, _ in times])}; {median([cpu for _, cpu in times]):.1f} s"
            f" of {os.cpu_count()} cores; {size / 1e6:,.0f} MB",
            details={"times": times},
        )
    yield from _added(lab.folder / "added", rounds, scale)


def tampering(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Is every change found? `scripts/bench/tamper.py 10000` takes its time."""
    del lab, rounds
    tried, _, missed = tamper.total(tamper.measure(max(60, int(TRIALS * scale))))
    yield Figure(
        what=f"tampering found, {tried.total()} changes of {len(tried)} kinds",
        value=100 * (1 - len(missed) / tried.total()),
        unit="%",
        goal=100,
        least=True,
        note="; ".join(missed[:3]),
        details={"kinds": dict(tried), "missed": missed},
    )


async def _write(folder: Path, waves: int) -> None:
    store = Store(path=folder / "record")
    sealing = Sealing(state=folder / "state")
    recorder = await Recorder.open(store.path, pace=SOON, sealing=sealing)
    try:
        writer = Writer(recorder, await envelopes(), PER_SESSION)
        for first in range(0, waves * _WAVE, 100):
            await writer.write(range(first, first + 100))
        await settled(store)
    finally:
        await recorder.close()


def _verify(record: Path, options: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of all processors.

    Raises:
        RuntimeError: It is not whole.
    """
    program = [str(Path(sys.executable).with_name("proctor")), "verify", str(record), *options]
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    took, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise RuntimeError(f"verify: {done.stdout[-500:]}{done.stderr[-500:]}")
    used = after.children_user + after.children_system
    return took, used - before.children_user - before.children_system


def _added(folder: Path, rounds: int, scale: float) -> Iterator[Figure]:
    """CPU of an append with and without tree, checkpoints and ledger, by turns."""
    appends = max(2000, int(_APPENDS * scale))
    costs: dict[bool, list[float]] = {False: [], True: []}
    for number in range(max(3, rounds)):
        for seals in (False, True):
            path = folder / f"{number}{seals}"
            costs[seals].append(asyncio.run(_appended(path, appends, seals=seals)))
            shutil.rmtree(path)
    more = [there - here for here, there in zip(costs[False], costs[True], strict=True)]
    yield Figure(
        what="added per record for tree and checkpoint, CPU",
        value=median(more),
        unit="µs",
        goal=_ADDED_GOAL,
        note=f"{spread(more, 1)}; an append without takes {median(costs[False]):.0f} µs",
        details={"with": costs[True], "without": costs[False]},
    )


async def _appended(path: Path, count: int, *, seals: bool) -> float:
    """Microseconds of CPU an append takes, all threads."""
    begin, end = await envelopes()
    end["begin_seq"] = None
    sealing = Sealing(state=path / "state") if seals else None
    recorder = await Recorder.open(path / "record", sealing=sealing)
    work = iter(range(count))

    async def client() -> None:
        for number in work:
            kind, fields = ("flow.begin", begin) if number % 2 else ("flow.end", end)
            await recorder.append(kind, fields)

    try:
        before = time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(client())
        return (time.process_time() - before) / count * 1e6
    finally:
        await recorder.close()
