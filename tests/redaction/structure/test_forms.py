"""Fields of forms."""

from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.structure.forms import add_form
from proctor.redaction.structure.layout import BODY, Layout
from tests.redaction.structure.changing import (
    at,
    changed,
    changes_to,
    locations,
    replaced,
    texts,
)


def form(text: str) -> Layout:
    layout = Layout(text)
    add_form(layout, BODY)
    return layout


def test_names_and_values() -> None:
    layout = form("a=jane%40acme.io+%26&b&=c&d=&&jane%40x.io=1")
    assert texts(layout) == ["a", "jane@acme.io &", "b", "c", "d", "jane@x.io", "1"]
    assert locations(layout) == ["a#name", "a", "b#name", "*", "d#name", "*#name", "*"]
    assert layout.leaves[1].key == "a"
    assert list(layout.paths) == [(), ("a",), (), ("",), (), (), ("jane@x.io",)]


def test_only_what_changes_is_written_anew() -> None:
    layout = form("a=%6a%61ne%40acme.io+x&b=%c3%a9")
    assert replaced(layout, "jane@acme.io", "<E> &") == b"a=%3CE%3E%20%26+x&b=%c3%a9"
    assert replaced(layout, "é", "") == b"a=%6a%61ne%40acme.io+x&b="


def test_json_in_a_field() -> None:
    layout = form("payload=%7B%22text%22%3A%22jane%22%7D")
    assert at(layout, "payload→text").text == "jane"
    assert layout.paths[2] == ("payload", "text")
    assert replaced(layout, "jane", 'J"') == b"payload=%7B%22text%22%3A%22J%5C%22%22%7D"


plain = st.text(max_size=6)
# What begins as JSON is read as JSON, and may have any number of leaves.
single = plain.filter(lambda text: not text.lstrip().startswith(("{", "[")))


@given(st.lists(st.tuples(single, single), max_size=5), st.data())
def test_any_changes_in_any_form(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    body = urlencode(pairs)
    layout = form(body)
    changes = {
        index: data.draw(changes_to(leaf.text, plain))
        for index, leaf in enumerate(layout.leaves)
        if data.draw(st.booleans())
    }
    said = (changed(leaf.text, changes.get(i, [])) for i, leaf in enumerate(layout.leaves))
    expected = [(next(said) if name else "", next(said) if value else "") for name, value in pairs]
    out = layout.splice(changes).decode()
    assert parse_qsl(out, keep_blank_values=True) == expected
    assert form(body).splice({}).decode() == body
