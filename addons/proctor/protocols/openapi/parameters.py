"""Parameters of an operation (OAS 4.8.12): where they stand and how they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from proctor.protocols.jsonspan import loads
from proctor.protocols.openapi.faults import faults
from proctor.protocols.openapi.reading import Pointer, Source, invalid
from proctor.protocols.openapi.references import follow
from proctor.protocols.openapi.schemas import Collector, Schema, Schemas
from proctor.protocols.openapi.values import Tree, meant, named, nested, types, variants
from proctor.redaction.structure.names import shown

type Place = Literal["path", "query", "header"]

_SEPARATORS: Final = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
# A parameter of one of these names is described elsewhere (OAS 4.8.12.1).
_NO_PARAMETERS: Final = frozenset(("accept", "content-type", "authorization"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    Attributes:
        name: In small letters for a header.
        place: Where it stands. Those in cookies are not looked at.
        required: A request without it breaks the description.
        style: How lists and objects are written: `form`, `simple`, `deepObject` …
        explode: Each item or member is written by itself.
        empty: An empty text counts as a value of whatever type.
        json: It is written as JSON.
        schema: What it is; True where nothing is said.
        members: Names of its members where these stand in the query by themselves; None where any
            may.
    """

    name: str
    place: Place
    required: bool
    style: str
    explode: bool
    empty: bool
    json: bool
    schema: Schema
    shapes: frozenset[str]
    members: frozenset[str] | None = frozenset()

    def owns(self, keys: Sequence[str]) -> set[str]:
        """Which names in a query belong to this parameter."""
        own = {self.name}
        if self.style == "deepObject":
            own.update(named(self.name, keys))
        return own | (set(keys) if self.members is None else self.members)

    def check(self, schemas: Schemas, fields: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """What is wrong with it, a line for each fault.

        Args:
            schemas: That its schema belongs to.
            fields: All names and values of the place where it stands.
        """
        place = f"{self.place}.{shown(self.name)}"
        tree = self._read(fields)
        if tree is None:
            return (f"{place}: missing",) if self.required else ()
        if self.empty and tree == "":
            return ()
        if self.json:
            if not isinstance(tree, str):
                return (f"{place}: expected one value",)
            try:
                value = loads(tree)
            except (ValueError, RecursionError):
                return (f"{place}: expected JSON",)
        else:
            value = meant(schemas, self.schema, tree)
        return faults(schemas, self.schema, value, place)

    def _read(self, fields: Sequence[tuple[str, str]]) -> Tree | None:
        texts = [text for name, text in fields if name == self.name]
        if self.json:
            return _one(texts)
        if self.style == "deepObject":
            tree = nested(self.name, fields)
            if tree is None or not texts:
                return _one(texts) if tree is None else tree
            return [*texts, ""]  # both ways at once: a list, that fits no object
        if self.members != frozenset():
            members = {n: t for n, t in fields if self.members is None or n in self.members}
            return members or _one(texts)
        if len(texts) == 1 and not (self.explode and self.place == "query"):
            return self._cut(texts[0])
        return _one(texts)

    def _cut(self, text: str) -> Tree:
        separator = _SEPARATORS.get(self.style)
        if separator is None or not self.shapes & {"array", "object"}:
            return text
        parts = text.split(separator)
        if "array" in self.shapes:
            return text if len(parts) == 1 and self.shapes != {"array"} else parts
        if self.explode:
            return {name: value for name, _, value in (part.partition("=") for part in parts)}
        return dict(zip(parts[::2], parts[1::2], strict=False))


def _one(texts: list[str]) -> Tree | None:
    if not texts:
        return None
    return texts[0] if len(texts) == 1 else texts


def read_parameter(
    source: Source, collector: Collector, raw: Any, pointer: Pointer
) -> Parameter | None:
    """A parameter of the description; None for one that is not looked at.

    Raises:
        ConfigurationError: `openapi-invalid`, `openapi-reference`.
    """
    said, pointer = follow(source, raw, pointer)
    name, place = said.get("name"), said.get("in")
    if not isinstance(name, str) or place not in ("path", "query", "header", "cookie"):
        raise invalid(
            "A parameter needs `name` and `in`",
            source.where(pointer),
            expected="in: path, query, header or cookie",
        )
    if place == "cookie" or (place == "header" and name.lower() in _NO_PARAMETERS):
        return None
    style = said.get("style", "form" if place == "query" else "simple")
    schema, json = _schema(source, collector, said, pointer)
    shapes = frozenset(name for one in variants(collector.schemas, schema) for name in types(one))
    explode = said.get("explode", style == "form") is True
    members: frozenset[str] | None = frozenset()
    if place == "query" and style == "form" and explode and "object" in shapes and not json:
        members = _members(collector.schemas, schema)
    return Parameter(
        name=name.lower() if place == "header" else name,
        place=place,
        required=said.get("required") is True or place == "path",
        style=str(style),
        explode=explode,
        empty=said.get("allowEmptyValue") is True,
        json=json,
        schema=schema,
        shapes=shapes,
        members=members,
    )


def _schema(
    source: Source, collector: Collector, said: Mapping[str, Any], pointer: Pointer
) -> tuple[Schema, bool]:
    """What it is, and whether it is written as JSON."""
    if "schema" in said:
        return collector.add(said["schema"], (*pointer, "schema")), False
    content = said.get("content")
    if not isinstance(content, dict) or len(content) != 1:
        return True, False
    ((media, inner),) = content.items()
    inner, at = follow(source, inner, (*pointer, "content", media))
    schema = collector.add(inner["schema"], (*at, "schema")) if "schema" in inner else True
    return schema, media.partition(";")[0].strip().lower().endswith("json")


def _members(schemas: Schemas, schema: Schema) -> frozenset[str] | None:
    said = variants(schemas, schema)
    if any(one.get("additionalProperties", False) is not False for one in said):
        return None
    return frozenset(name for one in said for name in one.get("properties", ()))
