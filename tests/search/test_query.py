"""What somebody looks for."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.search.query import MAX_LENGTH, MAX_TERMS, parse


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("timeout", '"timeout"'),
        ("a b", '"a" AND "b"'),
        ('"connection refused"', '"connection refused"'),
        ("order*", '"order*" *'),
        ('"begin of"*', '"begin of" *'),
        ("a !b", '("a") NOT ("b")'),
        ('a !"b c" !d*', '("a") NOT ("b c" OR "d*" *)'),
        ("rm -rf build", '"rm" AND "-rf" AND "build"'),
        ("git push --force", '"git" AND "push" AND "--force"'),
        ("src/app.py", '"src/app.py"'),
        ("a OR b", '"a" AND "OR" AND "b"'),
        ("x = 5", '"x" AND "5"'),
        ("连接", '" 连  接 "'),
        ("a\u3000b", '"a" AND "b"'),
        ('foo"bar baz"', '"foo" AND "bar baz"'),
    ],
)
def test_expressions(text: str, expression: str) -> None:
    assert parse(text).expression() == expression


def test_tags_come_first() -> None:
    assert parse("a !b").expression(('"t"',)) == '("t" AND "a") NOT ("b")'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-",
        "!?",
        "!",
        "!a",
        '"open',
        'a "',
        '""',
        "*",
        "a" * (MAX_LENGTH + 1),
        "a " * (MAX_TERMS + 1),
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse(text)
    assert caught.value.code == "search-malformed"


def test_words_in_a_row() -> None:
    query = parse('one "two three" max_tok* src/app.p* !"not this" Caf\u00e9-Bar')
    assert query.rows() == [("two", "three"), ("src", "app"), ("cafe", "bar")]


@given(st.text(max_size=80) | st.text(alphabet='ab"*-! \t()^:+\\{}é数\0\ue000\ud800', max_size=30))
def test_nothing_is_an_error_of_sqlite(text: str) -> None:
    try:
        query = parse(text)
    except ClientError as error:
        assert error.code == "search-malformed"  # noqa: PT017 - the other outcome is checked below
        return
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE w USING fts5(x, content = '')")
    database.execute("SELECT rowid FROM w WHERE w MATCH ?", (query.expression(),)).fetchall()
    database.close()
    for place in query.places():
        list(place.spans(text, 5))
