"""Which of an answer's blocks are tool calls, and what in its events is not to be looked at."""

from collections.abc import Mapping
from typing import Any, Final

from proctor.protocols.anthropic.answer import TOOL_USES
from proctor.protocols.anthropic.exempt import Path, exempt

SIGNED: Final = ("thinking", "compaction")
"""Kinds of blocks whose text has to come back as it was; a tuple, as a kind may be any JSON."""

_INSIDE: Final = ("message", "error", "delta", "citation", "usage")


def is_tool(block: Mapping[str, Any]) -> bool:
    """Whether the block is a tool call, of a kind known here or not."""
    return block.get("type") in TOOL_USES or "input" in block


def exempt_in(event: Mapping[str, Any]) -> dict[Path, str]:
    """As `exempt`, for an event or a part of one."""
    found = exempt(event)
    for name in _INSIDE:
        inner = event.get(name)
        if inner is None:
            continue
        found |= {(name, *path): why for path, why in exempt(inner).items()}
    return found
