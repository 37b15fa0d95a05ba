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
            it, or one came twice. `mcp-version`: a revision that is not known here.
    """
    fields, params = _fields(headers)
    version = fields.get(_VERSION)
    if version is not None and version not in {*HANDSHAKE, *MODERN}:
        raise ClientError(
            code="mcp-version",
            message="The client names a revision of MCP that is not known here",
            expected=f"Mcp-Protocol-Version {', '.join((*MODERN, *reversed(HANDSHAKE)))}",
        )
    # Of notifications, 2026-07-28 demands no fields.
    demanded = message.kind is Kind.REQUEST and (version in MODERN or bool(message.version))
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


def modern(message: Message) -> bool:
    """Whether a client's message is of a revision without handshake."""
    return message.version in MODERN


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
