"""Where a value breaks its schema, and what was expected there; never the value.

Whether it does is for `Schemas.fits` alone, in time linear to its size. To say where, a validator
that lists all errors tries every branch at every level, which a nested body makes as slow as it
likes; so the schema is walked here step by step, and the walk ends at a limit.
"""

from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs

from proctor.protocols.openapi.schemas import Schema, Schemas
from proctor.redaction.structure.names import shown

MAX_FAULTS: Final = 20
_MAX_STEPS: Final = 500
_MAX_DEPTH: Final = 32
# What looks at the value itself; the rest looks through other schemas.
_LOCAL: Final = frozenset(
    (
        *("type", "required", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum"),
        *("minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems"),
        *("minItems", "uniqueItems", "maxProperties", "minProperties", "dependentRequired"),
    )
)
_A_TYPE: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_LIMITS: Final = {
    "maximum": ("limit", "at most {}"),
    "minimum": ("limit", "at least {}"),
    "exclusiveMaximum": ("limit", "less than {}"),
    "exclusiveMinimum": ("limit", "more than {}"),
    "multipleOf": ("multiple_of", "a multiple of {}"),
    "maxLength": ("limit", "at most {} characters"),
    "minLength": ("limit", "at least {} characters"),
    "maxItems": ("limit", "at most {} items"),
    "minItems": ("limit", "at least {} items"),
    "maxProperties": ("limit", "at most {} members"),
    "minProperties": ("limit", "at least {} members"),
}
_WORDS: Final = {
    "enum": "one of the listed values",
    "const": "the listed value",
    "pattern": "what the pattern allows",
    "uniqueItems": "no item twice",
}


def faults(schemas: Schemas, schema: Schema, value: object, place: str) -> tuple[str, ...]:
    """What is wrong with a value, a line for each fault; empty where it fits.

    Args:
        schemas: That the schema belongs to.
        schema: What the value should be like.
        value: Of JSON.
        place: Where it stands, such as `body`.

    Returns:
        At most 20 lines such as `body.items[0].name: expected a string`.
    """
    if schemas.fits(schema, value):
        return ()
    found: dict[str, None] = {}
    for line in _Walk(schemas).through(schema, value, place, 0):
        found[line] = None
        if len(found) == MAX_FAULTS:
            break
    return tuple(found) or (f"{place}: expected {_nothing_closer(schema)}",)


class _Walk:
    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._steps = 0
        self._open: set[tuple[int, int]] = set()  # schema and value on the way down, by identity

    def through(self, schema: Schema, value: object, place: str, depth: int) -> Iterator[str]:
        """Faults of a value that does not fit."""
        told = False
        if isinstance(schema, dict) and depth < _MAX_DEPTH:
            for error in self._own(schema, value):
                told = True
                yield f"{place}: expected {_words(error)}"
            self._open.add((id(schema), id(value)))
            for below, part, where in self._parts(schema, value, place):
                self._steps += 1
                if self._steps > _MAX_STEPS:
                    break
                if (id(below), id(part)) in self._open:
                    told = True  # further up, where the walk went in
                elif not self._schemas.fits(below, part):
                    told = True
                    yield from self.through(below, part, where, depth + 1)
            self._open.discard((id(schema), id(value)))
        if not told:
            yield f"{place}: expected {_nothing_closer(schema)}"

    def _own(self, schema: dict[str, Any], value: object) -> list[jsonschema_rs.ValidationError]:
        local = {key: schema[key] for key in schema.keys() & _LOCAL}
        return self._schemas.faults(local, value) if local else []

    def _parts(
        self, schema: dict[str, Any], value: object, place: str
    ) -> Iterator[tuple[Schema, object, str]]:
        """The schemas that have to fit, each with the part of the value that it is for."""
        if "$ref" in schema:
            yield self._schemas.target(schema), value, place
        for below in schema.get("allOf", ()):
            yield below, value, place
        for choice in ("anyOf", "oneOf"):
            some = [below for below in schema.get(choice, ()) if below != {"type": "null"}]
            if len(some) == 1 and value is not None:
                yield some[0], value, place
        if isinstance(value, dict):
            yield from _members(schema, value, place)
        elif isinstance(value, list):
            first = schema.get("prefixItems", [])
            rest = schema.get("items", True)
            for index, part in enumerate(value):
                below = first[index] if index < len(first) else rest
                yield below, part, f"{place}[{index}]"


def _members(
    schema: dict[str, Any], value: dict[str, Any], place: str
) -> Iterator[tuple[Schema, object, str]]:
    members = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, part in value.items():
        if name in members:
            yield members[name], part, f"{place}.{shown(name)}"
        elif "patternProperties" not in schema:
            yield others, part, f"{place}.{shown(name)}"


def _nothing_closer(schema: Schema) -> str:
    if schema is False:
        return "nothing of this name"
    return "one of the forms that the description allows"


def _words(error: jsonschema_rs.ValidationError) -> str:
    kind = error.kind
    said = kind.as_dict()
    if kind.name == "type":
        return " or ".join(_A_TYPE.get(name, name) for name in said["types"])
    if kind.name == "required":
        return f"a member {shown(said['property'])}"
    if kind.name in _LIMITS:
        key, words = _LIMITS[kind.name]
        return words.format(said[key])
    return _WORDS.get(kind.name, f"what {kind.name} allows")
