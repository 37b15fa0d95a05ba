"""The thread that keeps the index up."""

import asyncio
from pathlib import Path
from threading import Event

import pytest

from proctor.errors import InternalError
from proctor.search.background import Background
from proctor.search.indexer import Indexer, Progress


class _Script(Indexer):
    """Does what it is told."""

    def __init__(self, *steps: Progress | Exception) -> None:
        super().__init__(Path())
        self.steps = [*steps]
        self.over = Event()

    def step(self) -> Progress:
        if not self.steps:
            self.over.set()
            return Progress()
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def ran(script: _Script) -> None:
    background = Background(script, pause=0.001)
    background.start()
    assert script.over.wait(10)
    background.close()


def test_until_all_is_done_and_again() -> None:
    ran(_Script(Progress(more=True), Progress(), Progress(more=True), Progress()))


def test_a_failure_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    no = InternalError("search-index-unreadable", "No.")
    ran(_Script(no, no, OSError(), KeyError("what was typed"), Progress(), no, Progress()))
    told = [record.getMessage() for record in caplog.records]
    assert [message.rpartition(": ")[2] for message in told] == [
        "search-index-unreadable", "OSError", "KeyError", "search-index-unreadable",
    ]  # fmt: skip


def test_closed_before_it_began() -> None:
    Background(_Script()).close()


def test_the_loop_goes_on_meanwhile() -> None:
    async def main() -> None:
        background = Background(_Script(), pause=60)
        background.start()
        await asyncio.wait_for(asyncio.to_thread(background.close), 10)

    asyncio.run(main())
