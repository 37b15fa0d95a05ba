"""XML and HTML."""

import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.structure.layout import BODY, Layout
from proctor.redaction.structure.xmldoc import add_markup
from tests.redaction.structure.changing import (
    at,
    changed,
    changes_to,
    locations,
    replaced,
    texts,
)


def markup(text: str, *, html: bool = False) -> Layout:
    layout = Layout(text)
    add_markup(layout, BODY, html=html)
    return layout


def test_text_attributes_cdata_and_comments() -> None:
    layout = markup(
        '<?xml version="1.0"?><users a="1"><user mail=\'jane&#64;x.io\'/>'
        "<name>J &amp; <![CDATA[<R>]]></name><!-- old: x --></users>"
    )
    assert list(zip(locations(layout), texts(layout), strict=True)) == [
        ("body", '<?xml version="1.0"?>'),
        ("users.@a", "1"),
        ("users.user.@mail", "jane@x.io"),
        ("users.name", "J & "),
        ("users.name", "<R>"),
        ("users", " old: x "),
    ]
    assert list(layout.paths) == [
        (), ("users", "a"), ("users", "user", "mail"), ("users", "name"), ("users", "name"),
        ("users",),
    ]  # fmt: skip
    assert [leaf.key for leaf in layout.leaves] == ["", "a", "mail", "name", "name", "users"]


def test_a_name_beside_a_value_is_its_key() -> None:
    layout = markup('<add key="ApiKey" value="x"/><string name="pin">y</string>')
    assert at(layout, "add.@value").key == "ApiKey"
    assert at(layout, "string").key == "pin"


def test_html_is_forgiving() -> None:
    layout = markup(
        "<!DOCTYPE html><P>a<br>b<INPUT value=c disabled>d<script>if (x<y) '</b>'</SCRIPT>e</p>f",
        html=True,
    )
    assert list(zip(locations(layout), texts(layout), strict=True)) == [
        ("body", "<!DOCTYPE html>"),
        ("p", "a"),
        ("p", "b"),
        ("p.input.@value", "c"),
        ("p.input.@disabled", "disabled"),
        ("p", "d"),
        ("p.script", "if (x<y) '</b>'"),
        ("p", "e"),
        ("body", "f"),
    ]


def test_json_in_a_script() -> None:
    layout = markup('<script>{"a":"jane"}</script>', html=True)
    assert replaced(layout, "jane", '<J>"') == b'<script>{"a":"<J>\\""}</script>'


def test_entities_are_never_expanded() -> None:
    body = (
        '<!DOCTYPE a [<!ENTITY b "secret"><!ENTITY c "&b;&b;">'
        '<!ENTITY d SYSTEM "file:///x">]><a>&c;&d;</a>'
    )
    layout = markup(body)
    assert texts(layout)[-1] == "&c;&d;"
    assert b"secret" not in replaced(layout, "secret", "<S>")


@pytest.mark.parametrize(
    "body",
    [
        "<jane", "<a b=jane", "<a b='jane", '<a b="x" = jane>', "<a b='x'jane>",
        "< jane>", "</a b='jane'>", "<a jane", "<a/jane/b>",
        "<!-- jane", "<![CDATA[jane", "<!jane", "<?jane", "</jane x=", "a<jane<b>", "<a 'jane'>",
        f"<{'x' * 41}jane>", f"<a {'x' * 41}jane=1>", "<a jane@x.io='1'>", "<script>jane",
        "</a jane@x.io>", "<1jane>", "<a><jane078051120/></a>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("html", [True, False])
def test_what_is_not_understood_is_looked_at(body: str, html: bool) -> None:  # noqa: FBT001 - both are tried
    layout = markup(body, html=html)
    assert b"jane" not in replaced(layout, "jane", "J")


def test_unbalanced_elements() -> None:
    layout = markup("</x><a><b>1</a>2</b><c>3")
    assert list(zip(locations(layout), texts(layout), strict=True)) == [
        ("a.b", "1"), ("body", "2"), ("c", "3")
    ]  # fmt: skip


def test_depth_is_bounded() -> None:
    layout = markup("<a>" * 1000 + "x" + "</a>" * 1000 + "y")
    assert locations(layout)[-1] == "body"
    assert len(layout.paths[0]) < 130


def test_new_text_is_escaped_where_it_stands() -> None:
    body = "<a b='jane' c=jane>jane<![CDATA[jane]]><!--jane--></a>"
    out = replaced(markup(body), "jane", "<J> '")
    assert out.decode() == (
        "<a b='&lt;J&gt; &#x27;' c=&lt;J&gt;&#32;&#x27;>&lt;J&gt; &#x27;"
        "<![CDATA[<J> ']]><!--<J> '--></a>"
    )


said = st.text(alphabet="ab<>&\"'] é😀", max_size=6)


@given(st.lists(st.tuples(said, said), max_size=4), st.data())
def test_any_changes_in_any_xml(items: list[tuple[str, str]], data: st.DataObject) -> None:
    inner = "".join(f"<i v={quoteattr(value)}>{escape(text)}</i>" for value, text in items)
    body = f"<top>{inner}</top>"
    layout = markup(body)
    changes = {
        index: data.draw(changes_to(leaf.text, said))
        for index, leaf in enumerate(layout.leaves)
        if data.draw(st.booleans())
    }
    new = (changed(leaf.text, changes.get(i, [])) for i, leaf in enumerate(layout.leaves))
    expected = [
        (next(new) if value else "", next(new) if text.strip() else text) for value, text in items
    ]
    tree = ET.fromstring(layout.splice(changes).decode())  # noqa: S314 - of our own making
    assert [(item.get("v"), item.text or "") for item in tree] == expected


@given(st.text(alphabet="<>/!-[]CDATA='\" ab&;?", max_size=40))
def test_any_text_stays_as_it_is(body: str) -> None:
    for html in (True, False):
        assert markup(body, html=html).splice({}).decode() == body
