"""What is it? Actions as the rules get them."""

import json
from dataclasses import replace

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


def test_what_else_a_client_prefers_is_the_same_however_long_it_waits() -> None:
    # PostgREST writes over rows that are there, or does not, as `Prefer` says.
    said = (b"tx=commit", b"wait=5, tx=commit", b"respond-async,wait=2,tx=commit")
    cases = [seen(post(path="/any", more=b"prefer: %b\r\n" % each), speaks="http") for each in said]
    digests = [replace(case.action, target="").digest(case.principal) for case in cases]
    assert len(set(digests)) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"", b"x-stainless-retry-count: 1\r\n", True),
        (b"anthropic-beta: a\r\n", b"Anthropic-Beta: a\r\n", True),
        (b"anthropic-beta: a\r\n", b"anthropic-beta: a,b\r\n", False),
        (b"", b"anthropic-beta: a\r\n", False),
    ],
)
def test_betas_are_part_of_what_the_model_is_asked(one: bytes, other: bytes, *, same: bool) -> None:
    cases = [seen(post(more=each)) for each in (one, other)]
    digests = {replace(case.action, target="").digest(case.principal) for case in cases}
    assert (len(digests) == 1) is same


@pytest.mark.parametrize(
    ("more", "same"),
    [
        (b"x-one: 1\r\n", True),
        (b"X-One: 1\r\nprefer: wait=1\r\ntraceparent: 00-1\r\nx-request-id: 2\r\n", True),
        (b"", False),
        (b"x-one: 2\r\n", False),
        (b"x-one: 1\r\nx-two: 2\r\n", False),
        (b"x-one: 1\r\nx-one: 1\r\n", False),
        (b"x-one1: \r\n", False),
        (b"x-one: 1\r\nprefer: respond-async, wait=10\r\n", True),
        (b"x-one: 1\r\nprefer: resolution=merge-duplicates\r\n", False),
        (b"x-one: 1\r\nprefer: wait=1, tx=commit\r\n", False),
    ],
)
def test_a_header_that_says_something_is_part_of_the_digest(*, more: bytes, same: bool) -> None:
    one, other = (
        seen(post(path="/any", more=each), speaks="http") for each in (b"x-one: 1\r\n", more)
    )
    # Each has an upstream of its own, which the target names.
    digests = {replace(case.action, target="").digest(case.principal) for case in (one, other)}
    assert (len(digests) == 1) is same


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
