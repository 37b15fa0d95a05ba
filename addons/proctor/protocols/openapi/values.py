"""Values that came as text, of a query, path, header or form, as their schema means them.

A text is a number only where the schema wants one. So `5` fits an integer and a string alike, and
`five` stays a text that fits no integer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from proctor.protocols.jsonspan import loads
from proctor.protocols.openapi.schemas import Schema, Schemas

type Tree = str | Sequence["Tree"] | Mapping[str, "Tree"]
"""Texts as they came, in lists and by name."""

_MAX_VARIANTS: Final = 64
_MAX_DEPTH: Final = 16
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?")
_INDEX: Final = re.compile(r"[0-9]{0,6}")
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_SCALARS: Final = frozenset(("string", "number", "integer", "boolean", "null"))


def variants(schemas: Schemas, schema: Schema) -> list[dict[str, Any]]:
    """The schemas behind references and combinations, at most 64; each says a part of it."""
    found: list[dict[str, Any]] = []
    waiting: list[Schema] = [schema]
    seen: set[int] = set()
    while waiting and len(found) < _MAX_VARIANTS:
        one = waiting.pop()
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        found.append(one)
        if "$ref" in one:
            waiting.append(schemas.target(one))
        for choice in ("allOf", "anyOf", "oneOf"):
            waiting.extend(one.get(choice, ()))
    return found


def types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that one schema names or implies; none where it says nothing of it."""
    said = schema.get("type", ())
    if said:
        return frozenset((said,) if isinstance(said, str) else said)
    if "properties" in schema:
        return frozenset(("object",))
    return frozenset(("array",)) if "items" in schema or "prefixItems" in schema else frozenset()


def meant(schemas: Schemas, schema: Schema, tree: Tree, depth: int = 0) -> object:
    """The value of JSON that texts stand for, as far as the schema tells."""
    said = variants(schemas, schema)
    allowed = frozenset().union(*map(types, said))
    if depth == _MAX_DEPTH:
        return tree
    if isinstance(tree, str):
        value = _scalar(said, tree)
        if value is not tree or not allowed or allowed & _SCALARS:
            return value
        if "array" in allowed:
            return [meant(schemas, _items(said), tree, depth + 1)]
        return _document(tree)
    if isinstance(tree, Mapping):
        if "array" in allowed and "object" not in allowed and all(map(_INDEX.fullmatch, tree)):
            tree = list(tree.values())  # `a[0]=x&a[1]=y`, as many clients write a list
        else:
            return {
                name: meant(schemas, _member(said, name), part, depth + 1)
                for name, part in tree.items()
            }
    return [meant(schemas, _items(said), part, depth + 1) for part in tree]


def _scalar(said: list[dict[str, Any]], text: str) -> object:
    """A number, a truth value or null where one is wanted and the text itself is not."""
    for one in said:
        names = types(one)
        listed = one.get("enum", [one["const"]] if "const" in one else None)
        if "string" in names and (listed is None or text in listed):
            return text
    names = frozenset().union(*map(types, said))
    if names & {"number", "integer"} and _NUMBER.fullmatch(text):
        return _document(text)
    if "boolean" in names and text in ("true", "false"):
        return _CONSTANTS[text]
    if "null" in names and text == "null":
        return None
    return text


def _document(text: str) -> object:
    """What a text says as JSON, as which an object in a form is written (OAS 3.0.4, 4.7.15.1)."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return text


def _items(said: list[dict[str, Any]]) -> Schema:
    for one in said:
        if "items" in one:
            items: Schema = one["items"]
            return items
    return True


def _member(said: list[dict[str, Any]], name: str) -> Schema:
    for key in ("properties", "additionalProperties"):
        for one in said:
            schema: Any = one.get(key, {})
            if key == "properties":
                schema = schema.get(name)
            if isinstance(schema, dict) and schema:
                return schema
    return True


def nested(name: str, fields: Sequence[tuple[str, str]]) -> Tree | None:
    """What `name[a][b]=…` says (OAS: deepObject), and `name[]=…`; None where there is nothing."""
    root: dict[str, Any] = {}
    for key, text in fields:
        if not key.startswith(f"{name}[") or not key.endswith("]"):
            continue
        path = key[len(name) + 1 : -1].split("][")
        node = root
        for step in path[:-1][:_MAX_DEPTH]:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                below = node[step] = {"": below}
            node = below
        before = node.get(path[-1])
        if before is None:
            node[path[-1]] = text
        else:
            node[path[-1]] = [*(before if isinstance(before, list) else [before]), text]
    if root.keys() == {""}:
        only: Tree = root[""]
        return [only] if isinstance(only, str) else only
    return root or None


def named(name: str, keys: Sequence[str]) -> Iterator[str]:
    """The keys that `nested` reads for this name."""
    return (key for key in keys if key.startswith(f"{name}[") and key.endswith("]"))
