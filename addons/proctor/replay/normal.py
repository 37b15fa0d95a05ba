"""A request to the model as what it says, without what changes from run to run.

Claude Code sends reminders (dates, the environment), billing headers, cache markers and ids of its
own with each request. None of that decides what the model is asked, so it is left out or replaced
before two requests are compared: MessageCreateParams of the SDK, fields by their names there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from proctor.errors import ClientError
from proctor.protocols.anthropic.request import parse_request
from proctor.protocols.jsonspan import loads

_REMINDER: Final = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
_BILLING: Final = "x-anthropic-billing-header:"
_NO_LETTER: Final = re.compile(r"[^A-Za-z0-9]")
# Their words come from the recording itself, and clients drop them from the history as they like.
_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
_CLIENTS_FILES: Final = "/.claude/"
_NOT_IN_PATHS: Final = " \"'`(\\\n"
# Other ones in each run of Claude Code: what it calls a subagent, how long that took, and in whose
# folder its output lies (/tmp/claude-UID/…).
_AGENT: Final = re.compile(r"(?<![0-9A-Za-z])a[0-9a-f]{16}(?![0-9A-Za-z])")
_NUMBER: Final = re.compile(r"(duration_ms(?:: |>)|/tmp/claude-)[0-9]+")
_HEAD: Final = 80
"""Characters of the system prompt by which one kind of request is told from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is one run's own: where the agent worked, and what the client called its run.

    Attributes:
        folder: "" where it is not known.
        session: The same.
    """

    folder: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks, made comparable.

    Attributes:
        model: As the client names it.
        stream: Whether it wants an event stream.
        tools: Names of the offered tools, sorted.
        head: How the system prompt begins: the main conversation, subagents and side requests
            (such as titles) differ in it.
        system: All of it.
        messages: One text for each message, compact JSON; reminders are no messages.
    """

    model: str
    stream: bool
    tools: tuple[str, ...]
    head: str
    system: str
    messages: tuple[str, ...]


def own(body: bytes) -> Own:
    """What is the run's own in a request.

    Raises:
        ClientError: `body-not-json`, `body-not-messages`.
    """
    request = parse_request(body)
    return Own(folder=request.folder, session=request.client_session_id)


def asked(body: bytes, *runs: Own) -> Asked:
    """Read one request.

    Args:
        body: JSON of `/v1/messages` or `/v1/messages/count_tokens`.
        runs: What is replaced: the recorded run's own, and that of the run under way.

    Raises:
        ClientError: `body-not-json`, `body-not-messages`.
    """
    parse_request(body)  # says in its own words what is wrong
    try:
        value: dict[str, Any] = loads(body.decode())
    except (ValueError, RecursionError):
        raise ClientError(
            code="body-not-json", message="The body is no JSON that can be read", status=400
        ) from None
    names = _names(runs)
    texts = [text for text in _system(value) if not text.startswith(_BILLING)]
    system = _replaced("\n".join(texts), names)
    messages = (_message(message) for message in value["messages"])
    return Asked(
        model=value["model"],
        stream=bool(value.get("stream")),
        tools=tuple(sorted(_tool_names(value.get("tools")))),
        head=system[:_HEAD],
        system=system,
        messages=tuple(_replaced(_text(each), names) for each in messages if each is not None),
    )


def _system(value: Mapping[str, Any]) -> list[str]:
    return [text for block in _blocks(value.get("system")) if (text := _words(block))]


def _words(block: Mapping[str, Any]) -> str:
    text = block.get("text")
    return text if isinstance(text, str) else ""


def _tool_names(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and isinstance(name := tool.get("name"), str):
            yield name


def _message(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """None for what the client alone says: the system's role, and reminders."""
    role = message.get("role")
    if role == "system":
        return None
    blocks = [kept for each in _blocks(message.get("content")) if (kept := _block(each))]
    return {"role": role, "content": blocks} if blocks else None


def _block(block: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = block.get("type")
    if kind in _THOUGHTS:
        return None
    kept = {name: value for name, value in block.items() if name != "cache_control"}
    if kind == "text":
        kept["text"] = _REMINDER.sub("", _words(block)).strip()
        return kept if kept["text"] else None
    if kind == "tool_result":
        if not kept.get("is_error"):
            kept.pop("is_error", None)
        within = [found for each in _blocks(block.get("content")) if (found := _block(each))]
        kept["content"] = within
    return kept


def _blocks(content: object) -> list[dict[str, Any]]:
    """Content as blocks: a string is short for one text block, and so the API reads it."""
    items = content if isinstance(content, list) else [content]
    return [
        {"type": "text", "text": item} if isinstance(item, str) else item
        for item in items
        if isinstance(item, str | dict)
    ]


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _names(runs: tuple[Own, ...]) -> dict[str, str]:
    """What is replaced, the longest first: a folder can be the beginning of another."""
    names: dict[str, str] = {}
    for run in runs:
        if run.session:
            names[run.session] = "{session}"
        if run.folder:
            names[_text_of(run.folder)] = "{folder}"
            # Claude Code names its own files of a project so.
            names[_NO_LETTER.sub("-", run.folder)] = "{folder-name}"
    return dict(sorted(names.items(), key=lambda item: len(item[0]), reverse=True))


def _text_of(path: str) -> str:
    return json.dumps(path, ensure_ascii=False)[1:-1]


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for name, stands in names.items():
        text = text.replace(name, stands)
    text = _NUMBER.sub(r"\1{n}", _AGENT.sub("{agent}", text))
    # Where the client keeps its own files depends on whose machine it is.
    *before, last = text.split(_CLIENTS_FILES)
    return _CLIENTS_FILES.join((*(part[: _path_start(part)] for part in before), last))


def _path_start(text: str) -> int:
    return max(text.rfind(mark) for mark in _NOT_IN_PATHS) + 1
