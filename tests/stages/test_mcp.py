"""MCP on the wire: what a client says, whose tokens it may use, and what is kept of a call."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proctor.model import Allow, Decision, Deny
from proctor.protocols.mcp.messages import dumped
from proctor.record import ToolCall
from proctor.stages.mcp import Result
from tests.support.mcpwire import (
    EVENTS,
    MODERN,
    asking,
    body_sent,
    calling,
    event,
    message,
    modern,
    result,
    said_events,
    said_json,
    text,
    wire,
)
from tests.support.origin import Origin
from tests.support.redacted import answered
from tests.support.screened import KEY, MAIL, OTHER
from tests.support.scripted import Conversation, Scripted
from tests.support.stand import REAL_KEY

OK = said_json(text("done"))
NO = Decision(verdict=Deny(rule_id="no", reason="Not this."))
INITIALIZE = message("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})


def unread(code: int, request: bytes) -> bytes:
    """A request is refused with this code, and nothing has left; what was said."""
    with Origin(OK) as origin, wire(origin) as this:
        said = this.say(request)
        assert origin.received == b""
    assert said.status == 400
    assert said.json["error"]["code"] == code
    return said.body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[" + message("ping") + b"]",
        b"[]",
        message("ping") + message("ping"),
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b"\xef\xbb\xbf" + message("ping"),
        message("ping").decode().encode("utf-16"),
        message("tools/call", {"name": 1}),
        message("tools/call", {"name": "a", "arguments": []}),
    ],
)
def test_what_is_no_single_message_goes_nowhere(body: bytes) -> None:
    unread(-32600, asking(body))


@pytest.mark.parametrize(
    "kind", ["image/png", "application/x-git-upload-pack-request", "text/plain", "multipart/mixed"]
)
def test_a_message_is_called_json(kind: str) -> None:
    """Under another name it would be looked at as something else, or not at all."""
    sent = asking(message("ping"))
    unread(
        -32600, sent.replace(b"content-type: application/json", f"content-type: {kind}".encode())
    )
    unread(-32600, sent.replace(b"content-type: application/json\r\n", b""))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_has_no_message_says_nothing(method: str) -> None:
    unread(-32600, asking(message("ping"), method=method))
    unread(-32020, asking(b"", f"mcp-param-to: {MAIL}", method=method))
    unread(-32020, asking(b"", "mcp-method: tools/call", method=method))
    unread(-32022, asking(b"", "mcp-protocol-version: 2030-01-01", method=method))
    with Origin(answered(b"", EVENTS)) as origin, wire(origin) as this:
        assert this.say(asking(b"", method=method)).status == 200
        (case,) = this.stand.rules.cases
        assert case.action.mcp
        assert (case.action.mcp.server, case.action.mcp.method) == ("tools", method)
        this.rules[method] = NO
        assert this.say(asking(b"", method=method)).status == 451
        assert len(origin.requests) == 1


def test_other_methods_and_compressed_bodies_do_not_pass() -> None:
    with Origin(OK) as origin, wire(origin) as this:
        assert this.say(asking(message("ping"), method="PUT")).status == 405
        packed = asking(gzip.compress(message("ping")), "content-encoding: gzip")
        assert this.say(packed).status == 415
        latin = asking(message("ping")).replace(b"json\r\n", b"json; charset=latin1\r\n", 1)
        assert this.say(latin).status == 415
        assert origin.received == b""


@pytest.mark.parametrize(
    "more",
    [
        "mcp-name: other",
        "mcp-method: tools/list",
        "mcp-param-to: other",
        f"mcp-protocol-version: {MODERN}",
        "mcp-name: t\r\nmcp-name: t",
    ],
)
def test_headers_that_say_something_else_are_refused_by_the_request_s_id(more: str) -> None:
    code = -32602 if "version" in more else -32020
    said = unread(code, calling("t", {"to": "me"}, more))
    assert json.loads(said)["id"] == 1


def test_headers_repeat_what_leaves_not_what_came(tmp_path: Path) -> None:
    """A value that is taken out of the body stands in no header either."""
    with Origin(OK) as origin, wire(origin, tmp_path) as this:
        call = {"name": "t", "arguments": {"to": MAIL, "deep": {"also": OTHER}, "count": 4.0}}
        more = (f"mcp-param-to: {MAIL}", f"Mcp-Param-Also: {OTHER}", "mcp-param-count: 4")
        assert this.say(modern("tools/call", call, *more)).status == 200
        assert this.say(modern("resources/read", {"uri": f"mail://{MAIL}/"})).status == 200
        called, read = origin.requests
        assert MAIL.encode() not in origin.received + this.record
        assert OTHER.encode() not in origin.received + this.record
        sent = body_sent(called)["params"]["arguments"]
        assert f"\r\nmcp-param-to: {sent['to']}\r\n".encode() in called
        assert f"\r\nMcp-Param-Also: {sent['deep']['also']}\r\n".encode() in called
        assert b"\r\nmcp-param-count: 4\r\n" in called
        assert f"\r\nmcp-name: {body_sent(read)['params']['uri']}\r\n".encode() in read
        this.rules["t"] = NO
        assert this.say(modern("tools/call", call_of(MAIL), more[0])).text.endswith("(rule no)")
        bad = modern("tools/call", call_of("x"), more[0])
        assert this.say(bad).json["error"]["code"] == -32020
        assert MAIL.encode() not in this.record
        assert len(origin.requests) == 2


def call_of(to: str) -> dict[str, Any]:
    return {"name": "t", "arguments": {"to": to}}


def test_an_id_carries_nothing_out(tmp_path: Path) -> None:
    with Origin(OK) as origin, wire(origin, tmp_path) as this:
        said = this.say(asking(message("ping", named=MAIL)))
        assert (said.status, said.json["id"]) == (400, None)
        assert origin.received == b""
        assert MAIL.encode() not in this.record


# Whose tokens.


def test_a_session_is_for_whom_it_was_opened() -> None:
    opened = result({"capabilities": {}, "serverInfo": {}, "protocolVersion": "2025-11-25"})
    answer = answered(opened, more="mcp-session-id: s-1\r\n")
    with Origin(answer) as origin, wire(origin) as this:
        said = this.say(asking(INITIALIZE))
        sealed = said.headers["mcp-session-id"]
        assert sealed != "s-1"
        for method in ("POST", "GET", "DELETE"):
            body = message("ping") if method == "POST" else b""
            shown = f"mcp-session-id: {sealed}"
            assert this.say(asking(body, shown, method=method)).status == 200
            assert b"\r\nmcp-session-id: s-1\r\n" in origin.requests[-1]
            reached = len(origin.requests)
            for other in (
                asking(body, shown, method=method, token="b"),
                asking(body, "mcp-session-id: s-1", method=method),
                asking(body, f"mcp-session-id: s-2.{sealed.rpartition('.')[2]}", method=method),
                asking(body, "mcp-session-id: .", method=method),
            ):
                assert this.say(other).status == 404  # clients then open one of their own
            assert this.say(asking(body, shown, shown, method=method)).status == 400
            assert len(origin.requests) == reached
    # Another gateway of this installation, or the same after a restart.
    with Origin(answer) as origin, wire(origin) as this:
        shown = f"mcp-session-id: {sealed}"
        assert this.say(asking(message("ping"), shown)).status == 200
        assert len(origin.requests) == 1


@pytest.mark.parametrize("secret", [KEY, "cursor-" + MAIL, 'ünusual \u2028 " \\ state'])
@pytest.mark.parametrize("blocks", [False, True])
def test_a_server_s_own_tokens_come_back_as_they_were(
    tmp_path: Path, secret: str, *, blocks: bool
) -> None:
    """They are for nobody else, and what looks like a secret in them is none."""
    entities = {"API_KEY": "block", "EMAIL_ADDRESS": "block"} if blocks else {}
    given = {"resultType": "input_required", "requestState": secret, "inputRequests": {}}
    with (
        Origin(said_json(given)) as origin,
        wire(origin, tmp_path, entities=entities) as this,
    ):
        sealed = this.say(modern("tools/call", {"name": "t"})).json["result"]["requestState"]
        assert sealed != secret
        origin.answer = said_json({"tools": [], "nextCursor": secret})
        cursor = this.say(asking(message("tools/list"))).json["result"]["nextCursor"]
        origin.answer = OK
        state = {"name": "t", "requestState": sealed}
        assert this.say(modern("tools/call", state)).text == "done"
        assert body_sent(origin.requests[-1])["params"]["requestState"] == secret
        assert this.say(asking(message("tools/list", {"cursor": cursor}))).status == 200
        assert body_sent(origin.requests[-1])["params"]["cursor"] == secret
        reached = len(origin.requests)
        for request in (
            modern("tools/call", state, token="b"),
            modern("tools/call", {"name": "t", "requestState": secret}),
            modern("tools/call", {"name": "t", "requestState": 1}),
            asking(message("tools/list", {"cursor": secret})),
            asking(message("tools/list", {"cursor": cursor}), token="b"),
        ):
            said = this.say(request)
            assert (said.status, said.json["error"]["code"]) == (400, -32602)
        assert len(origin.requests) == reached
        assert this.endings[0]["findings"] == []


def test_ids_of_answers_and_questions_stay_what_they_are(tmp_path: Path) -> None:
    asked = dumped({"jsonrpc": "2.0", "id": KEY, "method": "ping", "params": {"note": MAIL}})
    with Origin(said_events(asked, result(text(MAIL)))) as origin, wire(origin, tmp_path) as this:
        first, last = this.say(calling("t", {})).messages
    assert first["id"] == KEY
    assert MAIL not in json.dumps([first, last])


# What is kept.


def test_a_call_is_kept_with_what_came_of_it(tmp_path: Path) -> None:
    meta = {"claudecode/toolUseId": "toolu_1"}
    call = message("tools/call", {"name": "t.x", "arguments": {"to": MAIL}, "_meta": meta})
    answer = said_events(
        message("notifications/progress", {"progressToken": 1, "progress": 1}, named=None),
        result(text(f"sent to {MAIL}", isError=True)),
    )
    with Origin(answer) as origin, wire(origin, tmp_path) as this:
        this.say(asking(call))
        (ending,) = this.endings
        (tool,), (came,) = ending["tools"], ending["results"]
        assert (tool["id"], tool["source"], tool["name"]) == ("toolu_1", "mcp", "mcp__tools__t_x")
        assert (tool["verdict"], tool["rule_id"]) == ("allow", "all")
        assert (came["tool_use_id"], came["is_error"]) == ("toolu_1", True)
        assert MAIL.encode() not in this.record


def test_a_denied_call_is_kept_too() -> None:
    with Origin(OK) as origin, wire(origin) as this:
        this.rules["t"] = NO
        said = this.say(calling("t", {"a": 1}))
        assert (said.status, said.json["result"]["isError"]) == (200, True)
        assert said.text == "proctor: Not this. (rule no)"
        assert origin.received == b""
        (tool,) = this.endings[0]["tools"]
        assert (tool["name"], tool["verdict"], tool["rule_id"]) == ("mcp__tools__t", "deny", "no")


def test_a_call_whose_answer_was_no_answer_is_kept() -> None:
    with Origin(answered(b"<p>sign in</p>", "text/html")) as origin, wire(origin) as this:
        assert this.say(calling("t", {})).json["result"]["isError"]
        (tool,) = this.endings[0]["tools"]
        assert tool["name"] == "mcp__tools__t"


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("events", [False, True])
def test_a_result_is_found_however_it_is_cut(step: int, *, events: bool) -> None:
    call = ToolCall(id="c", name="mcp__s__t", input=b"{}", source="mcp", verdict="allow")
    data = result(text("done"))
    if events:
        other = message("notifications/message", {"data": "x"}, named=None)
        data = b": hello\n\n" + event(other) + event(data) + event(result(text("again")))
    reader = Result(call, events=events)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    (found,) = reader.finish()
    assert (found.tool_use_id, found.is_error) == ("c", False)
    assert json.loads(found.content) == text("done")


# What is redacted.


def planted(secret: str) -> list[tuple[str, dict[str, Any]]]:
    """Answers that hold it, by what they answer."""
    resource = {"uri": f"mail://{secret}", "mimeType": "text/plain", "text": f"of {secret}"}
    return [
        ("tools/call", text(f"found {secret}")),
        ("tools/call", text("ok", structuredContent={"to": [secret], secret: 1})),
        ("tools/call", {"content": [{"type": "resource", "resource": resource}]}),
        ("tools/call", text("ok", _meta={"note": secret})),
        ("tools/call", {"content": [{"type": "resource_link", "uri": "x:", "name": secret}]}),
        ("resources/read", {"contents": [resource]}),
        (
            "prompts/get",
            {"messages": [{"role": "user", "content": {"type": "text", "text": secret}}]},
        ),
        ("tools/list", {"tools": [{"name": "a", "description": secret, "inputSchema": {}}]}),
        ("completion/complete", {"completion": {"values": [secret]}}),
    ]


def asked_for(method: str) -> dict[str, Any]:
    more: Mapping[str, dict[str, Any]] = {
        "tools/call": {"name": "t"},
        "prompts/get": {"name": "p"},
        "resources/read": {"uri": "mail://all"},
        "completion/complete": {
            "ref": {"type": "ref/prompt", "name": "p"},
            "argument": {"name": "a", "value": ""},
        },
    }
    return dict(more.get(method, {}))


@pytest.mark.parametrize("speak", [asking, modern])
@pytest.mark.parametrize("events", [False, True])
def test_nothing_planted_reaches_the_client_or_the_record(
    tmp_path: Path, speak: Any, *, events: bool
) -> None:
    with Origin() as origin, wire(origin, tmp_path) as this:
        for secret in (MAIL, KEY):
            for method, given in planted(secret):
                answer = result(given)
                noted = message("notifications/message", {"data": [secret]}, named=None)
                origin.answer = said_events(noted, answer) if events else answered(answer)
                params = asked_for(method)
                said = this.say(
                    asking(message(method, params)) if speak is asking else modern(method, params)
                )
                assert said.status == 200
                assert secret.encode() not in said.raw, method
            failed = {"code": -32000, "message": f"no {secret}", "data": {"at": secret}}
            origin.answer = answered(dumped({"jsonrpc": "2.0", "id": 1, "error": failed}))
            said = this.say(calling("t", {}))
            assert said.json["error"]["code"] == -32000
            assert secret.encode() not in said.raw
        for secret in (MAIL, KEY):
            assert secret.encode() not in this.record


def test_a_stream_cut_at_every_byte_is_redacted_all_the_same(tmp_path: Path) -> None:
    noted = message("notifications/message", {"data": MAIL}, named=None)
    stream = b": hi\n\n" + event(noted) + b"id: 7\n" + event(result(text(f"mail {MAIL} now")))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    cuts = iter(range(1, len(stream), 3))

    def script(conversation: Conversation) -> None:
        conversation.request()
        at = next(cuts)
        conversation.send(head + stream[:at])
        conversation.send(stream[at:])

    with Scripted() as origin, wire(origin, tmp_path) as this:
        origin.script = script
        for _ in range(1, len(stream), 3):
            said = this.say(calling("t", {}))
            assert MAIL.encode() not in said.raw
            assert said.messages[-1]["result"]["content"][0]["text"].startswith("mail EMAIL_ADDR")
        assert MAIL.encode() not in this.record


def test_arguments_are_redacted_towards_the_server(tmp_path: Path) -> None:
    with Origin(OK) as origin, wire(origin, tmp_path) as this:
        said = this.say(calling("t", {"to": [MAIL, {"key": KEY}], MAIL: 1}))
        assert said.text == "done"
        assert b"EMAIL_ADDRESS_" in origin.received
        for secret in (MAIL, KEY):
            assert secret.encode() not in origin.received + this.record
        assert REAL_KEY in origin.received
        assert (
            this.say(modern("tools/call", {"name": "t", "arguments": {"to": MAIL}})).status == 200
        )
        assert MAIL.encode() not in origin.received + this.record


def test_an_allowed_call_says_who_is_asked() -> None:
    with Origin(OK) as origin, wire(origin) as this:
        this.rules["t"] = Decision(verdict=Allow(rule_id="mine"))
        this.say(calling("t", {"a": 1}))
        (case,) = this.stand.rules.cases
        assert case.action.target == "tools tools/call t"
        assert case.action.tool
        assert case.action.tool.name == "mcp__tools__t"
        assert case.action.http
        assert case.action.http.path == "/mcp"
