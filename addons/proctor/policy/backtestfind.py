"""What other detectors would find in what is on record, and what that costs.

They look over the texts as the record has them: what redaction took out is no longer there, so only
what is new can be told. Prompts, the model's words, tools' inputs and their results are looked at,
each once; bodies as a whole are not, since they hold these again. No value is shown: of each find
only its shape, with `x` for letters and `9` for digits.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, Final

import orjson

from proctor.audit.inquiry import open_record
from proctor.audit.steady import steadily
from proctor.errors import ProctorError
from proctor.policy.backtestworkers import processes
from proctor.policy.recordedrows import MAX_TEXT, Ref, Stretch, plain_time, stretches, texts_of
from proctor.redaction.assembly import canaries_of, load_detector
from proctor.redaction.compiled import folder_of
from proctor.redaction.filescan import FileScanner, Hit
from proctor.redaction.settings import RedactionSettings

BYTES: Final = 64 * 1024 * 1024
"""Text that is looked at; more is left, and said to be."""

SECONDS: Final = 120.0
"""Time after which no further part of the record is begun."""

ROWS: Final = 2_000
"""Envelopes in one part."""

SHAPES: Final = 3
EXAMPLES: Final = 3
_LONGEST: Final = 24
_MEMORY: Final = "256MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is asked.

    Attributes:
        recordings: The folder of the record.
        before: What is looked for now.
        now: What would be.
        state: The folder proctor keeps its own things in.
        since: From when on.
        until: Up to when.
    """

    recordings: Path
    before: RedactionSettings = field(repr=False)
    now: RedactionSettings = field(repr=False)
    state: Path
    since: datetime
    until: datetime


@dataclass(slots=True)
class Found:
    """What was found in a part of the record."""

    rows: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    shapes: dict[tuple[str, str, str, str], list[str]] = field(default_factory=dict)
    examples: dict[tuple[str, str, str, str], list[str]] = field(default_factory=dict)
    gone: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    size: int = 0
    failed: int = 0
    seconds: tuple[float, float] = (0.0, 0.0)

    def merge(self, other: "Found") -> None:
        """Add what was found elsewhere."""
        self.rows += other.rows
        self.gone += other.gone
        for mine, theirs, most in (
            (self.shapes, other.shapes, SHAPES),
            (self.examples, other.examples, EXAMPLES),
        ):
            for key, values in theirs.items():
                known = mine.setdefault(key, [])
                known += [value for value in values if value not in known][: most - len(known)]
        self.texts += other.texts
        self.size += other.size
        self.failed += other.failed
        self.seconds = (self.seconds[0] + other.seconds[0], self.seconds[1] + other.seconds[1])


@dataclass(frozen=True, slots=True)
class _Text:
    where: str
    principal: str
    flow_id: str
    ref: Ref
    size: int


