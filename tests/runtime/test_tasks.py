"""Background tasks that neither vanish nor fail in silence."""

import asyncio
import gc
import logging

import pytest

from proctor.runtime import tasks
from proctor.runtime.tasks import spawn, stop


def test_the_reference_is_kept_until_the_end() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        done: list[str] = []

        async def wait() -> None:
            await gate.wait()
            done.append("yes")

        spawn(wait(), name="waits")
        await asyncio.sleep(0)
        gc.collect()
        assert len(tasks._running) == 1
        gate.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert done == ["yes"]
        assert not tasks._running

    asyncio.run(main())


def test_an_exception_is_logged_and_still_raised(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def main() -> None:
        task = spawn(fail(), name="fails")
        with pytest.raises(ValueError, match="broken"):
            await task

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    (record,) = caplog.records
    assert record.__dict__["event"] == "task.failed"
    assert record.__dict__["task"] == "fails"
    assert record.exc_info is not None


def test_stop_waits_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        cleaned: list[str] = []

        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append("yes")

        task = spawn(run(), name="runs")
        await asyncio.sleep(0)
        await stop(task, None)
        assert cleaned == ["yes"]
        assert task.cancelled()

    asyncio.run(main())
    assert not caplog.records
