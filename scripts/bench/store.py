"""The record on disk, once its journals have become segments."""

import asyncio
import time

from lab import Proxy

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.segments import segments
from proctor.audit.store import Store

SOON = Pace(settle=0.2, reuse=0.2, unlink=0.2)
"""Nobody reads meanwhile, so nothing has to lie around for readers."""

_PATIENCE = 120.0  # seconds
_QUIET = 1.0  # seconds without a change in which nothing is under way any more


def converted(proxy: Proxy) -> int:
    """Bytes of a proxy's segments, all of its record in them; the proxy has ended.

    Raises:
        RuntimeError: It keeps no record.
    """
    if proxy.recordings is None:
        raise RuntimeError(f"{proxy.name} keeps no record")
    store = Store(path=proxy.recordings)
    asyncio.run(convert(store))
    return sum(
        (folder / segment.name).stat().st_size
        for folder in (store.segments, store.content)
        for segment in segments(folder, "w0")
    )


async def convert(store: Store) -> None:
    """At its start a recorder turns into segments what lies in journals."""
    recorder = await Recorder.open(store.path, pace=SOON)
    try:
        await settled(store)
    finally:
        await recorder.close()


async def settled(store: Store) -> None:
    """Wait until all full journals are segments, and all that are due are merged.

    Raises:
        TimeoutError: Two minutes were not enough.
    """
    end = time.monotonic() + _PATIENCE
    before: dict[str, int] = {}
    since = time.monotonic()
    while time.monotonic() - since < _QUIET:
        if time.monotonic() > end:
            raise TimeoutError("the journals did not become segments")
        now = {
            str(path): path.stat(follow_symlinks=False).st_size
            for path in store.path.rglob("*")
            if path.is_file() and "tmp" not in path.parts
        }
        if now != before:
            before, since = now, time.monotonic()
        await asyncio.sleep(0.1)
