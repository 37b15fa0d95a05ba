# ruff: noqa: T201 - standard output is how it says what was acknowledged
"""Writes a record as fast as it goes and says what was acknowledged, until somebody kills it.

crash_writer.py FOLDER
"""

import asyncio
import sys
from pathlib import Path

from proctor.audit import keeper
from proctor.audit.recorder import Recorder

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.envelopes import ALICE, begin, end, run, turn

keeper.FAN_IN = 3
PACE = keeper.Pace(
    journal_bytes=20_000, journal_age=0.2, settle=0.2, reuse=1.0, unlink=1.0, retry=0.1
)
CLIENTS = 4


async def main(path: Path) -> None:
    """Each client begins and ends flows with content, one after the other."""
    recorder = await Recorder.open(path, pace=PACE)
    scope = recorder.scope(ALICE, run("open-ended"))
    flow_id = f"{recorder.writer}-{recorder._chain.seq}-open"
    body = recorder.put(scope, f"{flow_id} says: nothing".encode())
    # One flow never ends, so that every kill cuts one short, however the others stand.
    await begin(recorder, flow_id, turn=turn(body), request=body.as_json())
    print(f"open {recorder.writer}", flush=True)

    async def client(name: int) -> None:
        number = 0
        session = run(f"s{name}")
        while True:
            flow_id = f"{recorder.writer}-{recorder._chain.seq}-{name}-{number}"
            scope = recorder.scope(ALICE, session)
            text = f"{flow_id} says: " + "ünd " * (number % 50)
            body = recorder.put(scope, text.encode())
            seq = await begin(recorder, flow_id, turn=turn(body), request=body.as_json())
            print(f"begin {recorder.writer} {seq} {flow_id}", flush=True)
            await asyncio.sleep(0.002)
            done = await end(recorder, flow_id, seq, turn=turn(body), request=body.as_json())
            print(f"end {recorder.writer} {done} {flow_id}", flush=True)
            number += 1

    async with asyncio.TaskGroup() as group:
        for name in range(CLIENTS):
            group.create_task(client(name))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
