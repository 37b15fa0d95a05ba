"""Faults: where and what, never a value, and never slow."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.openapi.faults import MAX_FAULTS, faults
from tests.protocols.openapi.described import compiled

SECRET = "sk-ant-SECRET-0123456789abcdef"


def told(schema: object, value: object, **components: Any) -> tuple[str, ...]:
    schemas, added = compiled(schema, **components)
    return faults(schemas, added, value, "body")


@pytest.mark.parametrize(
    ("schema", "value", "lines"),
    [
        ({"type": "integer"}, 1, []),
        ({"type": "integer"}, SECRET, ["body: expected an integer"]),
        ({"type": ["array", "null"]}, 1, ["body: expected null or a list"]),
        ({"enum": ["a"]}, SECRET, ["body: expected one of the listed values"]),
        ({"const": "a"}, SECRET, ["body: expected the listed value"]),
        ({"pattern": "^a"}, SECRET, ["body: expected what the pattern allows"]),
        ({"maxLength": 3}, SECRET, ["body: expected at most 3 characters"]),
        ({"minimum": 3.5}, 1, ["body: expected at least 3.5"]),
        ({"exclusiveMaximum": 3}, 3, ["body: expected less than 3"]),
        ({"multipleOf": 2}, 3, ["body: expected a multiple of 2"]),
        ({"uniqueItems": True}, [1, 1], ["body: expected no item twice"]),
        ({"minItems": 2}, [], ["body: expected at least 2 items"]),
        ({"maxProperties": 0}, {"a": 1}, ["body: expected at most 0 members"]),
        ({"required": ["a", "b"]}, {"a": 1}, ["body: expected a member b"]),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, ["body: expected a member b"]),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 1]},
         ["body.a[1]: expected a string"]),
        ({"prefixItems": [{"type": "string"}], "items": {"type": "null"}}, [1, 2],
         ["body[0]: expected a string", "body[1]: expected null"]),
        ({"additionalProperties": False}, {"x": 1}, ["body.x: expected nothing of this name"]),
        ({"additionalProperties": False}, {SECRET: 1}, ["body.*: expected nothing of this name"]),
        ({"additionalProperties": {"type": "string"}}, {"x": 1}, ["body.x: expected a string"]),
        ({"allOf": [{"required": ["a"]}, {"$ref": "#/s/I"}]}, {},
         ["body: expected a member a", "body: expected an integer"]),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "x", ["body: expected an integer"]),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, {},
         ["body: expected one of the forms that the description allows"]),
        ({"not": {}}, 1, ["body: expected one of the forms that the description allows"]),
        ({"properties": {"a": {"not": {}}}}, {"a": SECRET},
         ["body.a: expected one of the forms that the description allows"]),
        ({"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
         {"x": SECRET}, ["body: expected one of the forms that the description allows"]),
        (False, 1, ["body: expected nothing of this name"]),
    ],
)  # fmt: skip
def test_lines(schema: object, value: object, lines: list[str]) -> None:
    found = told(schema, value, I={"type": "integer"})
    assert list(found) == lines
    assert SECRET not in json.dumps(found)


def test_there_is_an_end_to_them() -> None:
    found = told({"items": {"type": "string"}}, [1] * 1000)
    assert len(found) == MAX_FAULTS
    hidden = told({"items": {"type": "string"}}, ["a"] * 1000 + [1])
    assert hidden == ("body: expected one of the forms that the description allows",)


def test_branches_are_never_slow() -> None:
    below = {"type": "array", "items": {"$ref": "#/s/T"}}
    way = {"required": ["op"], "properties": {"c": below}}
    value: object = 1
    for _ in range(60):
        value = {"op": 1, "c": [value, value]}
    for choice in ("anyOf", "oneOf", "allOf"):
        start = time.process_time()
        assert told(
            {"$ref": "#/s/T"}, [1], T={choice: [{**way, "type": "object"}, {**way, "minItems": 2}]}
        )
        assert time.process_time() - start < 0.5


def test_a_reference_to_itself_ends() -> None:
    schema = {"allOf": [{"$ref": "#/s/T"}, {"type": "string"}]}
    assert told({"$ref": "#/s/T"}, 1, T=schema) == ("body: expected a string",)


SCHEMAS = st.recursive(
    st.sampled_from([{"type": "string"}, {"minimum": 1}, {"enum": [1]}, {"$ref": "#/s/T"}, {}]),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "additionalProperties": inner | st.booleans(),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "required": st.just(["a"]),
        },
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.none() | st.integers(0, 2) | st.just(SECRET),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", SECRET]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(SCHEMAS, VALUES)
def test_there_is_a_line_exactly_where_it_does_not_fit(schema: object, value: object) -> None:
    schemas, added = compiled(schema, T={"items": {"$ref": "#/s/T"}, "type": ["array", "integer"]})
    lines = faults(schemas, added, value, "body")
    assert bool(lines) != schemas.fits(added, value)
    assert all(line.startswith("body") and SECRET not in line for line in lines)
