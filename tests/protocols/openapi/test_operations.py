"""Operations: how a description names and places them, and what it says of a request's body."""

import json
from urllib.parse import quote

import pytest

from proctor.errors import ConfigurationError
from tests.protocols.openapi.described import described, look

ORDER = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "integer", "maximum": 100},
        "tags": {"type": "array", "items": {"type": "string"}},
        "to": {"type": "object", "properties": {"zip": {"type": "integer"}}},
    },
    "additionalProperties": False,
}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def taking(*media: str, **body: object) -> object:
    content = {name: {"schema": ORDER} for name in media}
    return {"/x": {"post": {"requestBody": {"content": content, **body}}}}


def sent(body: bytes, content_type: str = JSON, *media: str, **more: object) -> tuple[str, ...]:
    spec = described(taking(*(media or (JSON,)), **more))
    return look(spec, "POST", "/x", content_type=content_type, body=body)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'{"amount": 5}', ()),
        (b'{"amount": 500}', ("body.amount: expected at most 100",)),
        (b"{}", ("body: expected a member amount",)),
        (b'{"amount": 5, "more": 1}', ("body.more: expected nothing of this name",)),
        (b"", ()),
        (b"{", ("body: expected JSON that can be read in one way only",)),
        (b'{"amount": 5, "amount": 6}', ("body: expected JSON that can be read in one way only",)),
        (b'{"tags": "\xff"}', ("body: expected JSON that can be read in one way only",)),
        (rb'{"tags": "\ud800"}', ("body: expected JSON that can be read in one way only",)),
        (rb'{"amount": 5, "tags": ["\ud83d\ude00"]}', ()),
        (
            b"[" * 101 + b"]" * 101,
            ("body: expected at most 100 levels, which is what can be checked",),
        ),
        (b" " * 300_000, ("body: expected at most 256 KiB, which is what can be checked",)),
    ],
)
def test_json(body: bytes, lines: tuple[str, ...]) -> None:
    assert sent(body) == lines
    assert sent(body, "Application/JSON; charset=utf-8") == lines
    assert sent(body, "application/json", "application/*") == lines
    assert sent(body, "application/json", "*/*") == lines
    assert sent(body, "application/x+json", "application/x+json", "*/*") == lines


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"amount=5", ()),
        (b"amount=5&tags=a&tags=b", ()),
        (b"amount=5&tags=a", ()),
        (b"amount=5&tags[]=a&tags[]=b", ()),
        (b"amount=5&tags[0]=a&tags[1]=b", ()),
        (b"amount=5&to[zip]=7", ()),
        (b"amount=5&to=" + quote('{"zip":7}').encode(), ()),
        (b"amount=5&to[zip]=a", ("body.to.zip: expected an integer",)),
        (b"amount=5&to[zip]=7&to=x", ("body.to: expected an object",)),
        (b"amount=five", ("body.amount: expected an integer",)),
        (b"amount=5&amount=6", ("body.amount: expected an integer",)),
        (b"amount=5&more=1", ("body.more: expected nothing of this name",)),
        (b"amount=5&more[=1", ("body.*: expected nothing of this name",)),
        (b"amount=5;more=1", ("body: expected a form that can be read in one way only",)),
    ],
)
def test_forms(body: bytes, lines: tuple[str, ...]) -> None:
    assert sent(body, FORM, FORM) == lines


def test_files() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="amount"\r\n\r\n5\r\n'
        b'--x\r\nContent-Disposition: form-data; name="tags"; filename="f"\r\n\r\n\0\r\n--x--'
    )
    assert sent(body, "multipart/form-data; boundary=x", "multipart/form-data") == ()


def test_content_types() -> None:
    wrong = ("content-type: expected application/json",)
    assert sent(b"a=1", FORM) == wrong
    assert sent(b"a=1", "") == wrong
    assert sent(b"a=1", "application/jsonx") == wrong
    assert sent(b"\0", "image/png", "image/*") == ()  # no JSON, so there is nothing to check
    assert sent(b"x", "text/plain", JSON, FORM) == (f"content-type: expected {JSON} or {FORM}",)


def test_whether_there_is_a_body() -> None:
    assert sent(b"", "", JSON, required=True) == ("body: missing",)
    spec = described({"/x": {"get": {}}})
    assert look(spec, "GET", "/x", content_type=JSON, body=b"{}") == ("body: expected none",)


