"""The store, out of the event loop's way: one thread, which does in one go what came together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from proctor.approval.model import ApprovalError
from proctor.approval.store import Store
from proctor.runtime.tasks import spawn

_AT_ONCE = 32  # jobs between two visits to the loop, so that what is done is soon seen


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Store], Any]
    done: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        """What came of it, to whoever waits; they may have gone."""
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.value)


class StoreThread:
    """Runs jobs on a store, each as a whole, urgent ones first, else in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="approvals")
        self._urgent: list[_Job] = []
        self._jobs: list[_Job] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def run[T](self, work: Callable[[Store], T], *, urgent: bool = False) -> T:
        """Do this in the thread.

        It is done even where whoever awaits it is cancelled meanwhile.

        Raises:
            ApprovalError: `approvals-unavailable` once it is closed; and what `work` raises.
        """
        if self._closed:
            raise ApprovalError(
                code="approvals-unavailable",
                message="Approvals are closed",
                hint="The gateway is stopping; ask again once it runs.",
                status=503,
            )
        job = _Job(work, asyncio.get_running_loop().create_future())
        (self._urgent if urgent else self._jobs).append(job)
        if self._task is None:
            self._task = spawn(self._drain(), name="approvals.store")
        value: T = await job.done
        return value

    async def drained(self) -> None:
        """Until nothing is left to do."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def close(self) -> None:
        """Finish what was begun, then close the store."""
        self._closed = True
        await self.drained()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._store.close()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._urgent or self._jobs:
                queue = self._urgent or self._jobs
                batch = queue[:_AT_ONCE]
                del queue[:_AT_ONCE]
                done = await loop.run_in_executor(self._thread, self._perform, batch)
                queue[:0] = batch[done:]
                for job in batch[:done]:
                    job.tell()
        finally:
            self._task = None

    def _perform(self, batch: list[_Job]) -> int:
        """Do them until something urgent has come, at least one; returns how many."""
        for done, job in enumerate(batch):
            if done and self._urgent:
                return done
            try:
                job.value = job.work(self._store)
            except BaseException as error:  # noqa: BLE001 - handed to whoever asked
                job.error = error
        return len(batch)
