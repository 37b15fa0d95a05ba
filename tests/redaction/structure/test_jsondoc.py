"""JSON as it comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.redaction.structure.jsondoc import add_any_json, add_json_lines, read_json
from proctor.redaction.structure.layout import BODY, Layout, Path
from tests.redaction.structure.changing import at, locations, replaced, texts


@pytest.mark.parametrize(
    ("raw", "got"),
    [
        (b'{"a":1,"a":2}', "a name given twice in one object"),
        (b'{"a":\xff}', "bytes that are not UTF-8 at offset 5"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b"[1", "something else at character 2"),
        (b"[" * 1000, "arrays and objects nested too deeply"),
        (b"", "something else at character 0"),
    ],
)
def test_an_ambiguous_element_is_refused(raw: bytes, got: str) -> None:
    with pytest.raises(ClientError) as caught:
        read_json(raw)
    assert (caught.value.code, caught.value.got) == ("body-not-json", got)


def test_an_element_knows_where_it_stands() -> None:
    layout = read_json(b'{"content":["x"]}', prefix="messages[2]", base=("messages", 2))
    assert locations(layout)[1] == "messages[2].content[0]"
    assert layout.paths[1] == ("messages", 2, "content", 0)


def test_exempt_strings_are_skipped_with_their_size() -> None:
    raw = '{"type":"thinking","thinking":"größe \\u00e9","signature":"abc","n":1}'.encode()
    exempt: dict[Path, str] = {
        ("thinking",): "signed",
        ("signature",): "signed",
        ("n",): "never a number",
    }
    layout = read_json(raw, prefix="content[0]", exempt=exempt)
    assert [(s.reason, s.size, s.location) for s in layout.skipped] == [
        ("signed", 14, "content[0].thinking"),
        ("signed", 3, "content[0].signature"),
    ]
    assert texts(layout) == ["type", "thinking", "thinking", "signature", "n", "1"]
    assert layout.splice({}) == raw


def test_json_inside_an_exempt_path_is_not_exempt() -> None:
    raw = json.dumps({"a": json.dumps({"b": "secret"})}).encode()
    assert "secret" in texts(read_json(raw, exempt={("a", "b"): "signed"}))


@pytest.mark.parametrize(
    "text", ['{"a":"x","a":"y"}', '[NaN,"x"]', '\ufeff{"a":"x"}', '"x"\n"y"', '"\\ud800x"']
)
def test_what_others_call_json(text: str) -> None:
    layout = Layout(text)
    assert add_any_json(layout, BODY)
    assert "x" in "".join(texts(layout))
    assert layout.splice({}).decode() == text


def test_nothing_is_exempt_where_two_parsers_differ() -> None:
    layout = Layout('{"data":"secret","data":"x"}')
    assert add_any_json(layout, BODY, exempt={("data",): "image"})
    assert "secret" in texts(layout)
    assert not layout.skipped


def test_what_is_no_json_adds_nothing() -> None:
    layout = Layout('["a", "[1, 2]", {"b": "c"}, // no')
    assert not add_any_json(layout, BODY)
    assert not layout.leaves
    assert layout.splice({}) == layout.text(BODY).encode()


def test_lines_of_json() -> None:
    layout = Layout('{"a":"jane"}\n\n{"a":\r\nplain jane\r\n["jane"]')
    add_json_lines(layout, BODY)
    assert locations(layout) == ["[0]→a#name", "[0]→a", "[1]", "[2]", "[3]→[0]"]
    assert replaced(layout, "jane", '"J"').decode() == (
        '{"a":"\\"J\\""}\n\n{"a":\r\nplain "J"\r\n["\\"J\\""]'
    )
    assert layout.paths[1] == (0, "a")


def test_well_formed_lines() -> None:
    layout = Layout('{"a":"x"}\n{"a":"y"}\n')
    add_json_lines(layout, BODY, prefix="log", path=("log",))
    assert at(layout, "log[1].a").text == "y"
    assert layout.paths[3] == ("log", 1, "a")


@given(st.text(alphabet='{}[]":,a1 \n\r\x1e', max_size=40))
def test_no_character_of_lines_is_lost(text: str) -> None:
    layout = Layout(text)
    add_json_lines(layout, BODY)
    assert layout.splice({}).decode() == text
    if "a" in text:
        assert b"a" not in replaced(layout, "a", "-")
