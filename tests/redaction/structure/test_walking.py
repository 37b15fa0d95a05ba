"""JSON, walked in Python and compiled: the same of any text."""

import json
import random
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proctor.redaction.structure.jsonwalk import add_text
from proctor.redaction.structure.layout import BODY, Layout
from proctor.redaction.structure.walking import UnreadableError, encodes, literal
from tests.redaction.structure.walks import WAYS

_SIGNS = list(' \t\n\r\x1e\x1f\x00"\\{}[]:,-+.eE0123456789truefalsnNaIity/ué😀\ud800\ufeff')
_NAMES = st.sampled_from(["name", "value", "key", "a", "é", "4556737586899855", "\ud800"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(_SIGNS, max_size=8) | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)

EXEMPT: Final[list[dict[Any, str]]] = [
    {},
    {("a",): "why"},
    {(0,): "why", ("a", "name"): "why"},
]


def told(way: Any, text: str, exempt: dict[Any, str], **kind: bool) -> object:
    """All that comes of a walk."""
    layout = Layout(text)
    walk = way(layout, BODY, strict=kind["strict"], exempt=exempt, embedded=add_text)
    said = ""
    try:
        walk.start(many=kind["many"])
        while walk.at < len(text) or not layout.leaves:
            walk.one("", (), 0, "key")
            walk.blank(many=kind["many"])
            if not kind["many"]:
                break
    except UnreadableError as error:
        said = str(error)
    skipped = [(each.reason, each.size, each.location) for each in layout.skipped]
    return said, walk.at, *layout.lists(), skipped, layout.mark()


def same(text: str) -> None:
    for strict in (False, True):
        for many in (False, True):
            for exempt in EXEMPT if encodes(text) else EXEMPT[:1]:  # as bodies do
                one, *others = (told(way, text, exempt, strict=strict, many=many) for way in WAYS)
                assert all(other == one for other in others)


@given(_VALUES, st.data())
def test_both_say_the_same(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    same(text)
    if text:
        at = data.draw(st.integers(0, len(text) - 1))
        same(text[:at] + data.draw(st.sampled_from(_SIGNS)) + text[at + 1 :])
        same(text[:at])


@given(st.text(_SIGNS, max_size=24))
@example('{"a":"\x1f"}')
@example('{"a" :\n"b" , "a":"c"}')
@example('{"name":"x","value":{"value":1e999}}')
@example('["\\ud800", "\\ud83d\\ude00"]')
@example("\ufeff[1]\x1e [2]")
@example('{"a":"{\\"name\\":\\"b\\"}","name":"[1"}')
@example("[01]")
@example("[1.]")
@example("[-]")
@example("[1e+]")
@example("[1E-7.5]")
@example("[Infinity,-Infinity,NaN]")
@example('{"a"')
@example('{"a":')
@example('{"a"}')
@example("[1,]")
@example('{"a":1,}')
def test_both_say_the_same_of_what_is_no_json(text: str) -> None:
    same(text)


def test_both_say_the_same_of_long_texts() -> None:
    rolled = random.Random(7)  # noqa: S311 - the same in every run
    signs = [*_SIGNS, '"a":', '{"name":"', '","value":"', '"],["', "}}", "1.5e3"]
    for _ in range(300):
        same("[" + "".join(rolled.choices(signs, k=200)))


def test_each_cut_of_a_document() -> None:
    document = '{"a":["b\\u0041",{"name":"K","value":"v"},-1.5e+3,true],"é":{"x":"[\\"in\\"]"}}'
    for end in range(len(document) + 1):
        same(document[:end])


@pytest.mark.parametrize(("text", "size"), [("true", 4), ("null]", 4), ("nul", 0), ("NaN", 0)])
def test_literals(text: str, size: int) -> None:
    assert literal(text, 0, strict=True) == size


def test_what_is_lax_is_a_literal_too() -> None:
    assert literal("x-Infinity", 1, strict=False) == len("-Infinity")
