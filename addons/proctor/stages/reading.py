"""What rules see of an HTTP request: its parts, its body, and what its API's description says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from mitmproxy import http

from proctor.egress.carried import carried
from proctor.egress.paths import ambiguous, normalized
from proctor.egress.targets import targets_of
from proctor.errors import ClientError
from proctor.model import CredentialSource, HttpFields
from proctor.protocols.graphql import read_graphql
from proctor.protocols.openapi.spec import Spec
from proctor.protocols.said import joined, said
from proctor.settings import Listener
from proctor.stages.exchange import Exchange, names

_UNUSUAL: Final = frozenset("%;\\")


def load_specs(listeners: Sequence[Listener]) -> dict[Path, Spec]:
    """The descriptions of APIs behind listeners.

    Raises:
        ConfigurationError: One cannot be used.
    """
    found = {
        target.openapi.spec
        for listener in listeners
        for target in targets_of(listener)
        if target.openapi
    }
    return {path: Spec.load(path) for path in sorted(found)}


def query_of(request: http.Request) -> list[tuple[str, str]]:
    """Names and values of a request's query, decoded."""
    query = request.data.path.decode("latin-1").partition("?")[2]
    return parse_qsl(query, keep_blank_values=True) if query else []


def http_fields(
    request: http.Request, exchange: Exchange, specs: dict[Path, Spec], *, body: bytes | None = None
) -> HttpFields:
    """`http.*` in rules.

    Args:
        request: As it came, its credentials taken out.
        exchange: Where it goes.
        specs: Descriptions of APIs, by file.
        body: What rules may look into; None where a protocol of its own has read it.

    Raises:
        ClientError: `path-ambiguous`.
    """
    data = request.data
    path = data.path.decode("latin-1").partition("?")[0]
    pairs = query_of(request)
    headers = names(data.headers.fields)
    sent_type = headers.get("content-type", "")
    content_type = sent_type.partition(";")[0].strip().lower()
    told = said(body, content_type, sent_type) if body else None
    method, target = data.method.decode("latin-1"), exchange.to
    operation, violations = "", tuple[str, ...]()
    if target.openapi and body is not None:
        spec = specs[target.openapi.spec]
        looked = spec.look(method, path, pairs, headers, sent_type, body)
        operation, violations = looked.operation, looked.violations
    elif body is not None and (found := read_graphql(told, pairs)):
        operation = found.operation
    return HttpFields(
        method=method,
        scheme=data.scheme.decode("latin-1"),
        host=data.host,
        port=data.port,
        path=_plain(path),
        query=joined(pairs),
        headers=headers,
        content_type=content_type,
        json=told if not isinstance(told, str) else None,
        operation=operation,
        violations=violations,
        credential=_credential(exchange, pairs),
    )


def _plain(path: str) -> str:
    """The path as rules compare it: `/%61dmin` is `/admin` to whoever serves it."""
    if "//" not in path and "/." not in path and _UNUSUAL.isdisjoint(path):
        return path
    if ambiguous(path):
        raise ClientError(
            "path-ambiguous",
            "The path could be read in two ways",
            expected="a path without dot segments (RFC 3986 3.3), also when it is decoded",
        )
    return normalized(path)


def _credential(exchange: Exchange, query: Sequence[tuple[str, str]]) -> CredentialSource:
    target = exchange.to
    if target.credential:
        return CredentialSource.INJECTED
    if target.own and carried(exchange.own, query):
        return CredentialSource.CLIENT
    return CredentialSource.NONE
