"""What a statement gave back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.reader import Content
from proctor.audit.results import NULL, Rows, drawn, left_out, read_result, short


def of(value: object, omitted: int = 0) -> Content:
    text = value if isinstance(value, str) else json.dumps(value)
    return Content(text=text, size=len(text), omitted=omitted)


def test_rows() -> None:
    found = read_result(of({"columns": ["a", "b"], "rows": [["1", None]], "more": 4}))
    assert found == Rows(columns=("a", "b"), rows=(("1", None),), more=4)


def test_copy_is_text() -> None:
    assert read_result(of({"copy": "1\ta\n"})) == "1\ta\n"


@pytest.mark.parametrize(
    "odd",
    ["[", "[1]", '{"columns":1}', '{"columns":[],"rows":[1]}', '{"copy":7}', "[" * 100_000,
     '{"columns":[],"rows":[],"more":"x"}'],
    ids=["broken", "list", "no rows", "row", "copy", "deep", "more"],
)  # fmt: skip
def test_what_is_none_is_shown_as_it_is(odd: str) -> None:
    assert read_result(of(odd)) == odd


def test_a_part_of_one_is_no_table() -> None:
    assert read_result(of({"columns": [], "rows": []}, omitted=5)) == '{"columns": [], "rows": []}'
    assert read_result(None) is None
    assert read_result(Content()) is None


def test_drawn() -> None:
    found = Rows(columns=("id", "note"), rows=(("1", "a\nb"), ("2", None), ("3", "c")), more=7)
    assert drawn(found, rows=2, columns=5, cell=10).split("\n") == [
        "id │ note",
        "───┼─────",
        "1  │ a↵b",
        f"2  │ {NULL}",
        "… 8 more rows",
    ]
    assert left_out(found, rows=9, columns=1) == ["… 7 more rows", "… 1 more columns"]


def test_a_value_stays_on_its_line() -> None:
    assert short("a\r\nb\u2028c\x85d", 80) == "a↵b↵c↵d"
    assert short("x" * 9, 4) == "xxxx…"
    assert short("", 4) == ""


@given(
    st.lists(st.text(), max_size=4),
    st.lists(st.lists(st.none() | st.text(), max_size=5), max_size=4),
    st.integers(0, 5),
)
def test_whatever_was_given_back_is_drawn(
    columns: list[str], rows: list[list[str | None]], most: int
) -> None:
    found = read_result(of({"columns": columns, "rows": rows}))
    assert isinstance(found, Rows)
    lines = drawn(found, rows=most, columns=3, cell=8).splitlines()
    assert len(lines) <= 2 + min(most, len(rows)) + 2
