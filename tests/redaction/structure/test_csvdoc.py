"""Tables."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.structure.csvdoc import add_table
from proctor.redaction.structure.layout import BODY, Layout
from tests.redaction.structure.changing import (
    at,
    changed,
    changes_to,
    locations,
    replaced,
    texts,
)


def table(text: str, separator: str = "") -> Layout:
    layout = Layout(text)
    add_table(layout, BODY, separator=separator)
    return layout


def test_the_first_row_names_the_columns() -> None:
    layout = table('name,"e-mail",Secret Key\r\njane,jane@acme.io,"a""b"\r\njohn,,x\r\n')
    assert texts(layout)[:3] == ["name", "e-mail", "Secret Key"]
    assert locations(layout)[3:] == [
        "[0].name", "[0].e-mail", "[0].*", "[1].name", "[1].*"
    ]  # fmt: skip
    assert [leaf.key for leaf in layout.leaves[3:6]] == ["name", "e-mail", "Secret Key"]
    assert layout.leaves[5].text == 'a"b'
    assert list(layout.paths)[3:5] == [(0, "name"), (0, "e-mail")]
    assert layout.paths[0] == ()


@pytest.mark.parametrize(
    "first", ["jane,jane@acme.io", "1,2", "a,a", "a,,", "x," + "y" * 41, "jane,078-05-1120", '"",b']
)
def test_a_first_row_of_values_is_data(first: str) -> None:
    layout = table(f"{first}\nx,y\n")
    assert locations(layout)[-1] == "[1][1]"
    assert layout.paths[-1] == (1, 1)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_guessed(separator: str) -> None:
    layout = table(f"a{separator}b\n1{separator}x y")
    assert at(layout, "[0].b").text == "x y"


def test_rows_may_be_longer_than_the_first() -> None:
    assert locations(table("a,b\n1,2,3\n"))[-1] == "[0][2]"


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("a,b\nx,jane", "jane", "J", "a,b\nx,J"),
        ("a,b\nx,jane d", "jane", 'J,"', 'a,b\nx,"J,"" d"'),
        ("a,b\nx,jane", "jane", "J\nK", 'a,b\nx,"J\nK"'),
        ('a,b\nx,"jane ""d"" doe"', '"d"', "", 'a,b\nx,"jane  doe"'),
        ('a,b\nx,"jane ""d"" doe"', "doe", '"', 'a,b\nx,"jane ""d"" """'),
        ("a;b\nx,y;jane", "jane", "J,K", "a;b\nx,y;J,K"),
        ('a,b\nx"y,"jane"z', "jane", "J", 'a,b\nx"y,"J"z'),
    ],
)
def test_new_cells_are_quoted_as_needed(text: str, old: str, new: str, expected: str) -> None:
    assert replaced(table(text), old, new).decode() == expected


def test_json_in_a_cell() -> None:
    layout = table('a,b\n1,"{""mail"": ""jane""}"\n')
    assert at(layout, "[0].b→mail").text == "jane"
    assert replaced(layout, "jane", '"').decode() == 'a,b\n1,"{""mail"": ""\\""""}"\n'


def test_a_quote_that_is_never_closed() -> None:
    layout = table('a,b\n"x,y\nz,w')
    assert texts(layout)[2:] == ['"x', "y", "z", "w"]


cells = st.text(alphabet='ab1,;"\n\r 😀{[', max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=4), st.data())
def test_any_changes_in_any_table(rows: list[list[str]], data: st.DataObject) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerows([["x", "y"], *rows])
    body = stream.getvalue()
    layout = table(body, ",")
    changes = {
        index: data.draw(changes_to(leaf.text, cells))
        for index, leaf in enumerate(layout.leaves)
        if index > 1 and data.draw(st.booleans())
    }
    said = (changed(leaf.text, changes.get(i, [])) for i, leaf in enumerate(layout.leaves))
    # A cell without text has no leaf.
    expected = [[next(said) if cell else "" for cell in row] for row in [["x", "y"], *rows]]
    out = layout.splice(changes).decode()
    assert list(csv.reader(io.StringIO(out, newline=""))) == expected
