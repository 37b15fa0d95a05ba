"""Envelopes in the order of their numbers, a window at a time, so that memory stays bounded.

Rows come through the views, which count each record once, wherever it lies. A reader may see the
end of one journal a moment before the beginning of the next, so what is new is taken only as far as
numbers follow each other, and only once it is `SETTLED` seconds old: until then a writer whose disk
fails may still take a line back.
"""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proctor.audit.reader import Reader
from proctor.audit.reader import reading as read_record
from proctor.errors import ClientError, InternalError

WINDOW = 2000
"""Records read at once: each reading goes through the whole of the journals."""

MOST_BYTES = 16 * 2**20
"""Of records that are kept in memory at once, by whoever follows a writer."""

SETTLED = 2.0
"""Seconds after which a record is final."""

_MEMORY = "512MB"
_WRITERS = "SELECT DISTINCT writer FROM _bounds ORDER BY writer"
_FILTER = """($kinds IS NULL OR list_contains($kinds, kind))
    AND ($session IS NULL OR starts_with(session_id, $session))
    AND ($principal IS NULL OR principal = $principal OR subject = $principal)
    AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"""
# One pass over narrow columns; windows then read only the row groups they need.
_WINDOWS = f"""SELECT min(seq) AS first, max(seq) AS last, count(*) AS records FROM (
    SELECT seq, (row_number() OVER (ORDER BY seq) - 1) // {WINDOW} AS w
    FROM _records WHERE writer = $writer AND {_FILTER}) GROUP BY w ORDER BY first"""  # noqa: S608 - made of the constants above
_WINDOW = f"""SELECT raw FROM _records WHERE writer = $writer AND seq BETWEEN $first AND $last
    AND {_FILTER} ORDER BY seq"""  # noqa: S608 - the same
_NEXT = """SELECT seq, raw FROM _records WHERE writer = $writer AND seq >= $first AND seq < $end
    ORDER BY seq"""
