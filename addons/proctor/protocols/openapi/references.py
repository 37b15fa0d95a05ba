"""References inside a description (OAS 4.8.23; RFC 6901): to places of the same file, no others."""

from typing import Any, Final
from urllib.parse import unquote

from proctor.errors import ConfigurationError
from proctor.protocols.openapi.reading import Key, Pointer, Source, invalid

_MAX_HOPS: Final = 16


def resolve(source: Source, reference: object, pointer: Pointer) -> tuple[Pointer, Any]:
    """Where a `$ref` leads, and what stands there.

    Args:
        source: The description.
        reference: The value of `$ref`.
        pointer: Where it stands, for messages.

    Raises:
        ConfigurationError: `openapi-reference`: it leads out of the file or nowhere.
    """
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise ConfigurationError(
            code="openapi-reference",
            message="A reference leads out of this file",
            expected="#/… , a place in the same file",
            hint="Bundle the description into one file; nothing is fetched.",
            where=source.where(pointer),
        )
    target: list[Key] = []
    node = source.data
    for raw in unquote(reference[1:]).split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and token in node:
            target.append(token)
            node = node[token]
        elif isinstance(node, list) and token.isdecimal() and int(token[:9]) < len(node):
            target.append(int(token[:9]))
            node = node[int(token[:9])]
        else:
            raise ConfigurationError(
                code="openapi-reference",
                message="A reference leads nowhere",
                got=reference[:200],
                where=source.where(pointer),
            )
    return tuple(target), node


def follow(source: Source, node: Any, pointer: Pointer) -> tuple[dict[str, Any], Pointer]:
    """A parameter, request body or path, which may stand elsewhere.

    Returns:
        It, and where it stands.

    Raises:
        ConfigurationError: `openapi-reference`, or `openapi-invalid` where it is no mapping.
    """
    for _ in range(_MAX_HOPS):
        if not isinstance(node, dict):
            raise invalid("A mapping must stand here", source.where(pointer))
        if "$ref" not in node:
            return node, pointer
        pointer, node = resolve(source, node["$ref"], pointer)
    raise invalid("References that lead in a circle", source.where(pointer))
