"""What a request asks the provider itself to do: `llm.features` in rules.

A client's own tools run on the client, where the sandbox and the other doors watch them. A feature
makes the provider reach out, keep state, or use another model, and no other door ever sees it. So
all that is not known to be harmless gets a name of its own, and the rules that ship deny it.

Names of fields and types: the Messages API, as in `anthropic.types.beta` (MessageCreateParams,
BetaContentBlockParam, BetaToolUnionParam and the sources of image and document blocks).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

# Server tools by family; the API dates each version (`web_search_20260318`).
_SERVER_TOOL: Final = re.compile(
    r"(?:(web_search|web_fetch|code_execution|advisor)_\d{8}"
    r"|(tool_search)_tool_(?:bm25|regex)(?:_\d{8})?)"
)

# Tools whose schema Anthropic defines and which the client runs. Exact: a new version may be
# another thing. Toolsets carry no name of their own, so they go by that of their family.
CLIENT_TOOLS: Final[Mapping[str, str]] = {
    "custom": "",
    "bash_20241022": "bash",
    "bash_20250124": "bash",
    "text_editor_20241022": "str_replace_editor",
    "text_editor_20250124": "str_replace_editor",
    "text_editor_20250429": "str_replace_based_edit_tool",
    "text_editor_20250728": "str_replace_based_edit_tool",
    "computer_20241022": "computer",
    "computer_20250124": "computer",
    "computer_20251124": "computer",
    "computer_toolset_20260801": "computer",
    "browser_toolset_20260801": "browser",
    "memory_20250818": "memory",
}

# Blocks by which nothing is asked of the provider: what was typed, what the model said, and what
# came of tools, its own included, in earlier turns. Below those that carry a feature by themselves.
PLAIN_BLOCKS: Final = frozenset(
    {
        "advisor_redacted_result",
        "advisor_result",
        "advisor_tool_result",
        "advisor_tool_result_error",
        "bash_code_execution_output",
        "bash_code_execution_result",
        "bash_code_execution_tool_result",
        "bash_code_execution_tool_result_error",
        "browser_state",
        "code_execution_output",
        "code_execution_result",
        "code_execution_tool_result",
        "code_execution_tool_result_error",
        "compaction",
        "document",
        "encrypted_code_execution_result",
        "fallback",
        "image",
        "mcp_tool_result",
        "mcp_tool_use",
        "redacted_thinking",
        "search_result",
        "server_tool_use",
        "text",
        "text_editor_code_execution_create_result",
        "text_editor_code_execution_str_replace_result",
        "text_editor_code_execution_tool_result",
        "text_editor_code_execution_tool_result_error",
        "text_editor_code_execution_view_result",
        "thinking",
        "tool_addition",
        "tool_reference",
        "tool_removal",
        "tool_result",
        "tool_search_tool_result",
        "tool_search_tool_result_error",
        "tool_search_tool_search_result",
        "tool_use",
        "web_fetch_result",
        "web_fetch_tool_result",
        "web_fetch_tool_result_error",
        "web_search_result",
        "web_search_tool_result",
        "web_search_tool_result_error",
    }
)
FEATURE_BLOCKS: Final[Mapping[str, str]] = {
    "container_upload": "files",
    "mcp_tool_listing": "mcp_connector",
}

PLAIN_SOURCES: Final = frozenset({"base64", "text", "content"})
_TOOL_REFERENCES: Final[Mapping[str, str]] = {
    "tool_reference": "",
    "mcp_tool_reference": "mcp_connector",
    "mcp_toolset_reference": "mcp_connector",
}

# Members of the body, beside `tools`, `system` and `messages`. With `thread` the provider holds the
# conversation, so that we would see and judge only a part; `fallbacks` names other models.
_MEMBERS: Final[Mapping[str, str]] = {
    "container": "container",
    "fallbacks": "fallbacks",
    "mcp_servers": "mcp_connector",
    "thread": "thread",
}


def of_members(values: Mapping[str, Any]) -> frozenset[str]:
    """Features that stand in the body's own members; null and empty ask for nothing."""
    found = {feature for name, feature in _MEMBERS.items() if values.get(name)}
    container = values.get("container")
    if isinstance(container, dict) and container.get("skills"):
        found.add("skills")
    return frozenset(found)


