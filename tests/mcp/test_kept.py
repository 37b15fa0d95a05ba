"""What the record keeps of calls and of what they gave back."""

import json

import pytest

from proctor.errors import ClientError
from proctor.mcp.kept import arguments_of, kept_call, kept_result
from proctor.protocols.mcp.messages import read
from proctor.record import ToolCall

CALL = {"name": "read", "arguments": {"path": "ä"}}


def said(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, **members}).encode()


def kept(body: bytes) -> ToolCall | None:
    return kept_call(body, "files", name="flow", verdict="allow", rule_id="r", approval_id=None)


def test_a_call() -> None:
    call = kept(said(method="tools/call", params=CALL))
    assert call
    assert (call.id, call.name, call.source) == ("flow", "mcp__files__read", "mcp")
    assert call.input.decode() == '{"path": "ä"}'
    named = kept(
        said(method="tools/call", params={**CALL, "_meta": {"claudecode/toolUseId": "toolu_1"}})
    )
    assert named
    assert named.id == "toolu_1"


@pytest.mark.parametrize("body", [b"", b"{", said(method="tools/list"), said(result={})])
def test_what_is_no_call(body: bytes) -> None:
    assert kept(body) is None


def test_results() -> None:
    call = ToolCall(id="c", name="n", input=b"")
    for members, error in (
        ({"result": {"content": []}}, False),
        ({"result": {"isError": True}}, True),
        ({"error": {"code": 1, "message": "no"}}, True),
    ):
        result = kept_result(call, said(**members))
        assert result
        assert (result.tool_use_id, result.is_error) == ("c", error)
        assert json.loads(result.content) == next(iter(members.values()))
    assert kept_result(call, said(method="ping")) is None
    assert kept_result(call, b"{") is None


def test_what_was_read_before_counts_only_where_it_is_the_same() -> None:
    came, redacted = (
        said(method="tools/call", params={"name": "read", "arguments": {"path": path}})
        for path in ("hunter2", "*")
    )
    for body in (came, redacted):
        call = kept_call(
            body, "s", name="f", verdict="allow", rule_id=None, approval_id=None, before=read(came)
        )
        assert call
        assert json.loads(call.input) == read(body).params["arguments"]
    call = ToolCall(id="c", name="n", input=b"")
    for body in (said(result={"a": "hunter2"}), said(result={"a": "*"})):
        result = kept_result(call, body, read(said(result={"a": "hunter2"})))
        assert result
        assert json.loads(result.content) == read(body).result


def test_arguments() -> None:
    assert arguments_of(said(method="tools/call", params={"name": "x"})) == "{}"
    with pytest.raises(ClientError):
        arguments_of(b"{")
