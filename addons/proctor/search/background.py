"""A thread that keeps the index up while the gateway runs, when there is nothing better to do."""

import logging
import os
import sys
from threading import Event, Thread, get_native_id

from proctor.errors import ProctorError
from proctor.search.indexer import Indexer

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between looking for what is new."""
_NICE = 10
_PATIENCE = 5.0


class Background:
    """Indexes until it is closed; a failure is logged once, and tried again after a pause.

    Args:
        indexer: What does the work.
        pause: Seconds after all is done.
    """

    def __init__(self, indexer: Indexer, *, pause: float = PAUSE) -> None:
        self._indexer = indexer
        self._pause = pause
        self._closing = Event()
        self._thread = Thread(target=self._run, name="proctor-search", daemon=True)

    def start(self) -> None:
        """Begins work."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread after the step it is at, or with the process if that step is a long one.

        What is not done is done later.
        """
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        if sys.platform == "linux":  # elsewhere it would be the whole process
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        failing = ""
        while not self._closing.wait(self._pause):
            try:
                while self._indexer.step().more and not self._closing.is_set():
                    pass
                failing = ""
            except Exception as error:  # noqa: BLE001 - its text may hold what was recorded
                code = error.code if isinstance(error, ProctorError) else type(error).__name__
                if code != failing:
                    log.warning(
                        "the search index cannot be kept up: %s",
                        code,
                        extra={"event": "search.failed"},
                    )
                failing = code
