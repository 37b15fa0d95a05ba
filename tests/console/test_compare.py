"""JSON as it was written, only broken into lines; and what differs."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.console.compare import Line, changes, layout

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


def test_literals_stay_as_they_were_written() -> None:
    text = r'{"a":1.0000000000000000001,"b":[1e400,-0,{}],"c":[],"d":"\u0072m\\n{,}"}'
    assert layout(text) == (
        "{\n"
        '  "a": 1.0000000000000000001,\n'
        '  "b": [\n    1e400,\n    -0,\n    {}\n  ],\n'
        '  "c": [],\n'
        r'  "d": "\u0072m\\n{,}"'
        "\n}"
    )


def test_a_line_break_in_a_string_is_one_to_the_eye() -> None:
    assert layout(r'{"a":"x\ny"}') == '{\n  "a": "x\\n\n    y"\n}'


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"x":{"a":1,"a":2}}',
        "{'a':1}",
        "",
        "nothing",
        "[" * 100_000,
        '"' * 300_000,
    ],
)
def test_what_could_be_read_in_two_ways_is_not_laid_out(text: str) -> None:
    assert layout(text) is None


@given(JSON)
def test_it_is_the_same_json(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        laid = layout(text)
        assert laid is not None
        assert json.loads(re.sub(r"\\n\n *", r"\\n", laid)) == value or r"\\n" in text


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    layout(text)
    changes(text, text[::-1])


def test_changes_are_shown_with_what_is_around() -> None:
    before = "\n".join(map(str, range(20)))
    after = before.replace("\n10\n", "\nten\n")
    assert changes(before, after) == [
        Line("@", "7 lines the same"),
        *(Line(" ", text) for text in ("7", "8", "9")),
        Line("-", "10"),
        Line("+", "ten"),
        *(Line(" ", text) for text in ("11", "12", "13")),
    ]
    assert changes(before, before) == []
    assert changes("a\n" * 700, "b") is None
