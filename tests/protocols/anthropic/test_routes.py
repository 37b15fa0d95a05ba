"""Only the exact spelling is one of the API's paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.anthropic.routes import Route, RouteKind, route


@pytest.mark.parametrize(
    ("method", "path", "query", "kind", "model"),
    [
        ("POST", "/v1/messages", "", RouteKind.MESSAGES, ""),
        ("POST", "/v1/messages", "beta=true", RouteKind.MESSAGES, ""),
        ("POST", "/v1/messages/count_tokens", "beta=true", RouteKind.COUNT_TOKENS, ""),
        ("GET", "/v1/models", "", RouteKind.MODELS, ""),
        ("GET", "/v1/models", "beta=true&limit=100&after_id=claude-x", RouteKind.MODELS, ""),
        ("GET", "/v1/models/claude-x-4.5", "beta=true", RouteKind.MODELS, "claude-x-4.5"),
        ("HEAD", "/", "", RouteKind.PROBE, ""),
    ],
)
def test_what_clients_send(method: str, path: str, query: str, kind: RouteKind, model: str) -> None:
    assert route(method, path, query) == Route(kind=kind, model=model)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/v1/messages", ""),
        ("post", "/v1/messages", ""),
        ("POST", "/v1/messages/", ""),
        ("POST", "//v1/messages", ""),
        ("POST", "/v1//messages", ""),
        ("POST", "/V1/messages", ""),
        ("POST", "/v1/Messages", ""),
        ("POST", "/v1/./messages", ""),
        ("POST", "/x/../v1/messages", ""),
        ("POST", "/v1/%6dessages", ""),
        ("POST", "/v1%2fmessages", ""),
        ("POST", "/v1/messages;x", ""),
        ("POST", "/v1/messages\n", ""),
        ("POST", "/v1/messages ", ""),
        ("POST", "/v1\\messages", ""),
        ("POST", "v1/messages", ""),
        ("POST", "", ""),
        ("POST", "https://api.example/v1/messages", ""),
        ("POST", "/v1/messages", "beta=TRUE"),
        ("POST", "/v1/messages", "beta=true&x=1"),
        ("POST", "/v1/messages", "x=1"),
        ("POST", "/v1/messages/batches", ""),
        ("POST", "/v1/files", ""),
        ("POST", "/v1/complete", ""),
        ("POST", "/v1/models", ""),
        ("DELETE", "/v1/models/claude-x", ""),
        ("GET", "/v1/models/", ""),
        ("GET", "/v1/models/..", ""),
        ("GET", "/v1/models/.x", ""),
        ("GET", "/v1/models/a/b", ""),
        ("GET", "/v1/models/a%2fb", ""),
        ("GET", "/v1/models/claude-x\n", ""),
        ("GET", "/v1/models/claude-x", "limit=1"),
        ("GET", "/v1/models", "limit=1&"),
        ("GET", "/v1/models", "limit=1;x"),
        ("GET", "/v1/models", "limit=%31"),
        ("GET", "/v1/models", "secret=1"),
        ("HEAD", "/v1/messages", ""),
        ("HEAD", "/", "x"),
        ("GET", "/", ""),
    ],
)
def test_all_else_is_other(method: str, path: str, query: str) -> None:
    assert route(method, path, query).kind is RouteKind.OTHER


@given(st.sampled_from(["GET", "POST", "HEAD"]), st.text(alphabet="/v1mesag.%;2f", max_size=15))
def test_no_other_spelling_comes_through(method: str, path: str) -> None:
    if path not in ("/", "/v1/messages"):
        assert route(method, path).kind is RouteKind.OTHER
