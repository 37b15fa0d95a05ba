"""A request to the model, read without changing a byte.

Bodies of `/v1/messages` and `/v1/messages/count_tokens` (MessageCreateParams and
MessageCountTokensParams of the SDK). Members we do not know are let be.
"""

import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from proctor.errors import ClientError
from proctor.protocols.anthropic import features
from proctor.protocols.anthropic.cuts import element_cuts, text_cuts
from proctor.protocols.anthropic.tools import folder_of
from proctor.protocols.jsonspan import Document, Element, SpanReader

_MAX_TOKENS: Final = 2**53  # RFC 8259 section 6: integers up to here mean the same everywhere

_USER_ID: Final = re.compile(
    r"user_[0-9a-f]*_account_[0-9a-f-]*_session_(?P<session>[0-9a-f-]{1,128})"
)
_FOLDER: Final = re.compile(r"^.{0,40}orking directory:.{1,4096}$", re.MULTILINE)
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came of a tool call, as the client gives it to the model.

    Attributes:
        tool_use_id: The call it answers.
        content: Text; blocks that are no text as compact JSON, data of images and documents left
            out (the body has it).
        is_error: Whether the client says the call failed.
    """

    tool_use_id: str
    content: str
    is_error: bool = False


class Stretch(NamedTuple):
    """A part of the body that is known again by its bytes: one element, or one other member.

    Attributes:
        start: Offset of its first byte; of a member, the quote before its name.
        end: Offset after its last byte.
        location: Where it stands, such as `messages[3]`; of a member, "".
        digest: SHA-256 of its bytes; of a member, b"".
        history: It stands before the end of the model's last turn, so it was sent before.
    """

    start: int
    end: int
    location: str
    digest: bytes
    history: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRequest:
    """What a request asks of the model.

    Attributes:
        model: As the client names it.
        stream: Whether the answer is to be an event stream.
        max_tokens: Limit asked for; 0 where none is named.
        tools: Names of tools, the server's own included, in order.
        features: What the provider is asked to do itself, sorted; see `features`.
        prompt: Text blocks of the user messages after the model's last turn, whoever wrote them:
            clients add reminders of their own. A prefilled last turn is passed over.
        results: Tool results in those same messages.
        client_session_id: The client's own name for its run, from `metadata.user_id`; "" if none.
        turns: Assistant messages in the history.
        cuts: Offsets in bytes at which the body is cut for storage, ascending: a conversation that
            has grown, or whose cache markers have moved, shares all blocks but the new.
        canonical: The body's bytes without `metadata`, which carries volatile ids, in parts.
        stretches: Every member of the body, arrays by their elements, in the body's order.
        folder: Where the agent works, as the client says in the system's name; "" if unknown.
    """

    model: str
    stream: bool = False
    max_tokens: int = 0
    tools: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    prompt: str = ""
    results: tuple[ToolResult, ...] = ()
    client_session_id: str = ""
    turns: int = 0
    cuts: tuple[int, ...] = ()
    canonical: tuple[memoryview, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Summary of one message, tool or system block; `cuts` count from its first byte.

    `folders` are the lines that could name the agent's folder, where the system speaks.
    """

    role: str = ""
    tools: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    cuts: tuple[int, ...] = ()
    folders: tuple[str, ...] = ()


class RequestReader:
    """Reads requests, and knows again what it has read before. Not for several threads.

    Args:
        capacity: How many messages, tools and system blocks are remembered, at about 500 bytes.
    """

    def __init__(self, *, capacity: int = 8192) -> None:
        self._spans = SpanReader[_Part](
            {"messages": _message, "system": _system, "tools": _tool}, capacity=capacity
        )

    def parse(self, body: bytes) -> MessagesRequest:
        """Read one body.

        Args:
            body: The whole body, decoded from any Content-Encoding.

        Raises:
            ClientError: `body-not-json` or `body-not-messages`, status 400.
        """
        document = self._spans.read(body)
        values, arrays = document.values, document.arrays
        messages = arrays.get("messages")
        if messages is None:
            raise _not_messages("messages", "a list of messages")
        system = values.get("system")
        if system is not None and not isinstance(system, str):
            raise _not_messages("system", "text or a list of text blocks")
        if values.get("tools") is not None:
            raise _not_messages("tools", "a list of tools")
        tools: list[str] = []
        folders = list(_folder_lines(system or ""))
        found = set(features.of_members(values))
        for elements in (arrays.get("tools", ()), arrays.get("system", ()), messages):
            for element in elements:
                tools.extend(element.summary.tools)
                folders.extend(element.summary.folders)
                found |= element.summary.features
        prompt, results = _new(body, messages)
        return MessagesRequest(
            model=_model(values.get("model")),
            stream=_stream(values.get("stream")),
            max_tokens=_max_tokens(values.get("max_tokens")),
            tools=tuple(tools),
            features=tuple(sorted(found)),
            prompt=prompt,
            results=results,
            client_session_id=_session_id(values.get("metadata")),
            turns=sum(element.summary.role == "assistant" for element in messages),
            cuts=_cuts(document),
            canonical=_canonical(body, document),
            stretches=_stretches(document),
            folder=folder_of("\n".join(folders)),
        )


def parse_request(body: bytes) -> MessagesRequest:
    """Read one body with a reader that remembers nothing; see `RequestReader.parse`."""
    return RequestReader(capacity=0).parse(body)


