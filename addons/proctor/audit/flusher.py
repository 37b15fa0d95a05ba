"""The thread that makes lines durable, many at once.

The event loop puts lines into a deque and, once a turn, a token into a queue. The thread takes all
lines there are, writes them with one `write` and one `fdatasync`, and tells the loop. While a batch
is being synced the next one gathers: the slower the disk, the larger the batches.

If a batch fails, all envelopes after it fail too, for each holds the hash of the one before. The
thread then waits until the loop has taken them out and wound the chain back; content lines stay,
they are chained to nothing and somebody may hold a reference to them. From then on each new batch
is tried, and without any the disk is probed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from proctor.audit.journal import Item, Journal
from proctor.evidence.sealer import Sealer

log = logging.getLogger(__name__)

MAX_LINES = 1024
MAX_BYTES = 1024 * 1024

PROBE_AFTER = 1.0  # seconds between probes of a disk that failed

_GO, _STOP = True, False


class Flusher:
    """Owns the journal and its thread.

    Args:
        journal: Where lines go.
        loop: Whose turn the callbacks run in.
        settled: Called in the loop with a batch that is durable, and how long that took in seconds.
        failed: Called in the loop with a batch that is not, and why; calls `resume` in the end.
        mended: Called in the loop when a probe succeeded.
        max_age: Seconds after which a journal that is not empty is rotated.
        clock: Monotonic, seconds.
        sealer: Signs checkpoints over what is durable; None: nobody does.
        ending: Called in the thread before the last checkpoint, so that this covers all that is
            still done to files.
    """

    def __init__(  # noqa: PLR0913 - its callbacks and its times, by name
        self,
        journal: Journal,
        *,
        loop: asyncio.AbstractEventLoop,
        settled: Callable[[Sequence[Item], float], None],
        failed: Callable[[Sequence[Item], OSError], None],
        mended: Callable[[], None],
        max_age: float,
        clock: Callable[[], float] = monotonic,
        sealer: Sealer | None = None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self.queue: deque[Item] = deque()
        self._journal = journal
        self._loop = loop
        self._settled = settled
        self._failed = failed
        self._mended = mended
        self._max_age = max_age
        self._clock = clock
        self._sealer = sealer
        self._ending = ending
        self._tokens: SimpleQueue[bool] = SimpleQueue()
        self._halted = False
        self._broken = False
        self._rotating = False
        self._thread = Thread(target=self._run, name="proctor-journal", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There are lines."""
        self._tokens.put(_GO)

    def rotate(self) -> None:
        """Hands the journal on, however young it is, once what waits is written."""
        self._rotating = True
        self._tokens.put(_GO)

    def resume(self) -> None:
        """The loop has taken the failed lines out; the next to come are tried again."""
        self._halted = False

    async def close(self) -> None:
        """Writes what is there and ends the thread."""
        self._tokens.put(_STOP)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        going = True
        try:
            while going:
                try:
                    going = self._tokens.get(timeout=self._patience())
                except Empty:
                    self._idle()
                    continue
                while self.queue and not self._halted:
                    self._flush()
                self._seal()
                if self._rotating and not self._broken:
                    self._rotating = False
                    self._journal.rotate()
            self._ending()
            if self._sealer:
                self._sealer.seal(final=True)
        except RuntimeError:
            # The loop is gone without close(): there is nobody left to acknowledge anything to.
            log.warning("journal closed with its loop", extra={"event": "journal.loop_closed"})
        finally:
            self._journal.close()
            if self._sealer:
                self._sealer.close()

    def _seal(self) -> None:
        if self._sealer and not self._sealer.patience():
            self._sealer.seal()

    def _patience(self) -> float | None:
        if self._broken:
            return PROBE_AFTER
        waits = [self._sealer.patience()] if self._sealer else []
        if self._journal.slot.size:
            waits.append(max(0.0, self._aged()))
        return min(waits, default=None)

    def _aged(self) -> float:
        """Seconds until the journal has been written for long enough."""
        return self._journal.slot.since + self._max_age - self._clock()

    def _idle(self) -> None:
        """Nothing came for a while: an old journal is rotated, a broken disk is probed."""
        if not self._broken:
            self._seal()
            if self._journal.slot.size and self._aged() <= 0:
                self._journal.rotate()
                if self._journal.slot.size:
                    self._journal.slot.since = self._clock()  # no room for another: not before then
            return
        if self._halted:
            return
        try:
            self._journal.probe()
        except OSError:
            return
        self._broken = False
        self._loop.call_soon_threadsafe(self._mended)
        self._tokens.put(_GO)

    def _flush(self) -> None:
        batch: list[Item] = []
        size = 0
        while self.queue and len(batch) < MAX_LINES and size < MAX_BYTES:
            item = self.queue.popleft()
            batch.append(item)
            size += len(item.line)
        began = self._clock()
        try:
            leaves = self._journal.write(batch)
        except OSError as error:
            self._broken = self._halted = True
            self._loop.call_soon_threadsafe(self._failed, batch, error)
            return
        self._broken = False
        self._loop.call_soon_threadsafe(self._settled, batch, self._clock() - began)
        if self._sealer:
            self._sealer.add(leaves)