_ANY = f"SELECT 1 FROM _records WHERE {_FILTER} LIMIT 1"  # noqa: S608 - the same
_EXPECTED = {
    "session": "the beginning of a session_id",
    "principal": "a subject, or issuer#subject",
}
_MAX_SHOWN = 200
_LEAST = "SELECT min(seq) AS seq FROM _records WHERE writer = $writer AND seq >= $first"
_BEHIND = """SELECT count(*) AS records, min(ts) AS oldest FROM _records
    WHERE writer = $writer AND seq >= $first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which records are meant; None for all.

    Attributes:
        kinds: Of envelopes, such as `flow.end`.
        session: How the session's name begins.
        principal: `Principal.key`, or a subject.
        since: Recorded then or later.
        until: Recorded before.
    """

    kinds: tuple[str, ...] | None = None
    session: str | None = None
    principal: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self) -> dict[str, object]:
        """For SQL."""
        return {
            "kinds": list(self.kinds) if self.kinds is not None else None,
            "session": self.session,
            "principal": self.principal,
            "since": _plain(self.since),
            "until": _plain(self.until),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One envelope.

    Attributes:
        seq: Its number.
        raw: Its exact bytes.
        envelope: What they say.
    """

    seq: int
    raw: bytes
    envelope: Mapping[str, Any]


def reading(path: Path) -> AbstractContextManager[Reader]:
    """The record, for a long walk; see `audit.reader.reading`."""
    return read_record(path, memory=_MEMORY, threads=2)


def known(reader: Reader, choice: Choice) -> None:
    """Refuses a session or a principal that is not on record at all: a name that was mistyped.

    One that is on record, but not within the time that is meant, gives nothing, and that is right.

    Raises:
        ClientError: Codes `session-unknown`, `principal-unknown`.
    """
    for name, who in (("session", choice.session), ("principal", choice.principal)):
        given = {**Choice().parameters(), name: who}
        if who is not None and not list(reader.rows(_ANY, given)):
            raise ClientError(
                f"{name}-unknown",
                f"No such {name} is on record",
                got=repr(who)[:_MAX_SHOWN],
                expected=_EXPECTED[name],
                hint="`proctor sessions` lists sessions, and whose they are.",
                status=404,
            )


def writers(reader: Reader) -> list[str]:
    """All who have written this record."""
    return [row["writer"] for row in reader.rows(_WRITERS, {})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a walk will read.

    Attributes:
        choice: Which records.
        windows: For each writer (first, last) of each window.
        records: How many there are.
    """

    choice: Choice
    windows: Mapping[str, Sequence[tuple[int, int]]]
    records: int


def plan(reader: Reader, choice: Choice) -> Plan:
    """Find what is meant, before any of it is read; what is recorded later is not in it."""
    windows: dict[str, list[tuple[int, int]]] = {}
    count = 0
    for writer in writers(reader):
        found = list(reader.rows(_WINDOWS, {"writer": writer, **choice.parameters()}))
        windows[writer] = [(row["first"], row["last"]) for row in found]
        count += sum(row["records"] for row in found)
    return Plan(choice=choice, windows=windows, records=count)


def walk(reader: Reader, planned: Plan) -> Iterator[dict[str, Any]]:
    """Envelopes in order of time; of one writer always in order of their numbers."""
    each = [_one(reader, writer, planned) for writer in planned.windows]
    yield from heapq.merge(*each, key=lambda envelope: envelope["ts"])


def _one(reader: Reader, writer: str, planned: Plan) -> Iterator[dict[str, Any]]:
    given = {"writer": writer, **planned.choice.parameters()}
    for first, last in planned.windows[writer]:
        # Read whole: another query may run before the next row is asked for.
        for row in list(reader.rows(_WINDOW, {**given, "first": first, "last": last})):
            yield parsed(row["raw"])


def after(
    reader: Reader, writer: str, first: int, now: float, most: int = WINDOW
) -> tuple[int, list[Record]]:
    """What a writer has recorded from number `first` on.

    Args:
        reader: The record.
        writer: Whose.
        first: The first number wanted.
        now: Seconds since the epoch.
        most: How many numbers are looked at; fewer where they are large.

    Returns:
        The number the records begin at, higher than `first` where those between are no longer on
        record; and the records, without a gap.
    """
    found = _window(reader, writer, first, now, most)
    if found is None:
        least = next(reader.rows(_LEAST, {"writer": writer, "first": first}))["seq"]
        found = None if least is None else _window(reader, writer, least, now, most)
    return found or (first, [])


def _window(
    reader: Reader, writer: str, first: int, now: float, most: int
) -> tuple[int, list[Record]] | None:
    """As `after`; None where the window is empty."""
    least = size = 0
    found: list[Record] = []
    rows = reader.rows(_NEXT, {"writer": writer, "first": first, "end": first + most})
    for number, row in enumerate(rows):
        if number == 0:
            least = row["seq"]
        size += len(row["raw"])
        if row["seq"] != least + number or (found and size > MOST_BYTES):
            break
        envelope = parsed(row["raw"])
        if abs(now - datetime.fromisoformat(envelope["ts"]).timestamp()) < SETTLED:
            break  # a clock that was set back does not hold anything up
        found.append(Record(seq=row["seq"], raw=row["raw"].encode(), envelope=envelope))
    else:
        if not found:
            return None
    return least, found


def waiting(reader: Reader, writer: str, first: int) -> tuple[int, datetime | None]:
    """How many records from number `first` on there are, and when the oldest was made."""
    row = next(reader.rows(_BEHIND, {"writer": writer, "first": first}))
    oldest = row["oldest"]
    return row["records"], oldest.replace(tzinfo=UTC) if oldest else None


def parsed(raw: str) -> dict[str, Any]:
    """An envelope.

    Raises:
        InternalError: Code `record-malformed`.
    """
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InternalError(
            "record-malformed",
            "A record on disk is no JSON object",
            hint="`proctor verify` says which.",
        )
    return found


def _plain(moment: datetime | None) -> datetime | None:
    """As the views' timestamps are: UTC, without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None
