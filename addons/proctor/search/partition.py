"""One writer's index of one UTC day: an SQLite file that is dropped by unlinking it.

Words are kept with their places (FTS5, `detail=full`): an index without them has a third of the
size, but then a phrase, a path or a name such as `max_tokens` could only be told by reading every
text that has its words. Beside them stands a compressed copy of each text, once: in the record,
twenty results lie in up to twenty parts of files of 8 MB each, and to unpack these takes a hundred
times longer than to find the results. What must go from the record must therefore go from here,
too, and first: see `Indexer.forget`.

What a filter asks for is indexed as words, too (`tag`), so that the newest few are found by walking
from the newest on, whatever else there is.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from proctor.errors import ClientError, InternalError
from proctor.runtime.sqlitemaker import make_database, open_database
from proctor.search import phrases
from proctor.search.adding import Adding, known_as
from proctor.search.documents import Part, Text
from proctor.search.places import Place
from proctor.search.texts import indexed, unpack

VERSION = 3
_PAGE = 16 * 1024  # from a disk, a list of many texts is read in two thirds of the time
_WAIT = 10.0
_STEPS = 20_000  # of SQLite's machine, some milliseconds at most
# What a transaction adds is held back until it is 32 MiB: to write it out each megabyte, and to
# merge what was written again and again, takes two thirds of the time.
_SCHEMA = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    upto INTEGER NOT NULL,
    leaf TEXT NOT NULL
) STRICT;
CREATE TABLE tools (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE scopes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    principal TEXT NOT NULL,
    subject TEXT NOT NULL,
    session TEXT NOT NULL,
    UNIQUE (principal, session)
) STRICT;
CREATE INDEX sessions_session ON sessions (session);
CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    ts TEXT NOT NULL,
    flow TEXT NOT NULL,
    session INTEGER NOT NULL,
    entities TEXT NOT NULL
) STRICT;
CREATE INDEX exchanges_ts ON exchanges (ts);
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    exchange INTEGER NOT NULL,
    part TEXT NOT NULL,
    tool INTEGER NOT NULL,
    call INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    scope INTEGER NOT NULL,
    known INTEGER NOT NULL UNIQUE,
    text BLOB NOT NULL
) STRICT;
CREATE INDEX texts_exchange ON texts (exchange);
CREATE INDEX texts_scope ON texts (scope);
CREATE INDEX texts_call ON texts (call) WHERE call <> 0 AND tool <> 0;
WORDS;
PAIRS;
INSERT INTO words (words, rank) VALUES ('hashsize', 33554432);
INSERT INTO words (words, rank) VALUES ('automerge', 8);
""".replace("WORDS;", f"{phrases.WORDS};").replace("PAIRS;", phrases.SCHEMA)
_TABLES = ("state", "tools", "scopes", "sessions", "exchanges", "texts")
_WORDS = f"{phrases.KNOWN} ORDER BY t.id"
_COLUMNS = """
SELECT e.seq, e.ts, e.flow, s.principal, s.subject, s.session, e.entities, t.part,
    coalesce(n.name, '') AS tool, t.verdict, t.text
"""
_FOUND = f"""{_COLUMNS}
FROM words w CROSS JOIN texts t ON t.id = w.rowid CROSS JOIN exchanges e ON e.id = t.exchange
    CROSS JOIN sessions s ON s.id = e.session LEFT JOIN tools n ON n.id = t.tool
WHERE w.words MATCH ? AND w.rowid BETWEEN ? AND ? AND e.ts >= ? AND e.ts < ? ORDER BY w.rowid DESC
"""
_ONE = f"""{_COLUMNS}
FROM texts t JOIN exchanges e ON e.id = t.exchange JOIN sessions s ON s.id = e.session
    LEFT JOIN tools n ON n.id = t.tool
WHERE t.id = ? AND e.ts >= ? AND e.ts < ?
"""


