"""Is every change of a record found? So many random changes of every kind, on copies of a record.

python scripts/bench/tamper.py 10000 [seed]

Each is looked for as `proctor verify RECORD --key KEY` does: by the function that it calls. What is
done by one who holds the key shows only beside a checkpoint that was kept elsewhere: there is one.
"""

import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests hold the ways to change a record

from proctor.evidence.verify.verifier import Asked, verify
from tests.support.keyholder import Past
from tests.support.tampering import make, trials

SEED = 20261122
_ROUND = 250
"""Trials on one record; then another one is made."""

type Tried = tuple[Counter[str], Counter[str], list[str]]
"""Trials of each kind; by what they were found; those that were not."""


def one_round(seed: int, count: int) -> Tried:
    """Trials on a record of its own."""
    late = datetime.now(UTC) + timedelta(days=2)
    tried: Counter[str] = Counter()
    by: Counter[str] = Counter()
    missed: list[str] = []
    chance = random.Random(seed)  # noqa: S311 - places to change, not secrets
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        past = Past(state=folder / "state", older=folder / "older", other=folder / "other")
        record = make(folder / "recordings", past.state, past=past)
        key = past.key.public_key().public_bytes_raw()
        for whole in (record, past.older, past.other):
            codes = verify(Asked(record=whole, key=key, now=late)).findings.codes()
            missed += [f"false alarm: {whole.name}: {code}" for code in codes]
        copy = folder / "copy"
        for trial in trials(record, copy, count, chance.randrange(2**32), past=past):
            tried[trial.kind] += 1
            asked = Asked(record=copy, key=key, kept=trial.kept, now=late)
            found = verify(asked).findings.codes()
            by.update(f"{trial.kind}: {code}" for code in found)
            if not found:
                missed.append(f"{trial.kind}: {trial.what} (round {seed})")
    return tried, by, missed


def measure(count: int, seed: int = SEED) -> Iterator[Tried]:
    """So many trials, round by round, by as many processes as there are cores."""
    rounds = [min(_ROUND, count - at) for at in range(0, count, _ROUND)]
    workers = min(len(rounds), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(one_round, [seed + number for number in range(len(rounds))], rounds)


def total(rounds: Iterator[Tried]) -> Tried:
    """All of them."""
    tried: Counter[str] = Counter()
    by: Counter[str] = Counter()
    missed: list[str] = []
    for some, found, not_found in rounds:
        tried += some
        by += found
        missed += not_found
        print(f"{tried.total()} tried, missed: {missed}", file=sys.stderr, flush=True)
    return tried, by, missed


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    done, how, left = total(measure(wanted, first))
    json.dump(
        {"tried": done.total(), "seed": first, "kinds": done, "found by": how, "missed": left},
        sys.stdout,
        indent=2,
    )
    sys.stdout.write("\n")
    raise SystemExit(1 if left else 0)
