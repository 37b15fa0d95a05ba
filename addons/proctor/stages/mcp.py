"""MCP as the stages see it: messages to a server, its sessions, and what is kept of a call."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hmac import compare_digest
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import http

from proctor.errors import ClientError, InternalError, ProctorError
from proctor.mcp.kept import kept_call, kept_result
from proctor.model import Action, ActionKind, HttpFields, McpFields
from proctor.protocols.anthropic.refusal import Refusal
from proctor.protocols.jsonspan import loads
from proctor.protocols.mcp.actions import CALL, mcp_actions, target
from proctor.protocols.mcp.agreement import agree, agree_unsaid
from proctor.protocols.mcp.messages import Message, bad_message, dumped, read
from proctor.protocols.mcp.refusals import mcp_refusal
from proctor.protocols.sse import EventStream
from proctor.record import ToolCall, ToolResult
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import RedactionError
from proctor.redaction.screen import Screen
from proctor.stages.aiming import metadata_of
from proctor.stages.exchange import Exchange

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

SESSION: Final = "mcp-session-id"
"""Names a session with a server until 2025-11-25; the server's own word."""

_SEALED: Final = 32  # hex digits of the seal
_GIVEN: Final = ("requestState", "nextCursor")
_RETURNED: Final = ("requestState", "cursor")
_STREAMED: Final = frozenset({HTTPMethod.GET, HTTPMethod.DELETE})
MAX_RESULT: Final = 16 * 1024 * 1024


def mcp_request(flow: http.HTTPFlow, exchange: Exchange, fields: HttpFields) -> tuple[Action, ...]:
    """What a client says to an MCP server, as Actions; a message is kept in the exchange.

    Raises:
        ClientError: It cannot be read, or its headers say something else.
    """
    request, server = flow.request, exchange.to.name
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers.fields]
    if request.method in _STREAMED:
        if request.raw_content:
            raise bad_message(f"a {request.method} with a body")
        agree_unsaid(headers)
        # The long stream of a server's, and the end of a session (2025-11-25, Transports).
        only = McpFields(server=server, method=request.method)
        action = Action(
            kind=ActionKind.MCP_CALL,
            listener=exchange.listener,
            target=target(only),
            http=fields,
            mcp=only,
        )
        return (action,)
    if request.method != HTTPMethod.POST:
        raise ClientError(
            "mcp-method",
            "An MCP server is spoken to with POST, GET and DELETE",
            got=request.method[:20],
            status=405,
        )
    if fields.content_type != "application/json":
        # Others could be read by a server, or looked at here, as something else.
        raise bad_message("a body that is not called application/json")
    message = exchange.mcp = read(request.raw_content or b"")
    agree(headers, message)
    actions = mcp_actions(exchange.listener, server, message)
    return tuple(replace(action, http=fields) for action in actions)


def seal(suite: "Suite", exchange: Exchange, value: str) -> str:
    """A server's own token, for whoever it was given to: others cannot make use of it.

    So no client passes a value of its own under the name of one that is not looked at.
    """
    return f"{value}.{_seal(suite, exchange, value)}"


def unseal(suite: "Suite", exchange: Exchange, sealed: str) -> str | None:
    """The server's own token again; None where it was not given to this principal."""
    value, _, seal_ = sealed.rpartition(".")
    if not value or not compare_digest(seal_.encode(), _seal(suite, exchange, value).encode()):
        return None
    return value


def _seal(suite: "Suite", exchange: Exchange, value: str) -> str:
    if exchange.principal is None:
        raise InternalError("not-admitted", "A token is to be sealed for nobody")
    parts = (part.encode() for part in (exchange.principal.key, exchange.to.name, value))
    return suite.gate.named(b"proctor mcp token v1", parts)[:_SEALED]


def session_of(suite: "Suite", exchange: Exchange, sealed: str) -> str:
    """A server's session, named by the client that opened it.

    Raises:
        ClientError: It was opened by somebody else; clients then open one of their own.
    """
    name = unseal(suite, exchange, sealed)
    if name is None:
        raise ClientError(
            "mcp-session", "There is no such session", hint="Initialize a new one.", status=404
        )
    return name


def opaque_of(suite: "Suite", exchange: Exchange, message: Message) -> dict[str, str]:
    """What a client gives back to the server that gave it: it means nothing to anyone else.

    Raises:
        ClientError: It was not given to this client.
    """
    found: dict[str, str] = {}
    for key in _RETURNED:
        sealed = message.params.get(key)
        if sealed is None:
            continue
        value = unseal(suite, exchange, sealed) if isinstance(sealed, str) else None
        if value is None:
            raise ClientError(
                "mcp-token",
                f"`{key}` is none that was given to this client",
                hint="Begin again without it.",
            )
        found[key] = value
    return found


