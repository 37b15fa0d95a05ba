"""Keeps the index up with the record.

How far a writer is indexed stands in its files themselves and moves in the same transaction as what
was added, so a process that ends at any moment loses nothing and doubles nothing. One process at a
time indexes a writer, whoever that is: a gateway in the background, or `proctor search`.
"""

import fcntl
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

from proctor.audit.envelope import leaf
from proctor.audit.inquiry import open_record
from proctor.audit.reader import Content, Reader, numbers
from proctor.audit.store import private, sync_folder
from proctor.errors import ConfigurationError, InternalError
from proctor.model import ContentRef
from proctor.search.adding import Adding
from proctor.search.documents import Exchange, Text, read
from proctor.search.partition import Mark, Partition, damaged
from proctor.search.places import DRAFT, Place, places, superseded, unlink
from proctor.search.texts import MAX_TEXT

log = logging.getLogger(__name__)

FOLDER = "search"
BATCH = 8192
"""Envelopes that one step takes at most."""
BATCH_BYTES = 48 * 2**20
"""Bytes of content that are in memory at once, more or less."""

_MEMORY = "256MB"
_WRITER = re.compile(r"w\d{1,6}")
_ENVELOPES = """
    SELECT seq, raw FROM _records WHERE writer = $writer AND seq BETWEEN $first AND $last
    ORDER BY seq
"""
_THESE = """
    SELECT seq, raw FROM _records WHERE writer = $writer AND list_contains($seqs, seq) ORDER BY seq
"""
_NEXT = "SELECT min(seq) AS seq FROM _records WHERE writer = $writer AND seq > $seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a step did.

    Attributes:
        records: Envelopes that were looked at.
        texts: Texts that were added.
        more: There may be more to do.
        busy: Another process is indexing.
    """

    records: int = 0
    texts: int = 0
    more: bool = False
    busy: bool = False


@dataclass(slots=True)
class Indexer:
    """Indexes one record.

    Args:
        recordings: Its folder.
    """

    recordings: Path
    _left: list[str] = field(default_factory=list[str])

    @property
    def folder(self) -> Path:
        """Where the index lies."""
        return self.recordings / FOLDER

    def step(self) -> Progress:
        """Takes some of what is new, of one writer.

        Raises:
            ConfigurationError: The record cannot be read, or others can reach the index.
            InternalError: Code `search-index-unreadable`.
        """
        if not (self.recordings / "store.json").exists():
            return Progress()
        self.make()
        if not self._left:
            self._left = writers(self.recordings)
        if not self._left:
            return Progress()
        writer = self._left.pop()
        with self._locked(writer) as ours:
            if not ours:
                return Progress(busy=True, more=bool(self._left))
            for place in superseded(self.folder):
                if place.writer == writer:
                    unlink(self.folder / place.name)
            done = Progress(more=True)
            with self._mended(writer), self._reader() as reader:
                done = self._take(reader, writer)
        if done.more:
            self._left.append(writer)
        return replace(done, more=done.more or bool(self._left))

    def rebuild(self, told: Callable[[Progress], None] = lambda _: None) -> None:
        """Makes all of it anew from the record.

        Args:
            told: Called after each step.

        Raises:
            ConfigurationError: As `step`.
            InternalError: As `step`.
        """
        self.make()
        for writer in writers(self.recordings):
            with self._locked(writer, wait=True):
                self._clear(writer)
        self._left = []
        while (done := self.step()).more:
            told(done)
        told(done)
        self.tidy()

    def tidy(self, over: Callable[[], bool] = lambda: False) -> bool:
        """Puts days that are over in order, so that phrases are found fast; some seconds for each.

        Args:
            over: Asked before each day, whether to leave the rest for another time.

        Returns:
            Whether that is all.

        Raises:
            ConfigurationError: As `step`.
            InternalError: As `step`.
        """
        newest: set[str] = set()
        for place in places(self.folder):
            if place.writer not in newest:
                newest.add(place.writer)
                continue
            with self._mended(place.writer):
                if self._with(place, lambda old: old.finished):
                    continue
                if over():
                    return False
                with self._locked(place.writer) as ours:
                    if not ours:
                        return False
                    if place in places(self.folder):
                        self._with(place, Partition.finish)
        return True

    def forget(self, scopes: Sequence[str]) -> list[date]:
        """Makes the days anew in which these scopes have texts, without them.

        To be called before they go from the record, so that nothing is found that is not there, and
        once more after, for what was indexed in between.

        Args:
            scopes: Their names.

        Returns:
            The days.

        Raises:
            ConfigurationError: As `step`.
            InternalError: As `step`.
        """
        done: list[date] = []
        for writer in sorted({place.writer for place in places(self.folder)}):
            with self._locked(writer, wait=True), self._mended(writer):
                own = [place for place in places(self.folder) if place.writer == writer]
                # Out of all results first, then out of the files.
                hit = [p for p in own if self._with(p, lambda old: old.without(scopes))]
                for place in hit:
                    self._anew(place)
                    done.append(place.day)
        return sorted(set(done))

    def trim(self, kept: Mapping[str, AbstractSet[int]], before: date) -> None:
        """Makes days anew without the texts of which a block goes, though others of its scope stay.

        To be called like `forget`.

        Args:
            kept: Numbers of the blocks that stay, by scope.
            before: Nothing of this day or a later one goes.

        Raises:
            ConfigurationError: As `step`.
            InternalError: As `step`.
        """
        for writer in sorted({place.writer for place in places(self.folder)}):
            own = [scope for scope in kept if scope.startswith(f"{writer}.")]
            with self._locked(writer, wait=True), self._mended(writer), self._reader() as reader:
                for place in places(self.folder) if own else ():
                    if place.writer == writer and place.day < before:
                        self._trim(reader, place, own, kept)

    def _trim(
        self, reader: Reader, place: Place, own: Sequence[str], kept: Mapping[str, AbstractSet[int]]
    ) -> None:
        texts = self._with(place, lambda old: old.texts_of(own))
        seqs = sorted({each.seq for each in texts})
        stays: dict[int, list[Text]] = {}
        for at in range(0, len(seqs), BATCH):
            given = {"writer": place.writer, "seqs": seqs[at : at + BATCH]}
            for row in reader.rows(_THESE, given):
                found = read(row["seq"], json.loads(row["raw"]))
                stays[row["seq"]] = [
                    text
                    for text in (found.texts if found else ())
                    if set(numbers(text.ref.blocks)) <= kept.get(text.ref.scope, set())
                ]
        gone = [each.id for each in texts if not each.is_one_of(stays.get(each.seq, ()))]
        if gone:
            self._with(place, lambda old: old.without_texts(gone))
            self._anew(place)

    @contextmanager
    def _mended(self, writer: str) -> Iterator[None]:
        """An index that is damaged, or of an older version, goes; the next step makes it anew."""
        try:
            yield
        except InternalError as error:
            if not damaged(error):
                raise
            log.warning(
                "the search index of %s is made anew: %s",
                writer,
                error.got,
                extra={"event": "search.anew", "writer": writer},
            )
            self._clear(writer)

    def make(self) -> None:
        """Makes its folder, unless it is there.

        Raises:
            ConfigurationError: Others can reach it.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        private(self.folder)

    @contextmanager
    def _locked(self, writer: str, *, wait: bool = False) -> Iterator[bool]:
        handle = os.open(
            self.folder / f"{writer}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        with open_record(self.recordings, memory=_MEMORY, threads=1) as connection:
            try:
                yield Reader(connection)
            except duckdb.Error as error:
                raise ConfigurationError(
                    "store-unreadable",
                    "The record cannot be read",
                    got=type(error).__name__,
                    expected="the folder as proctor wrote it",
                    hint="Start the gateway once; it mends what it can.",
                    where=str(self.recordings),
                ) from None

    def _take(self, reader: Reader, writer: str) -> Progress:
        mark = self._mark(writer)
        rows, full = self._rows(reader, writer, mark.seq if mark else -1)
        if mark is not None:
            # Whoever put an older copy in the record's place, or cut it, made another one of it.
            same = rows and (rows[0][0] > mark.seq or leaf(rows[0][1].encode()) == mark.leaf)
            if not same:
                self._clear(writer)
                return Progress(more=True)
            if rows[0][0] == mark.seq:
                del rows[0]
        if not rows:
            return Progress()
        added = 0
        taken = 0
        for day, run in _days(rows):
            partition = Partition.made(self.folder, self._place(writer, day))
            try:
                added += self._index(reader, partition, run)
            finally:
                partition.close()
            taken += len(run)
        return Progress(records=taken, texts=added, more=full)

    def _rows(self, reader: Reader, writer: str, after: int) -> tuple[list[tuple[int, str]], bool]:
        """Envelopes from `after` on, that one with them, and whether there may be more."""
        rows = _range(reader, writer, after)
        if not rows or rows[-1][0] == after:
            # What comes next may have left the record.
            (row,) = reader.rows(_NEXT, {"writer": writer, "seq": after})
            if row["seq"] is not None:
                rows += _range(reader, writer, row["seq"])
        return rows, bool(rows) and (rows[-1][0] - after) >= BATCH - 1

    def _index(self, reader: Reader, partition: Partition, rows: "Sequence[_Row]") -> int:
        """Adds what these envelopes hold, a bounded part of their content at a time."""
        added = 0
        for part in _parts(rows):
            exchanges = [row.exchange for row in part if row.exchange]
            contents = reader.contents(
                {
                    text.ref: MAX_TEXT
                    for each in exchanges
                    for text in each.texts
                    if text.ref.encoding == "utf8"
                }
            )
            last = part[-1]
            with partition.writing(Mark(seq=last.seq, leaf=leaf(last.raw.encode()))) as adding:
                for each in exchanges:
                    added += _add(adding, each, contents)
        return added

    def _mark(self, writer: str) -> Mark | None:
        """How far this writer is indexed."""
        last: Mark | None = None
        for place in places(self.folder):
            if place.writer == writer:
                mark = self._with(place, Partition.mark)
                if mark is not None and (last is None or mark.seq > last.seq):
                    last = mark
        return last

    def _place(self, writer: str, day: date) -> Place:
        """Where this day goes."""
        for each in places(self.folder):
            if each.writer == writer and each.day == day:
                return each
        return Place(writer, day, 1)

    def _with[T](self, place: Place, work: Callable[[Partition], T]) -> T:
        partition = Partition.opened(self.folder, place)
        try:
            return work(partition)
        finally:
            partition.close()

    def _anew(self, place: Place) -> None:
        """Makes a day anew beside the old one, which goes once the new one is whole.

        A day with nothing in it goes, but for the newest, which says how far the writer is indexed.
        """
        later = any(p.writer == place.writer and p.day > place.day for p in places(self.folder))
        if later and self._with(place, Partition.empty):
            unlink(self.folder / place.name)
            return
        draft = replace(place, made=DRAFT)
        unlink(self.folder / draft.name)
        Partition.made(self.folder, draft).close()
        self._with(place, lambda old: old.copy(self.folder / draft.name))
        if self._with(place, lambda old: old.resting):
            self._with(draft, Partition.rest)
        made = replace(place, made=place.made + 1)
        (self.folder / draft.name).replace(self.folder / made.name)
        sync_folder(self.folder)
        unlink(self.folder / place.name)

    def _clear(self, writer: str) -> None:
        for place in [*superseded(self.folder), *places(self.folder)]:
            if place.writer == writer:
                unlink(self.folder / place.name)


def writers(recordings: Path) -> list[str]:
    """Names of those who write this record, or did."""
    folder = recordings / "writers"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if _WRITER.fullmatch(path.name))


