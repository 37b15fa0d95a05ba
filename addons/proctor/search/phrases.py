"""Noting and asking `pairs` of a day's file."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from proctor.search.pairs import Noting, keys, learned
from proctor.search.runs import RUN, ids_of, part_of, parts
from proctor.search.texts import indexed, unpack

WORDS = """
CREATE VIRTUAL TABLE words USING fts5 (
    x, content = '', columnsize = 0, detail = full,
    tokenize = "unicode61 remove_diacritics 2"
)
"""
"""What finds words; of a file, and of the few texts that are looked at once more."""

KNOWN = """
SELECT t.id, t.text, t.part, t.verdict, s.principal, s.subject, s.session, coalesce(n.name, ''),
    e.entities
FROM texts t JOIN exchanges e ON e.id = t.exchange JOIN sessions s ON s.id = e.session
    LEFT JOIN tools n ON n.id = t.tool
"""
"""A text's id, it, and what `indexed` is to know of it."""

SCHEMA = """
CREATE TABLE paired (id INTEGER PRIMARY KEY CHECK (id = 1), upto INTEGER NOT NULL) STRICT;
CREATE TABLE frequent (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE pairs (part INTEGER PRIMARY KEY, list BLOB NOT NULL) STRICT;
"""

MANY = 20_000
"""Texts of a day from which on noting pairs is worth while."""
SAMPLE = 2000
"""Texts of which one learns what is frequent."""
CANDIDATES = 16
CANDIDATES_BYTES = 256 * 1024
"""Texts, and bytes of them, packed, that are looked at; to walk the lists is faster than more."""

_MOST = 4096  # texts of one number; whatever more have tells little
_ENOUGH = 3  # texts, which are looked at faster than another list
_RUN_BITS = 16  # of a part's number within its run
# Spread by Knuth's multiplicative hash: prompts, calls and results come in turn, so each nth text
# would be of one kind.
_SOME = "SELECT text FROM texts WHERE id * 2654435761 % 4294967296 < ?"
_PAIRED = "SELECT upto, (SELECT max(part) FROM pairs) FROM paired"
_LATER = "SELECT id FROM texts WHERE id BETWEEN ? AND ? LIMIT ?"


def noted(database: sqlite3.Connection) -> bool:
    """Whether `note` has been here."""
    return bool(database.execute("SELECT 1 FROM paired").fetchone())


def note(database: sqlite3.Connection) -> None:
    """Notes which texts have which words in a row, if they are many: all or nothing."""
    count, last = database.execute("SELECT count(*), coalesce(max(id), 0) FROM texts").fetchone()
    database.execute("BEGIN IMMEDIATE")
    try:
        if count >= MANY:
            some = database.execute(_SOME, (SAMPLE * 2**32 // count,))
            frequent = learned(unpack(text) for (text,) in some)
            database.executemany("INSERT INTO frequent VALUES (?)", ((each,) for each in frequent))
            for number, run in enumerate(_runs(database, Noting(frequent))):
                database.executemany(
                    "INSERT INTO pairs VALUES (?, ?)",
                    ((number << _RUN_BITS | part, packed) for part, packed in parts(run)),
                )
        database.execute("INSERT INTO paired VALUES (1, ?)", (last,))
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _runs(database: sqlite3.Connection, noting: Noting) -> Iterator[npt.NDArray[np.uint64]]:
    """The numbers of all texts, as many at once as a run has."""
    texts = database.execute("SELECT id, text FROM texts ORDER BY id")
    found: list[npt.NDArray[np.uint64]] = []
    for some in noting.of((number, unpack(text)) for number, text in texts):
        found.append(some)
        if sum(map(len, found)) >= RUN:
            run = np.concatenate(found)
            found.clear()
            yield run
    if found:
        yield np.concatenate(found)


def few(
    database: sqlite3.Connection, rows: Sequence[Sequence[str]], low: int, high: int
) -> list[int] | None:
    """The few texts that can have these rows; None where that is not known, or they are many.

    Those that came after the pairs were noted are among them: FTS5, asked for these only, would
    walk all the same.

    Args:
        database: A day's file.
        rows: Each of folded words in a row.
        low: The first text's id.
        high: The last one's.

    Raises:
        ValueError: A list is damaged.
    """
    words = sorted({word for row in rows for word in row})
    paired = database.execute(_PAIRED).fetchone() if words else None
    if paired is None or paired[1] is None:
        return None
    upto, last = paired
    frequent = database.execute(
        f"SELECT word FROM frequent WHERE word IN {_holes(words)}",  # noqa: S608 - "?, ?"
        words,
    )
    found = _noted(database, keys(rows, {word for (word,) in frequent}), (last >> _RUN_BITS) + 1)
    if found is None:
        return None
    later = database.execute(_LATER, (max(upto + 1, low), high, CANDIDATES))
    ids = [*(each for each in found if low <= each <= high), *(each for (each,) in later)]
    if len(ids) >= CANDIDATES:
        return None
    (size,) = database.execute(
        f"SELECT coalesce(sum(length(text)), 0) FROM texts WHERE id IN {_holes(ids)}",  # noqa: S608 - "?, ?"
        ids,
    ).fetchone()
    return ids if size <= CANDIDATES_BYTES else None


def _noted(database: sqlite3.Connection, numbers: Iterable[int], runs: int) -> set[int] | None:
    """The texts that are noted with all of these; None where nothing is, or too many are."""
    found: set[int] | None = None
    for number in numbers:
        wanted = [run << _RUN_BITS | part_of(number) for run in range(runs)]
        lists = database.execute(
            f"SELECT list FROM pairs WHERE part IN {_holes(wanted)}",  # noqa: S608 - "?, ?"
            wanted,
        )
        each = [ids_of(number, packed, _MOST) for (packed,) in lists]
        if None not in each:
            here = {one for ids in each for one in ids or ()}
            found = here if found is None else found & here
            if len(found) < _ENOUGH:
                break
    return found


def checked(database: sqlite3.Connection, expression: str, candidates: Sequence[int]) -> list[int]:
    """Those that match, the newest first.

    They are indexed once more, by themselves in memory: asked for one row only, FTS5 walks all the
    same.

    Args:
        database: A day's file.
        expression: In FTS5's language.
        candidates: Ids of texts.
    """
    if not candidates:
        return []
    rows = database.execute(f"{KNOWN} WHERE t.id IN {_holes(candidates)}", candidates)
    texts = [(row[0], indexed(unpack(row[1]), row[2:])) for row in rows]
    if all(name != "alone" for _, name, _ in database.execute("PRAGMA database_list").fetchall()):
        database.execute("ATTACH ':memory:' AS alone")
        database.execute(WORDS.replace("words", "alone.words", 1))
    database.execute("BEGIN")
    try:
        database.executemany("INSERT INTO alone.words (rowid, x) VALUES (?, ?)", texts)
        found = database.execute(
            "SELECT rowid FROM alone.words WHERE words MATCH ? ORDER BY rowid DESC", (expression,)
        )
        return [each for (each,) in found.fetchall()]
    finally:
        if database.in_transaction:  # what was interrupted is rolled back by then
            database.execute("ROLLBACK")


def _holes(values: Sequence[object]) -> str:
    return f"({', '.join('?' * len(values))})"
