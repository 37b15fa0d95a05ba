"""Looks after a record, and kills itself when the disk is asked for the N-th time.

killed_upkeep.py FOLDER N
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from proctor.audit.store import Store
from proctor.evidence import erasure, rewriting
from proctor.evidence.retention import RetentionSettings
from tests.evidence.days import DAY, Time, writing

_left = int(sys.argv[2])


def _count[**P, T](work: Callable[P, T]) -> Callable[P, T]:
    def counted(*given: P.args, **named: P.kwargs) -> T:
        global _left  # noqa: PLW0603 - one process, one number
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*given, **named)

    return counted


async def main(path: Path) -> None:
    """Before each name that changes hands, and after each announcement."""
    for place, name in ((rewriting, "digest_of"), (rewriting, "sync_folder"), (Path, "replace")):
        setattr(place, name, _count(getattr(place, name)))
    time = Time()
    time.now += 5 * DAY
    async with writing(path, time, RetentionSettings(default=2 * 86400.0)) as (_, upkeep):
        await upkeep.retain()
        while erasure.orders(Store.at(path)):
            await upkeep.carry_out()
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
