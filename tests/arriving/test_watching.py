"""Long answers are looked at before they end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from proctor.arriving.bodies import MAX_BODY
from proctor.arriving.watching import WINDOW, Watch
from proctor.errors import InternalError
from proctor.model import Finding


class Handle:
    """A timer that goes off when the test says so."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Seen:
    """What was looked at, and timers."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.handles: list[Handle] = []
        self.fails = False

    async def look(self, part: bytes) -> tuple[Finding, ...]:
        self.parts.append(part)
        if self.fails:
            raise OSError("of a test")
        return (sign("b", f"event[{len(self.parts)}]"),)

    def later(self, _seconds: float, call: Callable[[], None]) -> Any:
        self.handles.append(Handle(call))
        return self.handles[-1]

    async def passes(self) -> None:
        """Time passes: the latest timer goes off, and what it begins is done."""
        call = self.handles[-1].call
        assert call is not None
        call()
        for _ in range(5):
            await asyncio.sleep(0)


def sign(detector: str, place: str) -> Finding:
    return Finding(
        type="PROMPT_INJECTION", location=place, direction="response", score=0.9, detector=detector
    )


def run(work: Callable[[Seen, Watch], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        seen = Seen()
        await work(seen, Watch("text/plain", seen.look, seen.later))

    asyncio.run(main())


def test_what_has_come_is_looked_at_while_more_comes() -> None:
    async def work(seen: Seen, watch: Watch) -> None:
        watch.feed(b"one ")
        watch.feed(b"")
        watch.feed(b"two ")
        assert (len(seen.handles), seen.parts) == (1, [])
        await seen.passes()
        assert seen.parts == [b"one two "]
        watch.feed(b"three")
        await seen.passes()
        assert seen.parts == [b"one two ", b"three"]
        await watch.end()
        watch.add((sign("a", "body"),))
        assert [each.detector for each in watch.findings] == ["a", "b"]
        watch.add((sign("b", "body"),))
        assert [each.detector for each in watch.findings] == ["b", "a"]
        assert watch.body == b"one two three"

    run(work)


def test_what_ends_at_once_is_looked_at_once() -> None:
    async def work(seen: Seen, watch: Watch) -> None:
        watch.feed(b"all of it")
        await watch.end()
        assert seen.handles[0].call is None
        assert seen.parts == []

    run(work)


def test_of_what_comes_fast_the_latest_is_looked_at_and_the_end_of_what_is_long() -> None:
    async def work(seen: Seen, watch: Watch) -> None:
        watch.feed(b"x" * MAX_BODY)
        watch.feed(b"y")
        await seen.passes()
        assert seen.parts == [b"x" * (WINDOW - 1) + b"y"]
        watch.feed(b"the end")
        await watch.end()
        assert seen.parts[1:] == [b"the end"]
        assert len(watch.body) == MAX_BODY

    run(work)


def test_where_looking_fails_nothing_more_passes() -> None:
    async def work(seen: Seen, watch: Watch) -> None:
        seen.fails = True
        watch.feed(b"one")
        await seen.passes()
        with pytest.raises(InternalError):
            watch.feed(b"two")
        with pytest.raises(InternalError):
            await watch.end()

    run(work)


def test_what_is_looked_at_in_the_end_alone_needs_no_loop() -> None:
    watch = Watch("text/plain")
    watch.feed(b"x" * (MAX_BODY + 1))
    assert len(watch.body) == MAX_BODY
