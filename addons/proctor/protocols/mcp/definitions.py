"""A tool as its server describes it, known again by its digest.

What was accepted once is not asked about again until it changes; a server that puts on another face
later ("rug pull") is then seen.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from proctor.protocols.mcp.messages import canonical

JOINERS: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")
"""Characters that join emoji and the letters of some scripts, where they are no trick."""

SELECTORS: Final = range(0xE0100, 0xE01F0)
"""Variation selectors; a row of them can spell bytes."""

_MAX_DIFF: Final = 64 * 1024  # characters
# Members of `_meta` that belong to one exchange, not to the tool.
_VOLATILE: Final = frozenset(
    {
        *("progressToken", "traceparent", "tracestate", "baggage"),
        *("io.modelcontextprotocol/serverInfo", "io.modelcontextprotocol/subscriptionId"),
    }
)


def digest(tool: Mapping[str, Any]) -> str:
    """SHA-256 in hex of all that a definition says, whatever the order of its members."""
    return sha256(b"proctor mcp tool v1\n" + canonical(_lasting(tool))).hexdigest()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What differs, as a unified diff for people; invisible characters are written out."""
    lines = difflib.unified_diff(_lines(before), _lines(after), "before", "after", lineterm="")
    text = "\n".join(lines)
    return text if len(text) <= _MAX_DIFF else f"{text[:_MAX_DIFF]}\n… {len(text)} characters"


def visible(text: str) -> str:
    """A text with its invisible characters written out, as `<U+200B>`."""
    return "".join(f"<U+{ord(char):04X}>" if unseen(char) else char for char in text)


def unseen(char: str) -> bool:
    """Format characters and controls, but for those that emoji and line ends are made of."""
    if char in "\t\n\r" or char in JOINERS:
        return False
    return unicodedata.category(char) in {"Cf", "Cc", "Co", "Cs"} or ord(char) in SELECTORS


def _lasting(tool: Mapping[str, Any]) -> dict[str, Any]:
    lasting = dict(tool)
    meta = lasting.get("_meta")
    if isinstance(meta, dict):
        lasting["_meta"] = {key: each for key, each in meta.items() if key not in _VOLATILE}
        if not lasting["_meta"]:
            del lasting["_meta"]
    return lasting


def _lines(tool: Mapping[str, Any]) -> list[str]:
    """Pretty JSON; long texts break where they do."""
    text = json.dumps(_lasting(tool), sort_keys=True, ensure_ascii=False, indent=2)
    return visible(re.sub(r"(?<!\\)((?:\\\\)*\\n)", "\\1\n", text)).splitlines()
