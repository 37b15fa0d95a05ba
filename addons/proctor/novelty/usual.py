"""What is usual: counts that can be added up, by whatever is counted.

Rows are counted in classes by their powers of two, each with how often it came and their sum. So
what several processes have seen can be added, and the class in the middle tells the usual: the mean
of those in it, which is exact where it is always the same number.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from proctor.model import SqlFields
from proctor.novelty.model import Novelty
from proctor.novelty.settings import DAY, NoveltySettings

WEEK: Final = 7
"""Days with statements before an hour of the week is called new."""

MANY: Final = 100
"""So many times the usual rows, of a statement that runs, are told."""

_MAX_ROWS: Final = 2**62
_TEMPORARY: Final = "pg_temp"


class Kind(StrEnum):
    """What is counted."""

    STATEMENT = "statement"
    READ = "read"
    WRITE = "write"
    HOUR = "hour"
    DAY = "day"


MOST: Final[Mapping[Kind, int]] = {
    Kind.STATEMENT: 4000,
    Kind.READ: 2000,
    Kind.WRITE: 2000,
    Kind.HOUR: 168,
    Kind.DAY: 4000,
}
"""Names of each kind that are remembered of one person at one database; the oldest go."""


class Usual:
    """How often something came, when last, and with how many rows."""

    __slots__ = ("count", "last", "most", "sizes")

    def __init__(self) -> None:
        self.count = 0
        self.most = 0
        self.last = 0.0
        self.sizes: dict[int, list[int]] = {}

    def add(self, rows: int, at: float) -> None:
        """It came once more."""
        self.count += 1
        self.last = max(self.last, at)
        self.most = max(self.most, rows)
        size = self.sizes.get(rows.bit_length())
        if size is None:
            self.sizes[rows.bit_length()] = [1, rows]
        else:
            size[0] += 1
            size[1] += rows

    def merge(self, other: "Usual") -> None:
        """Add what somebody else has counted."""
        self.count += other.count
        self.last = max(self.last, other.last)
        self.most = max(self.most, other.most)
        for size, (count, total) in other.sizes.items():
            mine = self.sizes.setdefault(size, [0, 0])
            mine[0] += count
            mine[1] += total

    @property
    def usual(self) -> float:
        """Rows in the middle; 0 where nothing was counted."""
        middle = sum(count for count, _ in self.sizes.values()) / 2
        for size in sorted(self.sizes):
            count, total = self.sizes[size]
            middle -= count
            if middle <= 0:
                return total / count
        return 0.0


type Form = tuple[str, tuple[str, ...], tuple[str, ...], int]
"""What counts for the same: fingerprint, tables that are read and written, and the hour."""

type Counts = dict[Kind, dict[str, Usual]]


def no_counts() -> Counts:
    """Where nothing was counted."""
    return {kind: {} for kind in Kind}


class Seen:
    """One statement that ended well."""

    __slots__ = ("at", "fingerprint", "read", "rows", "written")

    def __init__(
        self,
        fingerprint: str,
        read: tuple[str, ...],
        written: tuple[str, ...],
        rows: int,
        at: datetime,
    ) -> None:
        self.fingerprint = fingerprint
        self.read = read
        self.written = written
        self.rows = min(max(rows, 0), _MAX_ROWS)
        self.at = at

    def form(self, at: float) -> Form:
        """What it counts for, in short; `at` in seconds since the epoch."""
        return self.fingerprint, self.read, self.written, int(at // 3600)

    def names(self) -> Iterator[tuple[Kind, str]]:
        """What it counts for."""
        if self.fingerprint:
            yield Kind.STATEMENT, self.fingerprint
        for name in self.read:
            yield Kind.READ, name
        for name in self.written:
            yield Kind.WRITE, name
        hour, day = _moment(int(self.at.timestamp() // 3600))
        yield Kind.HOUR, hour
        yield Kind.DAY, day


def seen(sql: SqlFields, written: Iterable[str], rows: int, at: datetime) -> Seen:
    """A statement that ended well.

    Args:
        sql: What it is.
        written: Those of its tables that it writes.
        rows: That came, or that it touched.
        at: When, UTC.
    """
    changed = lasting(written)
    read = tuple(name for name in lasting(sql.tables) if name not in changed)
    return Seen(sql.fingerprint, read, changed, rows, at)


def lasting(tables: Iterable[str]) -> tuple[str, ...]:
    """Without temporary ones, whose schema is another in each session."""
    return tuple(name for name in tables if not name.startswith(_TEMPORARY))


def hour_of(at: datetime) -> str:
    """The hour of the week, from Monday's first on, UTC."""
    return str(at.weekday() * 24 + at.hour)


