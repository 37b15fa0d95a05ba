"""What people read of what went elsewhere."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.reader import Content
from proctor.audit.turns import Turn
from proctor.audit.wording import handed_on, place, same, title, unread, words
from tests.cli.test_transcript import EXCHANGE, of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({}, "POST https://api.example/v1/messages"),
        ({"port": 8443}, "POST https://api.example:8443/v1/messages"),
        ({"scheme": "http", "port": 80, "path": "/"}, "POST http://api.example/"),
        ({"scheme": "http", "port": 443, "path": ""}, "POST http://api.example:443"),
        ({"host": "2001:db8::1", "path": "/x"}, "POST https://[2001:db8::1]/x"),
        ({"method": "CONNECT", "path": ""}, "CONNECT api.example:443"),
    ],
)
def test_place(more: dict[str, Any], seen: str) -> None:
    assert place(replace(EXCHANGE, **more)) == seen


def test_title() -> None:
    turn = Turn(
        number=1, exchange=EXCHANGE, seconds=None, pause=None, beside=(), new_run=False,
        same_as=None, asks="tools/list",
    )  # fmt: skip
    assert title(turn) == "mcp tools/list · POST https://api.example/v1/messages"
    assert title(replace(turn, asks="")) == "POST https://api.example/v1/messages"


def test_unread() -> None:
    tunnel = replace(EXCHANGE, method="CONNECT")
    assert unread(tunnel)
    assert not unread(replace(tunnel, verdict="deny"))
    assert not unread(EXCHANGE)


@pytest.mark.parametrize(
    ("result", "seen"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "image", "data": "x"}]},
         "a\n[image]"),
        # What the model may be shown in place of the texts is shown, too.
        ({"content": [{"type": "text", "text": "a"}], "structuredContent": {"b": 1}},
         'a\n{"b": 1}'),
        ({"content": [{"type": "text", "text": '{"b":1}'}], "structuredContent": {"b": 1}},
         '{"b":1}'),
        ({"code": -32602, "message": "No such tool"}, "No such tool"),
        ({"resultType": "input_required"}, None),
        ({"content": 5}, None),
        ({"content": []}, None),
        ([1], None),
        ("[" * 100_000, None),
    ],
)  # fmt: skip
def test_words(result: object, seen: str | None) -> None:
    content = of(result if isinstance(result, str) else json.dumps(result))
    assert words(content) == (content if seen is None else of(seen))


def test_what_is_not_whole_is_shown_as_it_is() -> None:
    for content in (None, Content(erased=True), Content(text='{"message":"x"}', omitted=3)):
        assert words(content) is content


@pytest.mark.parametrize(
    ("given", "same"),
    [("a", False), ('{"b": 1}', True), ('{"b":2}', False), ('a\n{"b": 1}', True), ("", False)],
)
def test_what_the_model_was_handed(given: str, same: bool) -> None:  # noqa: FBT001 - a case
    result = {"content": [{"type": "text", "text": "a"}], "structuredContent": {"b": 1}}
    assert handed_on(of(json.dumps(result)), of(given)) == same


def test_nothing_is_handed_on_that_is_not_there() -> None:
    texts = of(json.dumps({"content": [{"type": "text", "text": "a"}]}))
    assert handed_on(texts, of("a"))
    assert not handed_on(None, of("a"))
    assert not handed_on(texts, None)
    assert not handed_on(Content(erased=True), Content(erased=True))
    assert not handed_on(of("{}"), of("null"))


@given(JSON)
def test_words_of_anything(value: Any) -> None:
    found = words(of(json.dumps(value)))
    assert found is not None
    assert found.text
    assert words(of(json.dumps({"content": value}))) is not None


@given(JSON, JSON)
def test_same(one: Any, other: Any) -> None:
    spaced, sorted_ = of(json.dumps(one, indent=1)), of(json.dumps(one))
    assert same(spaced, sorted_) or one is None
    assert same(sorted_, of(json.dumps(other))) == (one == other)


def test_nothing_is_the_same_as_what_is_not_there() -> None:
    assert not same(of("{}"), None)
    assert not same(of("{}"), Content(erased=True))
    assert not same(Content(erased=True), Content(erased=True))
    assert same(of("no json"), of("no json"))
    assert not same(of("no json"), of("none"))
