"""What tools gave back, as a client hands it to the model: only what is new in a request.

`tool_result` blocks after the model's last turn (ToolResultBlockParam of the SDK); their names and
inputs stand in that turn (ToolUseBlockParam).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from proctor.protocols.anthropic.request import Stretch

_WEB: Final = re.compile(
    r"web|fetch|browse|search|crawl|scrape|http|url|playwright|puppeteer|navigate", re.IGNORECASE
)
_REACHES: Final = re.compile(
    r"\b(?:curl|wget|http|https|lynx|links|w3m|aria2c|xh|gh|glab|ssh|nc|ncat)\b|https?://"
)


class Given(NamedTuple):
    """One tool result.

    Attributes:
        place: Such as `messages[4].content[0]`.
        tool: The tool's name; "" if unknown.
        arguments: What it was called with.
        texts: What it gave back.
    """

    place: str
    tool: str
    arguments: Mapping[str, Any]
    texts: tuple[str, ...]

    @property
    def outside(self) -> bool:
        """It brings what others wrote: from the web, over MCP, from another machine."""
        if self.tool.startswith("mcp__"):
            return True
        if self.tool in {"Bash", "PowerShell"}:
            return bool(_REACHES.search(str(self.arguments.get("command", ""))))
        return bool(_WEB.search(self.tool))

    @property
    def source(self) -> str:
        """What it came from, for people: tool and host, no query."""
        tool = self.tool[:80] or "a tool"
        url = self.arguments.get("url")
        if isinstance(url, str) and "://" in url:
            bare = url.partition("://")[2].partition("?")[0].partition("#")[0]
            return f"{tool} of {bare.rpartition('@')[2][:120]}"
        return tool


def results(body: bytes, stretches: Sequence[Stretch]) -> tuple[Given, ...]:
    """New tool results of a request.

    Args:
        body: The whole body.
        stretches: Of its reading.
    """
    messages = [each for each in stretches if each.location.startswith("messages[")]
    new = [each for each in messages if not each.history]
    if not any(b"tool_result" in body[each.start : each.end] for each in new):
        return ()
    calls: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for each in [each for each in messages if each.history][-1:]:
        for block in _blocks(body, each):
            if block.get("type") == "tool_use" and isinstance(block.get("id"), str):
                given = block.get("input")
                name = block.get("name")
                calls[block["id"]] = (
                    name if isinstance(name, str) else "",
                    given if isinstance(given, dict) else {},
                )
    found: list[Given] = []
    for each in new:
        for number, block in enumerate(_blocks(body, each)):
            if block.get("type") == "tool_result":
                tool, arguments = calls.get(str(block.get("tool_use_id")), ("", {}))
                place = f"{each.location}.content[{number}]"
                found.append(Given(place, tool, arguments, tuple(_texts(block.get("content")))))
    return tuple(found)


def said(body: bytes, stretch: Stretch) -> str:
    """What the user or the system says in one element of a request; "" where the model speaks."""
    value = json.loads(body[stretch.start : stretch.end])
    if not isinstance(value, dict) or value.get("role") == "assistant":
        return ""
    content = value.get("content", value)
    blocks = content if isinstance(content, list) else [content]
    return "\n".join(
        each if isinstance(each, str) else str(each.get("text", ""))
        for each in blocks
        if isinstance(each, str) or (isinstance(each, dict) and each.get("type") == "text")
    )


def _blocks(body: bytes, stretch: Stretch) -> list[dict[str, Any]]:
    content = json.loads(body[stretch.start : stretch.end]).get("content")
    items = content if isinstance(content, list) else []
    return [each for each in items if isinstance(each, dict)]


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict):
            text = block.get("text")
            if isinstance(text, str):
                yield text
            source = block.get("source")
            if isinstance(source, dict) and source.get("type") == "text":
                yield str(source.get("data"))
