"""The call that `match` and `tool.*` speak of, whichever way it comes.

A tool of an MCP server has one name in Claude Code: `mcp__server__tool`. So it is called in the
model's answer, and so it is called here when the client calls the server.
"""

import re
from typing import Final

from proctor.model import Action, ActionKind, ToolFields
from proctor.protocols.mcp.actions import CALL, tool_name

TOOL_KINDS: Final = frozenset({ActionKind.LLM_TOOL_USE, ActionKind.MCP_CALL})
"""Actions that can be calls of tools."""

SERVER: Final = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*")
"""What an MCP server may be called: were `__` in it, where the tool begins could not be told."""


def call_of(action: Action) -> ToolFields | None:
    """The tool call that an action is, or None.

    Its name is empty where the server's allows none: no pattern could name it.
    """
    mcp = action.mcp
    if mcp is None:
        return action.tool
    if mcp.method != CALL:
        return None
    return ToolFields(name=call_name(mcp.server, mcp.tool), input=mcp.arguments)


def call_name(server: str, tool: str) -> str:
    """`mcp__server__tool`: like Claude Code, with `_` for what a tool's name may not hold there."""
    if not tool or not SERVER.fullmatch(server):
        return ""
    return tool_name(server, tool)
