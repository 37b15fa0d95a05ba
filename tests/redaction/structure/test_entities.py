"""Character references."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import Change
from proctor.redaction.structure.codec import applied
from proctor.redaction.structure.entities import (
    in_cdata,
    in_comment,
    in_markup,
    in_tag,
    in_unquoted,
    unescaped,
)
from tests.redaction.structure.changing import changed, changes_to


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("jane&#64;acme&#x2E;io", "jane@acme.io"),
        ("jane&commat;acme&period;io", "jane@acme.io"),
        ("&#0000000064; &#64x &lt;&amp;lt;", "@ @x <&lt;"),
        ("&unknown; & &; &#; &#x; &#xg;", "&unknown; & &; &#; &#x; &#xg;"),
    ],
)
def test_references_are_read(raw: str, said: str) -> None:
    assert unescaped(raw) == said


def test_only_what_changes_is_written_anew() -> None:
    assert in_markup("&#x26;jane&#64;x&gt;", [Change(1, 6, "<E>")]) == [Change(6, 15, "&lt;E&gt;")]


def test_without_quotes() -> None:
    assert in_unquoted("abc", [Change(0, 1, "a b=>")]) == [Change(0, 1, "a&#32;b&#61;&gt;")]


def test_where_nothing_is_escaped() -> None:
    assert in_tag("", [Change(0, 1, "<a>")]) == [Change(0, 1, "&lt;a&gt;")]
    assert in_cdata("", [Change(0, 1, "a]]>b")]) == [Change(0, 1, "a]]]]><![CDATA[>b")]
    new = in_comment("", [Change(0, 1, "-->"), Change(2, 3, "<E>")])
    assert "--" not in new[0].text
    assert new[1].text == "<E>"


@given(st.lists(st.sampled_from(["a", "&", "&lt;", "&#64;", "&acE;", "&#1;", "é"])), st.data())
def test_any_change(parts: list[str], data: st.DataObject) -> None:
    raw = "".join(parts)
    text = unescaped(raw)
    assert text == html.unescape(raw)
    changes = data.draw(changes_to(text, st.text(alphabet="a<&\"' ", max_size=3)))
    out = unescaped(applied(raw, in_markup(raw, changes)))
    if "&acE;" not in parts and "&" not in parts:  # two characters; and one that could join
        assert out == changed(text, changes)
    if not changes:
        assert out == text
