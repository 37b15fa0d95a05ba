"""What is usual, in a process: loaded for who connects, kept up as statements end, written behind.

Statements never wait for the file. What other processes have seen is taken over twice a minute.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from proctor.errors import InternalError
from proctor.model import Principal
from proctor.novelty.file import NAME, Key, NoveltyFile
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import Known, Seen
from proctor.runtime.tasks import spawn

EVERY: Final = 1.0
"""Seconds between two times that is written."""

RELOAD: Final = 30.0
"""Seconds after which what others have seen is read again."""

MAX_WAITING: Final = 100_000
"""Statements that wait to be written; the oldest go, and are found again by a rebuild."""

type _Whose = tuple[str, str]
"""Person and place."""

log = logging.getLogger(__name__)


def person_of(principal: Principal) -> str:
    """Whose habits they are: the human's behind a bot, where its token names one."""
    if principal.human:
        return f"{principal.human} at {principal.issuer}"
    return principal.key


def key_of(principal: Principal, listener: str, database: str) -> Key:
    """Whose habits, and where."""
    return Key(person_of(principal), principal.key, f"{listener}/{database}")


class Baseline:
    """Of all that one process serves.

    Args:
        state: Proctor's own folder.
        settings: How what is usual is learned.
        now: The time, UTC.
        clock: Monotonic, seconds.
    """

    def __init__(
        self,
        state: Path,
        settings: NoveltySettings,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self.now = now
        self._path = state / NAME
        self._settings = settings
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="novelty")
        self._file: NoveltyFile | None = None
        self._known: WeakValueDictionary[_Whose, Known] = WeakValueDictionary()
        self._loaded: dict[_Whose, float] = {}
        self._waiting: list[tuple[Key, Seen]] = []
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()  # what waits is not in the file, and all else is
        self._closing = asyncio.Event()

    async def open(self) -> None:
        """Open the file.

        Raises:
            ConfigurationError: `novelty-unusable`, or `open-to-others`.
        """
        self._file = await self._beside(lambda: NoveltyFile(self._path, self._settings))

    async def load(self, principal: Principal, listener: str, database: str) -> "Familiar":
        """What is usual for somebody who connects.

        Raises:
            InternalError: `novelty-unavailable`.
        """
        key = key_of(principal, listener, database)
        whose = (key.person, key.place)
        known = self._known.get(whose)
        if known is None:
            known = Known(self._settings, principal.human or principal.subject)
            await self._load(whose, known)
            # Two may come at the same moment: all go by the same.
            known = self._known.setdefault(whose, known)
        return Familiar(self, key, known)

    def saw(self, key: Key, known: Known, statement: Seen) -> None:
        """A statement has ended well."""
        known.saw(statement)
        waiting = self._waiting
        waiting.append((key, statement))
        if len(waiting) > MAX_WAITING:
            del waiting[: MAX_WAITING // 10]
        if self._writing is None or self._writing.done():
            self._writing = spawn(self._write_on(), name="novelty")

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        self._closing.set()
        if self._writing is not None:
            await self._writing
        if self._file is not None:
            try:
                await self._write()
            except InternalError:
                log.warning("What was learned last is lost", extra={"event": "novelty.lost"})
            await self._beside(self._file.close)
        self._thread.shutdown()

    async def _write_on(self) -> None:
        """Write as long as there is something."""
        while self._waiting and not self._closing.is_set():
            await self._pause(EVERY)
            try:
                await self._write()
                await self._renew()
            except InternalError:  # it was logged; what waits stays
                await self._pause(RELOAD)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _write(self) -> None:
        file = self._opened()
        async with self._lock:
            batch, self._waiting = self._waiting, []
            try:
                if batch:
                    await self._beside(lambda: file.add(batch, self.now()))
            except InternalError:
                self._waiting = batch + self._waiting
                raise

    async def _renew(self) -> None:
        """Take over what others have seen."""
        late = self._clock() - RELOAD
        for whose, known in list(self._known.items()):
            if self._loaded.get(whose, late) <= late:
                await self._load(whose, known)
        self._loaded = {whose: at for whose, at in self._loaded.items() if whose in self._known}

    async def _load(self, whose: _Whose, known: Known) -> None:
        file = self._opened()
        async with self._lock:
            counts = await self._beside(lambda: file.load(*whose, self.now()))
            since = [seen for key, seen in self._waiting if (key.person, key.place) == whose]
            known.learned(counts, since)
        self._loaded[whose] = self._clock()

    def _opened(self) -> NoveltyFile:
        if self._file is None:
            raise InternalError("not-started", "What is usual was not opened")
        return self._file

    async def _beside[T](self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class Familiar:
    """What is usual for one connection's principal."""

    __slots__ = ("_baseline", "_key", "known")

    def __init__(self, baseline: Baseline, key: Key, known: Known) -> None:
        self._baseline = baseline
        self._key = key
        self.known = known

    @property
    def person(self) -> str:
        """Whose habits they are."""
        return self._key.person

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return self._baseline.now()

    def saw(self, statement: Seen) -> None:
        """A statement has ended well."""
        self._baseline.saw(self._key, self.known, statement)
