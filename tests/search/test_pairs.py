"""Frequent words in a row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.search.pairs import Noting, keys, learned
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
    texts = [f"the One{number} of, many" for number in range(30)] + ["rare one"] * 2
    assert learned(texts) == {"the", "of", "many", "rare", "one"}
    assert learned(texts[:-1]) == {"the", "of", "many"}
    assert learned([]) == set()


OFTEN = frozenset("abc")


def noted(text: str, often: frozenset[str] = OFTEN, number: int = 7) -> set[int]:
    """The keys of a text, each with its id."""
    (found,) = Noting(often).of([(number, text)])
    assert {int(entry) & 0xFFFFFFFF for entry in found} <= {number}
    return {int(entry) >> 32 for entry in found}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a B_c", ["a b c"]),
        ("a x b c", ["a x", "x b", "b c"]),
        ("x y a", ["y a"]),  # not `x y`: neither is frequent
        ("a, a! A", ["a a a"]),
        ("a 中 b", ["a b"]),  # one too many does no harm
        ("a", []),
        ("", []),
        ("á — b", ["a b"]),
        (f"{'long' * 5000} a{'z' * 70_000}b c", [f"a{'z' * 70_000}b c"]),
    ],
)
def test_of_a_text(text: str, rows: list[str]) -> None:
    wanted = [tuple(row.split()) for row in rows]
    assert noted(text) == set(keys(wanted, OFTEN))


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([], 0),
        ([("x", "y")], 0),
        ([("a",)], 0),
        ([("a", "x")], 1),
        ([("x", "a", "y")], 2),
        ([("a", "é", "b")], 0),
        ([("a", "b", "é", "a")], 1),
        ([("a", "b", "c")], 3),
        ([("a", "b", "x"), ("a", "b")], 2),
        ([("a", "b", "c", "a", "b")], 6),
    ],
)
def test_asked(rows: list[tuple[str, ...]], count: int) -> None:
    assert len(keys(rows, OFTEN)) == count


def test_threes_come_first() -> None:
    assert keys([("x", "a", "b", "c")], OFTEN)[0] == keys([("a", "b", "c")], OFTEN)[0]
    assert keys([("a", "b", "c")], OFTEN)[0] not in keys([("a", "b"), ("b", "c")], OFTEN)


def test_of_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [(number, "a b x" if number % 3 else "b a c c") for number in range(1, 50)]
    whole = np.sort(np.concatenate([*Noting(OFTEN).of(texts)]))
    for most in (1, 11, 12, 100):
        monkeypatch.setattr("proctor.search.pairs._AT_ONCE", most)
        parts = [*Noting(OFTEN).of(texts)]
        assert len(parts) > 1
        assert np.array_equal(np.sort(np.concatenate(parts)), whole)
    for number, text in texts:
        own = whole[(whole & np.uint64(0xFFFFFFFF)) == number]
        assert {int(entry) >> 32 for entry in own} == noted(text)
    assert [*Noting(OFTEN).of([])] == []


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
    plain = frozenset(word for word in words if word.isascii())
    found = noted(text, plain)
    assert found.issuperset(keys([words], plain)), (text, words)
    for row in pairwise(words):
        if plain.issuperset(row):
            assert len(keys([row], plain)) == 1
