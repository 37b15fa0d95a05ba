"""What is it? Actions as the rules get them."""

import json

import pytest
from mitmproxy import http

from proctor.model import ActionKind, Case, CredentialSource
from tests.support.origin import Origin
from tests.support.stand import OK, error_of, house, listener, post, running


def test_what_another_addon_changes_is_what_is_judged() -> None:
    class Editor:
        def request(self, flow: http.HTTPFlow) -> None:
            flow.request.headers["x-edited"] = "yes"

    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this, extra=(Editor(),)) as proxy:
            assert proxy.request("claude", post()).startswith(b"HTTP/1.1 200 ")
    # The answer holds a tool call, about which the rules are asked, too.
    (case,) = [each for each in this.rules.cases if not each.action.tool]
    assert case.action.http
    assert case.action.http.headers["x-edited"] == "yes"
    assert "authorization" not in case.action.http.headers


def seen(request: bytes, speaks: str = "anthropic") -> Case:
    """The case that the rules were asked about."""
    with Origin(OK) as origin:
        this = house(listener(origin.port, speaks=speaks))
        with running(this) as proxy:
            assert proxy.request("claude", request).startswith(b"HTTP/1.1 200 ")
    # The answer holds a tool call, about which the rules are asked, too.
    (case,) = [each for each in this.rules.cases if not each.action.tool]
    return case


def test_a_turn_is_an_llm_request() -> None:
    body = (
        b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}],'
        b'"tools":[{"name":"Bash","input_schema":{}},{"type":"web_search_20250305","name":"s"}]}'
    )
    action = seen(post(body)).action
    assert action.kind is ActionKind.LLM_REQUEST
    assert action.llm
    assert (action.llm.model, action.llm.max_tokens, action.llm.stream) == ("m", 9, True)
    assert action.llm.features == ("web_search",)
    assert action.http
    assert action.http.credential is CredentialSource.INJECTED


@pytest.mark.parametrize("path", ["/v1/files", "/v1/messages/", "//v1/messages", "/v1/%6dessages"])
def test_what_no_protocol_claims_is_an_http_request(path: str) -> None:
    assert seen(post(path=path)).action.kind is ActionKind.HTTP_REQUEST


def test_a_name_that_stands_twice_has_both_values() -> None:
    case = seen(post(path="/any?a=1&a=2&b=", more=b"x-one: 1\r\nX-One: 2\r\n"), speaks="http")
    assert case.action.http
    assert dict(case.action.http.query) == {"a": "1, 2", "b": ""}
    assert case.action.http.headers["x-one"] == "1, 2"


@pytest.mark.parametrize(
    ("body", "found"),
    [(b'{"a": [1]}', {"a": [1]}), (b'{"a": 1, "a": 2}', None), (b"{", None), (b"[" * 9999, None)],
)
def test_a_body_is_handed_in_where_it_reads_one_way(body: bytes, found: object) -> None:
    http_fields = seen(post(body, path="/any"), speaks="http").action.http
    assert http_fields
    assert http_fields.json == found


@pytest.mark.parametrize(
    ("more", "body", "session"),
    [
        (b"x-claude-code-session-id: one\r\n", b"", ("one", "header")),
        (b"x-claude-code-session-id: " + b"x" * 300 + b"\r\n", b"", None),
        (b"", b"two", ("two", "metadata")),
        (b"", b"", None),
    ],
)
def test_the_session_is_named_by_the_client(
    more: bytes, body: bytes, session: tuple[str, str] | None
) -> None:
    whole = json.dumps(
        {
            "model": "m",
            "max_tokens": 1,
            "messages": [],
            "metadata": {"user_id": json.dumps({"session_id": body.decode()})},
        }
    ).encode()
    found = seen(post(whole, more=more)).session
    assert (found and (found.id, found.correlated_by)) == session


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (b"{", b"", 400),
        (b"\xff", b"", 400),
        (b'{"model":"m","model":"n","messages":[]}', b"", 400),
        (b'{"model":"m","messages":[]}', b"content-encoding: gzip\r\n", 415),
    ],
)
def test_what_cannot_be_read_without_doubt_is_refused(
    body: bytes, more: bytes, status: int
) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            answer = proxy.request("claude", post(body, more=more))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert error_of(answer)["message"].startswith("proctor: ")
    assert origin.connections == 0


def test_another_character_set_is_refused() -> None:
    request = post().replace(b"application/json", b"application/json; charset=utf-16")
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            assert proxy.request("claude", request).startswith(b"HTTP/1.1 415 ")
    assert origin.connections == 0


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("header", "b\r\nx-more: 1"),
        ("header", "b\0"),
        ("path", "/v1/messages HTTP/1.1\r\n\r\nDELETE /v1/files"),
        ("method", "POST /v1/files HTTP/1.1\r\n\r\nPOST"),
        ("coding", "gzip, chunked"),
    ],
)
def test_a_request_that_would_be_two_on_the_wire_is_refused(part: str, value: str) -> None:
    """Editors and HTTP/2 know no lines, HTTP/1 does."""

    class Editor:
        def request(self, flow: http.HTTPFlow) -> None:
            match part:
                case "header":
                    flow.request.headers["x-a"] = value
                case "coding":
                    flow.request.headers["transfer-encoding"] = value
                case _:
                    setattr(flow.request, part, value)

    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this, extra=(Editor(),)) as proxy:
            assert proxy.request("claude", post()).startswith(b"HTTP/1.1 400 ")
    assert not origin.connections
