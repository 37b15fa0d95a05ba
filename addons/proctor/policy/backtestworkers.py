"""Worker processes that end with what they are for, however that ends.

Those of the standard library finish what they have begun, and go on for ever where the process that
started them was killed. These hold one end of a pipe whose other end only that process has: once it
is closed, be it by the kernel, they are gone.
"""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from proctor.errors import InternalError


@contextmanager
def processes(
    workers: int, begin: Callable[..., None], *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """Workers, until the block ends.

    Args:
        workers: How many.
        begin: Called first in each of them.
        given: With this.

    Raises:
        InternalError: `backtest-failed`: one of them has ended, as where memory was short.
    """
    context: Any = get_context("spawn")  # any: its pool takes no SpawnContext, as typeshed has it
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(theirs, begin, given)
    )
    try:
        yield pool
    except BrokenProcessPool:
        raise InternalError(
            "backtest-failed",
            "A process of the backtest has ended",
            hint="Memory may have been short: ask for a shorter span, or use `--workers 1`.",
        ) from None
    finally:
        ours.close()
        pool.shutdown(wait=True, cancel_futures=True)
        theirs.close()


def _begin(pipe: Connection, begin: Callable[..., None], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pipe says when it is over
    Thread(target=_end_with, args=(pipe,), daemon=True).start()
    begin(*given)


def _end_with(pipe: Connection) -> None:
    pipe.poll(None)
    os._exit(0)
