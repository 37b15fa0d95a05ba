"""Operations of a description (OAS 4.8.8 to 4.8.14) and what they say of a request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from json import dumps
from typing import Any, Final

from proctor.protocols.forms import MAX_TEXT, MULTIPART, URLENCODED, read_form
from proctor.protocols.jsonspan import loads
from proctor.protocols.openapi.faults import faults
from proctor.protocols.openapi.parameters import Parameter, read_parameter
from proctor.protocols.openapi.reading import MAX_DEPTH, Pointer, Source, deeper, invalid
from proctor.protocols.openapi.references import follow
from proctor.protocols.openapi.schemas import Collector, Schema, Schemas
from proctor.protocols.openapi.values import Tree, meant, nested
from proctor.redaction.structure.names import shown

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAX_ID: Final = 200
_MAX_BASES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request's body may be.

    Attributes:
        required: There must be one.
        content: Schemas by media type, ranges such as `image/*` among them.
    """

    required: bool
    content: Mapping[str, Schema]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        id: `operationId`, or method and path such as `GET /users/{id}`.
        parameters: Those that are looked at.
        keys: Names in the query that belong to a way of signing in (OAS 4.8.27).
        body: None where none is described.
    """

    id: str
    parameters: tuple[Parameter, ...]
    keys: frozenset[str]
    body: Body | None

    def check(  # noqa: PLR0913, PLR0917  # the parts of a request
        self,
        schemas: Schemas,
        path: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        content_type: str,
        body: bytes,
    ) -> Iterator[str]:
        """What is wrong with a request, a line for each fault."""
        fields = {"path": list(path.items()), "query": query, "header": list(headers.items())}
        for parameter in self.parameters:
            yield from parameter.check(schemas, fields[parameter.place])
        keys = dict.fromkeys(name for name, _ in query)
        if keys:
            names = tuple(keys)
            known = self.keys.union(*(p.owns(names) for p in self.parameters if p.place == "query"))
            for name in keys:
                if name not in known:
                    yield f"query.{shown(name)}: not in the description"
        yield from self._check_body(schemas, content_type, body)

    def _check_body(self, schemas: Schemas, content_type: str, body: bytes) -> Iterator[str]:
        if self.body is None:
            if body:
                yield "body: expected none"
            return
        if not body:
            if self.body.required:
                yield "body: missing"
            return
        media = content_type.partition(";")[0].strip().lower()
        content = self.body.content
        for name in (media, f"{media.partition('/')[0]}/*", "*/*"):
            if name in content:
                yield from _check_content(schemas, content[name], media, content_type, body)
                return
        yield f"content-type: expected {' or '.join(sorted(content)[:5]) or 'none'}"


def _check_content(
    schemas: Schemas, schema: Schema, media: str, content_type: str, body: bytes
) -> Iterator[str]:
    is_json = media == "application/json" or media.endswith("+json")
    is_form = media in (URLENCODED, MULTIPART)
    if schema is True or not (is_json or is_form):
        return
    if is_form:
        form = read_form(body, content_type)
        if form is None:
            yield "body: expected a form that can be read in one way only"
            return
        value = meant(schemas, schema, _tree(form))
    elif len(body) > MAX_TEXT:
        yield f"body: expected at most {MAX_TEXT // 1024} KiB, which is what can be checked"
        return
    else:
        try:
            text = body.decode()
            value = loads(text)
            if "\\u" in text:
                dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):
            yield "body: expected JSON that can be read in one way only"
            return
        if body.count(b"{") + body.count(b"[") > MAX_DEPTH and deeper(value, MAX_DEPTH):
            yield f"body: expected at most {MAX_DEPTH} levels, which is what can be checked"
            return
    yield from faults(schemas, schema, value, "body")


def _tree(form: Mapping[str, Any]) -> Tree:
    """A form's fields, `name[member]` among them, with a word in place of each file."""
    plain: dict[str, Tree] = {}
    pairs: list[tuple[str, str]] = []
    for name, value in form.items():
        values = value if isinstance(value, list) else [value]
        texts = [text if isinstance(text, str) else "file" for text in values]
        if "[" in name:
            pairs.extend((name, text) for text in texts)
        else:
            plain[name] = texts if isinstance(value, list) else texts[0]
    for name in dict.fromkeys(key.partition("[")[0] for key, _ in pairs):
        tree = nested(name, pairs)
        if tree is not None:
            plain[name] = [plain[name], tree] if name in plain else tree
    return plain | {name: text for name, text in pairs if not name.endswith("]")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An operation and where it is found: its method in capitals, and each of its paths."""

    method: str
    paths: tuple[str, ...]
    operation: Operation
    pointer: Pointer


def read_operations(source: Source, collector: Collector) -> Iterator[Described]:
    """All operations of a description.

    Raises:
        ConfigurationError: `openapi-invalid`, `openapi-reference`.
    """
    paths = source.data.get("paths", {})
    if not isinstance(paths, dict):
        raise invalid("`paths` must be a mapping", source.where(("paths",)))
    keys = _query_keys(source)
    for path, raw in paths.items():
        if path.startswith("x-"):
            continue
        item, at = follow(source, raw, ("paths", path))
        for method in METHODS:
            if method in item:
                pointer = (*at, method)
                said, _ = follow(source, item[method], pointer)
                bases = _bases(source, said, item)
                yield Described(
                    method=method.upper(),
                    paths=tuple(base + path for base in bases),
                    operation=Operation(
                        id=_name(source, said, pointer, f"{method.upper()} {path}"),
                        parameters=_parameters(source, collector, item, at, said, pointer),
                        keys=keys,
                        body=_body(source, collector, said, pointer),
                    ),
                    pointer=pointer,
                )


def _name(source: Source, said: Mapping[str, Any], pointer: Pointer, otherwise: str) -> str:
    name = said.get("operationId", otherwise)
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_ID or not name.isprintable():
        raise invalid(
            "An operation's name must be a word",
            source.where(pointer),
            expected=f"operationId: of at most {_MAX_ID} characters",
        )
    return name


def _parameters(  # noqa: PLR0913, PLR0917  # a path and an operation, each with its place
    source: Source,
    collector: Collector,
    item: Mapping[str, Any],
    item_at: Pointer,
    said: Mapping[str, Any],
    said_at: Pointer,
) -> tuple[Parameter, ...]:
    """The path's parameters, and the operation's, which go before them (OAS 4.8.9)."""
    found: dict[tuple[str, str], Parameter] = {}
    for holder, at in ((item, item_at), (said, said_at)):
        listed = holder.get("parameters", [])
        if not isinstance(listed, list):
            raise invalid("`parameters` must be a list", source.where((*at, "parameters")))
        for index, raw in enumerate(listed):
            parameter = read_parameter(source, collector, raw, (*at, "parameters", index))
            if parameter is not None:
                found[parameter.place, parameter.name] = parameter
    return tuple(found.values())


def _body(
    source: Source, collector: Collector, said: Mapping[str, Any], pointer: Pointer
) -> Body | None:
    if "requestBody" not in said:
        return None
    raw, at = follow(source, said["requestBody"], (*pointer, "requestBody"))
    content = raw.get("content", {})
    if not isinstance(content, dict):
        raise invalid("`content` must be a mapping", source.where((*at, "content")))
    schemas_by_media: dict[str, Schema] = {}
    for name, described in content.items():
        inner, inner_at = follow(source, described, (*at, "content", name))
        media = name.partition(";")[0].strip().lower()
        schema = (
            collector.add(inner["schema"], (*inner_at, "schema")) if "schema" in inner else True
        )
        schemas_by_media[media] = schema
    return Body(required=raw.get("required") is True, content=schemas_by_media)


def _query_keys(source: Source) -> frozenset[str]:
    """Names of keys in the query by which a client signs in (OAS 4.8.27)."""
    components = source.data.get("components", {})
    schemes = components.get("securitySchemes", {}) if isinstance(components, dict) else {}
    said = [s for s in schemes.values() if isinstance(s, dict)] if isinstance(schemes, dict) else []
    return frozenset(str(s["name"]) for s in said if s.get("in") == "query" and "name" in s)


def _bases(source: Source, *holders: Mapping[str, Any]) -> list[str]:
    """The paths that the servers' addresses begin with (OAS 4.8.5); the innermost list counts."""
    servers: Any = next((h["servers"] for h in (*holders, source.data) if h.get("servers")), [])
    bases: dict[str, None] = {}
    for server in servers if isinstance(servers, list) else []:
        if isinstance(server, dict) and isinstance(server.get("url"), str):
            for url in _expanded(server["url"], server.get("variables")):
                bases[_path_of(source, url)] = None
    if len(bases) > _MAX_BASES:
        raise invalid("Too many servers", source.where(("servers",)), expected="at most 64 paths")
    return list(bases) or [""]


def _expanded(url: str, variables: object) -> Iterator[str]:
    """An address with each value that its variables may have (OAS 4.8.6), at most 64 + 1."""
    if not isinstance(variables, dict):
        yield url
        return
    named = {name: said for name, said in variables.items() if isinstance(said, dict)}
    # Only those in the path matter; the host is settled elsewhere.
    path = url.partition("://")[2].partition("/")[2] or url
    choices = [
        [(name, str(value)) for value in dict.fromkeys((said.get("default", ""), *_listed(said)))]
        for name, said in named.items()
        if f"{{{name}}}" in path
    ]
    for count, chosen in enumerate(product(*choices)):
        text = url
        for name, value in chosen:
            text = text.replace(f"{{{name}}}", value)
        yield text
        if count == _MAX_BASES:
            return


def _listed(said: Mapping[str, Any]) -> list[Any]:
    values = said.get("enum", [])
    return values if isinstance(values, list) else []


def _path_of(source: Source, url: str) -> str:
    scheme, absolute, rest = url.partition("://")
    path = rest[len(rest.partition("/")[0]) :] if absolute else scheme
    if path and not path.startswith("/"):
        raise invalid(
            "A server's address that is relative to where the description came from",
            source.where(("servers",)),
            expected="https://… or /…",
        )
    return path.partition("?")[0].partition("#")[0].rstrip("/")
