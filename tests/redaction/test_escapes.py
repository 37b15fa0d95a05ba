"""Characters written as something else."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.edits import Edit
from proctor.redaction.escapes import escapes, pluses
from tests.redaction.reading import ample


def applied(text: str, *, strong_only: bool = False) -> str:
    parts, position = [], 0
    for edit in escapes(text, ample()):
        if strong_only and not edit.strong:
            continue
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*parts, text[position:]])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a%40b", "a@b"),
        ("%c3%BC%C3%b6", "üö"),
        ("%C3%", "\ufffd%"),
        ("%C3x", "\ufffdx"),
        ("%00a%01", "a"),
        ("%u0040", "@"),
        ("100% or %zz", "100% or %zz"),
        (r"a\u0040b\\u0041\\\u0042", "a@bAB"),
        (r"\ud83d\ude00", "\ufffd\ufffd"),
        (r"\u{1F600}\u{ffffff}", "\U0001f600\ufffd"),
        (r"\x41\101", "AA"),
        (r"line\nline", "line\nline"),
        (r"a\/b", "a/b"),
        (r"{\"key\": \"value\"}", '{"key": "value"}'),
        ("&#64;&#x40;&commat;&lt;", "@@@<"),
        ("&#64 &#xD800;", "@ \ufffd"),
        ("a&unknown;b & c", "a&unknown;b & c"),
        ("to\u200b\u200bken", "token"),
        ("\uff41\uff11\uff20", "a1@"),
        ("4242\u00a04242\u20114242\u20074242", "4242 4242-4242 4242"),
        ("\u0661\u0967", "11"),
        ("\U0001d5ee\U0001d7f7", "a1"),
        ("key\uff1avalue", "key:value"),
        ("password: \u201cvalue\u201d", 'password: "value"'),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00b", "ab"),
        ("a\U000e0041b", "aAb"),
    ],
)
def test_what_is_written_is_read(written: str, read: str) -> None:
    assert applied(written) == read


@pytest.mark.parametrize(
    "text",
    [
        r"print('done\n')",
        r"C:\Users\jane",
        r"say \"hello\" to her",
        "it\u2019s \u2014 like that \u2026 \u201cquoted\u201d",
        "\u2705\ufe0f done",
        "pages 3 \u2013 4, m\u00b2, \u2122, \u00bd",
        "\u4f60\u597d\uff0c\u4e16\u754c\uff01",
        "10 000\u00a0\u20ac",
    ],
)
def test_what_prose_and_source_are_full_of_is_weak(text: str) -> None:
    assert applied(text, strong_only=True) == text


@pytest.mark.parametrize(
    "text",
    [
        r"connect(\"alice\", \"cIuaVE7cJsKg\")",
        r"- name: DB_PASSWORD\n  value: NAG8342qcdwc!",
        r"password=\"x\"",
        r"first\nsecond",
    ],
)
def test_what_may_hold_a_value_is_strong(text: str) -> None:
    assert applied(text, strong_only=True) != text


@given(st.text(alphabet="%4A\\ux0&#;amp{}n\"'/ \u200b\uff11=:", max_size=200))
def test_edits_are_sorted_and_apart(text: str) -> None:
    edits = escapes(text, ample())

    assert all(0 <= edit.start < edit.end <= len(text) for edit in edits)
    assert all(one.end <= two.start for one, two in itertools.pairwise(edits))


def test_pluses_are_spaces_in_tokens_with_a_percent_escape_alone() -> None:
    text = "a+b c+d%40 %41 e+f"

    layer = pluses(text, escapes(text, ample()))

    assert [edit for edit in layer if edit.strong] == [Edit(5, 6, " ")]
    assert not pluses("a+b", [])
