"""Files of days that are over, kept open for a while: to open one takes longer than to look in it.

A file that is open keeps its room on the disk after it was unlinked. So each is looked at again
before it is lent out, and closed some seconds after it was last used.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from proctor.search.partition import Partition
from proctor.search.places import Place

IDLE = 10.0
"""Seconds after which one that nobody wants is closed."""
MOST = 64
"""Files that are kept open."""


type _Kept = tuple[float, str, Partition]
"""Since when, its path, and it."""


@dataclass(slots=True)
class Shelf:
    """Any thread may use it.

    Args:
        idle: See IDLE.
        most: See MOST.
    """

    idle: float = IDLE
    most: int = MOST
    _kept: list[_Kept] = field(default_factory=list[_Kept])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _timer: threading.Timer | None = None

    @contextmanager
    def lent(self, folder: Path, place: Place) -> Iterator[Partition]:
        """An open file, for one thread at a time; nothing may be asked of it afterwards.

        Raises:
            FileNotFoundError: It was dropped meanwhile.
            InternalError: Code `search-index-unreadable`.
        """
        path = f"{folder}/{place.name}"
        partition = self._taken(path) or Partition.opened(folder, place)
        try:
            yield partition
        except GeneratorExit:  # enough was found
            self._back(partition, path)
            raise
        except BaseException:
            partition.close()
            raise
        self._back(partition, path)

    def close(self) -> None:
        """Closes all of them: those that are lent out, when they come back."""
        self.most = 0
        self._leave(0)

    def _taken(self, path: str) -> Partition | None:
        with self._lock:
            at = next((at for at, kept in enumerate(self._kept) if kept[1] == path), None)
            if at is None:
                return None
            _, _, partition = self._kept.pop(at)
        if partition.same():
            return partition
        partition.close()
        return None

    def _back(self, partition: Partition, path: str) -> None:
        if not partition.rested:  # it would stay in WAL mode
            partition.close()
            return
        partition.limit(None)
        with self._lock:
            self._kept.append((monotonic(), path, partition))
            if self._timer is None and self.most:
                self._later()
        self._leave(self.most)

    def _later(self) -> None:
        self._timer = threading.Timer(self.idle, self._sweep)
        self._timer.name, self._timer.daemon = "proctor-search-shelf", True
        self._timer.start()

    def _sweep(self) -> None:
        before = monotonic() - self.idle
        with self._lock:
            self._timer = None
            fresh = sum(since > before for since, _, _ in self._kept)
            if fresh:
                self._later()
        self._leave(fresh)

    def _leave(self, most: int) -> None:
        """Keep the last so many."""
        with self._lock:
            gone = self._kept[: max(0, len(self._kept) - most)]
            del self._kept[: len(gone)]
            if not self._kept and self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for _, _, partition in gone:
            partition.close()
