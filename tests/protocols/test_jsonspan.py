"""JSON documents, walked byte by byte."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.jsonspan import MAX_DEPTH, SpanReader, loads, read_object


def reader(seen: list[Any] | None = None, capacity: int = 100) -> SpanReader[Any]:
    """Summarises the elements of `items` as their own text; `seen` collects what was summarised."""

    def summarise(value: Any, raw: bytes) -> Any:
        if seen is not None:
            seen.append(value)
        return raw.decode()

    return SpanReader({"items": summarise}, capacity=capacity)


def both(body: bytes) -> list[Any]:
    """What either way of reading says: values, or that it is refused."""
    said: list[Any] = []
    for read in (SpanReader[None]({}).read, read_object):
        try:
            found = read(body)
        except ClientError as error:
            said.append((error.code, error.got))
        else:
            said.append(found if isinstance(found, dict) else found.values)
    return said


def refused(body: bytes) -> str:
    with pytest.raises(ClientError) as caught:
        reader().read(body)
    assert caught.value.code == "body-not-json"
    assert caught.value.status == 400
    return caught.value.got


def test_members_and_elements_are_found_by_byte() -> None:
    body = ' { "é" : "ü😀" , "items":[ {"a":"ß"} ,2, "x" ] ,"b" : [1]}\n'.encode()
    document = reader().read(body)
    assert document.values == {"é": "ü😀", "b": [1]}
    assert [e.summary for e in document.arrays["items"]] == ['{"a":"ß"}', "2", '"x"']
    for element in document.arrays["items"]:
        assert body[element.start : element.end].decode() == element.summary
    assert [body[span.start : span.end].decode() for span in document.spans.values()] == [
        '"é" : "ü😀"',
        '"items":[ {"a":"ß"} ,2, "x" ]',
        '"b" : [1]',
    ]


@pytest.mark.parametrize("body", [b"{}", b" {\t}\r\n", b'{"items":[]}', b'{"items":[ ]}'])
def test_nothing_in_it(body: bytes) -> None:
    document = reader().read(body)
    assert not document.values
    assert not document.arrays.get("items")


def test_a_walked_member_that_is_no_array_is_a_value() -> None:
    assert reader().read(b'{"items":"x"}').values == {"items": "x"}


def test_an_escaped_name_is_the_name() -> None:
    document = reader().read(b'{"\\u0069tems":[1]}')
    assert len(document.arrays["items"]) == 1


@pytest.mark.parametrize(
    ("body", "got"),
    [
        pytest.param(b"", "character 0", id="empty"),
        pytest.param(b"[]", "character 0", id="no object"),
        pytest.param(b'"x"', "character 0", id="text"),
        pytest.param(b'{"a":1', "character 6", id="cut"),
        pytest.param(b'{"a":1,}', "character 7", id="comma"),
        pytest.param(b'{,"a":1}', "character 1", id="comma first"),
        pytest.param(b'{"items":[1,]}', "character 12", id="comma in array"),
        pytest.param(b'{"items":[,1]}', "character 10", id="comma first in array"),
        pytest.param(b'{"items":[1 2]}', "character 12", id="no comma"),
        pytest.param(b'{"items":[{}{}]}', "character 12", id="no comma between objects"),
        pytest.param(b'{"items":[1', "character 11", id="array cut"),
        pytest.param(b'{"a" 1}', "character 5", id="no colon"),
        pytest.param(b"{1:1}", "character 1", id="name is no text"),
        pytest.param(b'{"a":1} x', "character 7", id="more behind"),
        pytest.param(b'{"a":1}{"a":1}', "character 7", id="two"),
        pytest.param(b'{"a":01}', "character 6", id="leading zero"),
        pytest.param(b'{"a":"\n"}', "character 6", id="control character"),
        pytest.param(b"\xef\xbb\xbf{}", "byte order mark", id="utf-8 bom"),
        pytest.param('{"a":1}'.encode("utf-16"), "not UTF-8", id="utf-16"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8 at offset 6", id="latin-1"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "not UTF-8", id="surrogate as utf-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', "not UTF-8", id="overlong"),
        pytest.param(b'{"a":NaN}', "NaN", id="NaN"),
        pytest.param(b'{"items":[-Infinity]}', "Infinity", id="Infinity"),
        pytest.param(b'{"a":1e999}', "too large", id="beyond a double"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "digits", id="endless integer"),
        pytest.param(b'{"a":1,"a":1}', "twice", id="twice at the top"),
        pytest.param(b'{"a":1,"\\u0061":1}', "twice", id="twice, escaped"),
        pytest.param(b'{"items":[],"items":[]}', "twice", id="array twice"),
        pytest.param(b'{"items":[{"b":{"a":1,"a":2}}]}', "twice", id="twice inside"),
        pytest.param(b'{"a":"\\ud83d"}', "surrogate", id="high half"),
        pytest.param(b'{"a":"\\uDE00x"}', "surrogate", id="low half"),
        pytest.param(b'{"a":"\\ude00\\ud83d"}', "surrogate", id="halves in the wrong order"),
        pytest.param(b'{"\\ud83d":1}', "surrogate", id="half in a name"),
        pytest.param(b'{"items":[{"a":["\\ud83d"]}]}', "surrogate", id="half inside"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(body: bytes, got: str) -> None:
    assert got in refused(body)
    spans, values = both(body)
    assert spans[0] == values[0] == "body-not-json"


def test_a_whole_surrogate_pair_is_text() -> None:
    document = reader().read(b'{"a":"\\ud83d\\ude00","b":"\\\\ud83d"}')
    assert document.values == {"a": "😀", "b": "\\ud83d"}


def test_depth_is_limited() -> None:
    deep = MAX_DEPTH
    assert reader().read(b'{"a":' + b"[" * deep + b"]" * deep + b"}").values
    assert "deeply" in refused(b'{"a":' + b"[" * (deep + 1) + b"]" * (deep + 1) + b"}")
    assert "deeply" in refused(b'{"items":[' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"]}")
    for levels in (deep, deep + 1):
        spans, values = both(b'{"a":' + b"[" * levels + b"]" * levels + b"}")
        assert spans == values
    wide = json.dumps({"a": [[]] * 1000, "b": "[{" * 1000}).encode()
    assert len(reader().read(wide).values["a"]) == 1000


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_depth_bomb_does_no_harm(opening: bytes) -> None:
    assert refused(b'{"a":' + opening * 200_000)
    spans, values = both(b'{"a":' + opening * 200_000)
    assert spans == values
    assert refused(b'{"items":[' + opening * 200_000)


def test_no_value_is_repeated_in_an_error() -> None:
    for body in (b'{"secret":1,"secret":2}', b'{"a":"secret"x}', b'{"a":secret}', b"secret"):
        with pytest.raises(ClientError) as caught:
            reader().read(body)
        assert "secret" not in str(caught.value)
        assert "secret" not in str(both(body))


def test_elements_are_known_again_by_their_bytes() -> None:
    seen: list[Any] = []
    it = reader(seen)
    one, two, three = ({"id": "é", "text": name * 200} for name in "123")
    it.read(json.dumps({"items": [one, two]}, ensure_ascii=False).encode())
    assert seen == [one, two]
    whole = {"x": "ü", "items": [two, three, one], "y": "ü"}
    document = it.read(json.dumps(whole, ensure_ascii=False).encode())
    assert seen[2:] == [three]
    assert [json.loads(e.summary) for e in document.arrays["items"]] == whole["items"]
    assert document.values == {"x": "ü", "y": "ü"}


def test_what_only_begins_alike_is_not_known() -> None:
    long = "x" * 300
    it = reader()
    it.read(json.dumps({"items": [{"a": long + "1"}]}).encode())
    for tail in ("2", "12", ""):
        body = json.dumps({"items": [{"a": long + tail}]}).encode()
        assert it.read(body).arrays["items"][0].summary == json.dumps({"a": long + tail})


def test_a_known_element_hides_nothing_behind_it() -> None:
    it = reader()
    it.read(b'{"items":[{"a":1}]}')
    for body in (
        b'{"items":[{"a":1}x]}',
        b'{"items":[{"a":1}',
        b'{"items":[{"a":1},{"a":1,"a":2}]}',
    ):
        with pytest.raises(ClientError):
            it.read(body)


def test_memory_is_bounded() -> None:
    seen: list[Any] = []
    it = reader(seen, capacity=2)
    first, second, third = b'{"items":[{"a":1}]}', b'{"items":[{"a":2}]}', b'{"items":[{"a":3}]}'
    for body in (first, second, first, third):
        it.read(body)
    assert len(it._known) == 2
    del seen[:]
    it.read(first)
    assert not seen  # it was used after the second
    it.read(second)
    assert seen == [{"a": 2}]


def test_loads_is_as_strict() -> None:
    assert loads('{"a":[1.5]}') == {"a": [1.5]}
    for text in ("", "{", "NaN", '{"a":1,"a":1}', "1e999"):
        with pytest.raises(ValueError, match=r".*"):
            loads(text)


TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(TEXT | st.just("items"), JSON, max_size=5),
    st.lists(JSON, max_size=5),
    st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 1}, {"separators": (",", ":")}]),
)
def test_any_document_is_read_as_json_reads_it(
    members: dict[str, Any], items: list[Any], style: dict[str, Any]
) -> None:
    whole = {**members, "items": items}
    body = json.dumps(whole, **style).encode()
    it = reader()
    for _ in range(2):  # the second time from memory
        document = it.read(body)
        assert {k: v for k, v in whole.items() if k != "items"} == dict(document.values)
        assert [json.loads(e.summary) for e in document.arrays["items"]] == items
        assert [json.loads(body[e.start : e.end]) for e in document.arrays["items"]] == items
        for name, span in document.spans.items():
            assert json.loads(b"{" + body[span.start : span.end] + b"}") == {name: whole[name]}


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]":,items 1\\ud8', max_size=40).map(str.encode)
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    spans, values = both(body)
    assert type(spans) is type(values)
    if isinstance(spans, dict):
        assert spans == values == json.loads(body)


def test_cut_anywhere_it_is_refused() -> None:
    body = json.dumps({"a": "é", "items": [{"b": [1, "x"]}, 2]}).encode()
    for end in range(len(body)):
        assert refused(body[:end])
        assert both(body[:end])[1][0] == "body-not-json"