def _message(value: Any, raw: bytes) -> _Part:
    role = value.get("role") if isinstance(value, dict) else None
    if not isinstance(role, str):
        raise _not_messages("a message", "an object with a role")
    content = value.get("content")
    tools, found = features.of_blocks(content)
    cuts = (*text_cuts(content, raw), *element_cuts(raw))
    folders: tuple[str, ...] = ()
    if role == "system":
        texts = (block.get("text") for block in _blocks(content))
        folders = tuple(chain.from_iterable(map(_folder_lines, texts)))
    return _Part(role=role, tools=tools, features=found, cuts=cuts, folders=folders)


def _system(value: Any, raw: bytes) -> _Part:
    tools, found = features.of_blocks([value])
    folders = _folder_lines(value.get("text") if isinstance(value, dict) else None)
    return _Part(tools=tools, features=found, cuts=element_cuts(raw), folders=folders)


def _folder_lines(text: object) -> tuple[str, ...]:
    return tuple(_FOLDER.findall(text)) if isinstance(text, str) else ()


def _tool(value: Any, raw: bytes) -> _Part:
    name, found = features.of_tool(value)
    return _Part(tools=(name,) if name else (), features=found, cuts=element_cuts(raw))


def _cuts(document: Document[_Part]) -> tuple[int, ...]:
    cuts: set[int] = set()
    for elements in document.arrays.values():
        if elements:
            cuts.add(elements[0].start)
        for element in elements:
            cuts.update([element.start + cut for cut in element.summary.cuts])
    return tuple(sorted(cuts))


def _canonical(body: bytes, document: Document[_Part]) -> tuple[memoryview, ...]:
    view = memoryview(body)
    span = document.spans.get("metadata")
    return (view,) if span is None else (view[: span.start], view[span.end :])


def _stretches(document: Document[_Part]) -> tuple[Stretch, ...]:
    messages = document.arrays["messages"]
    new, _ = _turn(messages)
    found = [
        Stretch(span.start, span.end, location="", digest=b"", history=False)
        for name, span in document.spans.items()
        if name not in document.arrays
    ]
    for name, elements in document.arrays.items():
        history = new if name == "messages" else 0
        found += [
            Stretch(
                e.start,
                e.end,
                location=f"{name}[{index}]",
                digest=e.digest,
                history=index < history,
            )
            for index, e in enumerate(elements)
        ]
    found.sort(key=lambda stretch: stretch.start)
    return tuple(found)


def _turn(messages: tuple[Element[_Part], ...]) -> tuple[int, int]:
    """Which messages came after the model's last turn; a prefilled last turn is passed over."""
    end = len(messages)
    while end and messages[end - 1].summary.role == "assistant":
        end -= 1
    start = end
    while start and messages[start - 1].summary.role != "assistant":
        start -= 1
    return start, end


def _new(body: bytes, messages: tuple[Element[_Part], ...]) -> tuple[str, tuple[ToolResult, ...]]:
    """Prompt and tool results after the model's last turn."""
    start, end = _turn(messages)
    texts: list[str] = []
    results: list[ToolResult] = []
    for element in messages[start:end]:
        if element.summary.role == "user":
            content = json.loads(body[element.start : element.end]).get("content")
            for block in _blocks(content):
                if block.get("type") == "text" and isinstance(block.get("text"), str):
                    texts.append(block["text"])
                elif block.get("type") == "tool_result":
                    results.append(_result(block))
    return "\n".join(texts), tuple(results)


def _blocks(content: object) -> list[dict[str, Any]]:
    """Content as blocks: a string is short for one text block, and so the API reads it."""
    items = content if isinstance(content, list) else [content]
    return [
        {"type": "text", "text": item} if isinstance(item, str) else item
        for item in items
        if isinstance(item, str | dict)
    ]


def _result(block: dict[str, Any]) -> ToolResult:
    tool_use_id = block.get("tool_use_id")
    return ToolResult(
        tool_use_id=tool_use_id if isinstance(tool_use_id, str) else "",
        content="\n".join(_block_text(item) for item in _blocks(block.get("content"))),
        is_error=block.get("is_error") is True,
    )


def _block_text(block: dict[str, Any]) -> str:
    text, source = block.get("text"), block.get("source")
    if block.get("type") == "text" and isinstance(text, str):
        return text
    if isinstance(source, dict) and isinstance(data := source.get("data"), str):
        block = {**block, "source": {**source, "data": f"{len(data)} characters"}}
    return json.dumps(block, ensure_ascii=False, separators=(",", ":"))


def _model(value: object) -> str:
    if not isinstance(value, str):
        raise _not_messages("model", "a model's name")
    return value


def _stream(value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise _not_messages("stream", "true or false")
    return bool(value)


def _max_tokens(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_TOKENS:
        raise _not_messages("max_tokens", "a count")
    return value


def _session_id(metadata: object) -> str:
    """Claude Code's `user_id`: JSON with a `session_id`; before 2.1, one string of three ids."""
    user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user_id, str):
        return ""
    if match := _USER_ID.fullmatch(user_id):
        return match["session"]
    try:
        ids = json.loads(user_id)
    except (ValueError, RecursionError):
        return ""
    session = ids.get("session_id") if isinstance(ids, dict) else None
    return session if isinstance(session, str) and _SESSION_ID.fullmatch(session) else ""


def _not_messages(member: str, expected: str) -> ClientError:
    return ClientError(
        code="body-not-messages",
        message="The body is no request to the Messages API",
        got=f"something else for {member}",
        expected=expected,
        status=400,
    )
