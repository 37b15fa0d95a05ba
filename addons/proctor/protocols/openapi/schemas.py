"""Schemas of a description, compiled.

Those of 3.0 are a dialect of their own (OAS 3.0.4, 4.7.24): they are turned into JSON Schema
2020-12, which those of 3.1 are. All that can be reached from requests is copied into one document,
`$defs` by number, so that nothing else is kept and every reference is known to lead somewhere.
`format` is an annotation, as in both versions.
"""

from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

from proctor.protocols.openapi.reading import Pointer, Source, invalid
from proctor.protocols.openapi.references import resolve

# Patterns that look ahead or back need an engine that tries again; past the limit a value does
# not fit. All others are matched in linear time.
_PATTERNS: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)
_BASE: Final = "urn:openapi"

_ONE: Final = ("not", "additionalProperties", "items")
_ONE_31: Final = (
    *("if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_MANY: Final = ("allOf", "anyOf", "oneOf")
_NAMED: Final = ("properties",)
_NAMED_31: Final = ("patternProperties", "dependentSchemas")
_PLAIN: Final = (
    *("type", "required", "enum", "multipleOf", "maximum", "exclusiveMaximum", "minimum"),
    *("exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems"),
    *("uniqueItems", "maxProperties", "minProperties"),
)
_PLAIN_31: Final = ("const", "maxContains", "minContains", "dependentRequired")
# They would give another base to references, or a name that is no pointer.
_NOT_READ: Final = ("$id", "$dynamicRef", "$recursiveRef")

type Schema = dict[str, Any] | bool


class Schemas:
    """Compiled schemas, and what `$ref` in them leads to.

    Args:
        defs: Schemas by number, as `Collector` makes them; complete before the first is used.
    """

    def __init__(self, defs: Mapping[str, Schema]) -> None:
        self._defs = defs
        self._registry: jsonschema_rs.Registry | None = None
        self._compiled: dict[int, tuple[Schema, jsonschema_rs.Draft202012Validator]] = {}

    def fits(self, schema: Schema, value: object) -> bool:
        """Whether a value is as the schema says; linear in the value's size."""
        try:
            return self.validator(schema).is_valid(value)
        except ValueError:
            return False  # no value of JSON

    def faults(self, schema: Schema, value: object) -> list[jsonschema_rs.ValidationError]:
        """What is wrong with a value; for schemas without schemas in them, which cost little."""
        try:
            return list(self.validator(schema).iter_errors(value))
        except ValueError:
            return []

    def target(self, schema: Mapping[str, Any]) -> Schema:
        """What `$ref` of this schema leads to."""
        return self._defs[schema["$ref"].rpartition("/")[2]]

    def validator(self, schema: Schema) -> jsonschema_rs.Draft202012Validator:
        """What checks a schema.

        Raises:
            jsonschema_rs.ValidationError: It is no schema.
        """
        # By identity: the schema is kept beside its validator, so that the number stays its own.
        known = self._compiled.get(id(schema))
        if known is None:
            if self._registry is None:
                self._registry = jsonschema_rs.Registry(
                    [(_BASE, {"$defs": self._defs})],
                    draft=jsonschema_rs.Draft202012,
                )
            validator = jsonschema_rs.Draft202012Validator(
                schema,
                validate_formats=False,
                registry=self._registry,
                pattern_options=_PATTERNS,
                offline=True,
            )
            known = self._compiled[id(schema)] = (schema, validator)
        return known[1]


class Collector:
    """Collects the schemas of a description.

    Args:
        source: The description.
        old: It is of 3.0.

    Attributes:
        schemas: What they are compiled into.
    """

    def __init__(self, source: Source, *, old: bool) -> None:
        self._source = source
        self._old = old
        self._one = _ONE if old else _ONE + _ONE_31
        self._many = _MANY if old else (*_MANY, "prefixItems")
        self._named = _NAMED if old else _NAMED + _NAMED_31
        self._plain = _PLAIN if old else _PLAIN + _PLAIN_31
        self._numbers: dict[Pointer, int] = {}
        self._waiting: list[tuple[Pointer, Any]] = []
        self._added: list[tuple[Schema, Pointer]] = []
        self._defs: dict[str, Schema] = {}
        self.schemas = Schemas(self._defs)

    def add(self, schema: Any, pointer: Pointer) -> Schema:
        """A schema as it is checked here, with all it refers to.

        Args:
            schema: As it stands in the description.
            pointer: Where.

        Raises:
            ConfigurationError: `openapi-invalid`, `openapi-reference`.
        """
        copied = self._copied(schema, pointer)
        while self._waiting:
            target, raw = self._waiting.pop()
            self._defs[str(self._numbers[target])] = self._copied(raw, target)
        self._added.append((copied, pointer))
        return copied

    def compile(self) -> None:
        """Compile all schemas; none is added afterwards.

        Raises:
            ConfigurationError: `openapi-invalid`: one is no schema, or has a pattern that is none.
        """
        targets = [(self._defs[str(number)], at) for at, number in self._numbers.items()]
        for schema, pointer in (*targets, *self._added):
            try:
                self.schemas.validator(schema)
            except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
                place = getattr(error, "instance_path", [])
                raise invalid(
                    "Not a schema",
                    self._source.where((*pointer, *place)),
                    expected=f"what JSON Schema allows for {place[-1]}" if place else "",
                ) from None

    def _copied(self, schema: Any, pointer: Pointer) -> Schema:
        if isinstance(schema, bool) and not (
            self._old and pointer[-1:] != ("additionalProperties",)
        ):
            return schema
        if not isinstance(schema, dict):
            raise invalid("A schema must be a mapping", self._source.where(pointer))
        if not self._old and any(key in schema for key in _NOT_READ):
            raise invalid(
                f"{', '.join(_NOT_READ)} in a schema are not read here",
                self._source.where(pointer),
                hint="Refer by #/components/schemas/….",
            )
        copy = self._referring(schema, pointer)
        if self._old and copy:
            return copy  # what stands beside `$ref` does not count (OAS 3.0.4, 4.7.23)
        copy |= {key: schema[key] for key in self._plain if key in schema}
        for keys, copied in (
            (self._one, self._copied),
            (self._many, self._listed),
            (self._named, self._mapped),
        ):
            for key in keys:
                if key in schema:
                    copy[key] = copied(schema[key], (*pointer, key))
        self._without_read_only(copy, schema)
        return _modern(copy, schema) if self._old else copy

    def _referring(self, schema: Mapping[str, Any], pointer: Pointer) -> dict[str, Any]:
        if "$ref" not in schema:
            return {}
        target, raw = resolve(self._source, schema["$ref"], pointer)
        number = self._numbers.get(target)
        if number is None:
            number = self._numbers[target] = len(self._numbers)
            self._waiting.append((target, raw))
        return {"$ref": f"{_BASE}#/$defs/{number}"}

    def _listed(self, schemas: Any, pointer: Pointer) -> list[Schema]:
        if not isinstance(schemas, list):
            raise invalid("Schemas must be a list here", self._source.where(pointer))
        return [self._copied(schema, (*pointer, i)) for i, schema in enumerate(schemas)]

    def _mapped(self, schemas: Any, pointer: Pointer) -> dict[str, Schema]:
        if not isinstance(schemas, dict):
            raise invalid("Schemas must be a mapping here", self._source.where(pointer))
        return {key: self._copied(schema, (*pointer, key)) for key, schema in schemas.items()}

    def _without_read_only(self, copy: dict[str, Any], schema: Mapping[str, Any]) -> None:
        """What is read-only is not sent, required or not (OAS 3.0.4, 4.7.24.2)."""
        required = copy.get("required")
        members = schema.get("properties")
        if isinstance(required, list) and isinstance(members, dict):
            kept = [name for name in required if not self._read_only(members.get(name))]
            copy["required"] = kept
            if not kept:
                del copy["required"]

    def _read_only(self, schema: Any) -> bool:
        if not isinstance(schema, dict):
            return False
        if schema.get("readOnly") is not True and isinstance(schema.get("$ref"), str):
            schema = resolve(self._source, schema["$ref"], ())[1]
        return isinstance(schema, dict) and schema.get("readOnly") is True


def _modern(copy: dict[str, Any], schema: Mapping[str, Any]) -> Schema:
    """A schema of 3.0 in the words of 2020-12: bounds and null."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if copy.get(exclusive) is True and bound in copy:
            copy[exclusive] = copy.pop(bound)
        elif isinstance(copy.get(exclusive), bool):
            del copy[exclusive]
    if schema.get("nullable") is not True:
        return copy
    # The text (OAS 3.0.4) wants `null` in `enum` as well, and does nothing without a `type`. Many
    # generators write neither, and mean that null is allowed.
    if isinstance(copy.get("type"), str) and not {"enum", *_MANY, "not"} & copy.keys():
        copy["type"] = [copy["type"], "null"]
        return copy
    return {"anyOf": [{"type": "null"}, copy]}
