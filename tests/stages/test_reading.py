"""What rules see of an HTTP request."""

import json
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http

from proctor.egress.targets import Target, targets_of
from proctor.errors import ClientError
from proctor.model import CredentialSource, HttpFields
from proctor.protocols.openapi.spec import Spec
from proctor.protocols.said import MAX_JSON
from proctor.stages.exchange import Exchange
from proctor.stages.reading import http_fields, load_specs
from tests.support.stand import listener, proxy_of

SPEC = """\
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /tickets/{id}:
    get:
      operationId: getTicket
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: ok}}
"""


def seen(
    method: str = "POST",
    path: str = "/x",
    body: bytes | None = None,
    kind: str = "",
    *,
    target: Target | None = None,
    specs: dict[Path, Spec] | None = None,
    **how: Any,
) -> HttpFields:
    request = http.Request.make(
        method,
        f"https://api.internal{path}",
        b"",
        http.Headers(content_type=kind) if kind else http.Headers(),
    )
    request.data.path = path.encode("latin-1")
    exchange = Exchange(listener="egress", **how)
    exchange.target = target or next(iter(targets_of(listener(443, speaks="http"))))
    return http_fields(request, exchange, specs or {}, body=body)


def test_the_parts_of_a_request() -> None:
    fields = seen("PUT", "/a/b?x=1&y=&x=2", b"{}", "application/json; charset=utf-8")
    assert (fields.method, fields.scheme, fields.host, fields.port, fields.path) == (
        "PUT",
        "https",
        "api.internal",
        443,
        "/a/b",
    )
    assert fields.query == {"x": "1, 2", "y": ""}
    assert fields.content_type == "application/json"


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/a", "/a"),
        ("/%61dmin", "/admin"),
        ("/a//b", "/a//b"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%20b", "/a%20b"),
        ("/a;v=1", "/a;v=1"),
    ],
)
def test_a_path_has_one_spelling(path: str, plain: str) -> None:
    assert seen(path=path).path == plain


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/a/./b", "/a\\b", "/%00"])
def test_a_path_that_could_be_read_in_two_ways_is_refused(path: str) -> None:
    with pytest.raises(ClientError) as caught:
        seen(path=path)
    assert caught.value.code == "path-ambiguous"


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b'{"a":[1,{"b":null}]}', "application/json", {"a": [1, {"b": None}]}),
        (b"[1]", "application/vnd.api+json", [1]),
        (b'{"a":1}', "text/plain", None),
        (b'{"a":1,"a":2}', "application/json", None),
        (b"{", "application/json", None),
        (b'{"a":"\xff"}', "application/json", None),
        (b"[" * 100_000, "application/json", None),
        (b"a=1&b=%20", "application/x-www-form-urlencoded", {"a": "1", "b": " "}),
        (b"", "application/json", None),
        (None, "application/json", None),
        (json.dumps("x" * MAX_JSON).encode(), "application/json", None),
    ],
)
def test_rules_look_into_a_body_that_can_be_read_in_one_way(
    body: bytes | None, kind: str, said: Any
) -> None:
    assert seen(body=body, kind=kind).json == said


def test_operations_of_graphql() -> None:
    asked = json.dumps({"query": "mutation Drop { drop(id: 1) { ok } }"}).encode()
    assert seen(body=asked, kind="application/json").operation
    assert seen(body=b"query Q { a }", kind="application/graphql").operation
    assert seen(body=b'{"query":1}', kind="application/json").operation == ""


def test_operations_of_a_described_api(tmp_path: Path) -> None:
    file = tmp_path / "tickets.yaml"
    file.write_text(SPEC)
    proxy = proxy_of({"host": "api.internal", "openapi": {"spec": str(file)}})
    specs = load_specs([proxy])
    assert list(specs) == [file]
    target = next(iter(targets_of(proxy)))
    good = seen("GET", "/tickets/1", b"", target=target, specs=specs)
    assert (good.operation, good.violations) == ("getTicket", ())
    bad = seen("GET", "/tickets/x", b"", target=target, specs=specs)
    assert bad.violations
    other = seen("GET", "/secrets", b"", target=target, specs=specs)
    assert other.operation == ""
    assert other.violations


@pytest.mark.parametrize(
    ("settings", "own", "path", "source"),
    [
        ({}, (), "/x", CredentialSource.NONE),
        ({"credential": "key"}, (), "/x", CredentialSource.INJECTED),
        (
            {"credential": "client"},
            ((b"authorization", b"Bearer x"),),
            "/x",
            CredentialSource.CLIENT,
        ),
        ({"credential": "client"}, (), "/x?api_key=1", CredentialSource.CLIENT),
        ({"credential": "client"}, (), "/x", CredentialSource.NONE),
    ],
)
def test_whose_credential_it_is(
    settings: dict[str, Any],
    own: tuple[tuple[bytes, bytes], ...],
    path: str,
    source: CredentialSource,
) -> None:
    target = next(iter(targets_of(proxy_of({"host": "api.internal", **settings}))))
    assert seen(path=path, target=target, own=own).credential is source