def of_tool(tool: object) -> tuple[str, frozenset[str]]:
    """A tool's name and the features it brings.

    Args:
        tool: One element of `tools`, or the definition inside a `tool_addition` block.
    """
    fields: dict[str, Any] = tool if isinstance(tool, dict) else {"type": "?"}
    kind = fields.get("type") or "custom"
    name = fields.get("name")
    name = name if isinstance(name, str) else ""
    if not isinstance(kind, str):
        found = "unknown_tool:"
    elif kind == "mcp_toolset":
        found = "mcp_connector"
    elif match := _SERVER_TOOL.fullmatch(kind):
        found = match[1] or match[2]
    elif kind not in CLIENT_TOOLS:
        found = f"unknown_tool:{_label(kind)}"
    else:
        name = name or CLIENT_TOOLS[kind]
        found = "" if name else "unknown_tool:unnamed"
    return name, frozenset({found} if found else ())


def of_blocks(content: object) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of tools defined and features asked for anywhere in content.

    Args:
        content: `content` of a message, one block of `system`, or a list of blocks.
    """
    names: list[str] = []
    found: set[str] = set()
    waiting = [content]
    while waiting:
        block = waiting.pop()
        if isinstance(block, list):
            waiting.extend(block)
        elif isinstance(block, dict):
            waiting.extend(_of_block(block, names, found))
        elif block is not None and not isinstance(block, str):
            found.add("unknown_block:")
    return tuple(names), frozenset(found)


def _of_block(block: dict[str, Any], names: list[str], found: set[str]) -> list[object]:
    """Note one block's own; returns what is nested in it."""
    kind = block.get("type")
    nested: list[object] = [block.get("content")]
    if isinstance(kind, str) and kind in FEATURE_BLOCKS:
        found.add(FEATURE_BLOCKS[kind])
    elif not isinstance(kind, str) or kind not in PLAIN_BLOCKS:
        found.add(f"unknown_block:{_label(kind)}")
    source = block.get("source")
    if isinstance(source, dict):
        feature = _of_source(kind, source)
        if feature:
            found.add(feature)
        nested.append(source.get("content"))
    elif kind in ("image", "document"):
        found.add("unknown_source:")
    if kind in ("tool_addition", "tool_removal"):
        name, features = _of_tool_change(block.get("tool"))
        found |= features
        if name:
            names.append(name)
    if kind == "compaction":
        nested[0] = block.get("tool_changes")
    return nested


def _of_source(block_kind: object, source: dict[str, Any]) -> str:
    kind = source.get("type")
    if kind == "url":
        return "image_url" if block_kind == "image" else "document_url"
    if kind == "file":
        return "files"
    if isinstance(kind, str) and kind in PLAIN_SOURCES:
        return ""
    return f"unknown_source:{_label(kind)}"


def _of_tool_change(tool: object) -> tuple[str, frozenset[str]]:
    """BetaRequestToolAdditionBlockParam.tool: a reference, or a whole definition by value."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    if isinstance(tool, dict) and kind == "tool_definition":
        return of_tool(tool.get("definition"))
    if isinstance(kind, str) and kind in _TOOL_REFERENCES:
        feature = _TOOL_REFERENCES[kind]
        return "", frozenset({feature}) if feature else frozenset()
    return "", frozenset({f"unknown_tool:{_label(kind)}"})


def _label(kind: object) -> str:
    """A type's name, fit for a rule and a log, or nothing where it is none."""
    return kind if isinstance(kind, str) and re.fullmatch(r"[a-z0-9_.-]{1,64}", kind) else ""
