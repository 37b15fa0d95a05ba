"""Lines of COPY, value by value."""

from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.masking.lines import Lines
from proctor.protocols.postgres.messages import Back, message
from proctor.redaction.model import Change
from tests.postgres.server import Server


def lines(*texts: str, csv: bool = False, encoding: str = "utf-8") -> Lines:
    data = b"".join(message(Back.COPY_DATA, text.encode(encoding)) for text in texts)
    return Lines(data, encoding, csv=csv)


def changed(document: Lines, text: str, new: str) -> bytes:
    """With every place of a text replaced."""
    changes = {
        number: [Change(leaf.text.index(text), leaf.text.index(text) + len(text), new)]
        for number, leaf in enumerate(document.leaves)
        if text in leaf.text
    }
    return document.splice(changes)


def test_texts() -> None:
    document = lines("1\tone\\ttwo\t\\N\t\\\\\n", "2\t\tfive\n")
    assert [tuple(leaf) for leaf in document.leaves] == [
        ("1", "column 1", ""),
        ("one\ttwo", "column 2", ""),
        ("\\", "column 4", ""),
        ("2", "column 1", ""),
        ("five", "column 3", ""),
    ]
    expected = message(Back.COPY_DATA, b"1\ta\\nb\\ttwo\t\\N\t\\\\\n")
    assert changed(document, "one", "a\nb") == expected + message(Back.COPY_DATA, b"2\t\tfive\n")


def test_csv() -> None:
    document = lines('1,"one ""two"", three",,"a\nb"\n', csv=True)
    said = [(leaf.text, leaf.location) for leaf in document.leaves]
    assert said == [("1", "column 1"), ('one "two", three', "column 2"), ("a\nb", "column 4")]
    assert changed(document, "two", '"') == message(
        Back.COPY_DATA, b'1,"one """""", three",,"a\nb"\n'
    )
    assert changed(document, "1", "a,b") == message(
        Back.COPY_DATA, b'"a,b","one ""two"", three",,"a\nb"\n'
    )


def test_a_quote_that_is_not_closed() -> None:
    assert [leaf.text for leaf in lines('"a,b\n', csv=True).leaves] == ['"a', "b"]


@given(st.lists(st.text(max_size=20), max_size=4), st.booleans())
def test_nothing_is_lost(texts: list[str], csv: bool) -> None:  # noqa: FBT001 - hypothesis
    found = [text.encode("utf-8", "replace") for text in texts]
    data = b"".join(message(Back.COPY_DATA, text) for text in found)
    document = Lines(data, "utf-8", csv=csv)
    assert document.splice({}) == data
    document.splice({number: [Change(0, 1, "x")] for number in range(len(document.leaves))})


@pytest.mark.parametrize("csv", [False, True])
def test_the_servers_own_lines(postgres: Server, csv: bool) -> None:  # noqa: FBT001 - a case
    values = ["a\tb", 'c "d", e', "f\ng\\h", "\\N", "\r\b\v", "ä"]
    with psycopg.connect(postgres.dsn()) as connection:
        parameters: dict[str, Any] = {"values": values}
        connection.execute(
            "CREATE TEMP TABLE t AS SELECT * FROM unnest(%(values)s::text[]) v", parameters
        )
        form = "csv" if csv else "text"
        with connection.cursor().copy(f"COPY t TO STDOUT (FORMAT {form})".encode()) as copy:
            data = b"".join(message(Back.COPY_DATA, bytes(row)) for row in copy)
        document = Lines(data, "utf-8", csv=csv)
        assert [leaf.text for leaf in document.leaves] == values
        new = document.splice(
            {number: [Change(0, 1, "\t,\"'\n\\")] for number in range(len(values))}
        )
        with connection.cursor().copy(f"COPY t FROM STDIN (FORMAT {form})".encode()) as back:
            for one in Lines(new, "utf-8", csv=csv)._lines:
                back.write(one[0][5:])
        found = connection.execute("SELECT v FROM t OFFSET %s", (len(values),)).fetchall()
    assert [row[0] for row in found] == ["\t,\"'\n\\" + value[1:] for value in values]
