"""Whose files can be worked on: the writer that this process is, and those that nobody is."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from proctor.audit.keeper import Keeper, Pace
from proctor.audit.opening import Opened, adopt
from proctor.audit.scopes import Fits
from proctor.audit.segments import Workshop
from proctor.audit.store import Store
from proctor.evidence.sealer import Sealing


class Post(Protocol):
    """One writer whose files may be changed. A Recorder is one."""

    @property
    def keeper(self) -> Keeper:
        """Who owns its files."""
        ...

    def alive(self) -> frozenset[str]:
        """Names of the scopes in which something may still be stored."""
        ...

    def renew(self, fits: Fits) -> list[str]:
        """As Recorder."""
        ...

    def rotate(self) -> None:
        """Has the journal become a segment."""
        ...

    async def do[T](self, work: Callable[[Workshop], T]) -> T:
        """Has something done to its files."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacant:
    """A writer that nobody was, as long as this one looks after it."""

    opened: Opened

    @property
    def keeper(self) -> Keeper:
        """Who owns its files."""
        return self.opened.keeper

    def alive(self) -> frozenset[str]:
        """Nobody stores anything."""
        return frozenset()

    def renew(self, _fits: Fits) -> list[str]:
        """Nothing goes on."""
        return []

    def rotate(self) -> None:
        """Its journals become segments anyway."""

    async def do[T](self, work: Callable[[Workshop], T]) -> T:
        """Has something done to its files."""
        return await asyncio.wrap_future(self.keeper.do(work))


@asynccontextmanager
async def vacant(
    store: Store, writer: str, *, pace: Pace, sealing: Sealing | None
) -> AsyncIterator[Vacant | None]:
    """Looks after a writer that nobody is; None where somebody is.

    A last checkpoint covers what was done.

    Raises:
        ConfigurationError: The record is not fit to be written.
        OSError: The disk does not take it.
    """
    opened = await asyncio.to_thread(adopt, store, writer, _unheard, pace, sealing)
    if opened is None:
        yield None
        return
    keeper = opened.keeper
    try:
        keeper.start()
        for slot in opened.found.full:
            keeper.put(slot)
        await asyncio.to_thread(keeper.wait_ready)
        yield Vacant(opened=opened)
    finally:
        await asyncio.to_thread(keeper.stop)  # so that the last checkpoint covers all it did
        if opened.sealer:
            if not opened.sealer.ended():
                await asyncio.to_thread(opened.sealer.seal, final=True)
            opened.sealer.close()
        await asyncio.to_thread(keeper.close)
        opened.journal.close()
        os.close(opened.lock)


def _unheard(_error: Exception) -> None:
    """The keeper logs it, and what it was doing is tried again."""
