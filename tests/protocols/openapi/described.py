"""Small descriptions for tests."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from proctor.protocols.openapi.reading import Source, parse
from proctor.protocols.openapi.schemas import Collector, Schema, Schemas
from proctor.protocols.openapi.spec import Spec


def source(data: object) -> Source:
    return parse(json.dumps(data, indent=1).encode(), name="api.json")


def described(paths: object, version: str = "3.1.0", **more: object) -> Spec:
    return Spec(source({"openapi": version, "paths": paths, **more}))


def look(
    spec: Spec,
    method: str,
    path: str,
    query: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    content_type: str = "",
    body: bytes = b"",
) -> tuple[str, ...]:
    return spec.look(method, path, query, headers or {}, content_type, body).violations


def compiled(schema: object, *, old: bool = False, **components: Any) -> tuple[Schemas, Schema]:
    """A schema, which may refer to `#/s/<name>`."""
    collector = Collector(source({"schema": schema, "s": components}), old=old)
    added = collector.add(schema, ("schema",))
    collector.compile()
    return collector.schemas, added
