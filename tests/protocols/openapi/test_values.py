"""Texts as values, where the schema wants them to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.openapi.values import Tree, meant, nested, types, variants
from tests.protocols.openapi.described import compiled

STRIPE = {"anyOf": [{"type": "integer"}, {"type": "string", "enum": [""]}]}


def value(schema: object, tree: Tree) -> object:
    schemas, added = compiled(schema, T={"type": "integer"}, L={"items": {"$ref": "#/s/L"}})
    return meant(schemas, added, tree)


@pytest.mark.parametrize(
    ("schema", "tree", "wanted"),
    [
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, "05", "05"),
        ({"type": "integer"}, "five", "five"),
        ({"type": "integer"}, "\u0665", "\u0665"),
        ({"type": "integer"}, " 5", " 5"),
        ({"type": "number"}, "-1.5e3", -1500.0),
        ({"type": "number"}, "1e999", "1e999"),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "string"}, "5", "5"),
        ({"type": ["string", "integer"]}, "5", "5"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "True", "True"),
        ({"type": ["integer", "null"]}, "null", None),
        ({}, "5", "5"),
        (True, "5", "5"),
        ({"$ref": "#/s/T"}, "5", 5),
        (STRIPE, "", ""),
        (STRIPE, "5", 5),
        ({"type": "array", "items": {"$ref": "#/s/T"}}, ["1", "x"], [1, "x"]),
        ({"type": "array", "items": {"$ref": "#/s/T"}}, "1", [1]),
        ({"type": "array", "items": {"$ref": "#/s/T"}}, {"0": "1", "1": "2"}, [1, 2]),
        ({"type": "array"}, {"a": "1"}, {"a": "1"}),
        ({"properties": {"a": {"type": "integer"}}}, {"a": "1", "b": "1"}, {"a": 1, "b": "1"}),
        ({"additionalProperties": {"type": "integer"}}, {"b": "1"}, {"b": 1}),
        ({"allOf": [{"properties": {"a": {"type": "integer"}}}, {"type": "object"}]},
         {"a": "1"}, {"a": 1}),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": "object"}, "{", "{"),
        ({"type": "string"}, ["1", "2"], ["1", "2"]),
    ],
)  # fmt: skip
def test_meant(schema: object, tree: Tree, wanted: object) -> None:
    found = value(schema, tree)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([], None),
        ([("f", "1"), ("other[a]", "1"), ("f[a", "1")], None),
        ([("f[a]", "1"), ("f[b][c]", "2")], {"a": "1", "b": {"c": "2"}}),
        ([("f[]", "1"), ("f[]", "2"), ("f[]", "3")], ["1", "2", "3"]),
        ([("f[]", "1")], ["1"]),
        ([("f[0]", "1"), ("f[1]", "2")], {"0": "1", "1": "2"}),
        ([("f[a]", "1"), ("f[a]", "2")], {"a": ["1", "2"]}),
        ([("f[a]", "1"), ("f[a][b]", "2")], {"a": {"": "1", "b": "2"}}),
    ],
)
def test_nested(fields: list[tuple[str, str]], wanted: object) -> None:
    assert nested("f", fields) == wanted


def test_variants_end() -> None:
    schemas, added = compiled({"$ref": "#/s/A"}, A={"anyOf": [{"$ref": "#/s/A"}, {"type": "null"}]})
    assert {"type": "null"} in variants(schemas, added)
    assert types({"type": "null"}) == {"null"}
    assert types({"properties": {}}) == {"object"}
    assert types({"prefixItems": []}) == {"array"}
    assert types({}) == set()


TREES = st.recursive(
    st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.sampled_from([{"$ref": "#/s/L"}, {"type": "integer"}, STRIPE, {"type": "object"}]), TREES)
def test_any_tree(schema: object, tree: Tree) -> None:
    if isinstance(tree, str):
        assert value({"type": "string"}, tree) == tree
    value(schema, tree)  # it raises nothing


@given(st.lists(st.tuples(st.text(st.sampled_from("f[]a0"), max_size=9), st.text(max_size=2))))
def test_any_fields(fields: list[tuple[str, str]]) -> None:
    tree = nested("f", fields)
    assert (tree is None) == (not any(k.startswith("f[") and k.endswith("]") for k, _ in fields))


def test_deep_names_end() -> None:
    assert nested("f", [("f" + "[a]" * 5000, "1")]) is not None
