"""What a word is."""

import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.search.words import _PIECE, TAG, _pieces, folded, place, spaced, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("foo_bar src/app.py", ["foo", "bar", "src", "app", "py"]),
        ("Über Café", ["uber", "cafe"]),
        ("user@example.org:8080", ["user", "example", "org", "8080"]),
        ("数据库 x", ["数", "据", "库", "x"]),
        ("서버 오류", ["서", "버", "오", "류"]),
        ("ばナナ", ["ば", "ナ", "ナ"]),
        ("— !? …", []),
        (f"a{TAG}b é", ["a", "b", "e"]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert tokens(text) == found


@given(st.text())
def test_folding_keeps_places(text: str) -> None:
    assert len(folded(text)) == len(text)


def test_a_long_text_goes_through_in_parts() -> None:
    text = "数é" * 10_000
    assert max(map(len, _pieces(text))) == _PIECE
    assert spaced(text) == " 数 é" * 10_000
    assert folded(text) == "数e" * 10_000


@given(st.text())
def test_nobody_writes_a_filter(text: str) -> None:
    assert TAG not in spaced(text + TAG + "é")


@given(st.text(alphabet="aÄé_ -数が서ก1", max_size=20))
def test_the_index_has_the_same_words(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE VIRTUAL TABLE w USING fts5(x, tokenize = 'unicode61 remove_diacritics 2')"
    )
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab(w, instance)")
    database.execute("INSERT INTO w VALUES (?)", (spaced(text),))
    rows = database.execute("SELECT term FROM v ORDER BY offset").fetchall()
    database.close()
    assert [row[0] for row in rows] == tokens(text)


@pytest.mark.parametrize(
    ("words", "prefix", "text", "spans"),
    [
        (["app"], False, "app apps myapp app_x", [(0, 3), (15, 18)]),
        (["app"], True, "app apps myapp", [(0, 3), (4, 7)]),
        (["max", "tokens"], False, "max_tokens max--tokens maxtokens", [(0, 10), (11, 22)]),
        (["据", "库"], False, "数据库 据 库", [(1, 3), (4, 7)]),
        (["a", "b"], False, "a.b a b ab", [(0, 3), (4, 7)]),
    ],
)
def test_places(words: list[str], prefix: bool, text: str, spans: list[tuple[int, int]]) -> None:  # noqa: FBT001 - a table
    assert list(place(words, prefix=prefix).spans(text, 9)) == spans


def test_so_many_places() -> None:
    assert len(list(place(["a"], prefix=False).spans("a " * 50, 7))) == 7
