"""The MCP SDK's client, doing once everything that `McpServer` offers."""

from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CreateMessageResult, ElicitResult, TextContent

LEGACY = "legacy"
"""2025-11-25: initialize, a session, a long GET."""

MODERN = "2026-07-28"
"""Each request by itself."""


def connected(http: httpx2.AsyncClient, url: str, mode: str = "auto") -> Client:
    """A client to be entered; `http` carries the proxy, headers and trust that it needs."""
    return Client(
        streamable_http_client(url, http_client=http),
        mode=mode,
        sampling_callback=_sampled,
        elicitation_callback=_elicited,
        cache=None,
    )


async def use(client: Client, *, back: bool = True) -> dict[str, Any]:
    """List and call everything; what came of it.

    Args:
        client: Entered.
        back: The server can ask back (a JSON answer of 2025-11-25 leaves no way for it).
    """
    counted: list[float] = []

    async def count(
        progress: float,
        total: float | None,  # noqa: ARG001 - the SDK's signature
        message: str | None,  # noqa: ARG001 - the same
    ) -> None:
        counted.append(progress)

    called = {"delete": {"path": "a.txt"}, "ponder": {"question": "Why?"}} if back else {}
    answers = {name: await client.call_tool(name, given) for name, given in called.items()}
    answers["count"] = await client.call_tool("count", {"to": 3}, progress_callback=count)
    answers["fail"] = await client.call_tool("fail", {})
    added = await client.call_tool("add", {"a": 1, "b": 2})
    (note,) = (await client.read_resource("note://bob")).contents
    (greeting,) = (await client.get_prompt("greet", {"name": "bob"})).messages
    return {
        "described": {each.name: each.description for each in (await client.list_tools()).tools},
        "resources": [str(each.uri) for each in (await client.list_resources()).resources],
        "prompts": [each.name for each in (await client.list_prompts()).prompts],
        "added": added.structured_content,
        "said": {name: _text(each.content) for name, each in answers.items()},
        "errors": [name for name, each in answers.items() if each.is_error],
        "progress": counted,
        "note": getattr(note, "text", None),
        "greeting": _text([greeting.content]),
    }


def expected(
    described: dict[str, str], *, back: bool = True, streamed: bool = True
) -> dict[str, Any]:
    """What `use` brings where nothing is in the way; only a stream tells of progress."""
    asked = {"delete": "a.txt is gone: It is old.", "ponder": "Why? Because."} if back else {}
    said = {"count": "counted to 3", "fail": "Error executing tool fail: it does not work"}
    return {
        "described": described,
        "resources": ["readme://all"],
        "prompts": ["greet"],
        "added": {"total": 3},
        "said": asked | said,
        "errors": ["fail"],
        "progress": [1, 2, 3] if streamed else [],
        "note": "A note on bob.",
        "greeting": "Say hello to bob.",
    }


def _text(content: Any) -> str:
    return "".join(each.text for each in content if isinstance(each, TextContent))


async def _sampled(context: Any, params: Any) -> CreateMessageResult:  # noqa: ARG001 - the SDK's signature
    said = TextContent(type="text", text="Because.")
    return CreateMessageResult(role="assistant", content=said, model="oracle")


async def _elicited(context: Any, params: Any) -> ElicitResult:  # noqa: ARG001 - the SDK's signature
    return ElicitResult(action="accept", content={"reason": "It is old."})