class _Looker:
    """Both detectors, and the record."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._before = _scanner(search.before, search.state)
        self._now = _scanner(search.now, search.state)
        for scanner in (
            self._before,
            self._now,
        ):  # what the first look makes is no cost of the next
            scanner.scan("text", b"alice")
        self._seen: set[Ref] = set()
        self._connection = open_record(search.recordings, memory=_MEMORY, threads=1)

    def look(self, stretch: Stretch) -> Found:
        """Look at what is new in a stretch."""
        found = Found()
        wanted = [
            text for text in self._texts(stretch) if text.size <= MAX_TEXT and self._new(text.ref)
        ]
        contents = texts_of(self._connection, {text.ref for text in wanted})
        for text in wanted:
            data = contents.get(text.ref)
            if data:
                self._one(text, data, found)
        return found

    def _new(self, ref: Ref) -> bool:
        known = ref in self._seen
        self._seen.add(ref)
        return not known

    def _one(self, text: _Text, data: bytes, found: Found) -> None:
        name = "text.json" if text.where == "tool input" else "text"
        try:
            start = perf_counter()
            before = self._before.scan(name, data).hits
            middle = perf_counter()
            now = self._now.scan(name, data).hits
            end = perf_counter()
        except ProctorError:
            found.failed += 1
            return
        found.texts += 1
        found.size += len(data)
        took = found.seconds
        found.seconds = (took[0] + middle - start, took[1] + end - middle)
        old, new = {_key(hit) for hit in before}, {_key(hit) for hit in now}
        found.gone.update(hit.type for hit in before if _key(hit) not in new)
        for hit in now:
            if _key(hit) not in old:
                _count(found, (hit.type, text.where, text.principal, hit.detector), hit, text)

    def _texts(self, stretch: Stretch) -> Iterator[_Text]:
        search = self._search
        sql = (
            'SELECT principal, flow_id, turn.prompt."scope", turn.prompt.blocks, turn.prompt.size,'
            ' turn.output."scope", turn.output.blocks, turn.output.size, tools, results'
            " FROM _records WHERE writer = ? AND seq BETWEEN ? AND ? AND ts >= ? AND ts < ?"
            " AND kind IN ('flow.begin', 'flow.end')"
        )
        times = [plain_time(search.since), plain_time(search.until)]
        given = [stretch.writer, stretch.first, stretch.last, *times]
        rows = steadily(self._connection, lambda: self._connection.execute(sql, given).fetchall())
        for principal, flow, *refs, tools, results in rows:
            who = (principal or "", flow or "")
            for where, (scope, blocks, size) in (("prompt", refs[:3]), ("answer", refs[3:])):
                if scope:
                    yield _Text(where, *who, (scope, blocks), size)
            for where, said, member in (
                ("tool input", tools, "input"),
                ("tool result", results, "content"),
            ):
                for each in orjson.loads(said) if said else ():
                    ref = each.get(member)
                    if ref:
                        yield _Text(where, *who, (ref["scope"], ref["blocks"]), ref["size"])


def _scanner(settings: RedactionSettings, state: Path) -> FileScanner:
    cache, canaries = folder_of(settings, state), canaries_of(state)
    return FileScanner(load_detector(settings, cache=cache, canaries=canaries), settings)


def _key(hit: Hit) -> tuple[str, int, int, str]:
    return hit.type, hit.line, hit.column, hit.value


def _count(found: Found, key: tuple[str, str, str, str], hit: Hit, text: _Text) -> None:
    found.rows[key] += 1
    shapes = found.shapes.setdefault(key, [])
    seen = shape(hit.value)
    if len(shapes) < SHAPES and seen not in shapes:
        shapes.append(seen)
    examples = found.examples.setdefault(key, [])
    if len(examples) < EXAMPLES and text.flow_id not in examples:
        examples.append(text.flow_id)


def shape(value: str) -> str:
    """What a value looks like, and nothing of what it is."""
    letters = "".join("9" if c.isdigit() else "x" if c.isalnum() else c for c in value[:_LONGEST])
    return letters + ("…" if len(value) > _LONGEST else "")


_looker: _Looker | None = None


def _begin(search: Search) -> None:
    global _looker  # noqa: PLW0603 - one a worker process
    _looker = _Looker(search)


def _work(stretch: Stretch) -> Found:
    if _looker is None:
        raise RuntimeError("the worker was not begun")
    return _looker.look(stretch)


def find(
    search: Search,
    progress: Any = lambda _done, _all: None,
    *,
    workers: int = 2,
    size: int = BYTES,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Look over the record with both, the youngest first.

    Args:
        search: What is asked.
        progress: Told how many parts of how many are done.
        workers: Processes to use.
        size: Bytes of text after which no further part is begun.
        seconds: Time after which none is.

    Raises:
        ConfigurationError: The record or a recognizer cannot be read.
        InternalError: `backtest-failed`.
    """
    begun = monotonic()
    with open_record(search.recordings, memory=_MEMORY, threads=1) as connection:
        parts = stretches(connection, search.since, search.until, ROWS)[::-1]
    found, done = Found(), 0
    with closing(_looked(search, parts, workers)) as looked:
        for each in looked:
            found.merge(each)
            done += 1
            progress(done, len(parts))
            if found.size >= size or monotonic() - begun > seconds:
                break
    return _said(found, done, len(parts))


def _looked(search: Search, parts: Sequence[Stretch], workers: int) -> Generator[Found]:
    if len(parts) <= 1 or workers == 1:
        looker = _Looker(search)
        yield from map(looker.look, parts)
        return
    with processes(workers, _begin, search) as pool:
        # Not all at once: what is limited ends with the parts that are under way.
        waiting = [pool.submit(_work, part) for part in parts[:workers]]
        for index in range(len(parts)):
            yield waiting[index].result()
            if index + workers < len(parts):
                waiting.append(pool.submit(_work, parts[index + workers]))


def _said(found: Found, done: int, of: int) -> dict[str, Any]:
    per = 1000 / found.texts if found.texts else 0.0
    return {
        "texts": found.texts,
        "bytes": found.size,
        "parts": done,
        "of_parts": of,
        "failed": found.failed,
        "ms_a_text": {
            "before": round(found.seconds[0] * per, 3),
            "now": round(found.seconds[1] * per, 3),
        },
        "no_longer_found": dict(found.gone),
        "rows": [
            {
                "type": kind,
                "where": where,
                "principal": principal,
                "detector": detector,
                "count": count,
                "looks_like": found.shapes[kind, where, principal, detector],
                "examples": found.examples[kind, where, principal, detector],
            }
            for (kind, where, principal, detector), count in found.rows.most_common()
        ],
    }
