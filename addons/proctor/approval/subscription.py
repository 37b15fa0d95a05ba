"""What tells a reader, such as a page that updates live, of every change."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

from proctor.approval.model import Change

BEHIND: Final = 1000
"""Changes that a reader may be behind."""


class Subscription(AsyncIterator[Change]):
    """Changes from now on: `async with desk.follow() as changes: async for change in changes`."""

    def __init__(self, subscribers: set["Subscription"]) -> None:
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._subscribers = subscribers
        subscribers.add(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __anext__(self) -> Change:
        change = await self._queue.get()
        if change is None:
            self._queue.put_nowait(None)  # for whoever asks again
            raise StopAsyncIteration
        return change

    def put(self, change: Change) -> None:
        """Tell the reader, or drop it where it is too far behind."""
        if self._queue.qsize() < BEHIND:
            self._queue.put_nowait(change)
        else:
            self.close()

    def close(self) -> None:
        """End it; what was told before may still be read. Again is harmless."""
        if self in self._subscribers:
            self._subscribers.discard(self)
            self._queue.put_nowait(None)
