"""How long a record takes to be durable, 64 clients at once, in a process without a gateway."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure, percentile
from lab import Lab
from records import envelopes

from proctor.audit.journal import datasync
from proctor.audit.recorder import Recorder

CLIENTS = 64
PACES = (("as fast as it goes", 0), ("2,000 a second", 2000))


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """`append` alone: at the gateway's own pace, and as fast as it goes."""
    appends = max(CLIENTS, int(3000 * rounds * scale))
    bare = percentile([_bare(lab.folder / "bare", 2000) for _ in range(max(20, appends // 50))], 50)
    for number, (pace, rate) in enumerate(PACES):
        path = lab.folder / f"durable{number}"
        seconds, times = asyncio.run(_appends(path, appends if not rate else appends // 2, rate))
        for percent, goal in ((50, 1), (99, 5)):
            yield Figure(
                what=f"record durable, {CLIENTS} clients {pace}, p{percent}",
                value=percentile(times, percent),
                unit="ms",
                goal=goal,
                note=f"{len(times) / seconds:,.0f}/s; at most {max(times):.1f} ms; "
                f"write and fdatasync alone p50 {bare:.2f} ms",
            )


async def _appends(path: Path, count: int, rate: int) -> tuple[float, list[float]]:
    """Seconds in all, and milliseconds of each append."""
    begin, end = await envelopes()
    end["begin_seq"] = None
    recorder = await Recorder.open(path)
    times: list[float] = []
    work = iter(range(count))
    started = time.perf_counter()

    async def client() -> None:
        for number in work:
            if rate:
                await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
            kind, fields = ("flow.begin", begin) if number % 2 else ("flow.end", end)
            before = time.perf_counter()
            await recorder.append(kind, fields)
            times.append((time.perf_counter() - before) * 1e3)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(client())
        return time.perf_counter() - started, times
    finally:
        await recorder.close()


def _bare(path: Path, size: int) -> float:
    """Milliseconds that the disk itself takes for so many bytes at the end of a file."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        before = time.perf_counter()
        os.write(handle, b"x" * size)
        datasync(handle)
        return (time.perf_counter() - before) * 1e3
    finally:
        os.close(handle)
