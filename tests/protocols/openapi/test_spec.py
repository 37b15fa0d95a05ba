"""Whole descriptions: loading them and looking at requests."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.protocols.openapi.spec import Looked, Spec
from tests.protocols.openapi.described import described, source

TICKETS = """\
openapi: 3.0.3
servers: [{url: https://tickets.internal/v1}]
paths:
  /tickets:
    get:
      operationId: listTickets
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
        - {name: X-Trace, in: header, required: true, schema: {type: string, maxLength: 8}}
    post:
      operationId: createTicket
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Ticket'}
  /tickets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {}
    delete: {operationId: deleteTicket}
components:
  schemas:
    Ticket:
      type: object
      required: [id, title]
      properties:
        id: {type: integer, readOnly: true}
        title: {type: string, maxLength: 80}
        parent: {nullable: true, allOf: [{$ref: '#/components/schemas/Ticket'}]}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    file = tmp_path / "tickets.yaml"
    file.write_text(TICKETS)
    return Spec.load(file)


def test_what_a_request_asks_for(spec: Spec) -> None:
    assert spec.operations == {"listTickets", "createTicket", "GET /tickets/{id}", "deleteTicket"}
    trace = {"x-trace": "1"}
    assert spec.look("GET", "/v1/tickets", [("limit", "5")], trace, "", b"") == (
        Looked("listTickets", ())
    )
    assert spec.look("GET", "/v1/tickets/7", (), {}, "", b"") == Looked("GET /tickets/{id}", ())
    body = b'{"title": "a", "parent": {"title": "b", "parent": null}}'
    assert spec.look("POST", "/v1/tickets", (), {}, "application/json", body) == (
        Looked("createTicket", ())
    )
    operation = spec.match("DELETE", "/v1/tickets/7")
    assert operation is not None
    assert operation.id == "deleteTicket"


def test_what_is_not_as_described(spec: Spec) -> None:
    assert spec.look("GET", "/v1/tickets", [("limit", "500"), ("x", "1")], {}, "", b"") == Looked(
        "listTickets",
        (
            "query.limit: expected at most 100",
            "header.X-Trace: missing".lower(),
            "query.x: not in the description",
        ),
    )
    assert spec.look("GET", "/v1/tickets/seven", (), {}, "", b"") == (
        Looked("GET /tickets/{id}", ("path.id: expected an integer",))
    )
    body = b'{"title": 1, "parent": {"parent": 1}}'
    looked = spec.look("POST", "/v1/tickets", (), {}, "application/json", body)
    assert looked.operation == "createTicket"
    assert looked.violations[0] == "body.title: expected a string"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/tickets"),
        ("get", "/v1/tickets"),
        ("GET", "/tickets"),
        ("GET", "/v1/tickets/"),
        ("GET", "/v1/tickets/7/x"),
        ("GET", "/v1/tickets/../tickets"),
        ("GET", "/v1/Tickets"),
        ("CONNECT", ""),
    ],
)
def test_what_no_operation_answers(spec: Spec, method: str, path: str) -> None:
    looked = spec.look(method, path, (), {}, "", b"")
    assert looked.operation == ""
    assert looked.violations == (
        "path: no operation of the description answers to this method and path",
    )


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ([], "api.json:1"),
        ({}, "api.json:1"),
        ({"swagger": "2.0"}, "api.json:1"),
        ({"openapi": 3.1}, "api.json:2"),
        ({"openapi": "3.2.0"}, "api.json:2"),
        ({"openapi": "4.0.0"}, "api.json:2"),
        ({"openapi": "3.1.0", "paths": {"x": {"get": {}}}}, "api.json:4"),
        ({"openapi": "3.1.0", "paths": {"/{a}{a}": {"get": {}}}}, "api.json:4"),
        ({"openapi": "3.1.0", "paths": {"/{a}": {"get": {}}, "/{b}": {"get": {}}}}, "api.json:8"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "x"},
                                               "put": {"operationId": "x"}}}}, "api.json:8"),
    ],
)  # fmt: skip
def test_descriptions_that_cannot_be_used(data: object, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Spec(source(data))
    assert caught.value.code == "openapi-invalid"
    assert caught.value.where == where


def test_a_description_without_paths_knows_nothing() -> None:
    assert Spec(source({"openapi": "3.1.0"})).look("GET", "/", (), {}, "", b"").operation == ""


def test_there_is_an_end_to_violations() -> None:
    spec = described({"/x": {"get": {}}})
    query = [(f"a{n}", "1") for n in range(1000)]
    assert len(spec.look("GET", "/x", query, {}, "", b"").violations) == 20


def test_a_body_of_2_kb_is_quick(spec: Spec) -> None:
    body = b'{"title": "a", "parent": {"title": "b"}, "note": "%s"}' % (b"x" * 2000)
    start = time.process_time()
    for _ in range(100):
        spec.look("POST", "/v1/tickets", (), {}, "application/json", body)
    assert (time.process_time() - start) / 100 < 0.002  # measured: 0.06 ms


SECRET = "sk-ant-SECRET-0123456789abcdef"


@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.sampled_from(["/v1/tickets", "/v1/tickets/7", f"/v1/tickets/{SECRET}", "/"]),
    st.lists(st.tuples(st.sampled_from(["limit", SECRET, "x[y]"]), st.just(SECRET) | st.text())),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", SECRET, ""]),
    st.just(b'{"title": ["%s"], "%s": 1}' % (SECRET.encode(), SECRET.encode())) | st.binary(),
)
def test_no_value_is_told(
    method: str, path: str, query: list[tuple[str, str]], content_type: str, body: bytes
) -> None:
    spec = _TICKETS
    looked = spec.look(method, path, query, {"x-trace": SECRET}, content_type, body)
    assert SECRET not in str(looked)
    assert all(line.isprintable() for line in looked.violations)


_TICKETS = Spec(
    source({"openapi": "3.0.0", "paths": {
        "/v1/tickets": {
            "get": {"parameters": [
                {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                {"name": "X-Trace", "in": "header", "schema": {"type": "integer"}}]},
            "post": {"requestBody": {"content": {"application/json": {"schema": {
                "properties": {"title": {"type": "string"}}, "additionalProperties": False}}}}}},
        "/v1/tickets/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
            "delete": {}}}})
)  # fmt: skip
