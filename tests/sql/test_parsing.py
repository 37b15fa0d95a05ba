"""Hostile texts end in an error, in bounded time, and never the process."""

import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.sql.parsing import LIMIT, parse
from proctor.sql.statement import SqlError


def test_the_tree_its_bytes_and_the_fingerprint() -> None:
    tree, data, fingerprint = parse("SELECT 'é'")
    assert list(tree["stmts"][0]["stmt"]) == ["SelectStmt"]
    assert data == "SELECT 'é'".encode()
    assert fingerprint == parse("select  'other'")[2] != parse("SELECT a")[2]


@pytest.mark.parametrize(
    ("text", "words", "position"),
    [
        ("SELECT * FORM users", 'syntax error at or near "FORM"', 10),
        ("SELECT 'é' FORM t x", 'syntax error at or near "t"', 17),  # characters, not bytes
        ("SELECT 1\0; DROP TABLE users", "a statement cannot hold a zero byte", 0),
        ("SELECT '\ud800'", "invalid byte sequence for encoding UTF8", 0),
        ("SELECT 'open", "unterminated quoted string", 8),
        ("/* /* */ SELECT 1", "unterminated /* comment", 1),
        ("SELECT " + "+-" * 100_000 + "1", "the statement holds too long an operator", 0),
        ("/*" * 100_000, "the statement holds too long an operator", 0),
        ("SELECT " + "(" * 100_000, "memory exhausted", 10_000),
        ("SELECT " + "NOT " * 2000 + "true", "the statement is nested too deeply", 0),
        ("SELECT '" + "x" * LIMIT + "'", "a statement of", 0),
        ("SELECT 1 WHERE 1" + "=1", "", 0),
    ],
)
def test_what_cannot_be_read(text: str, words: str, position: int) -> None:
    if not words:
        parse(text)
        return
    with pytest.raises(SqlError) as raised:
        parse(text)
    assert raised.value.code == "sql-unparsable"
    assert words in raised.value.message
    assert raised.value.position >= position > 0 or raised.value.position == position


def test_a_text_as_deep_as_it_is_long_does_not_end_the_process() -> None:
    code = (
        "from proctor.sql.parsing import parse\n"
        "for text in ('SELECT 1' + '+1' * 150_000, 'SELECT * FROM a' + ' JOIN a ON b' * 30_000):\n"
        "    try: parse(text)\n"
        "    except Exception as error: print(error.code)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.split()) == (0, ["sql-unparsable"] * 2), ran.stderr


def test_long_texts_are_read() -> None:
    text = "INSERT INTO t VALUES (0, 'é')" + ", (1, 'é')" * 4999
    tree, data, _ = parse(text)
    assert len(data) > 32 * 1024
    assert len(
        tree["stmts"][0]["stmt"]["InsertStmt"]["selectStmt"]["SelectStmt"]["valuesLists"]
    ) == (5000)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(SqlError):
        tree, _, fingerprint = parse(text)
        assert fingerprint
        assert set(tree) <= {"version", "stmts"}
