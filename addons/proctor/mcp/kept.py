"""What the record keeps of a tool call over MCP, whichever door it came through."""

import json

from proctor.errors import ClientError
from proctor.protocols.mcp.actions import CALL, tool_name, tool_use_id
from proctor.protocols.mcp.messages import Kind, Message, read, read_again
from proctor.record import ToolCall, ToolResult


def kept_call(  # noqa: PLR0913 - each is one word of the record
    body: bytes,
    server: str,
    *,
    name: str,
    verdict: str,
    rule_id: str | None,
    approval_id: str | None,
    before: Message | None = None,
) -> ToolCall | None:
    """The tool call that a client's message is; None where it is none.

    Args:
        body: The message as it is kept.
        server: As proctor.yaml calls the MCP server.
        name: What the call is named by where the client does not say which of the model's it is.
        verdict: What was said of it.
        rule_id: By which rule.
        approval_id: What let it pass.
        before: The message as it came, where it was read; it may still be the same.
    """
    try:
        message = read_again(body, before)
    except ClientError:
        return None
    if message.method != CALL:
        return None
    tool = message.params.get("name")
    return ToolCall(
        id=tool_use_id(message) or name,
        name=tool_name(server, tool if isinstance(tool, str) else ""),
        input=_arguments(message).encode("utf-8", "surrogatepass"),
        source="mcp",
        verdict=verdict,
        rule_id=rule_id,
        approval_id=approval_id,
    )


def kept_result(call: ToolCall, body: bytes, before: Message | None = None) -> ToolResult | None:
    """What a call gave back; None where a message is no answer.

    Args:
        call: The call.
        body: The server's message as it is kept.
        before: A message of the server's that was read; it may be the same.
    """
    try:
        message = read_again(body, before)
    except ClientError:
        return None
    if message.kind not in {Kind.RESPONSE, Kind.ERROR}:
        return None
    given = message.result if message.kind is Kind.RESPONSE else message.error
    return ToolResult(
        tool_use_id=call.id,
        content=json.dumps(given, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        is_error=message.kind is Kind.ERROR or given.get("isError") is True,
    )


def arguments_of(body: bytes) -> str:
    """What a tool is called with, as JSON.

    Raises:
        ClientError: It is no message.
    """
    return _arguments(read(body))


def _arguments(message: Message) -> str:
    return json.dumps(message.params.get("arguments") or {}, ensure_ascii=False)
