"""The store's own thread."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from proctor.approval.model import ApprovalError
from proctor.approval.storethread import StoreThread


class Closable:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def thread() -> tuple[StoreThread, Closable]:
    store: Any = Closable()
    return StoreThread(store), store


def test_in_order_in_one_thread_that_is_not_the_loops() -> None:
    async def work() -> None:
        jobs, store = thread()
        seen: list[tuple[int, int]] = []

        def job(number: int) -> Callable[[object], int]:
            def run(_: object) -> int:
                seen.append((number, threading.get_ident()))
                return number

            return run

        found = await asyncio.gather(*(jobs.run(job(number)) for number in range(100)))
        assert found == list(range(100)) == [number for number, _ in seen]
        assert {ident for _, ident in seen}.isdisjoint({threading.get_ident()})
        assert len({ident for _, ident in seen}) == 1
        await jobs.close()
        assert store.closed == 1

    asyncio.run(work())


def test_what_is_urgent_goes_before_what_waits() -> None:
    async def work() -> None:
        jobs, _ = thread()
        seen: list[str] = []
        begun, go = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def first(_: object) -> None:
            loop.call_soon_threadsafe(begun.set)
            go.wait(30)
            seen.append("first")

        def later(word: str) -> Callable[[object], None]:
            return lambda _: seen.append(word)

        tasks = [asyncio.ensure_future(jobs.run(first))]
        tasks += [asyncio.ensure_future(jobs.run(later("slow"))) for _ in range(100)]
        await begun.wait()
        tasks.append(asyncio.ensure_future(jobs.run(later("urgent"), urgent=True)))
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*tasks)
        assert seen == ["first", "urgent", *["slow"] * 100]
        await jobs.close()

    asyncio.run(work())


def test_errors_reach_whoever_asked_and_nobody_else() -> None:
    async def work() -> None:
        jobs, _ = thread()

        def fail(_: object) -> None:
            raise KeyError

        one, two = await asyncio.gather(
            jobs.run(fail), jobs.run(lambda _: 2), return_exceptions=True
        )
        assert isinstance(one, KeyError)
        assert two == 2
        await jobs.close()

    asyncio.run(work())


def test_what_nobody_waits_for_is_done_all_the_same() -> None:
    async def work() -> None:
        jobs, store = thread()
        seen: list[int] = []
        task = asyncio.ensure_future(jobs.run(lambda _: seen.append(1)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await jobs.close()
        assert (seen, store.closed) == ([1], 1)
        with pytest.raises(ApprovalError) as caught:
            await jobs.run(lambda _: None)
        assert caught.value.code == "approvals-unavailable"

    asyncio.run(work())
