"""Noting and asking `pairs` of a day's file."""

import contextlib
import sqlite3
from collections.abc import Sequence
from itertools import chain

from proctor.search.pairs import CANDIDATES, CANDIDATES_BYTES, MANY, SAMPLE, Pairs
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
CREATE TABLE frequent (word TEXT PRIMARY KEY, code TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE pairs USING fts5 (
    x, content = '', columnsize = 0, detail = none, tokenize = "unicode61"
);
INSERT INTO pairs (pairs, rank) VALUES ('hashsize', 33554432);
"""

# Spread by Knuth's multiplicative hash: prompts, calls and results come in turn, so each nth text
# would be of one kind.
_SOME = "SELECT text FROM texts WHERE id * 2654435761 % 4294967296 < ?"
_CANDIDATES = """
SELECT rowid FROM pairs WHERE pairs MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?
"""
_LATER = "SELECT id FROM texts WHERE id BETWEEN ? AND ? LIMIT ?"


def noted(database: sqlite3.Connection) -> bool:
    """Whether `note` has been here."""
    return bool(database.execute("SELECT 1 FROM paired").fetchone())


def note(database: sqlite3.Connection) -> None:
    """Notes which texts have which frequent words in a row, if they are many: all or nothing."""
    count, last = database.execute("SELECT count(*), coalesce(max(id), 0) FROM texts").fetchone()
    pairs = Pairs({})
    if count >= MANY:
        some = database.execute(_SOME, (SAMPLE * 2**32 // count,))
        pairs = Pairs.learned(unpack(text) for (text,) in some)
    database.execute("BEGIN IMMEDIATE")
    try:
        if pairs.codes:
            database.executemany("INSERT INTO frequent VALUES (?, ?)", pairs.codes.items())
            texts = database.execute("SELECT id, text FROM texts ORDER BY id")
            database.executemany(
                "INSERT INTO pairs (rowid, x) VALUES (?, ?)",
                ((number, pairs.of(unpack(text))) for number, text in texts),
            )
        database.execute("INSERT INTO paired VALUES (1, ?)", (last,))
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


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
    """
    words = sorted({word for row in rows for word in row})
    paired = database.execute("SELECT upto FROM paired").fetchone() if words else None
    if paired is None:
        return None
    codes = database.execute(
        f"SELECT word, code FROM frequent WHERE word IN {_holes(words)}",  # noqa: S608 - "?, ?"
        words,
    )
    expression = Pairs(dict(codes)).expression(rows)
    if not expression:
        return None
    found = database.execute(_CANDIDATES, (expression, low, high, CANDIDATES))
    later = database.execute(_LATER, (max(paired[0] + 1, low), high, CANDIDATES))
    ids = [each for (each,) in chain(found, later)]
    if len(ids) >= CANDIDATES:
        return None
    (size,) = database.execute(
        f"SELECT coalesce(sum(length(text)), 0) FROM texts WHERE id IN {_holes(ids)}",  # noqa: S608 - "?, ?"
        ids,
    ).fetchone()
    return ids if size <= CANDIDATES_BYTES else None


def checked(database: sqlite3.Connection, expression: str, candidates: Sequence[int]) -> list[int]:
    """Those that match, the newest first.

    They are indexed once more, by themselves: asked for one row only, FTS5 walks all the same.

    Args:
        database: A day's file.
        expression: In FTS5's language.
        candidates: Ids of texts.
    """
    if not candidates:
        return []
    rows = database.execute(f"{KNOWN} WHERE t.id IN {_holes(candidates)}", candidates)
    with contextlib.closing(sqlite3.connect(":memory:")) as alone:
        alone.execute(WORDS)
        alone.executemany(
            "INSERT INTO words (rowid, x) VALUES (?, ?)",
            ((row[0], indexed(unpack(row[1]), row[2:])) for row in rows),
        )
        found = alone.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC", (expression,)
        )
        return [each for (each,) in found]


def _holes(values: Sequence[object]) -> str:
    return f"({', '.join('?' * len(values))})"
