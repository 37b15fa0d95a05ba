"""What the stand-in API answers: a pure function from a Messages request to an answer.

The last user message decides, by lines that begin with a word and a colon:

    run: echo hello          a tool_use of `Bash` with that command
    read: notes.txt          a tool_use of `Read` with that file
    call: weather {"city": "Oslo"}    a tool_use of any tool
    think: words             a thinking block before the rest
    say: words               a text block with exactly these words
    long: 500                a text of that many words
    why                      why proctor stopped the last thing that it stopped, in its own words

A tool is only called when the request offers it. A message with tool results is answered by quoting
them. Anything else gets a friendly sentence. The same request always gets the same answer.

Field names: https://docs.anthropic.com/en/api/messages.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_DIRECTIVE = re.compile(r"^(run|read|call|think|say|long): (.+)$", re.MULTILINE)
_WHY = re.compile(r"^why\??$", re.MULTILINE)
_STOPPED = re.compile(r"\[proctor: (.+)\]")
_QUOTED = 600
_BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the model.

    Attributes:
        id: `msg_…`, made from the request.
        model: As asked for.
        content: Content blocks as the API sends them.
        stop_reason: `end_turn` or `tool_use`.
        usage: Tokens, made up from sizes: what the last message holds is new, the rest cached.
    """

    id: str
    model: str
    content: tuple[Mapping[str, Any], ...]
    stop_reason: str
    usage: Mapping[str, int]


def converse(request: Mapping[str, Any]) -> Reply:
    """Answer one Messages request, given as the parsed body."""
    seed = sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    messages = [m for m in request["messages"] if m["role"] == "user"]
    last = _blocks(messages[-1]["content"]) if messages else []
    results = [block for block in last if block.get("type") == "tool_result"]
    if results:
        said = " | ".join(_text(_blocks(block.get("content", ""))) for block in results)
        content = [_text_block(f"The tool said: {said[:_QUOTED]}")]
    else:
        offered = {tool.get("name") for tool in request.get("tools", ())}
        content = _directed(_text(last), offered, seed) or _explained(last, request["messages"])
        content = content or [
            _text_block("Hello, this is the stand-in API. Ask me to run, read, call, think or say.")
        ]
    called = any(block["type"] == "tool_use" for block in content)
    return Reply(
        id=f"msg_{seed[:24]}",
        model=str(request["model"]),
        content=tuple(content),
        stop_reason="tool_use" if called else "end_turn",
        usage=_usage(request, last, content),
    )


def count_tokens(request: Mapping[str, Any]) -> int:
    """What `/v1/messages/count_tokens` says: a quarter of the bytes."""
    return _tokens(request)


def _directed(prompt: str, offered: set[str | None], seed: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for number, (verb, rest) in enumerate(_DIRECTIVE.findall(prompt)):
        tool: tuple[str, dict[str, Any]] | None = None
        match verb:
            case "think":
                content.append({"type": "thinking", "thinking": rest, "signature": seed[:40]})
            case "say":
                content.append(_text_block(rest))
            case "long":
                content.append(_text_block(" ".join(f"word{i}" for i in range(int(rest)))))
            case "run":
                tool = "Bash", {"command": rest, "description": "Asked for by the prompt"}
            case "read":
                tool = "Read", {"file_path": rest}
            case _:
                name, _, arguments = rest.partition(" ")
                tool = name, json.loads(arguments or "{}")
        if tool is not None and tool[0] in offered:
            block_id = f"toolu_{seed[:20]}{number:04d}"
            content.append({"type": "tool_use", "id": block_id, "name": tool[0], "input": tool[1]})
        elif tool is not None:
            content.append(_text_block(f"I was not offered the tool {tool[0]}."))
    return content


def _explained(last: Sequence[Any], messages: Sequence[Any]) -> list[dict[str, Any]]:
    if not _WHY.search(_text(last)):
        return []
    mine = "\n".join(_text(_blocks(m["content"])) for m in messages if m["role"] == "assistant")
    stopped = _STOPPED.findall(mine)
    if not stopped:
        return [_text_block("Nothing that I wanted to do was stopped.")]
    return [_text_block(f"I did not do it, since I was told this: “{stopped[-1][:_QUOTED]}”")]


def _usage(
    request: Mapping[str, Any], last: Sequence[Any], content: Sequence[Any]
) -> dict[str, int]:
    fresh = _tokens(last)
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": max(0, _tokens(request) - fresh),
        "output_tokens": _tokens(content),
    }


def _tokens(value: Any) -> int:
    return max(1, len(json.dumps(value)) // _BYTES_A_TOKEN)


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _blocks(content: Any) -> list[dict[str, Any]]:
    """Content is a string or a list of blocks, wherever the API takes it."""
    return [_text_block(content)] if isinstance(content, str) else list(content)


def _text(blocks: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(str(block["text"]) for block in blocks if block.get("type") == "text")