@lru_cache(maxsize=64)
def _moment(hours: int) -> tuple[str, str]:
    """Hour of the week and day, of so many hours since the epoch."""
    at = datetime.fromtimestamp(hours * 3600, UTC)
    return hour_of(at), at.date().isoformat()


class Known:
    """What is usual for one person at one database.

    Args:
        settings: When anything is new.
        who: The person's name, for words.

    Attributes:
        history: Statements that were seen.
        generation: Grows whenever something that was usual may be so no more.
    """

    def __init__(self, settings: NoveltySettings, who: str) -> None:
        self._settings = settings
        self._who = who
        self._counts = no_counts()
        self.history = 0
        self.generation = 0
        # Where each form of a statement is counted, as long as nothing is forgotten.
        self._places: dict[Form, list[Usual]] = {}

    @property
    def learns(self) -> bool:
        """Whether there is too little history for anything to be new."""
        return self.history < self._settings.learn

    @property
    def days(self) -> int:
        """Days on which something ran."""
        return len(self._counts[Kind.DAY])

    def learned(self, counts: Counts, since: Iterable[Seen]) -> None:
        """Take over what was counted by all, and what was seen here since."""
        self._counts = counts
        self._forget()
        self.history = sum(day.count for day in counts[Kind.DAY].values())
        for each in since:
            self.saw(each)

    def saw(self, statement: Seen) -> None:
        """A statement has ended well."""
        rows, at = statement.rows, statement.at.timestamp()
        self.history += 1
        form = statement.form(at)
        places = self._places.get(form)
        if places is None:
            places = self._found(statement)
            self._places[form] = places
        for each in places:
            each.add(rows, at)

    def _found(self, statement: Seen) -> list[Usual]:
        """Where a statement is counted."""
        if len(self._places) >= MOST[Kind.STATEMENT]:
            self._places.clear()
        found: list[Usual] = []
        for kind, name in statement.names():
            named = self._counts[kind]
            if len(named) >= MOST[kind] and name not in named:
                self._forget()
            found.append(count(self._counts, kind, name))
        return found

    def _forget(self) -> None:
        """Something that was usual may be so no more."""
        self.generation += 1
        self._places.clear()

    def look(
        self,
        sql: SqlFields,
        written: Iterable[str] = (),
        *,
        rows: float | None,
        now: datetime,
    ) -> Novelty:
        """What of a statement is new.

        Args:
            sql: What it is.
            written: Those of its tables that it writes.
            rows: That are expected; None where that is unknown.
            now: UTC.
        """
        counts = self._counts
        days = len(counts[Kind.DAY])
        if self.history < self._settings.learn:
            return Novelty(history=self.history, days=days, who=self._who)
        reads, writes = counts[Kind.READ], counts[Kind.WRITE]
        tables: list[str] = []
        changed: list[str] = []
        for name in lasting(sql.tables):
            if name not in reads and name not in writes:
                tables.append(name)
            elif name not in writes and name in written:
                tables.append(name)
                changed.append(name)
        usual = self.usual(sql) if rows is not None else None
        return Novelty(
            statement=bool(sql.fingerprint) and sql.fingerprint not in counts[Kind.STATEMENT],
            table=bool(tables),
            tables=tuple(tables),
            volume=rows / max(1.0, usual) if rows is not None and usual is not None else 0.0,
            hour=days >= WEEK and hour_of(now) not in counts[Kind.HOUR],
            history=self.history,
            days=days,
            who=self._who,
            rows=rows,
            usual=usual or 0.0,
            written=frozenset(changed),
        )

    def usual(self, sql: SqlFields) -> float | None:
        """Rows that are usual of such a statement, else of its tables; None where unknown."""
        if self.history < self._settings.learn:
            return None
        counts = self._counts
        found = counts[Kind.STATEMENT].get(sql.fingerprint)
        if found is not None:
            return found.usual
        among = (
            each.usual
            for kind in (Kind.READ, Kind.WRITE)
            for name in sql.tables
            if (each := counts[kind].get(name)) is not None
        )
        return max(among, default=None)


def count(counts: Counts, kind: Kind, name: str) -> Usual:
    """Where something is counted; the oldest tenth goes where there is no more room."""
    named = counts[kind]
    found = named.get(name)
    if found is None:
        if len(named) >= MOST[kind]:
            for old in sorted(named, key=lambda each: named[each].last)[: MOST[kind] // 10 + 1]:
                del named[old]
        found = named[name] = Usual()
    return found


def oldest(now: float, settings: NoveltySettings) -> float:
    """Before when nothing counts, seconds since the epoch."""
    return now - max(DAY, settings.keep)
