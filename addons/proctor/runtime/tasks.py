"""Background tasks that neither vanish nor fail in silence.

The event loop keeps only weak references to tasks (asyncio, "Creating Tasks"), and an exception
in a task that nobody awaits is reported when it is collected, which may be never.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)

_running: set[asyncio.Task[Any]] = set()


def spawn[T](coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start `coro` in the running loop.

    Args:
        coro: What to run.
        name: For logs and debuggers.

    Returns:
        The task. Its reference is kept until it ends; an exception is logged once, as
        `task.failed`, and still raised for whoever awaits the task.
    """
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        log.error(
            "A background task failed: %s",
            task.get_name(),
            exc_info=error,
            extra={"event": "task.failed", "task": task.get_name()},
        )


async def stop(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel `tasks` and wait until they have ended; None is passed over.

    Exceptions other than the cancellation have been logged by `spawn` and are not raised again.
    """
    alive = [task for task in tasks if task is not None]
    for task in alive:
        task.cancel()
    await asyncio.gather(*alive, return_exceptions=True)
