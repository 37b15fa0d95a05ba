"""A value from outside that is kept fresh, on a clock that is set."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from proctor.errors import UpstreamError
from proctor.identity.refreshed import Refreshed, Timing
from proctor.identity.refusals import unreachable
from tests.support.identity import Clock

TIMING = Timing(refresh=300, stale=3600, cooldown=10)


class Source:
    """Answers with `value`, or fails while `down`; waits for `gate` if set."""

    def __init__(self) -> None:
        self.clock = Clock(0)
        self.value = "one"
        self.down = False
        self.broken = False
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.kept = Refreshed(self.load, name="I", monotonic=self.clock, timing=TIMING)

    async def load(self) -> str:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise RuntimeError("a mistake of ours")
        if self.down:
            raise unreachable("I", got="nothing")
        return self.value

    async def settle(self) -> None:
        """Let an attempt in the background end."""
        for _ in range(5):
            await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_the_first_waits_and_others_do_not() -> None:
    source = Source()

    async def main() -> None:
        assert source.kept.current() is None
        assert source.kept.age is None
        assert await source.kept.get() == "one"
        assert source.kept.current() == "one"
        source.clock.now = 299
        assert await source.kept.get() == "one"
        assert [source.asked, source.kept.age, source.kept.generation] == [1, 299, 1]

    run(main())


def test_all_who_wait_do_so_for_one_attempt() -> None:
    source = Source()

    async def main() -> None:
        source.gate = asyncio.Event()
        waiting = [asyncio.ensure_future(source.kept.get()) for _ in range(50)]
        await source.settle()
        waiting[0].cancel()  # one who goes away does not take the others' attempt along
        source.gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert set(found[1:]) == {"one"}
        assert source.asked == 1

    run(main())


def test_a_due_value_is_handed_out_while_it_is_asked_for() -> None:
    source = Source()

    async def main() -> None:
        await source.kept.get()
        source.gate = asyncio.Event()
        source.value = "two"
        source.clock.now = 300
        assert source.kept.current() == "one"
        await source.settle()
        assert source.kept.current() == "one"  # the issuer hangs, nobody waits
        assert source.asked == 2
        source.gate.set()
        await source.settle()
        assert source.kept.current() == "two"
        assert source.kept.generation == 2

    run(main())


def test_the_same_value_again_is_no_new_generation() -> None:
    source = Source()

    async def main() -> None:
        await source.kept.get()
        source.clock.now = 300
        source.kept.current()
        await source.settle()
        assert (source.asked, source.kept.generation, source.kept.age) == (2, 1, 0)

    run(main())


def test_while_the_issuer_fails_the_value_is_believed_for_a_bounded_time() -> None:
    source = Source()

    async def main() -> None:
        await source.kept.get()
        source.down = True
        source.clock.now = 3899
        assert source.kept.current() == "one"
        await source.settle()
        assert source.kept.failures == 1
        with pytest.raises(UpstreamError):
            source.kept.check()
        source.clock.now = 3900
        assert source.kept.current() is None
        with pytest.raises(UpstreamError) as caught:
            await source.kept.get()
        assert (caught.value.code, caught.value.status) == ("issuer-unreachable", 503)
        source.down = False
        source.clock.now = 3950
        assert await source.kept.get() == "one"
        assert source.kept.failures == 0
        source.kept.check()

    run(main())


def test_failed_attempts_cool_down_too() -> None:
    source = Source()

    async def main() -> None:
        source.down = True
        errors = []
        for _ in range(50):
            with pytest.raises(UpstreamError) as caught:
                await source.kept.get()
            errors.append(caught.value)
        assert source.asked == 1
        assert errors[0] is not errors[1]
        assert not await source.kept.renew()
        source.clock.now = 10
        assert await source.kept.renew()
        assert source.asked == 2

    run(main())


def test_a_slow_answer_cools_down_from_its_end() -> None:
    source = Source()

    async def main() -> None:
        source.gate = asyncio.Event()
        source.down = True
        first = asyncio.ensure_future(source.kept.renew())
        await source.settle()
        source.clock.now = 20
        source.gate.set()
        assert await first
        assert not await source.kept.renew()

    run(main())


def test_a_mistake_of_ours_is_no_value_either() -> None:
    source = Source()

    async def main() -> None:
        source.broken = True
        with pytest.raises(UpstreamError) as caught:
            await source.kept.get()
        assert caught.value.got == "no answer yet"

    run(main())


def test_close_stops_an_attempt() -> None:
    source = Source()

    async def main() -> None:
        await source.kept.close()
        source.gate = asyncio.Event()
        waiting = asyncio.ensure_future(source.kept.get())
        await source.settle()
        await source.kept.close()
        with pytest.raises(UpstreamError):
            await waiting

    run(main())
