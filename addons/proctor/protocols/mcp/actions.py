"""What a client's message is, as rules see it.

Methods as in the schemas of 2026-07-28 and 2025-11-25, tasks as in SEP-2663. One message can be
more than one thing: what a client answers to a server's questions is judged by itself, also where
it comes with the repeated request (2026-07-28, Multi Round-Trip Requests).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from proctor.errors import ClientError
from proctor.model import Action, ActionKind, McpFields, ToolFields
from proctor.protocols.mcp.messages import Kind, Message, bad_message, canonical, well_named

CALL: Final = "tools/call"

RESPONSE: Final = "response"
"""The method in rules of what a client answers to a server's question."""

_URIS: Final = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})
_SUBSCRIBE: Final = "resources/subscribe"
# Members of `_meta` that differ at each try of the same thing. The last three are OpenTelemetry's
# (2026-07-28, "OpenTelemetry trace context"), the second Claude Code's.
_VOLATILE: Final = frozenset(
    {"progressToken", "claudecode/toolUseId", "traceparent", "tracestate", "baggage"}
)
_TOOL_USE_ID: Final = "claudecode/toolUseId"
_MAX_ID: Final = 256
# As Claude Code names a tool to the model.
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")


def mcp_actions(listener: str, server: str, message: Message) -> tuple[Action, ...]:
    """The Actions of one message of a client's; all of them must pass.

    Args:
        listener: The listener it came through.
        server: As proctor.yaml calls the MCP server.
        message: What the client sends.

    Raises:
        ClientError: `mcp-message`: a member that says what is done is of the wrong type.
    """
    content = (content_of(message),)
    return tuple(
        Action(
            kind=ActionKind.MCP_CALL,
            listener=listener,
            target=target(fields),
            content=content,
            size=len(message.raw),
            tool=_tool(fields),
            mcp=fields,
        )
        for fields in fields_of(server, message)
    )


def question_action(listener: str, server: str, method: str, params: Mapping[str, Any]) -> Action:
    """The Action of what a server asks the client for, such as `sampling/createMessage`."""
    arguments = {key: value for key, value in params.items() if key != "_meta"}
    fields = McpFields(server=server, method=method, arguments=arguments)
    content = canonical({"method": method, "params": arguments})
    return Action(
        kind=ActionKind.MCP_CALL,
        listener=listener,
        target=target(fields),
        content=(content,),
        size=len(content),
        mcp=fields,
    )


def fields_of(server: str, message: Message) -> tuple[McpFields, ...]:
    """What a message asks for: itself first, then the answers and subscriptions inside it.

    Raises:
        ClientError: `mcp-message`.
    """
    match message.kind:
        case Kind.RESPONSE:
            return (_response(server, message.result),)
        case Kind.ERROR:
            return (McpFields(server=server, method=RESPONSE, arguments=dict(message.error)),)
        case Kind.REQUEST | Kind.NOTIFICATION:
            return (_own(server, message), *_inside(server, message))


def target(fields: McpFields) -> str:
    """What it is done to, for people: `jira tools/call create_issue`."""
    return " ".join(filter(None, (fields.server, fields.method, fields.tool or fields.uri)))


def content_of(message: Message) -> bytes:
    """Canonical bytes of what is done: the same for every try of the same thing."""
    if message.kind in {Kind.RESPONSE, Kind.ERROR}:
        return canonical({"result": message.result, "error": message.error})
    params = dict(message.params)
    if isinstance(meta := params.get("_meta"), dict):
        params["_meta"] = {key: value for key, value in meta.items() if key not in _VOLATILE}
    return canonical({"method": message.method, "params": params})


def tool_use_id(message: Message) -> str:
    """The model's call that this one comes from, as the client says; "" where it says nothing."""
    found = message.meta.get(_TOOL_USE_ID)
    return found if isinstance(found, str) and len(found) <= _MAX_ID else ""


def tool_name(server: str, tool: str) -> str:
    """As Claude Code calls an MCP server's tool towards the model: `mcp__server__tool`."""
    return f"mcp__{_NOT_IN_NAME.sub('_', server)}__{_NOT_IN_NAME.sub('_', tool)}"


def _own(server: str, message: Message) -> McpFields:
    method, params = message.method, message.params
    if method in {CALL, "prompts/get"}:
        return McpFields(
            server=server,
            method=method,
            tool=_text(params, "name"),
            arguments=_object(params, "arguments"),
        )
    if method in _URIS:
        # Without one the server has nothing to do it with, or knows no such method any more.
        uri = _text(params, "uri") if "uri" in params else ""
        return McpFields(server=server, method=method, uri=uri)
    if method == "completion/complete":
        return _completion(server, params)
    return McpFields(
        server=server,
        method=method,
        arguments={key: value for key, value in params.items() if key != "_meta"},
    )


def _completion(server: str, params: Mapping[str, Any]) -> McpFields:
    """CompleteRequestParams: the reference is a prompt's name or a resource template's uri."""
    ref, argument = _object(params, "ref"), _object(params, "argument")
    context = _object(params, "context")
    return McpFields(
        server=server,
        method="completion/complete",
        tool=_text(ref, "name") if "name" in ref else "",
        uri=_text(ref, "uri") if "uri" in ref else "",
        arguments={
            **_object(context, "arguments"),
            _text(argument, "name"): _text(argument, "value"),
        },
    )


def _inside(server: str, message: Message) -> Iterator[McpFields]:
    answers = _object(message.params, "inputResponses")
    for answer in answers.values():
        if not isinstance(answer, dict):
            raise _wrong("inputResponses")
        yield _response(server, answer)
    if message.method == "subscriptions/listen":
        # What `resources/subscribe` was before 2026-07-28.
        uris = _object(message.params, "notifications").get("resourceSubscriptions", [])
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise _wrong("resourceSubscriptions")
        for uri in dict.fromkeys(uris):
            yield McpFields(server=server, method=_SUBSCRIBE, uri=uri)


def _response(server: str, result: Mapping[str, Any]) -> McpFields:
    """An answer to a server's question; which one, its members tell the server, too."""
    asked = ""
    if "action" in result:
        asked = "elicitation/create"
    elif "roots" in result:
        asked = "roots/list"
    elif "role" in result or "model" in result:
        asked = "sampling/createMessage"
    return McpFields(server=server, method=RESPONSE, tool=asked, arguments=dict(result))


def _tool(fields: McpFields) -> ToolFields | None:
    if fields.method != CALL:
        return None
    return ToolFields(name=tool_name(fields.server, fields.tool), input=fields.arguments)


def _text(params: Mapping[str, Any], key: str) -> str:
    value = params.get(key)
    if not isinstance(value, str):
        raise _wrong(key)
    return value


def _object(params: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object that may be missing. Null is what some clients send for nothing."""
    value = params.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(key)
    if key != "arguments" and not well_named(value):
        raise _wrong(key)
    return value


def _wrong(key: str) -> ClientError:
    return bad_message(f"`{key}` that is not what MCP says it is")