def _range(reader: Reader, writer: str, first: int) -> list[tuple[int, str]]:
    given = {"writer": writer, "first": first, "last": first + BATCH - 1}
    return [(row["seq"], row["raw"]) for row in reader.rows(_ENVELOPES, given)]


class _Row(NamedTuple):
    """An envelope, and what of it can be searched."""

    seq: int
    raw: str
    exchange: Exchange | None


def _days(rows: Sequence[tuple[int, str]]) -> Iterator[tuple[date, list[_Row]]]:
    """Runs of envelopes of one day, in the order of the record."""
    run: list[_Row] = []
    day: date | None = None
    for seq, raw in rows:
        envelope = json.loads(raw)
        own = date.fromisoformat(envelope["ts"][:10])
        if day is not None and own != day:
            yield day, run
            run = []
        day = own
        run.append(_Row(seq, raw, read(seq, envelope)))
    if day is not None:
        yield day, run


def _parts(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Parts whose content is of bounded size."""
    part: list[_Row] = []
    size = 0
    for row in rows:
        part.append(row)
        if row.exchange:
            size += sum(min(text.ref.size, MAX_TEXT) for text in row.exchange.texts)
        if size >= BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _add(adding: Adding, exchange: Exchange, contents: Mapping[ContentRef, Content]) -> int:
    """Adds what is there and was not yet; returns how many texts that are."""
    number: int | None = None
    added = 0
    for each in exchange.texts:
        content = contents.get(each.ref)
        if content is None or content.erased:
            continue
        text = each
        if not text.tool and text.call:
            text = replace(text, tool=adding.tool_of(text.call))
        if not adding.unknown(text):
            continue
        if number is None:
            number = adding.exchange(exchange)
        adding.text(number, exchange, text, content.text)
        added += 1
    return added
