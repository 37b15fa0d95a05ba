"""Texts with backslashes; that a server reads them so: tests/postgres/test_strings.py."""

import time
from contextlib import suppress

import postgast
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError, RefusedError
from proctor.sql.escapes import conforming, original
from proctor.sql.statement import SqlError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 'plain', 'it''s'", "SELECT 'plain', 'it''s'"),
        (r"SELECT 'a\'b', 'c'", r"SELECT  E'a\'b', 'c'"),
        (r"SELECT '\\', ';'", r"SELECT  E'\\', ';'"),
        (r"SELECT '\'';DROP TABLE t;--'", r"SELECT  E'\'';DROP TABLE t;--'"),
        (r"SELECT '''\'''", r"SELECT  E'''\'''"),
        (r"SELECT e'\'', E'\\'", r"SELECT e'\'', E'\\'"),
        (r"SELECT date'\'' x", r"SELECT date E'\'' x"),
        (r"SELECT B'0''\''", r"SELECT B'0' E'\''"),
        (r"SELECT X'0\', '\n'", r"SELECT X'0\',  E'\n'"),
        ("SELECT 'a'\n  -- it's\n 'b\\''", "SELECT  E'a'\n  -- it's\n 'b\\''"),
        ("SELECT 'a' -- it's\n'b\\''", "SELECT  E'a' -- it's\n'b\\''"),
        ("SELECT 'a' 'b\\''", "SELECT 'a'  E'b\\''"),
        (r"/* /* ' */ \' */ SELECT '\''", r"/* /* ' */ \' */ SELECT  E'\''"),
        (r"SELECT 1 //* ' */ 2, '\''", r"SELECT 1 //* ' */ 2,  E'\''"),
        ("SELECT 1 --'\\'\n, '\\''", "SELECT 1 --'\\'\n,  E'\\''"),
        ('SELECT 1 AS """\\", \'\\\'\'', 'SELECT 1 AS """\\",  E\'\\\'\''),
        (r"SELECT $$'\$$, $a$ $b$ ' $a$, '\''", r"SELECT $$'\$$, $a$ $b$ ' $a$,  E'\''"),
        (r"SELECT a$b$, '\'', $b$'$b$", r"SELECT a$b$,  E'\'', $b$'$b$"),
        (r"SELECT $1, $2'\''", r"SELECT $1, $2 E'\''"),
        (r"SELECT 'é\'', 'ü'", r"SELECT  E'é\'', 'ü'"),
        (r"SELECT U&'\0041', '\''", r"SELECT U&'\0041',  E'\''"),
        ("SELECT U&\"d\\0061\" '\\''", "SELECT U&\"d\\0061\"  E'\\''"),
        ("SELECT 'never\\' ends", "SELECT  E'never\\' ends"),
        (r"SELECT '\'' /* never ends", r"SELECT  E'\'' /* never ends"),
        (r"SELECT '\'' $a$ never ends", r"SELECT  E'\'' $a$ never ends"),
    ],
)
def test_a_text_with_escapes_gets_its_letter(text: str, expected: str) -> None:
    found, inserted = conforming(text)
    assert found == expected
    assert all(found[place : place + 3] == " E'" for place in inserted)


def test_what_has_no_other_form_is_refused() -> None:
    with pytest.raises(RefusedError, match="standard_conforming_strings"):
        conforming(r"SELECT N'\''")


PIECES = st.sampled_from(
    [
        *(
            "'",
            "'",
            "'",
            "\\",
            "\\",
            '"',
            "$",
            "$$",
            "$a$",
            "a",
            "e",
            "E",
            "b",
            "N",
            "U&",
            "_",
            "1",
        ),
        *("\n", " ", "\t", "\r", "--", "/*", "*/", "-", "/", "*", ";", ",", "é", "''", "\\'"),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


@given(TEXTS)
def test_what_comes_of_any_text_reads_alike_under_both_settings(text: str) -> None:
    try:
        found, inserted = conforming(text)
    except RefusedError:
        return
    bare = "".join(
        letter
        for place, letter in enumerate(found)
        if place not in inserted and place - 1 not in inserted
    )
    assert bare == text, "nothing but the letters is new"
    try:
        tokens = postgast.scan(found).tokens
    except postgast.PgQueryError:
        return
    data = found.encode()
    plain = [data[each.start : each.end] for each in tokens if data[each.start] == ord("'")]
    assert not any(b"\\" in word for word in plain)


@given(TEXTS)
def test_places_are_those_of_the_text_as_it_was(text: str) -> None:
    try:
        found, inserted = conforming(text)
    except RefusedError:
        return
    assert original(0, inserted) == 0
    kept = [place for place in range(len(found)) if not {place, place - 1} & {*inserted}]
    assert [original(place + 1, inserted) for place in kept] == [*range(1, len(text) + 1)]
    for place in inserted:
        quote = original(place + 3, inserted)
        assert original(place + 1, inserted) == original(place + 2, inserted) == quote


@pytest.mark.parametrize("part", ["-- ", "--\n", "- ", "/* ", "'", "'\n", "$", "a$", "U&", "E' "])
def test_a_long_text_takes_no_long_time(part: str) -> None:
    start = time.process_time()
    for before in ("", "'a'\n"):
        with suppress(ClientError):
            conforming("\\" + before + part * (200_000 // len(part)))
    assert time.process_time() - start < 5


@pytest.mark.parametrize("text", ["\\" + "/*" * 100_000, "\\" * 2**21])
def test_a_text_that_would_take_long_is_not_read(text: str) -> None:
    with pytest.raises(SqlError):
        conforming(text)
