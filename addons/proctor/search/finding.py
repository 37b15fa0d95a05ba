"""Looking for something: the newest first, day by day, each result in its context.

A day's files are asked only for as much as is still wanted, and each walks from its newest text on,
so that what many texts have is found as fast as what few have.
"""

import heapq
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby, islice
from pathlib import Path
from threading import Event
from time import monotonic

from proctor.audit.envelope import timestamp
from proctor.search.documents import Part
from proctor.search.indexer import FOLDER
from proctor.search.partition import Hit, Partition
from proctor.search.places import Place, places
from proctor.search.query import Query
from proctor.search.shelf import Shelf
from proctor.search.snippets import Snippet, snippet
from proctor.search.texts import session_value, tag

SECONDS = 15.0
"""For which one search may look."""
MAX_LIMIT = 500
MAX_SKIP = 10_000
_MAX_SESSIONS = 200
_THREADS = 4
_QUICK = 0.002  # seconds a day, below which threads only wait for each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What results must be like; None for anything.

    Attributes:
        principal: `Principal.key`, or a subject.
        session: A session's name, or its beginning.
        tool: A tool's name, for what it was asked and what it gave back.
        verdict: `allow`, `hold` or `deny`.
        entity: A type of entity found in that exchange.
        part: Where the text stood.
        since: Recorded from then on.
        until: Recorded before.
        within: Only these sessions, by principal and name.
    """

    principal: str | None = None
    session: str | None = None
    tool: str | None = None
    verdict: str | None = None
    entity: str | None = None
    part: Part | None = None
    since: datetime | None = None
    until: datetime | None = None
    within: frozenset[tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A text that has what was looked for, and the words around it."""

    hit: Hit
    snippet: Snippet


def search(  # noqa: PLR0913 - by name
    recordings: Path,
    query: Query,
    filters: Filters,
    *,
    limit: int,
    skip: int = 0,
    shelf: Shelf | None = None,
) -> list[Result]:
    """What is found, the newest first.

    Args:
        recordings: The record's folder.
        query: What is looked for.
        filters: What results must be like.
        limit: At most so many.
        skip: After so many, for the next page.
        shelf: Of one who searches again and again.

    Raises:
        ClientError: Code `search-slow`.
        InternalError: Code `search-index-unreadable`.
    """
    end = monotonic() + SECONDS
    over = Event()
    marks = query.places()
    ours = shelf or Shelf(most=0)
    first, many = min(skip, MAX_SKIP), min(limit, MAX_LIMIT)
    folder = recordings / FOLDER

    def of_day(there: _Day) -> Generator[Hit]:
        with ExitStack() as stack:
            runs = [stack.enter_context(closing(of_place(place))) for place in there]
            yield from heapq.merge(
                *runs, key=lambda hit: (hit.ts, hit.writer, hit.seq), reverse=True
            )

    def of_place(place: Place) -> Generator[Hit]:
        try:
            with ours.lent(folder, place) as partition:
                partition.limit(lambda: over.is_set() or monotonic() > end)
                yield from _of(partition, query, filters)
        except FileNotFoundError:  # dropped, or made anew under another name
            return

    days = [
        list(there)
        for day, there in groupby(places(folder), key=lambda place: place.day)
        if _in_time(day, filters)
    ]
    try:
        with closing(_hits(days, of_day, first + many)) as hits:
            return [
                Result(hit=hit, snippet=snippet(hit.text, marks))
                for hit in islice(hits, first, first + many)
            ]
    finally:
        over.set()


type _Day = Sequence[Place]


def _hits(
    days: Sequence[_Day], of_day: Callable[[_Day], Generator[Hit]], most: int
) -> Generator[Hit]:
    """The hits of all days, the newest first.

    Most often the newest day has all that is wanted. If not, and a day takes a while, older ones
    are looked at by several threads at once: SQLite does not hold the interpreter's lock while it
    looks.
    """
    if most > MAX_LIMIT:  # a page far behind: its hits are not held in memory
        for day in days:
            yield from of_day(day)
        return

    def some(day: _Day) -> list[Hit]:
        with closing(of_day(day)) as hits:
            return list(islice(hits, most))

    left = iter(days)
    for day in left:
        started = monotonic()
        found = some(day)
        slow = monotonic() - started > _QUICK
        yield from found
        if slow:
            break
    threads = min(_THREADS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="proctor-search")
    try:
        ahead = deque(pool.submit(some, day) for day in islice(left, threads + 1))
        while ahead:
            found = ahead.popleft().result()
            ahead.extend(pool.submit(some, day) for day in islice(left, 1))
            yield from found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _of(partition: Partition, query: Query, filters: Filters) -> Iterator[Hit]:
    tags = _tags(partition, filters)
    if tags is None:
        return
    day = partition.place.day
    yield from partition.find(
        query.expression(tags),
        query.rows(),
        since=_within(day, filters.since),
        until=_within(day, filters.until),
    )


def _within(day: date, moment: datetime | None) -> str | None:
    """A bound as records write it, on the day on which it is one."""
    if moment is None or moment.astimezone(UTC).date() != day:
        return None
    return timestamp(moment.timestamp())


def _in_time(day: date, filters: Filters) -> bool:
    since, until = filters.since, filters.until
    return (since is None or day >= since.astimezone(UTC).date()) and (
        until is None or day <= until.astimezone(UTC).date()
    )


def _tags(partition: Partition, filters: Filters) -> tuple[str, ...] | None:
    """What the filters ask for, in FTS5's language; None where nothing here can be it."""
    tags = [
        f'"{tag(kind, value)}"'
        for kind, value in (
            ("p", filters.principal),
            ("t", filters.tool),
            ("v", filters.verdict),
            ("e", filters.entity),
            ("i", filters.part),
        )
        if value is not None
    ]
    for sessions in (
        None if filters.session is None else partition.sessions(filters.session, _MAX_SESSIONS),
        filters.within,
    ):
        if sessions is not None:
            if not sessions:
                return None
            each = [f'"{tag("s", session_value(*session))}"' for session in sorted(sessions)]
            tags.append(f"({' OR '.join(each)})")
    return tuple(tags)