def with_opaque(content: bytes, opaque: Mapping[str, str]) -> bytes:
    """A request with these tokens: as it leaves the server's own, before that none to look at."""
    members: dict[str, Any] = loads(content.decode())
    return dumped({**members, "params": {**members["params"], **opaque}})


def sealing(
    suite: "Suite", exchange: Exchange, look: Callable[[bytes], Rewritten]
) -> Callable[[bytes], Rewritten]:
    """Looks at a message of the server's; its own tokens and ids are not looked at.

    Tokens are sealed. An id is what an answer is known by, and no text for anyone.
    """

    def looked(data: bytes) -> Rewritten:
        tokens: dict[str, str] = {}
        if any(f'"{key}"'.encode() in data for key in _GIVEN):
            message = read(data)
            tokens = {
                key: seal(suite, exchange, value)
                for key in _GIVEN
                if isinstance(value := message.result.get(key), str)
            }
        clean = look(_with_result(data, dict.fromkeys(tokens, "")) if tokens else data)
        if clean.client != data:
            clean = Rewritten(_with_id(clean.client, data), clean.record)
        if not tokens:
            return clean
        return Rewritten(_with_result(clean.client, tokens), clean.record)

    return looked


def _with_result(data: bytes, more: Mapping[str, str]) -> bytes:
    members: dict[str, Any] = loads(data.decode())
    return dumped({**members, "result": {**members["result"], **more}})


def _with_id(data: bytes, before: bytes) -> bytes:
    members: dict[str, Any] = loads(data.decode())
    named = loads(before.decode()).get("id")
    return data if members.get("id") == named else dumped({**members, "id": named})


def refusal_of(
    suite: "Suite", flow: http.HTTPFlow, exchange: Exchange, error: ProctorError
) -> Refusal:
    """A refusal as an MCP client understands it."""
    return mcp_refusal(
        error,
        _answerable(suite.screen(exchange.listener), exchange.mcp),
        accept=flow.request.headers.get("accept", ""),
        resource_metadata=metadata_of(exchange.resource),
        request_id=flow.id,
    )


def _answerable(screen: Screen | None, message: Message | None) -> Message | None:
    """A message as it is answered by us: without its id where that may not stand in a flow."""
    if screen is None or message is None or not isinstance(message.id, str):
        return message
    try:
        found = screen.finds("id", message.id.encode("utf-8", "surrogatepass"))
    except RedactionError:
        found = True
    return replace(message, id=None) if found else message


def call_of(exchange: Exchange, flow: http.HTTPFlow) -> ToolCall | None:
    """The tool call that an exchange was, as it is kept; None where it was none."""
    if exchange.mcp is None or exchange.mcp.method != CALL:
        return None
    return kept_call(
        flow.request.raw_content or b"",  # as redacted: what came may not be kept
        exchange.to.name,
        name=flow.id,
        verdict=_verdict(exchange),
        rule_id=_rule(exchange),
        approval_id=exchange.opening.approval_id if exchange.opening else None,
        before=exchange.mcp,
    )


def _rule(exchange: Exchange) -> str | None:
    said = exchange.refused or (exchange.ruling.verdict if exchange.ruling else None)
    return said.rule_id if said else None


def _verdict(exchange: Exchange) -> str:
    if exchange.refused:
        return "deny"
    return "hold" if exchange.opening and exchange.opening.approval_id else "allow"


class Result:
    """Takes what a call gave back out of the answer, as it is kept.

    Args:
        call: The call.
        events: The answer is a stream of events.
        last: The message of the answer that was read last.
    """

    def __init__(
        self, call: ToolCall, *, events: bool, last: Callable[[], Message | None] = lambda: None
    ) -> None:
        self._call = call
        self._last = last
        self._stream = EventStream() if events else None
        self._body = bytearray()
        self._result: ToolResult | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._result:
            return
        if self._stream is None:
            if len(self._body) <= MAX_RESULT:
                self._body += data
            return
        for event in self._stream.feed(data):
            self._look(event.data.encode("utf-8", "surrogatepass"))

    def finish(self) -> Iterable[ToolResult]:
        """The result, where one came."""
        if self._stream is None:
            self._look(bytes(self._body))
        return (self._result,) if self._result else ()

    def _look(self, data: bytes) -> None:
        self._result = self._result or kept_result(self._call, data, self._last())
