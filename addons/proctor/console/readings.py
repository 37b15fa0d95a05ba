"""The record, read for pages: in a thread, two at a time, each for some seconds at most."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from time import monotonic

import duckdb

from proctor.audit.inquiry import open_record
from proctor.audit.reader import Reader
from proctor.errors import ClientError

SECONDS = 15.0
_AT_ONCE = 2
_MEMORY = "256MB"
_KEPT = 64


class Readings:
    """Asks the record for pages, so that neither the gateway's loop nor its memory suffers."""

    def __init__(self, record: Path, *, seconds: float = SECONDS) -> None:
        """Nothing is opened yet.

        Args:
            record: The folder.
            seconds: How long one reading may take.
        """
        self._record = record
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="console-record")
        self._kept: dict[str, tuple[float, object]] = {}

    async def ask[T](self, work: Callable[[Reader], T], nothing: T) -> T:
        """What `work` finds; `nothing` where there is no record yet.

        Raises:
            ClientError: `record-slow` (503): it took too long.
            ConfigurationError: The record cannot be read.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._ask, work, nothing)

    async def lately[T](self, name: str, age: float, work: Callable[[Reader], T], nothing: T) -> T:
        """The same, but for all who ask within `age` seconds the record is asked once."""
        found = self._kept.get(name)
        if found is not None and monotonic() - found[0] < age:
            return found[1]  # type: ignore[return-value] # kept under this name below
        answer = await self.ask(work, nothing)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[name] = (monotonic(), answer)
        return answer

    def _ask[T](self, work: Callable[[Reader], T], nothing: T) -> T:
        if not (self._record / "store.json").exists():
            return nothing
        with open_record(self._record, memory=_MEMORY, threads=1) as connection:
            timer = Timer(self._seconds, connection.interrupt)
            timer.daemon = True
            timer.start()
            try:
                return work(Reader(connection))
            except duckdb.InterruptException:
                raise ClientError(
                    code="record-slow",
                    message="Reading the record took too long",
                    expected=f"an answer within {self._seconds:g} s",
                    hint="`proctor show` and `proctor query` take their time.",
                    status=503,
                ) from None
            except duckdb.Error as error:
                raise ClientError(
                    code="record-unreadable",
                    message="The record cannot be read now",
                    got=type(error).__name__,
                    hint="`proctor doctor` says more.",
                    status=503,
                ) from None
            finally:
                timer.cancel()
