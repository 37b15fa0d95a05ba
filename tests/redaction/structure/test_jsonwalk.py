"""JSON, walked once."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proctor.protocols.jsonspan import MAX_DEPTH
from proctor.redaction.model import Change
from proctor.redaction.structure import jsonwalk
from proctor.redaction.structure.jsonwalk import add_json
from proctor.redaction.structure.layout import BODY, MAX_HOLDERS, Layout
from proctor.redaction.structure.walking import UnreadableError, json_number, json_string
from tests.redaction.structure.changing import (
    at,
    changed,
    changes_to,
    locations,
    replaced,
    texts,
)
from tests.redaction.structure.walks import NAMES, WAYS


@pytest.fixture(scope="module", params=WAYS, ids=NAMES, autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test walks in Python, and compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonwalk, "Walk", request.param)
        yield


def walked(text: str, *, strict: bool = False, many: bool = False) -> Layout:
    layout = Layout(text)
    add_json(layout, BODY, strict=strict, many=many)
    return layout


def test_names_strings_and_numbers_are_leaves_in_order() -> None:
    layout = walked(' {"a": ["x", 1.5e3, true, null], "b" : {"c":-7} , "é":"ü"} ')
    assert texts(layout) == ["a", "x", "1.5e3", "b", "c", "-7", "é", "ü"]
    assert locations(layout) == [
        "a#name",
        "a[0]",
        "a[1]",
        "b#name",
        "b.c#name",
        "b.c",
        "é#name",
        "é",
    ]
    assert list(layout.paths) == [
        (), ("a", 0), ("a", 1), (), (), ("b", "c"), (), ("é",)
    ]  # fmt: skip


_NAMES = st.sampled_from(["name", "key", "value", "a", "4556737586899855", "", "#"])
_TEXTS = st.sampled_from(["b", "", "DB_PASSWORD", "[1]", '{"a": "b"}', " x", "x" * 80])
_MEMBERS = st.recursive(
    _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(value=_MEMBERS, strict=st.booleans())
@example(value={"name": "DB_PASSWORD", "value": "b", "a": '{"a": "b"}'}, strict=False)
def test_a_plain_member_is_what_an_escaped_one_is(value: Any, *, strict: bool) -> None:
    plain = json.dumps(value)
    # In strings alone a sign may be escaped.
    escaped = "".join(
        "".join(f"\\u{ord(sign):04x}" for sign in json.loads(part)).join('""')
        if part.startswith('"')
        else part
        for part in re.split(r'("(?:[^"\\]|\\.)*")', plain)
    )
    one, other = walked(plain, strict=strict), walked(escaped, strict=strict)
    assert one.leaves == other.leaves
    assert list(one.paths) == list(other.paths)


def test_the_nearest_name_is_the_key() -> None:
    layout = walked('{"password":["a",{"user":"b"},["c"],{}],"d":"e"}')
    keys = {leaf.text: leaf.key for leaf in layout.leaves}
    assert keys == {
        "password": "", "a": "password", "user": "", "b": "user", "c": "password", "d": "", "e": "d"
    }  # fmt: skip


def test_a_name_beside_a_value_is_its_key() -> None:
    layout = walked('[{"name":"DB_PASSWORD","value":"x"},{"value":"y"},{"key":"k","other":"z"}]')
    assert [(leaf.text, leaf.key) for leaf in layout.leaves if leaf.text in "xyz"] == [
        ("x", "DB_PASSWORD"),
        ("y", "value"),
        ("z", "other"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r'"jane\u0040acme.io"', "jane@acme.io"),
        (r'"\ud83d\ude00 \/ \n \" \\"', '😀 / \n " \\'),
        ('"😀"', "😀"),
        ('"jane@acme.io"', "jane@acme.io"),
    ],
)
def test_escapes_are_read(text: str, said: str) -> None:
    assert texts(walked(text, strict=True)) == [said]


def test_a_change_leaves_all_other_bytes() -> None:
    body = r'{ "a" : "\u006aane\u0040acme.io \ud83d\ude00\/x", "n":1.0 }'
    assert replaced(walked(body), "jane@acme.io", "<E>").decode() == (
        r'{ "a" : "<E> \ud83d\ude00\/x", "n":1.0 }'
    )
    assert replaced(walked(body), "😀", "é").decode() == (
        r'{ "a" : "\u006aane\u0040acme.io \u00e9\/x", "n":1.0 }'
    )


def test_new_text_is_escaped_as_its_neighbourhood_is() -> None:
    assert json_string("abc", [Change(0, 1, 'é"\n')]) == [Change(0, 1, r"\u00e9\"\n")]
    assert json_string("übc", [Change(0, 1, 'é"\n')]) == [Change(0, 1, r"é\"\n")]


@pytest.mark.parametrize(
    ("raw", "change", "new"),
    [
        ("4111111111111111", Change(0, 16, "<CREDIT_CARD>"), "0"),
        ("4111111111111111", Change(0, 16, "5555555555554444"), "5555555555554444"),
        ("123456", Change(0, 3, "0"), "0"),  # 0456 is no number
        ("123456", Change(3, 6, "000"), "123000"),
        ("-1.5", Change(0, 1, ""), "1.5"),
        ("12", Change(0, 2, ""), "0"),
        ("12", Change(0, 2, "٣"), "0"),
        ("12", Change(0, 2, "7\n"), "0"),
    ],
)
def test_a_number_stays_a_number(raw: str, change: Change, new: str) -> None:
    assert json_number(raw, [change]) == [Change(0, len(raw), new)]


def test_json_in_a_string_has_leaves_of_its_own() -> None:
    inner = json.dumps({"mail": "jane@acme.io", "é": [1, "zwö😀"]})
    body = json.dumps({"input": inner, "b": 1})
    layout = walked(body)
    assert at(layout, "input→mail").text == "jane@acme.io"
    assert at(layout, "input→mail").key == "mail"
    assert list(layout.paths)[2] == ("input", "mail")
    out = json.loads(replaced(layout, "jane@acme.io", '<"é">'))
    assert json.loads(out["input"]) == {"mail": '<"é">', "é": [1, "zwö😀"]}
    again = replaced(layout, "jane@acme.io", "x").decode()
    assert again == body.replace("jane@acme.io", "x")


def test_json_in_json_in_json() -> None:
    text = "secret"
    for _ in range(4):
        text = json.dumps([text])
    layout = walked(json.dumps([text]))
    assert at(layout, "[0]→[0]→[0]→[0]→[0]").text == "secret"
    assert replaced(layout, "secret", 'x"y\\').decode() == (
        json.dumps([text]).replace("secret", _escaped('x"y\\', 5))
    )


def _escaped(text: str, times: int) -> str:
    for _ in range(times):
        text = json.dumps(text)[1:-1]
    return text


def test_deeper_json_is_text() -> None:
    text = "secret"
    for _ in range(5):
        text = json.dumps([text])
    layout = walked(json.dumps([text]))
    (leaf,) = layout.leaves
    assert "secret" in leaf.text


@pytest.mark.parametrize("text", ["[error] no", '{"a":1} x', "{a:1}", "[", "{", "[1,]", "{}{}"])
def test_what_only_begins_like_json_is_text(text: str) -> None:
    (leaf,) = walked(json.dumps(text)).leaves
    assert leaf.text == text
    assert leaf.location == "body"


def test_names_that_look_like_values_are_not_shown() -> None:
    layout = walked(
        json.dumps({"jane@acme.io": {"x": "1"}, "a b": "2", "078-05-1120": "3", "y" * 41: "4"})
    )
    assert [leaf.location for leaf in layout.leaves if leaf.text in "1234"] == [
        "*.x",
        "*",
        "*",
        "*",
    ]


def test_names_that_become_the_same_stay_apart() -> None:
    layout = walked('{"a@x.io":1,"b@x.io":2,"<E>~2":3,"o":{"a@x.io":4}}')
    changes = {
        index: [Change(0, 6, "<E>")]
        for index, leaf in enumerate(layout.leaves)
        if leaf.text.endswith("@x.io")
    }
    assert json.loads(layout.splice(changes)) == {
        "<E>": 1, "<E>~3": 2, "<E>~2": 3, "o": {"<E>": 4}
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        "NaN",
        "[-Infinity]",
        "1e999",
        "9" * 400,
        '\ufeff"x"',
        '"a\nb"',
    ],
)
def test_what_two_parsers_read_differently(text: str) -> None:
    with pytest.raises(UnreadableError):
        walked(text, strict=True)
    walked(text)  # else it is looked at all the same


def test_both_values_of_a_name_given_twice_are_leaves() -> None:
    layout = walked('{"a":"secret","a":"x","a":"secret"}')
    assert replaced(layout, "secret", "-") == b'{"a":"-","a":"x","a":"-"}'


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", '{"a"', '{"a":', '{"a":1',
        '{"a":1,', '{"a":1,}', "{1:2}", '{"a" 1}', '"', '"\\', '"\\x"', '"\\u12"', "01", "1.", "-",
        ".5", "+1", "tru", "nul", "True", "[1 2]", "{]", "[}", "1 2", "//", "'a'",
    ],
)  # fmt: skip
def test_what_is_no_json(text: str) -> None:
    for strict in (True, False):
        with pytest.raises(UnreadableError):
            walked(text, strict=strict)


def test_no_error_repeats_a_value() -> None:
    with pytest.raises(UnreadableError) as caught:
        walked('{"hunter2": "hunter2\\x"}')
    assert "hunter2" not in str(caught.value)


def test_nesting_is_bounded() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    walked(deep, strict=True)
    for text in (f"[{deep}]", "[" * 1_000_000, '{"a":' * 100_000):
        with pytest.raises(UnreadableError):
            walked(text)


def test_several_values_are_numbered() -> None:
    layout = walked('\x1e{"a":1}\n\x1e{"a":"x"}\n3', many=True)
    assert locations(layout) == ["[0].a#name", "[0].a", "[1].a#name", "[1].a", "[2]"]
    assert layout.paths[3] == (1, "a")


def test_long_names_do_not_make_long_locations() -> None:
    layout = walked(f'{{"{"n" * 40}":' * 100 + "1" + "}" * 100)
    assert max(len(location) for location in locations(layout)) < 260


def test_an_unchanged_document_is_the_same_bytes() -> None:
    body = '{"a":"\\u00e9\\/","b":[1.50,  2]}'
    assert walked(body).splice({}).decode() == body


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    | inner.map(json.dumps),
    max_leaves=12,
)  # fmt: skip


def embedded(text: str) -> Any:
    """What a string says that is itself an array or object of JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list | dict) else None


