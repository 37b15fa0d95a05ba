"""Header and body of one request say the same.

MCP 2026-07-28, Streamable HTTP, "Request Metadata": some members of the body stand in header
fields again. Who decides by one of them and acts on the other can be deceived, so they must agree.
Revisions before it have no such fields; where they come all the same, they must agree, too.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from proctor.errors import ClientError
from proctor.protocols.mcp.messages import Kind, Message

HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Revisions that begin with `initialize`."""

MODERN: Final = ("2026-07-28",)
"""Revisions in which each request stands for itself."""

_VERSION: Final = "mcp-protocol-version"
_METHOD: Final = "mcp-method"
_NAME: Final = "mcp-name"
_PARAM: Final = "mcp-param-"
# "Standard Request Headers"; SEP-2663, "Routing Headers", for tasks.
_NAMED: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
_ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,40}(?:\.0{1,20})?")
_MAX_DEPTH: Final = 32  # of properties that a parameter header may name


def agree(headers: Iterable[tuple[str, str]], message: Message) -> None:
    """See that the header fields of a POST say what its body says.

    `Mcp-Param-*` is compared with all single values of the arguments: which one it repeats stands
    in the tool's schema only, and no other may stand there.

    Args:
        headers: All fields, names in any case.
        message: The body.

    Raises:
        ClientError: `mcp-header-mismatch`: they differ, one is missing where the revision demands
            it, or one came twice. `mcp-version`: a revision that is not known here. `mcp-params`:
            the body names none.
    """
    fields, params = _fields(headers)
    version = fields.get(_VERSION)
    _known(version)
    # Of notifications, 2026-07-28 demands no fields.
    demanded = message.kind is Kind.REQUEST and (version in MODERN or bool(message.version))
    if demanded and not message.version:
        raise ClientError(
            code="mcp-params",
            message="A request of this revision names its revision in its body, too",
            expected="_meta with io.modelcontextprotocol/protocolVersion (MCP 2026-07-28)",
        )
    if (demanded or message.version) and version != message.version:
        raise _mismatch("Mcp-Protocol-Version")
    method = fields.get(_METHOD)
    if (demanded or method is not None) and method != message.method:
        raise _mismatch("Mcp-Method")
    _agree_name(fields.get(_NAME), message, demanded=demanded)
    if params:
        arguments = message.params.get("arguments")
        singles = set(_singles(arguments)) if isinstance(arguments, dict) else set()
        for name, value in params.items():
            if _decoded(value, name) not in singles and _number(value) not in singles:
                raise _mismatch(name)


def agree_unsaid(headers: Iterable[tuple[str, str]]) -> None:
    """See that the header fields of a GET or DELETE, which say nothing, repeat nothing.

    Args:
        headers: All fields, names in any case.

    Raises:
        ClientError: `mcp-header-mismatch`: one speaks of a message. `mcp-version`.
    """
    fields, params = _fields(headers)
    _known(fields.get(_VERSION))
    for name in (*params, _METHOD, _NAME):
        if name in params or name in fields:
            raise _mismatch(_shown(name), got="a message's field, and no message")


def repeated(
    fields: Iterable[tuple[bytes, bytes]], before: Message, after: Message
) -> tuple[tuple[bytes, bytes], ...]:
    """Header fields that repeat what stood in a body, once something else stands there.

    What repeats nothing that can be found is left out: a server that wants it says so.

    Args:
        fields: All fields, which agree with `before`.
        before: The body as it came.
        after: The same with other values, such as surrogates.
    """
    kept: list[tuple[bytes, bytes]] = []
    member = _NAMED.get(before.method)
    for field in fields:
        name = field[0].decode("latin-1").lower()
        value: str | None = None
        if name == _NAME and member:
            value = after.params.get(member)
        elif name.startswith(_PARAM):
            value = _again(_decoded(field[1].decode("latin-1").strip(" \t"), name), before, after)
        else:
            kept.append(field)
            continue
        if isinstance(value, str):
            kept.append((field[0], _encoded(value)))
    return tuple(kept)


def modern(message: Message) -> bool:
    """Whether a client's message is of a revision without handshake."""
    return message.version in MODERN


def _known(version: str | None) -> None:
    if version is not None and version not in {*HANDSHAKE, *MODERN}:
        raise ClientError(
            code="mcp-version",
            message="The client names a revision of MCP that is not known here",
            expected=f"Mcp-Protocol-Version {', '.join((*MODERN, *reversed(HANDSHAKE)))}",
        )


def _agree_name(field: str | None, message: Message, *, demanded: bool) -> None:
    member = _NAMED.get(message.method)
    value = message.params.get(member) if member else None
    if field is None:
        if demanded and value is not None:
            raise _mismatch("Mcp-Name")
    elif _decoded(field, "Mcp-Name") != value:
        raise _mismatch("Mcp-Name")


def _fields(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """The standard fields, and those of parameters, names in lower case."""
    fields: dict[str, str] = {}
    params: dict[str, str] = {}
    for given, value in headers:
        name = given.lower()
        into = params if name.startswith(_PARAM) else fields
        if into is fields and name not in {_VERSION, _METHOD, _NAME}:
            continue
        if name in into:
            raise _mismatch(_shown(name), got="it came twice")  # the first or the last counts?
        into[name] = value.strip(" \t")
    return fields, params


def _decoded(value: str, name: str) -> str:
    """As in "Value Encoding": visible ASCII as it is, all else as `=?base64?…?=`."""
    if not _VALUE.fullmatch(value):
        raise _mismatch(_shown(name), got="characters that no header may have")
    found = _ENCODED.fullmatch(value)
    if found is None:
        return value
    try:
        raw = base64.b64decode(found[1], validate=True)
        text = raw.decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _mismatch(_shown(name), got="broken Base64") from None
    if base64.b64encode(raw).decode() != found[1]:
        raise _mismatch(_shown(name), got="Base64 that can be written in two ways")
    return text


def _encoded(value: str) -> bytes:
    """The same the other way round."""
    plain = value == value.strip(" \t") and _VALUE.fullmatch(value)
    if plain and not _ENCODED.fullmatch(value):
        return value.encode("ascii")
    raw = value.encode("utf-8", "surrogatepass")
    return b"=?base64?" + base64.b64encode(raw) + b"?="


def _again(value: str, before: Message, after: Message) -> str | None:
    """What stands where this stood."""
    pairs = zip(
        *(
            list(_singles(found)) if isinstance(found := each.params.get("arguments"), dict) else []
            for each in (before, after)
        ),
        strict=True,
    )
    return next((now for was, now in pairs if value == was or _number(value) == was), None)


def _singles(arguments: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Values that a chain of `properties` leads to, as a header repeats them."""
    for value in arguments.values():
        if isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int | float):
            yield _number(repr(value)) or repr(value)
        elif isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _singles(value, depth + 1)


def _number(text: str) -> str | None:
    """As in "Server Validation": 42.0 and 42 are equal."""
    return str(int(text.partition(".")[0])) if _DECIMAL.fullmatch(text) else None


def _shown(name: str) -> str:
    return name if len(name) <= len(_PARAM) + 64 and name.isprintable() else "Mcp-Param-…"


def _mismatch(name: str, got: str = "something else, or nothing") -> ClientError:
    return ClientError(
        code="mcp-header-mismatch",
        message=f"The header {_shown(name)} does not say what the body says",
        got=got,
        expected="what stands in the body (MCP 2026-07-28, Streamable HTTP, Server Validation)",
    )
