"""One JSON-RPC 2.0 message, as MCP frames it, read so that no two readers can disagree.

MCP 2026-07-28, Overview, "Messages"; 2025-11-25 the same. Batches are gone since 2025-06-18. What
the specification does not know at the top of a message is refused, as the TypeScript SDK does. So
are members whose name differs from a known one in case only: Go's encoding/json takes `Name` for
`name`, and the last of both wins, so a server may act on another tool than the one judged.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from proctor.errors import ClientError
from proctor.protocols.jsonspan import read_object

PROTOCOL_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
"""The member of `params._meta` by which a request of 2026-07-28 and later names its revision."""

type Id = str | int

_MAX_ID: Final = 256  # characters
_MAX_METHOD: Final = 128  # characters
_MAX_INT: Final = 2**53 - 1  # RFC 8259 section 6: beyond it, readers differ
_TOP: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
# Members of params, result and error that are judged here or by clients, in all revisions.
_INNER: Final = frozenset(
    {
        *("_meta", "name", "arguments", "uri", "ref", "argument", "context", "cursor", "level"),
        *("notifications", "task", "taskId", "inputResponses", "requestState"),
        *("protocolVersion", "capabilities", "clientInfo"),
        *("resultType", "tools", "instructions", "content", "structuredContent", "isError"),
        *("inputRequests", "nextCursor", "contents", "messages", "prompts", "resources"),
        *("code", "message", "data", "elicitations", "method", "params", "type"),
    }
)


class Kind(StrEnum):
    """What a message is."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        kind: Request, notification, response or error.
        method: Of requests and notifications, else "".
        id: Of all but notifications; None in an error that could not tell.
        params: Of requests and notifications; empty where there are none.
        result: Of responses, else empty.
        error: Of errors, else empty.
        members: All of it.
        raw: As it came.
    """

    kind: Kind
    method: str = ""
    id: Id | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    result: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    error: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    members: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    raw: bytes = field(default=b"", repr=False)

    @property
    def meta(self) -> Mapping[str, Any]:
        """`params._meta`; empty where it is none."""
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}

    @property
    def version(self) -> str:
        """The revision that the message itself names (2026-07-28 and later), else ""."""
        found = self.meta.get(PROTOCOL_VERSION)
        return found if isinstance(found, str) else ""


def read(body: bytes) -> Message:
    """Read one message.

    Args:
        body: The whole message, UTF-8.

    Raises:
        ClientError: `mcp-message`: it is no single, unambiguous JSON-RPC 2.0 message.
    """
    try:
        members = read_object(body)
    except ClientError as error:
        raise bad_message(error.got) from None
    if unknown := members.keys() - _TOP:
        raise bad_message(f"{len(unknown)} members that JSON-RPC does not know")
    if members.get("jsonrpc") != "2.0":
        raise bad_message("no `jsonrpc: 2.0`")
    if "method" in members:
        return _call(members, body)
    return _answer(members, body)


def read_again(body: bytes, before: Message | None) -> Message:
    """Read one message, where it is not still the one that was read before.

    Args:
        body: As for `read`.
        before: A message that was read.

    Raises:
        ClientError: As `read`.
    """
    return before if before and before.raw == body else read(body)


def well_named(names: Iterable[str]) -> bool:
    """Whether no name could be taken for a known one by a reader that ignores case."""
    return all(name in _INNER or name.casefold() not in _FOLDED for name in names)


def dumped(value: object) -> bytes:
    """Compact JSON in UTF-8, in the order of its members."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def canonical(value: object) -> bytes:
    """The same bytes for all that mean the same: sorted, compact, whole numbers as integers.

    RFC 8785 in spirit; its form of numbers and of sorting matters only between implementations.
    """
    return json.dumps(
        _whole(value), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode()


def bad_message(got: str) -> ClientError:
    """The error for what is no message. `got` holds no value of it."""
    return ClientError(
        code="mcp-message",
        message="This cannot be read as one MCP message",
        got=got,
        expected="one JSON-RPC 2.0 object in UTF-8, each name once, spelt as MCP spells it",
    )


_FOLDED: Final = frozenset(name.casefold() for name in _INNER)


def _call(members: dict[str, Any], raw: bytes) -> Message:
    """A request or a notification: JSON-RPC 2.0 sections 4 and 4.1."""
    method, params = members["method"], members.get("params", {})
    if "result" in members or "error" in members:
        raise bad_message("a method and a result in one")
    if not isinstance(method, str) or not 0 < len(method) <= _MAX_METHOD:
        raise bad_message(f"a method that is no text of 1 to {_MAX_METHOD} characters")
    if not method.isascii() or not method.isprintable() or " " in method:
        raise bad_message("a method with blanks or letters beyond ASCII")
    if not isinstance(params, dict):
        raise bad_message("params that are no object")
    if not well_named(params):
        raise bad_message("a name in params that differs from MCP's in case only")
    notice = "id" not in members
    return Message(
        kind=Kind.NOTIFICATION if notice else Kind.REQUEST,
        method=method,
        id=None if notice else _id(members["id"]),
        params=params,
        members=members,
        raw=raw,
    )


def _answer(members: dict[str, Any], raw: bytes) -> Message:
    """A response: JSON-RPC 2.0 section 5, with a result or an error, never both."""
    if "params" in members or ("result" in members) == ("error" in members):
        raise bad_message("neither one request, nor one notification, nor one response")
    kind = Kind.RESPONSE if "result" in members else Kind.ERROR
    inside = members["result" if kind is Kind.RESPONSE else "error"]
    if not isinstance(inside, dict):
        raise bad_message(f"a {kind} without an object in it")
    if not well_named(inside):
        raise bad_message(f"a name in the {kind} that differs from MCP's in case only")
    if kind is Kind.RESPONSE:
        return Message(
            kind=kind, id=_id(members.get("id")), result=inside, members=members, raw=raw
        )
    if type(inside.get("code")) is not int or not isinstance(inside.get("message"), str):
        raise bad_message("an error without code and message")
    # Section 5: null, and since 2026-07-28 nothing, where the request's id could not be read.
    named = members.get("id")
    return Message(
        kind=kind,
        id=None if named is None else _id(named),
        error=inside,
        members=members,
        raw=raw,
    )


def _id(value: object) -> Id:
    """MCP, "Requests": a string or an integer, never null."""
    if isinstance(value, str) and len(value) <= _MAX_ID:
        return value
    if type(value) is int and abs(value) <= _MAX_INT:
        return value
    raise bad_message(f"an id that is no integer and no text of up to {_MAX_ID} characters")


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_INT:
        return int(value)
    return value
