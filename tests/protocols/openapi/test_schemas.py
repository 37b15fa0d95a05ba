"""Schemas of both versions, and that none of them can be made slow."""

import time
from typing import Any

import pytest

from proctor.errors import ConfigurationError
from tests.protocols.openapi.described import compiled


def fits(schema: object, value: object, *, old: bool = False, **components: Any) -> bool:
    schemas, added = compiled(schema, old=old, **components)
    return schemas.fits(added, value)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string"}, "a", None),
        ({"type": "string", "nullable": True}, None, 1),
        ({"type": "string", "nullable": True, "enum": ["a"]}, None, "b"),
        ({"nullable": True, "allOf": [{"$ref": "#/s/A"}]}, None, "x"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": False}, 1, 0),
        ({"maximum": 1, "exclusiveMaximum": True}, 0, 1),
        ({"$ref": "#/s/A", "type": "string"}, 5, "x"),
        ({"type": "integer", "const": 3}, 4, "x"),  # 3.0 has no `const`
        ({"type": "object", "required": ["id", "a"], "properties": {"id": {"$ref": "#/s/R"}}},
         {"a": 1}, {"id": 1}),
        ({"type": "object", "required": ["id"], "properties": {"id": {"readOnly": True}}}, {}, 1),
        ({"type": "array", "items": {"$ref": "#/s/A"}}, [1], ["x"]),
        ({"type": "object", "additionalProperties": False}, {}, {"a": 1}),
        ({"type": "string", "format": "date-time"}, "never", 1),
        ({"not": {"type": "string"}}, 1, "x"),
    ],
)  # fmt: skip
def test_version_3_0(schema: object, good: object, bad: object) -> None:
    components = {"A": {"type": "integer"}, "R": {"type": "integer", "readOnly": True}}
    assert fits(schema, good, old=True, **components)
    assert not fits(schema, bad, old=True, **components)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": ["string", "null"]}, None, 1),
        ({"exclusiveMinimum": 1}, 2, 1),
        ({"$ref": "#/s/A", "maximum": 3}, 3, 4),
        ({"const": 3}, 3, 4),
        ({"prefixItems": [{"type": "string"}], "items": False}, ["a"], ["a", 1]),
        ({"if": {"type": "string"}, "then": {"minLength": 2}}, "ab", "a"),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"b": 1}, {"a": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"b": 1}, {"a": 1}),
        ({"patternProperties": {"^x": {"type": "integer"}}}, {"x": 1}, {"x": "1"}),
        ({"properties": {"a": True}, "unevaluatedProperties": False}, {"a": 1}, {"b": 1}),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}),
        ({"contains": {"type": "string"}}, [1, "a"], [1]),
        (True, 1, None),
        ({"required": ["id"], "properties": {"id": {"readOnly": True}}}, {}, None),
    ],
)
def test_version_3_1(schema: object, good: object, bad: object) -> None:
    assert fits(schema, good, A={"type": "integer"})
    if bad is not None:
        assert not fits(schema, bad, A={"type": "integer"})
    nothing: object = False
    assert not fits(nothing, good)


def test_schemas_that_refer_to_themselves() -> None:
    tree = {"type": "object", "properties": {"below": {"$ref": "#/s/T"}}, "required": ["v"]}
    assert fits({"$ref": "#/s/T"}, {"v": 1, "below": {"v": 2}}, T=tree)
    assert not fits({"$ref": "#/s/T"}, {"v": 1, "below": {"v": 2, "below": {}}}, T=tree)


@pytest.mark.parametrize(
    "schema",
    [
        1,
        [],
        None,
        {"type": "any"},
        {"type": 1},
        {"pattern": "("},
        {"pattern": r"\p{L}{9999}{9999}"},
        {"properties": []},
        {"allOf": {}},
        {"items": 1},
        {"required": "a"},
        {"$ref": "#/s/Broken"},
        {"$ref": "#/s/Missing"},
        {"$ref": "https://example.org/schema"},
        {"$id": "https://example.org/"},
        {"$dynamicRef": "#x"},
        {"properties": {"a": {"$ref": "other.json"}}},
    ],
)
def test_what_is_no_schema(schema: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled(schema, Broken={"minLength": -1})
    assert caught.value.code in ("openapi-invalid", "openapi-reference")
    assert caught.value.where.startswith("api.json")


def test_an_error_says_where() -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled({"$ref": "#/s/A"}, A={"type": "object", "properties": {"x": {"type": "any"}}})
    assert caught.value.where == "api.json:10"


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "^(a|a)*$", r"^(?=a)(?:(a+)\1?)+$", r"^(?!b)(\w+\s?)+$", "(.*)(.*)(.*)(.*)x"],
)
def test_patterns_are_never_slow(pattern: str) -> None:
    schemas, schema = compiled({"pattern": pattern})
    schemas_not, schema_not = compiled({"not": {"pattern": pattern}})
    start = time.process_time()
    text = "a" * 20_000 + "!"
    assert not schemas.fits(schema, text)
    schemas_not.fits(schema_not, text)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("choice", ["anyOf", "oneOf"])
def test_branches_are_never_slow(choice: str) -> None:
    """Each level has two ways down, so trying all of them would take 2 to the 60th."""
    below = {"type": "array", "items": {"$ref": "#/s/T"}}
    way = {"type": "object", "required": ["op"], "properties": {"c": below}}
    schemas, schema = compiled(
        {"$ref": "#/s/T"}, T={choice: [way, {**way, "minProperties": 1}, {"type": "string"}]}
    )
    value: object = 1
    for _ in range(60):
        value = {"op": 1, "c": [value]}
    start = time.process_time()
    assert not schemas.fits(schema, value)
    assert time.process_time() - start < 0.2


def test_values_that_are_no_json() -> None:
    schemas, schema = compiled({"properties": {"a": {"type": "string"}}})
    assert not schemas.fits(schema, {"\ud800": 1})
    assert schemas.faults(schema, {"\ud800": 1}) == []


def test_only_what_is_reached_is_read() -> None:
    schemas, schema = compiled({"type": "string"}, Broken={"type": "any"})
    assert schemas.fits(schema, "x")
