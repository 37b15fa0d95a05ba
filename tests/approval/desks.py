"""Desks on a store in a folder of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.desk import Desk
from proctor.approval.model import ApprovalError, Change
from proctor.approval.sqlite import SqliteStore
from proctor.approval.store import Store
from proctor.model import ApprovalTerms

SHELL = ApprovalTerms(rule_id="shell", from_groups=("dba",), grant=timedelta(hours=1))
TWO = ApprovalTerms(rule_id="two", from_groups=("dba",), count=2, grant=timedelta(hours=1))
WORDS = ApprovalTerms(rule_id="words", from_groups=("dba",), reason_required=True)


class Clock:
    """The present, which a test can move."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, **by: float) -> None:
        self.ahead += timedelta(**by)


class Records:
    """What was put on record; fails on demand."""

    def __init__(self) -> None:
        self.made: list[tuple[Change, Any]] = []
        self.error: Exception | None = None

    async def __call__(self, change: Change, item: Any) -> None:
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        self.made.append((change, item))

    @property
    def words(self) -> list[str]:
        return [f"{change.subject} {change.state}" for change, _ in self.made]


@asynccontextmanager
async def open_desk(
    folder: Path,
    *,
    clock: Callable[[], datetime] | None = None,
    records: Records | None = None,
    store: Store | None = None,
    opened: dict[str, str] | None = None,
) -> AsyncIterator[Desk]:
    """A desk of one gateway process."""
    desk = Desk(
        store or SqliteStore(folder / "state" / "approvals.db"),
        clock=clock or Clock(),
        record=records or Records(),
        open_sealed=lambda _: opened or {},
    )
    await desk.start()
    try:
        yield desk
    finally:
        await asyncio.wait_for(desk.close(), 30)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(ApprovalError) as caught:
        await work
    assert caught.value.message
    return caught.value.code
