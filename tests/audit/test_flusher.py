"""The thread that makes lines durable."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from proctor.audit.flusher import MAX_LINES, Flusher
from proctor.audit.journal import Item, Journal, Slot
from tests.support.envelopes import until


class Stand:
    """A flusher over a journal, and what it said."""

    def __init__(self, folder: Path, max_age: float = 3600.0) -> None:
        self.batches: list[Sequence[Item]] = []
        self.failures: list[str] = []
        self.full: list[Slot] = []
        self.path = folder / "0.jsonl"
        self.path.touch()
        free: SimpleQueue[Slot] = SimpleQueue()
        free.put(Slot(self.path))
        self.journal = Journal(
            folder, free=free, full=self.full.append, limit=10**6, clock=lambda: 0.0
        )
        self.flusher = Flusher(
            self.journal,
            loop=asyncio.get_running_loop(),
            settled=lambda batch, _: self.batches.append(batch),
            failed=self._failed,
            mended=lambda: None,
            max_age=max_age,
        )

    def _failed(self, batch: Sequence[Item], error: OSError) -> None:
        self.failures.append(f"{len(batch)} {error}")
        self.flusher.queue.clear()
        self.flusher.resume()

    def put(self, *numbers: int) -> None:
        self.flusher.queue.extend(Item(b"%d\n" % number, number) for number in numbers)
        self.flusher.wake()


def with_stand(folder: Path, work: Callable[[Stand], Awaitable[None]], **more: float) -> Stand:
    async def main() -> Stand:
        stand = Stand(folder, **more)
        await work(stand)
        await stand.flusher.close()
        return stand

    return asyncio.run(main())


def test_all_that_is_there_goes_at_once(tmp_path: Path) -> None:
    async def work(stand: Stand) -> None:
        stand.put(*range(MAX_LINES + 10))

    stand = with_stand(tmp_path, work)
    assert [len(batch) for batch in stand.batches] == [MAX_LINES, 10]
    assert stand.path.read_text().split() == [str(n) for n in range(MAX_LINES + 10)]


def test_what_comes_last_is_written_too(tmp_path: Path) -> None:
    async def work(stand: Stand) -> None:
        stand.put(1)
        stand.flusher.queue.append(Item(b"2\n", 2))  # nobody woke it for this one

    assert with_stand(tmp_path, work).path.read_text() == "1\n2\n"


def test_after_a_failure_it_waits_and_tries_again(tmp_path: Path) -> None:
    async def work(stand: Stand) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stand.journal, "write", fail)
            stand.put(1, 2)
            await until(lambda: stand.failures)
        stand.put(3)
        await until(lambda: stand.batches)

    def fail(_: Sequence[Item]) -> None:
        raise OSError("full")

    stand = with_stand(tmp_path, work)
    assert stand.failures == ["2 full"]
    assert stand.path.read_text() == "3\n"


def test_an_old_journal_is_rotated(tmp_path: Path) -> None:
    async def work(stand: Stand) -> None:
        stand.put(1)
        await until(lambda: stand.full)

    stand = with_stand(tmp_path, work, max_age=0.0)
    assert stand.full[0].path == stand.path