def rebuilt(value: Any, said: Iterator[str], depth: int = 0) -> Any:
    """The value with each name, string and number in turn as it should be said now."""
    if isinstance(value, dict):
        return {next(said): rebuilt(item, said, depth) for item in value.values()}
    if isinstance(value, list):
        return [rebuilt(item, said, depth) for item in value]
    if isinstance(value, str):
        inner = embedded(value) if depth < MAX_HOLDERS else None
        return next(said) if inner is None else rebuilt(inner, said, depth + 1)
    if isinstance(value, bool) or value is None:
        return value
    try:
        number = json.loads(next(said))
    except ValueError:
        return 0
    return number if isinstance(number, int | float) and not isinstance(number, bool) else 0


def opened(value: Any) -> Any:
    """The value, with all JSON in strings as what it says."""
    if isinstance(value, dict):
        return {name: opened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [opened(item) for item in value]
    inner = embedded(value) if isinstance(value, str) else None
    return value if inner is None else opened(inner)


@given(values, st.booleans(), st.data())
def test_any_changes_in_any_json(value: Any, ascii_only: bool, data: st.DataObject) -> None:  # noqa: FBT001 - both ways to write JSON
    body = json.dumps(value, ensure_ascii=ascii_only, indent=data.draw(st.sampled_from([None, 1])))
    layout = walked(body)
    changes = {
        index: data.draw(changes_to(leaf.text, st.text(max_size=5)))
        for index, leaf in enumerate(layout.leaves)
        if not leaf.location.endswith("#name") and data.draw(st.booleans())
    }
    said = [changed(leaf.text, changes.get(index, [])) for index, leaf in enumerate(layout.leaves)]
    out = layout.splice(changes).decode()
    assert opened(json.loads(out)) == opened(rebuilt(json.loads(body), iter(said)))


@given(values, st.data())
def test_all_else_is_the_same_bytes(value: Any, data: st.DataObject) -> None:
    body = json.dumps(value, indent=1)
    layout = walked(body)
    chosen = data.draw(st.sets(st.sampled_from(range(len(layout.leaves))))) if layout.leaves else ()
    outer = {i: layout._slots[i] for i in sorted(chosen) if layout._slots[i][0] == BODY}
    changes = {i: [Change(0, len(layout.leaves[i].text), f"7{i}")] for i in outer}
    expected, end = "", 0
    for index, slot in outer.items():
        expected += body[end : slot[1]] + f"7{index}"
        end = slot[2]
    assert layout.splice(changes).decode() == expected + body[end:]


@given(values)
@settings(max_examples=30)
def test_cut_at_every_character(value: Any) -> None:
    body = json.dumps(value)
    for end in range(len(body)):
        try:
            walked(body[:end], strict=True)
        except UnreadableError:
            continue
        json.loads(body[:end])  # what is read is JSON


@given(st.text(alphabet='[]{}",:\\u0d8 1eE-.tn', max_size=40))
def test_reads_what_the_standard_library_reads(text: str) -> None:
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except ValueError:
        value = None
    try:
        layout = walked(text)
    except UnreadableError:
        assert value is None
    else:
        assert value is not None or text.strip() == "null"
        assert layout.splice({}).decode("utf-8") == text
