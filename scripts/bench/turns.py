"""Claude Code's way of talking: the whole conversation again each turn, a little longer.

The text is Python's own library, so that it compresses as source code does.
"""

import json
import uuid
from itertools import count
from pathlib import Path
from typing import Any

import wire

TARGET = 300_000  # bytes of a request in the middle of a conversation, unless another is given
FRESH = 0.02  # share of it that is new each turn
TURNS = 10  # of one conversation that are measured


class Conversation:
    """One session, from somewhat below `target` bytes to somewhat above."""

    def __init__(self, number: int, target: int = TARGET) -> None:
        self._fresh = int(target * FRESH)
        self.session = str(uuid.uuid5(uuid.NAMESPACE_URL, f"bench {number}"))
        self._text = _library(number)
        self._at = 0
        self._number = number
        self._turn = 0
        self._system = [{"type": "text", "text": self._take(target // 40)}]
        self._tools = [
            {
                "name": f"Tool{index}" if index else "Read",
                "description": self._take(target // 200),
                "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}},
            }
            for index in range(20)
        ]
        self._messages: list[dict[str, Any]] = [
            {"role": "user", "content": [{"type": "text", "text": "Read the library, please."}]}
        ]
        begin = target * (1 - FRESH * (TURNS // 2 + 1))
        for index in count():
            if len(self._body("")) >= begin:
                break
            self._grow(f"past{index}")

    def next(self) -> bytes:
        """The next turn's request."""
        self._turn += 1
        nonce = f"{self._number}t{self._turn}"
        self._grow(nonce)
        return self._body(wire.marker("turn", nonce))

    def _grow(self, nonce: str) -> None:
        call = {
            "type": "tool_use",
            "id": f"toolu_{nonce}",
            "name": "Read",
            "input": {"file_path": f"/src/{nonce}.py"},
        }
        size = self._fresh - 900  # the rest is what stands around the text
        result = {
            "type": "tool_result",
            "tool_use_id": f"toolu_{nonce}",
            "content": self._take(size),
        }
        said = {"type": "text", "text": self._take(200)}
        self._messages += [
            {"role": "assistant", "content": [said, call]},
            {"role": "user", "content": [result]},
        ]

    def _body(self, marker: str) -> bytes:
        # The cache's mark moves on with the conversation, so the message before changes by it.
        *before, last = self._messages
        block = {**last["content"][-1], "cache_control": {"type": "ephemeral"}}
        asked = {"type": "text", "text": marker}
        request = {
            "model": wire.MODEL,
            "messages": [*before, {**last, "content": [block, asked]}],
            "system": self._system,
            "tools": self._tools,
            "metadata": {"user_id": json.dumps({"session_id": self.session})},
            "max_tokens": 32_000,
            "stream": True,
        }
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()

    def _take(self, size: int) -> str:
        """The next characters of text, never the same twice."""
        self._at += size
        return self._text[self._at - size : self._at]


def _library(number: int) -> str:
    """Half a megabyte of Python source, another for each number."""
    files = sorted(Path(json.__file__).parent.parent.glob("*.py"))
    text = ""
    for index in count(number * 17):
        if len(text) > 2 * TARGET:
            return text
        text += files[index % len(files)].read_text(encoding="utf-8", errors="ignore")
    raise AssertionError
