"""Another gateway on the same record; it goes on after a line, and ends with its input.

second_process.py FOLDER
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from proctor.runtime.tasks import spawn, stop
from tests.evidence.days import Time, one, writing
from tests.support.envelopes import ALICE, run, until


async def main(path: Path) -> None:
    """Says its name once something is stored, and `done` once more is."""
    time = Time()
    time.now = datetime.now(UTC)
    async with writing(path, time, idle=0.3) as (recorder, upkeep):
        scope = recorder.scope(ALICE, run("mine"))
        await one(recorder, 1, run("mine"), "typed in the second process " * 20)
        sealer = recorder.sealer
        await until(lambda: sealer and sealer.last and sealer.last.size)
        task = spawn(upkeep.run(), name="upkeep")
        sys.stdout.write(f"{recorder.writer}\n")
        sys.stdout.flush()
        if await asyncio.to_thread(sys.stdin.readline):
            time.now = datetime.now(UTC)
            await one(recorder, 2, run("mine"), "typed after " * 20)
            assert scope.id
            sys.stdout.write("done\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
        await stop(task)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