def test_unknown_parameters() -> None:
    query = {"name": "q", "in": "query", "schema": {"type": "integer"}}
    spec = described(
        {"/x": {"parameters": [query], "get": {}}},
        components={"securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "key"}}},
    )
    assert look(spec, "GET", "/x", [("q", "1"), ("key", "x")]) == ()
    secret = "sk-ant-SECRET-0123456789abcdef"
    assert look(spec, "GET", "/x", [("q", secret), ("p", "1"), (secret, "1")]) == (
        "query.q: expected an integer",
        "query.p: not in the description",
        "query.*: not in the description",
    )


def test_an_operation_s_parameter_goes_before_the_path_s() -> None:
    def parameter(kind: str) -> object:
        return {"name": "q", "in": "query", "schema": {"type": kind}}

    spec = described(
        {"/x": {"parameters": [parameter("integer")], "get": {"parameters": [parameter("string")]},
                "put": {}}}
    )  # fmt: skip
    assert look(spec, "GET", "/x", [("q", "a")]) == ()
    assert look(spec, "PUT", "/x", [("q", "a")]) == ("query.q: expected an integer",)


@pytest.mark.parametrize(
    ("servers", "paths"),
    [
        ([], ["/x"]),
        ([{"url": "/"}], ["/x"]),
        ([{"url": "/v1/"}], ["/v1/x"]),
        ([{"url": "https://api.example.org"}], ["/x"]),
        ([{"url": "https://a.example.org/v1"}, {"url": "https://b.example.org/v2"}],
         ["/v1/x", "/v2/x"]),
        ([{"url": "https://{h}.example.org/{v}", "variables": {
            "h": {"default": "a", "enum": ["a", "b"]},
            "v": {"default": "v1", "enum": ["v1", "v2"]}}}],
         ["/v1/x", "/v2/x"]),
        ([{"url": "/{v}", "variables": {"v": {"default": "v1"}}}], ["/v1/x"]),
        ([{"url": "{scheme}://example.org/v1", "variables": {"scheme": {"default": "https"}}}],
         ["/v1/x"]),
    ],
)  # fmt: skip
def test_servers(servers: object, paths: list[str]) -> None:
    inner = {"/x": {"get": {"servers": servers}}}
    for spec in (
        described({"/x": {"get": {}}}, servers=servers),
        described({"/x": {"get": {}, "servers": servers}}),
        described(inner, servers=servers),
    ):
        for path in paths:
            assert spec.match("GET", path), path
        for path in {"/x", "/v1/x", "/v2/x", "/v3/x", "/"} - set(paths):
            assert not spec.match("GET", path), path


def test_too_many_servers() -> None:
    enum = [str(n) for n in range(9)]
    variables = {name: {"default": "0", "enum": enum} for name in "abcdefgh"}
    servers = [{"url": "/{a}{b}{c}{d}{e}{f}{g}{h}", "variables": variables}]
    with pytest.raises(ConfigurationError, match="Too many servers"):
        described({"/x": {"get": {}}}, servers=servers)
    with pytest.raises(ConfigurationError, match="relative"):
        described({"/x": {"get": {}}}, servers=[{"url": "v1"}])


@pytest.mark.parametrize(
    "paths",
    [
        [],
        {"/x": 1},
        {"/x": {"get": 1}},
        {"/x": {"get": {"parameters": {}}}},
        {"/x": {"get": {"operationId": ""}}},
        {"/x": {"get": {"operationId": "a\nb"}}},
        {"/x": {"get": {"operationId": 1}}},
        {"/x": {"post": {"requestBody": []}}},
        {"/x": {"post": {"requestBody": {"content": []}}}},
        {"/x": {"post": {"requestBody": {"content": {JSON: 1}}}}},
        {"/x": {"$ref": "other.yaml"}},
    ],
)
def test_what_is_no_description(paths: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        described(paths)
    assert caught.value.where.startswith("api.json:")
    assert json.dumps(paths) not in str(caught.value)


def test_references_and_extensions() -> None:
    components = {
        "pathItems": {"X": {"post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}}},
        "requestBodies": {"B": {"content": {JSON: {"schema": {"$ref": "#/components/schemas/S"}}}}},
        "schemas": {"S": ORDER},
    }
    paths = {"/x": {"$ref": "#/components/pathItems/X"}, "x-more": 1}
    spec = described(paths, components=components)
    assert look(spec, "POST", "/x", content_type=JSON, body=b"{}") == (
        "body: expected a member amount",
    )