_OF_SCOPE = """
SELECT t.id, e.seq, coalesce(n.name, ''), t.known
FROM scopes s JOIN texts t ON t.scope = s.id JOIN exchanges e ON e.id = t.exchange
    LEFT JOIN tools n ON n.id = t.tool
WHERE s.name = ?
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that is here: its id, its envelope's number, its tool, and what tells it apart."""

    id: int
    seq: int
    tool: str
    known: int

    def is_one_of(self, texts: Iterable[Text]) -> bool:
        """Whether it is one of these."""
        return any(known_as(replace(text, tool=self.tool)) == self.known for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a writer is indexed: up to this envelope, which has this leaf."""

    seq: int
    leaf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A text that has what was looked for.

    Attributes:
        writer: Whose record.
        seq: The envelope's number.
        ts: When it was recorded.
        packed: The text; see `text`.
    """

    writer: str
    seq: int
    ts: datetime
    flow_id: str
    principal: str
    subject: str
    session_id: str
    entities: tuple[str, ...]
    part: Part
    tool: str
    verdict: str
    packed: bytes

    @property
    def text(self) -> str:
        """The text, as far as it is indexed.

        Raises:
            InternalError: Code `search-index-unreadable`.
        """
        try:
            return unpack(self.packed)
        except ValueError:
            raise unreadable() from None


@dataclass(slots=True)
class Partition:
    """An open file. Made by `opened` or `made`.

    Attributes:
        place: Which one.
        rested: It was out of WAL mode when it was opened; see `rest`.
    """

    place: Place
    _db: sqlite3.Connection
    rested: bool
    _path: Path
    _file: tuple[int, int]

    @classmethod
    def opened(cls, folder: Path, place: Place) -> Self:
        """Opens a file that is there.

        Raises:
            FileNotFoundError: It was dropped meanwhile.
            InternalError: Code `search-index-unreadable`.
        """
        path = folder / place.name
        file = _file(path)  # first: one that is put in its place meanwhile is not taken for it
        try:
            database, version, journal = open_database(
                path, _WAIT, "synchronous = NORMAL", "cache_size = -512"
            )
        except sqlite3.Error as error:
            if not path.exists():
                raise FileNotFoundError(path) from None
            raise unreadable(error) from None
        if version != VERSION:
            database.close()
            raise unreadable(got=_OLDER if version < VERSION else _NEWER)
        return cls(place, database, journal == "delete", path, file)

    @classmethod
    def made(cls, folder: Path, place: Place) -> Self:
        """Makes a file, unless it is there, and opens it.

        Raises:
            InternalError: Code `search-index-unreadable`.
            OSError: It cannot be made.
        """
        if not (folder / place.name).exists():
            try:
                make_database(folder / place.name, _SCHEMA, VERSION, page=_PAGE)
            except sqlite3.Error as error:
                raise unreadable(error) from None
        return cls.opened(folder, place)

    def close(self) -> None:
        """Lets go of it."""
        self._db.close()

    def same(self) -> bool:
        """Whether its name still stands for this file."""
        try:
            return _file(self._path) == self._file
        except FileNotFoundError:
            return False

    def limit(self, over: Callable[[], bool] | None) -> None:
        """Stops what is asked once `over` says so, if anything; `find` then raises ClientError."""
        self._db.set_progress_handler(over, _STEPS)

    def mark(self) -> Mark | None:
        """How far it goes."""
        with _reported():
            row = self._db.execute("SELECT upto, leaf FROM state").fetchone()
        return Mark(seq=row[0], leaf=row[1]) if row else None

    def without(self, scopes: Sequence[str]) -> bool:
        """Takes the texts of these scopes out of all results; whether there were any.

        Their words are still in the file: `copy` leaves them out.
        """
        with _reported():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                gone = 0
                for name in scopes:
                    (found,) = self._db.execute(
                        "SELECT max(id) FROM scopes WHERE name = ?", (name,)
                    ).fetchone()
                    self._db.execute(
                        "DELETE FROM exchanges WHERE id IN"
                        " (SELECT exchange FROM texts WHERE scope = ?)",
                        (found,),
                    )  # what one envelope refers to is of one scope
                    self._db.execute("DELETE FROM texts WHERE scope = ?", (found,))
                    gone += self._db.execute("DELETE FROM scopes WHERE id = ?", (found,)).rowcount
                self._db.execute(
                    "DELETE FROM sessions WHERE id NOT IN (SELECT session FROM exchanges)"
                )
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        return gone > 0

    def texts_of(self, scopes: Iterable[str]) -> list[Kept]:
        """The texts of these scopes."""
        found: list[Kept] = []
        with _reported():
            for name in scopes:
                rows = self._db.execute(_OF_SCOPE, (name,))
                found += [Kept(*row) for row in rows]
        return found

    def without_texts(self, texts: Iterable[int]) -> None:
        """Takes texts out of all results, by their ids; as `without`."""
        with _reported():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("DELETE FROM texts WHERE id = ?", ((each,) for each in texts))
                self._db.execute(
                    "DELETE FROM exchanges WHERE id NOT IN (SELECT exchange FROM texts)"
                )
                self._db.execute(
                    "DELETE FROM sessions WHERE id NOT IN (SELECT session FROM exchanges)"
                )
                self._db.execute("DELETE FROM scopes WHERE id NOT IN (SELECT scope FROM texts)")
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def empty(self) -> bool:
        """Whether nothing can be found in it."""
        with _reported():
            return not self._db.execute("SELECT 1 FROM texts LIMIT 1").fetchone()

    def copy(self, target: Path) -> None:
        """Fills a file that was just made with what can be found here, and nothing else.

        Raises:
            InternalError: Code `search-index-unreadable`.
        """
        with _reported():
            self._db.execute("ATTACH ? AS made", (str(target),))
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    self._db.execute(f"INSERT INTO made.{table} SELECT * FROM {table}")  # noqa: S608
                rows = self._db.execute(_WORDS)
                self._db.executemany(
                    "INSERT INTO made.words (rowid, x) VALUES (?, ?)",
                    ((row[0], indexed(unpack(row[1]), row[2:])) for row in rows),
                )
                self._db.execute("COMMIT")
                self._db.execute("PRAGMA made.wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._db.execute("DETACH made")

    @contextmanager
    def writing(self, mark: Mark) -> Iterator[Adding]:
        """Adds what envelopes up to `mark` hold: all of it or nothing.

        Raises:
            InternalError: Code `search-index-unreadable`.
        """
        with _reported():
            self._for_writing()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Adding(self._db)
                self._db.execute(
                    "INSERT INTO state VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE"
                    " SET upto = excluded.upto, leaf = excluded.leaf",
                    (mark.seq, mark.leaf),
                )
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _for_writing(self) -> None:
        # What is erased goes with its whole file, so pages that are free need no zeros in them.
        self._db.execute("PRAGMA secure_delete = OFF").fetchall()
        self._db.execute("PRAGMA cache_size = -16384")  # KiB

    def finish(self) -> None:
        """Orders the words for good and notes `pairs`, as a day is over: for phrases."""
        with _reported():
            self._for_writing()
            if not self.finished:
                phrases.note(self._db)
            self._db.execute("INSERT INTO words (words) VALUES ('optimize')")
        self.rest()

    @property
    def finished(self) -> bool:
        """Whether `finish` has been here."""
        with _reported():
            return phrases.noted(self._db)

    def rest(self) -> None:
        """Leaves WAL mode, in which each search of it would make two files and remove them again.

        Of a day that is over: opened in a third of the time, and hardly ever written. Somebody who
        looks at it just now keeps it as it is.
        """
        with contextlib.suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA journal_mode = DELETE").fetchone()

    @property
    def resting(self) -> bool:
        """Whether it is out of WAL mode."""
        with _reported():
            return bool(self._db.execute("PRAGMA journal_mode").fetchone() == ("delete",))

    def sessions(self, beginning: str, limit: int) -> list[tuple[str, str]]:
        """Principal and name of the sessions whose name begins so."""
        with _reported():
            return self._db.execute(
                "SELECT principal, session FROM sessions"
                " WHERE session >= ? AND session < ? LIMIT ?",
                (beginning, beginning + "\U0010ffff", limit),
            ).fetchall()

    def find(
        self,
        expression: str,
        rows: Sequence[Sequence[str]] = (),
        *,
        since: str | None = None,
        until: str | None = None,
    ) -> Iterator[Hit]:
        """Texts that match, the newest first, as they are asked for.

        Args:
            expression: In FTS5's language.
            rows: Words in a row, folded, that the expression asks for; for speed only.
            since: Only what was recorded from then on; as records write it.
            until: Only what was recorded before.

        Raises:
            ClientError: Code `search-slow`.
            InternalError: Code `search-index-unreadable`.
        """
        with _reported():
            low, high = self._bounds(since, until) if since or until else (0, 2**62)
            times = (since or "", until or _LAST)
            few = phrases.few(self._db, rows, low, high)
            if few is None:
                with contextlib.closing(
                    self._db.execute(_FOUND, (expression, low, high, *times))
                ) as found:
                    for row in found:
                        yield _hit(self.place.writer, row)
            else:
                for each in phrases.checked(self._db, expression, few):
                    for row in self._db.execute(_ONE, (each, *times)).fetchall():
                        yield _hit(self.place.writer, row)

    def _bounds(self, since: str | None, until: str | None) -> tuple[int, int]:
        """Numbers between which all texts of a time are; a clock may step back within."""
        (low,) = self._db.execute(
            "SELECT min(id) FROM exchanges WHERE ts >= ?", (since or "",)
        ).fetchone()
        (high,) = self._db.execute(
            "SELECT max(id) FROM exchanges WHERE ts < ?", (until or _LAST,)
        ).fetchone()
        if low is None or high is None:
            return 0, -1
        first = self._db.execute(
            "SELECT id FROM texts WHERE exchange >= ? ORDER BY exchange, id LIMIT 1", (low,)
        ).fetchone()
        last = self._db.execute(
            "SELECT id FROM texts WHERE exchange <= ? ORDER BY exchange DESC, id DESC LIMIT 1",
            (high,),
        ).fetchone()
        return (first[0], last[0]) if first and last else (0, -1)


_LAST = "~"  # after every time


def _file(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_dev, state.st_ino


def _hit(writer: str, row: Sequence[Any]) -> Hit:
    seq, ts, flow, principal, subject, session, entities, part, tool, verdict, packed = row
    return Hit(
        writer=writer,
        seq=seq,
        ts=datetime.fromisoformat(ts).astimezone(UTC),
        flow_id=flow,
        principal=principal,
        subject=subject,
        session_id=session,
        entities=tuple(entities.split()),
        part=Part(part),
        tool=tool,
        verdict=verdict,
        packed=packed,
    )


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # a text that cannot be unpacked
        raise unreadable(error) from None
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise ClientError(
                code="search-slow",
                message="The search took too long",
                hint="Name a time, a person or a rarer word; the beginning of a word is slower.",
                status=503,
            ) from None
        raise unreadable(error) from None


_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_ERROR")
_OLDER, _NEWER = "one of an older version", "one of a newer version"


def damaged(error: InternalError) -> bool:
    """Whether what is `unreadable` stays so; after a full disk or a lock it does not."""
    return error.got == _OLDER or error.got.startswith(_DAMAGED)


def unreadable(error: Exception | None = None, got: str = "") -> InternalError:
    """What is said of an index that cannot be used; SQLite's own words may quote a text."""
    return InternalError(
        "search-index-unreadable",
        "The search index cannot be read",
        got=getattr(error, "sqlite_errorname", None) or type(error).__name__ if error else got,
        hint="It is made anew from the record by `proctor search --rebuild`.",
    )
