"""Descriptions as files: what is read, what is refused, and where it says so."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.protocols.openapi.reading import MAX_BYTES, MAX_DEPTH, deeper, parse, read

YAML = """\
openapi: 3.1.0
info: {title: yes, 'no': off}
paths:
  /a:
    get:
      parameters:
      - name: x
        in: query
      - {name: y, in: query}
      responses:
        200: {description: 'null'}
numbers: [1, -2, +3, 1.5, .5, 1e3, 010, 0x1, 1_000, 2001-01-01, ~, "1", true, TRUE, null]
"""


def test_yaml_of_the_core_schema() -> None:
    data = parse(YAML.encode(), name="api.yaml").data
    assert data["openapi"] == "3.1.0"
    assert data["info"] == {"title": "yes", "no": "off"}
    assert data["paths"]["/a"]["get"]["responses"] == {"200": {"description": "null"}}
    numbers = [1, -2, 3, 1.5, 0.5, 1000.0, 10, "0x1", "1_000", "2001-01-01", None]
    assert data["numbers"] == [*numbers, "1", True, True, None]


def test_lines() -> None:
    source = parse(YAML.encode(), name="api.yaml")
    assert source.where() == "api.yaml:1"
    assert source.where(("paths", "/a")) == "api.yaml:4"
    assert source.where(("paths", "/a", "get", "parameters", 0, "in")) == "api.yaml:8"
    assert source.where(("paths", "/a", "get", "parameters", 1)) == "api.yaml:9"
    assert source.where(("paths", "/a", "get", "responses", "200")) == "api.yaml:11"
    assert source.where(("paths", "/b", "get")) == "api.yaml:3"
    data = {"a": [{"b": 1}, {"c": [2]}]}
    source = parse(json.dumps(data, indent=1).encode(), name="api.json")
    assert source.where(("a", 1, "c", 0)) == "api.json:8"
    assert parse(b'{\t"a": 1}', name="api.json").where(("a",)).startswith("api.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "api:2: A key stands twice"),
        ("a: 1\n---\nb: 1", "api:2: More than one document"),
        ("a: &x 1", "api:1: Anchors and aliases"),
        ("a:\n  - *x", "api:2: Anchors and aliases"),
        ("a: !!str 1", "api:1: A YAML tag"),
        ("a: !x {}", "api:1: A YAML tag"),
        ("? [a]\n: 1", "api:1: A key must be a word"),
        ("a: [", "api:2: Not YAML"),
        ("a: \x01", "api: Not YAML"),
        ("a: 1e99999", "api:1: A number must be finite"),
        ("[" * (MAX_DEPTH + 1), "Nested more than 100 deep"),
        ('{"a": 1,\n"a": 2}', "api: Not JSON: a name given twice"),
        ('{"a":\n1 2}', "api:2: Not JSON"),
        ('{"a": NaN}', "api: Not JSON"),
        ('{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "Nested more than 100 deep"),
        ('{"a":' * 100_000, "Nested more than 100 deep"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text.encode(), name="api")
    assert caught.value.code == "openapi-invalid"
    assert message in str(caught.value)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(b"a: 1\nb: \xff", name="api")
    assert caught.value.where == "api:2"


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    with pytest.raises(ConfigurationError) as caught:
        read(file)
    assert caught.value.code == "file-unreadable"
    file.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(file).data == {"a": 1}
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError) as caught:
        read(file)
    assert caught.value.code == "openapi-too-large"


def test_depth() -> None:
    assert not deeper(1, 0)
    assert deeper([], 0)
    assert not deeper([1, {}], 2)
    assert deeper([1, {"a": []}], 2)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(exclude_categories=["C"])),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(exclude_categories=["C"])), inner, max_size=3)
        ),
    )
)
def test_json_is_read_the_same_by_both_readers(data: object) -> None:
    text = json.dumps({"a": data}, ensure_ascii=False)
    read_as_json = parse(text.encode(), name="x").data
    read_as_yaml = parse(f"# no brace first\n{text}".encode(), name="x").data
    assert read_as_json == read_as_yaml == {"a": data}


@given(st.text() | st.lists(st.sampled_from(list("{}[]:-?&*!|>#\"' \n\ta1,"))).map("".join))
def test_any_text(text: str) -> None:
    with suppress(ConfigurationError):  # nothing else is raised
        assert parse(text.encode(), name="x").where(("a", 0)).startswith("x")


@pytest.mark.parametrize("end", range(0, len(YAML), 7))
def test_every_cut(end: int) -> None:
    with suppress(ConfigurationError):
        assert parse(YAML[:end].encode(), name="x").name == "x"
