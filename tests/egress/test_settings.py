"""What proctor.yaml may say of where clients may go."""

from typing import Any

import pytest
from pydantic import ValidationError

from proctor.egress.settings import (
    DestinationSettings,
    OpenApiSettings,
    RouteSettings,
    UpstreamTlsSettings,
    parse_upstream,
)


def destination(**keys: Any) -> DestinationSettings:
    return DestinationSettings.model_validate({"host": "api.internal", **keys})


def route(**keys: Any) -> RouteSettings:
    return RouteSettings.model_validate(
        {"path": "/jira", "upstream": "https://mcp.internal/mcp", **keys}
    )


def code_of(error: ValidationError) -> str:
    """What the one problem is called."""
    (found,) = error.errors()
    return found["type"]


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ({}, ("api.internal", 443)),
        ({"plaintext": True}, ("api.internal", 80)),
        ({"port": 8080, "plaintext": True}, ("api.internal", 8080)),
        ({"host": "API.internal."}, ("api.internal", 443)),
        ({"host": "0x7f.1"}, ("127.0.0.1", 443)),
        ({"host": "[::1]"}, ("::1", 443)),
        ({"host": "*.Example.org"}, ("*.example.org", 443)),
    ],
)
def test_where_it_is(keys: dict[str, Any], at: tuple[str, int]) -> None:
    assert destination(**keys).at == at


@pytest.mark.parametrize(
    "keys",
    [
        {"host": ""},
        {"host": 5},
        {"host": "*"},
        {"host": "*.org"},
        {"host": "a b"},
        {"host": "https://api.internal"},
        {"host": "api.internal:443"},
        {"port": 0},
        {"port": 65536},
        {"path": "v1"},
        {"path": "/v1/../v2"},
        {"path": "/**/v1"},
        {"speaks": "smtp"},
        {"addresses": ("10.0.0.1/8",)},
        {"addresses": ("internal",)},
        {"addresses": (10,)},
        {"name": "with space"},
        {"unknown": 1},
        {"plaintext": True, "upstream_tls": {"ca": "ca.pem"}},
    ],
)
def test_what_cannot_be_meant_is_an_error(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        destination(**keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"credential": "c"},
        {"credential": "client"},
        {"openapi": {"spec": "a.yaml"}},
        {"upstream_tls": {"ca": "ca.pem"}},
        {"plaintext": True},
        {"path": "/v1/**"},
    ],
)
def test_nothing_is_read_in_a_tunnel(keys: dict[str, Any]) -> None:
    assert destination(speaks="tunnel").speaks == "tunnel"
    with pytest.raises(ValidationError) as caught:
        destination(speaks="tunnel", **keys)
    assert code_of(caught.value) == "wrong-value"


@pytest.mark.parametrize("speaks", ["http", "mcp", "tunnel"])
def test_a_model_s_host_speaks_anthropic_or_nothing(speaks: str) -> None:
    assert destination(host="api.anthropic.com", speaks="anthropic").speaks == "anthropic"
    with pytest.raises(ValidationError) as caught:
        destination(host="api.anthropic.com", speaks=speaks)
    assert code_of(caught.value) == "model-host"


@pytest.mark.parametrize("speaks", ["anthropic", "mcp"])
def test_a_description_is_about_http(speaks: str) -> None:
    assert destination(openapi={"spec": "a.yaml"}).openapi == OpenApiSettings.model_validate(
        {"spec": "a.yaml"}
    )
    with pytest.raises(ValidationError):
        destination(speaks=speaks, openapi={"spec": "a.yaml"})


@pytest.mark.parametrize("keys", [{"cert": "c.pem"}, {"key": "k.pem"}])
def test_a_certificate_has_its_key(keys: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        UpstreamTlsSettings.model_validate(keys)


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://mcp.internal", "https://mcp.internal", ""),
        ("https://mcp.internal/", "https://mcp.internal", ""),
        ("https://mcp.internal:8443/a/b/", "https://mcp.internal:8443", "/a/b"),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:1", "/a"),
    ],
)
def test_an_upstream_with_a_path(text: str, origin: str, path: str) -> None:
    found = route(upstream=text).upstream
    assert (str(found.origin), found.path) == (origin, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mcp.internal",
        "ftp://mcp.internal",
        "https://mcp.internal/a?b",
        "https://mcp.internal/a#b",
        "https://mcp.internal/a/*",
        "https://mcp.internal/a/../b",
        "https://u:p@mcp.internal/a",
        5,
        None,
    ],
)
def test_another_upstream_is_none(text: object) -> None:
    with pytest.raises(ValueError, match=r"an address|a path|a host"):
        parse_upstream(text)


@pytest.mark.parametrize("path", ["", "/", "jira", "/jira/", "/a//b", "/a b", "/a*", "/a%2fb"])
def test_where_a_route_begins(path: str) -> None:
    with pytest.raises(ValidationError):
        route(path=path)


def test_a_route_in_the_clear_is_on_this_machine_or_meant() -> None:
    assert not route(upstream="http://localhost:1/mcp").upstream.origin.tls
    with pytest.raises(ValidationError) as caught:
        route(upstream="http://mcp.internal/mcp")
    assert code_of(caught.value) == "plaintext-upstream"
    assert route(upstream="http://mcp.internal/mcp", upstream_plaintext=True).upstream_plaintext


@pytest.mark.parametrize("speaks", ["http", "mcp", "anthropic", "tunnel"])
def test_a_websocket_is_opened_by_http(speaks: str) -> None:
    assert destination().websocket is False
    if speaks == "http":
        assert destination(speaks=speaks, websocket=True).websocket
        assert route(speaks=speaks, websocket=True).websocket
        return
    with pytest.raises(ValidationError) as caught:
        destination(speaks=speaks, websocket=True)
    assert code_of(caught.value) == "wrong-value"


@pytest.mark.parametrize("speaks", ["git", "http", "mcp"])
def test_what_holds_for_a_git_server_is_said_of_one(speaks: str) -> None:
    own = {"secret_paths": ("**/.env",), "scan": {"fetch": "off"}}
    if speaks == "git":
        for made in (destination(speaks=speaks, git=own), route(speaks=speaks, git=own)):
            assert made.git is not None
            assert made.git.secret_paths == ("**/.env",)
            assert (made.git.scan.fetch, made.git.scan.push) == ("off", "secrets")
        assert destination(speaks=speaks).git is None
        return
    with pytest.raises(ValidationError) as caught:
        destination(speaks=speaks, git=own)
    assert code_of(caught.value) == "wrong-value"


@pytest.mark.parametrize("own", [{"secret_paths": ("",)}, {"scan": {"fetch": "pii"}}, {"x": 1}])
def test_what_is_said_of_a_git_server_is_known(own: object) -> None:
    with pytest.raises(ValidationError):
        destination(speaks="git", git=own)
