"""Conversations as Claude Code sends them, and answers as the API streams them."""

import json
import random
from typing import Any

SESSION = "6f9f0c56-0a52-4c3c-9f0e-6f8f5a1f2d3e"
MARKER = {"cache_control": {"type": "ephemeral"}}
_WORDS = ("the", "model", "reads", "file", "path", "edit", "test", "error", "build", "é", "😀")


def words(size: int, seed: int) -> str:
    """Text of about `size` characters, with the escapes that code brings."""
    source = random.Random(seed)  # noqa: S311  # test data
    text = ""
    while len(text) < size:
        text += source.choice(_WORDS) + source.choice([" ", " ", " ", "\n    ", ' "x" '])
    return text[:size]


def messages(turns: int, *, size: int = 1500) -> list[dict[str, Any]]:
    """A conversation with `turns` assistant messages, each of which calls a tool."""
    said: list[dict[str, Any]] = [{"role": "user", "content": [text("Fix the test.")]}]
    for turn in range(turns):
        call = {"type": "tool_use", "id": f"toolu_{turn:024}", "name": "Bash"}
        call["input"] = {"command": words(60, turn)}  # type: ignore[assignment]  # one nested value
        said.append({"role": "assistant", "content": [text(words(100, turn)), call]})
        result = {"tool_use_id": f"toolu_{turn:024}", "type": "tool_result"}
        said.append({"role": "user", "content": [{**result, "content": words(size, turn)}]})
    return said


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def request(said: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    """A body, with the cache marker on the last block as Claude Code sets it."""
    *before, last = said
    *blocks, block = last["content"]
    marked = {**last, "content": [*blocks, {**block, **MARKER}]}
    tool = {"description": words(400, 1), "input_schema": {"type": "object", "properties": {}}}
    user = {"device_id": "d", "account_uuid": "", "session_id": SESSION}
    return {
        "model": "claude-x",
        "messages": [*before, marked],
        "system": [text("x-anthropic-billing-header: 1"), {**text(words(3000, 2)), **MARKER}],
        "tools": [{"name": f"Tool{number}", **tool} for number in range(10)],
        "metadata": {"user_id": json.dumps(user)},
        "max_tokens": 32000,
        "stream": True,
        **members,
    }


def packed(body: object) -> bytes:
    """As JavaScript writes JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def event(kind: str, **fields: Any) -> bytes:
    """One event as the API sends it."""
    return b"event: " + kind.encode() + b"\ndata: " + packed({"type": kind, **fields}) + b"\n\n"


def blocks(body: bytes, cuts: tuple[int, ...]) -> list[bytes]:
    """The parts that a body is cut into."""
    return [body[i:j] for i, j in zip((0, *cuts), (*cuts, len(body)), strict=True)]


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(content: Any = "ok") -> dict[str, Any]:
    return {"role": "assistant", "content": content}
