"""Frequent words in a row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.search.pairs import Pairs
from proctor.search.words import spaced

LETTERS = "ab ./é\u0301\u017f中\u2014\ue000K"


class Sqlite:
    """What SQLite takes for words."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.database.execute(
            "CREATE VIRTUAL TABLE w USING fts5(x, tokenize = 'unicode61 remove_diacritics 2')"
        )
        self.database.execute("CREATE VIRTUAL TABLE v USING fts5vocab(w, instance)")

    def words(self, texts: list[str]) -> list[list[str]]:
        """Of each text."""
        found: list[list[str]] = [[] for _ in texts]
        self.database.execute("BEGIN")
        self.database.executemany(
            "INSERT INTO w (rowid, x) VALUES (?, ?)", enumerate(map(spaced, texts), 1)
        )
        for number, word in self.database.execute("SELECT doc, term FROM v ORDER BY doc, offset"):
            found[number - 1].append(word)
        self.database.execute("ROLLBACK")
        return found


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Sqlite]:
    made = Sqlite()
    with closing(made.database):
        yield made


def test_learned() -> None:
    texts = [f"the One{number} of, many" for number in range(20)] + ["rare one"] * 2
    pairs = Pairs.learned(texts)
    assert set(pairs.codes) == {"the", "of", "many"}
    assert len(set(pairs.codes.values())) == 3
    assert Pairs.learned([]).codes == {}


CODED = Pairs({"a": "A", "b": "B", "c": "C"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a B_c", "AB ABC BC"),
        ("a x b c", "BC"),
        ("a, a! A", "AA AAA"),
        ("a 中 b", "AB"),  # one too many does no harm
        ("a", ""),
        ("", ""),
        ("á — b", "AB"),
    ],
)
def test_of_a_text(text: str, words: str) -> None:
    assert sorted(CODED.of(text).split()) == words.split()


@pytest.mark.parametrize(
    ("rows", "expression"),
    [
        ([], ""),
        ([("a", "x")], ""),
        ([("a", "b")], '"AB"'),
        ([("a", "b", "c")], '"ABC"'),
        ([("a", "b", "c", "a", "b")], '"ABC" AND "BCA" AND "CAB"'),
        ([("a", "b", "x", "c", "c"), ("a", "b")], '"AB" AND "CC"'),
    ],
)
def test_asked(rows: list[tuple[str, ...]], expression: str) -> None:
    assert CODED.expression(rows) == expression


@pytest.mark.parametrize("plane", range(0x80, 0x3000, 0x1000))
def test_no_character_comes_between(sqlite: Sqlite, plane: int) -> None:
    """What SQLite takes for words in a row is noted, whatever stands in, before or after them."""
    each = [chr(code) for code in range(plane, plane + 0x1000)]
    texts = [f"qx{one}yq zq{one} {one}qz" for one in each]
    for text, words in zip(texts, sqlite.words(texts), strict=True):
        check(text, words)


@given(st.lists(st.text(LETTERS, max_size=30), max_size=5))
def test_whatever_the_text(sqlite: Sqlite, texts: list[str]) -> None:
    for text, words in zip(texts, sqlite.words(texts), strict=True):
        check(text, words)


def check(text: str, words: list[str]) -> None:
    plain = {word for word in words if word.isascii()}
    pairs = Pairs({word: chr(0xE001 + at) for at, word in enumerate(sorted(plain))})
    noted = set(pairs.of(text).split())
    for first, second in pairwise(words):
        if first in plain and second in plain:
            assert pairs.codes[first] + pairs.codes[second] in noted, (text, words)
