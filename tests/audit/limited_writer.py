# ruff: noqa: T201 - standard output is how it says what came of it
"""Writes until the limit on a file's size, then beyond it with the limit lifted.

limited_writer.py FOLDER: prints how many records were acknowledged and how many refused.
"""

import asyncio
import resource
import signal
import sys
from pathlib import Path

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.errors import InternalError

LIMIT = 200_000
RECORDS = 300


async def main(path: Path) -> None:
    """A record is about 1 KB: some hundred of them fit."""
    recorder = await Recorder.open(path, pace=Pace(journal_age=3600))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    written = refused = 0
    for number in range(RECORDS):
        try:
            await recorder.event("x", {"number": number, "filler": "x" * 1000})
        except InternalError:
            refused += 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        else:
            written += 1
    await recorder.close()
    print(written, refused)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
