"""Indexing in a process of its own, for the gateway: its loop and its memory stay free.

It reads one line of JSON from standard input, which says where the record is, and ends at once when
standard input does: it lives no longer than the gateway, however that ends. It writes lines of
JSON: `{"log": …}` for what a person should know, and last `{"done": {…}}` or `{"failed": code}`.
"""

import fcntl
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from proctor.errors import ProctorError
from proctor.search.indexer import Indexer, Progress

_NICE = 10
_MAX_ORDER = 65_536
_LOCK = "background.lock"


def order(recordings: Path, seconds: float) -> bytes:
    """What `main` reads.

    Args:
        recordings: The record's folder.
        seconds: After which nothing new is begun.
    """
    return json.dumps({"recordings": str(recordings), "seconds": seconds}).encode() + b"\n"


def work(indexer: Indexer, seconds: float, clock: Callable[[], float] = monotonic) -> Progress:
    """Index what is new, unless another process does so for its gateway.

    Args:
        indexer: What does the work.
        seconds: After which nothing new is begun.
        clock: Seconds.

    Returns:
        All that was done, whether there is more, and whether others were at it.

    Raises:
        ProctorError: As `Indexer.step`.
    """
    until = clock() + seconds
    records = texts = 0
    busy = False
    if not (indexer.recordings / "store.json").exists():
        return Progress()
    indexer.make()
    handle = os.open(indexer.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Progress(busy=True)
        while True:
            done = indexer.step()
            records, texts = records + done.records, texts + done.texts
            busy = busy or done.busy
            late = clock() >= until
            if late or not done.more:
                break
        tidy = not late and indexer.tidy(lambda: clock() >= until)
        return Progress(records=records, texts=texts, more=done.more or not tidy, busy=busy)
    finally:
        os.close(handle)


class _Told(logging.Handler):
    """Hands on what the indexer says; its words hold names of writers and codes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        extra = {name: getattr(record, name, "") for name in ("event", "writer")}
        _write({"log": record.getMessage(), **extra})


def main() -> None:
    """Do what standard input says."""
    os.nice(_NICE)
    said = json.loads(sys.stdin.buffer.readline(_MAX_ORDER))
    Thread(target=_end_with_input, daemon=True).start()
    log = logging.getLogger("proctor.search")
    log.addHandler(_Told())
    log.propagate = False
    try:
        done = work(Indexer(Path(said["recordings"])), said["seconds"])
    except Exception as error:  # noqa: BLE001 - its text may hold what was recorded
        code = error.code if isinstance(error, ProctorError) else type(error).__name__
        _write({"failed": code})
    else:
        _write({"done": asdict(done)})


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not by the file, whose lock would outlast `main`
        pass
    os._exit(0)  # what is begun is undone by whoever comes next


def _write(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
