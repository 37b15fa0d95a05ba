"""Is every change of a record found? So many random changes of every kind, on copies of a record.

python scripts/bench/tamper.py 10000
"""

import json
import os
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests hold the ways to change a record

from proctor.evidence.verify.verifier import Asked, verify
from tests.support.tampering import make, trials

SEED = 20261122
_ROUND = 250
"""Trials on one record; then another one is made."""


def one_round(number: int, count: int) -> tuple[Counter[str], list[str]]:
    """Trials on a record of its own: how many of each kind, and those that were not found."""
    late = datetime.now(UTC) + timedelta(days=1)
    tried: Counter[str] = Counter()
    missed: list[str] = []
    chance = random.Random(SEED + number)  # noqa: S311 - places to change, not secrets
    with tempfile.TemporaryDirectory() as folder:
        record = make(Path(folder) / "recordings", Path(folder) / "state")
        if problems := verify(Asked(record=record, now=late)).findings.codes():
            missed.append(f"false alarm: {problems}")
        copy = Path(folder) / "copy"
        for trial in trials(record, copy, count, chance.randrange(2**32)):
            tried[trial.kind] += 1
            if not verify(Asked(record=copy, now=late)).findings.problems:
                missed.append(f"{trial.kind}: {trial.what}")
    return tried, missed


def measure(count: int) -> tuple[Counter[str], list[str]]:
    """So many trials."""
    rounds = [min(_ROUND, count - at) for at in range(0, count, _ROUND)]
    tried: Counter[str] = Counter()
    missed: list[str] = []
    workers = min(len(rounds), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for some, not_found in pool.map(one_round, range(len(rounds)), rounds):
            tried += some
            missed += not_found
    return tried, missed


if __name__ == "__main__":
    done, left = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    json.dump({"tried": done.total(), "kinds": done, "missed": left}, sys.stdout, indent=2)
    sys.stdout.write("\n")
    raise SystemExit(1 if left else 0)
