"""A record with something of everything, and copies of it that were changed at random places."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proctor.audit import keeper
from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.evidence.keeping import rotate
from proctor.evidence.sealer import Every, Sealing
from tests.support.changes import CHANGES
from tests.support.envelopes import ALICE, BOB, begin, end, run, turn, until
from tests.support.keyholder import HOLDERS, Kept, Past

# Merges happen early; journals stay for a while, so that records lie in two places.
PACE = Pace(
    journal_age=3600.0, journal_bytes=6000, settle=0.0, reuse=3600.0, unlink=0.0, retry=0.05
)
CLEAN = Pace(journal_age=3600.0, journal_bytes=6000, settle=0.0, reuse=0.0, unlink=0.0, retry=0.05)


async def _flows(recorder: Recorder, name: str, count: int) -> None:
    for number in range(count):
        flow = f"{name}-{number}"
        who = ALICE if number % 2 else BOB
        scope = recorder.scope(who, run(name))
        prompt = recorder.put(scope, f"{flow} says: ".encode() + b"hello world " * (number % 40))
        seq = await begin(recorder, flow, principal=who, turn=turn(prompt))
        output = recorder.put(scope, f"{flow} answers\xff".encode("latin-1") + bytes(range(9)))
        await end(recorder, flow, seq, principal=who, turn=turn(prompt, output))


async def _write(path: Path, state: Path, name: str, count: int, pace: Pace) -> None:
    sealing = Sealing(state=state, every=Every(records=7, seconds=3600.0))
    one = await Recorder.open(path, pace=pace, sealing=sealing)
    two = await Recorder.open(path, pace=pace, sealing=sealing)
    await _flows(one, name, count)
    await _flows(two, f"{name}-too", count // 2)
    await one.event("policy.reload", {"why": name})
    if pace is CLEAN:
        await until(lambda: _merged(path / "segments"))
    await one.close()
    await two.close()


def _merged(folder: Path) -> bool:
    """Whether files were merged, and what they were made from has gone."""
    there = {level: sorted(folder.glob(f"w0-{level}-*.parquet")) for level in (0, 1)}
    ends = [int(file.stem.split("-")[-1]) for file in there[1]]
    return bool(ends) and all(int(file.stem.split("-")[-2]) > max(ends) for file in there[0])


def make(path: Path, state: Path, *, fan_in: int = 3, past: Past | None = None) -> Path:
    """A record of two writers and two keys: hot, cold and merged files, ended as it should.

    Args:
        path: Where.
        state: Where its key is.
        fan_in: So many files make a merged one.
        past: Where to put what it once was, and what it might have become.
    """
    before, keeper.FAN_IN = keeper.FAN_IN, fan_in
    try:
        asyncio.run(_write(path, state, "a", 12, CLEAN))
        rotate(Store.at(path), state, _now())
        if past:
            shutil.copytree(path, past.older)
            shutil.copytree(path, past.other)
            shutil.copytree(state, past.other.with_suffix(".state"))
        asyncio.run(_write(path, state, "b", 8, PACE))
        if past:
            asyncio.run(_write(past.other, past.other.with_suffix(".state"), "c", 10, PACE))
    finally:
        keeper.FAN_IN = before
    return path


def _now() -> float:
    import time  # noqa: PLC0415 - one call

    return time.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One change.

    Attributes:
        kind: Of change.
        what: What was done.
        kept: Checkpoints that were kept elsewhere.
    """

    kind: str
    what: str
    kept: Kept = ()


def trials(
    record: Path,
    work: Path,
    count: int,
    seed: int,
    *,
    kinds: list[str] | None = None,
    past: Past | None = None,
) -> Iterator[Trial]:
    """Changes copies of a record, each in one way; yields after each, the copy being at `work`."""
    chance = random.Random(seed)  # noqa: S311 - places to change, not secrets
    names = kinds or [*CHANGES, *(HOLDERS if past else ())]
    for number in range(count):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(record, work, symlinks=True)
        name = names[number % len(names)]
        if name in CHANGES:
            yield Trial(kind=name, what=CHANGES[name](work, chance))
        elif past:
            what, kept = HOLDERS[name](work, chance, past)
            yield Trial(kind=name, what=what, kept=kept)
