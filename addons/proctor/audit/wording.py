"""How people read what the agent called elsewhere: where it went, and what came back."""

import json
from collections.abc import Mapping
from typing import Any

from proctor.audit.exchanges import Exchange
from proctor.audit.reader import Content
from proctor.audit.results import short
from proctor.audit.turns import Turn

_OWN_PORTS = {"http": 80, "https": 443, "postgresql": 5432}


def title(turn: Turn) -> str:
    """What it was, such as `GET https://api.internal/v1/x` or `mcp tools/list · POST https://…`."""
    where = place(turn.exchange)
    return f"mcp {turn.asks} · {where}" if turn.asks else where


def place(exchange: Exchange) -> str:
    """Method and address; a path's query is left out. Of a connection to a database its URL."""
    host = f"[{exchange.host}]" if ":" in exchange.host else exchange.host
    if exchange.method == "CONNECT":
        return f"CONNECT {host}:{exchange.port}"
    port = "" if _OWN_PORTS.get(exchange.scheme) == exchange.port else f":{exchange.port}"
    path = exchange.path.partition("?")[0]
    return f"{exchange.method} {exchange.scheme}://{host}{port}{path}".lstrip()


def unread(exchange: Exchange) -> bool:
    """Whether it was a tunnel that nobody was to read."""
    return exchange.method == "CONNECT" and not exchange.refused


def same(one: Content, other: Content | None) -> bool:
    """Whether two inputs are the same JSON."""
    if other is None or one.erased or other.erased:
        return False
    parsed = _parsed(one.text)
    return one == other if parsed is None else bool(parsed == _parsed(other.text))


def words(content: Content | None) -> Content | None:
    """A result of MCP's as people read it: its texts, or what went wrong; else as it is."""
    if content is None or content.erased or content.omitted:
        return content
    value = _parsed(content.text)
    text = _text(value) if isinstance(value, dict) else ""
    return Content(text=text, size=len(text.encode("utf-8", "replace"))) if text else content


def parameters(content: Content, *, limit: int, cell: int) -> str:
    """Parameters of a statement as people write them: `$1 = 'x', $2 = NULL`.

    Args:
        content: A JSON list of texts and nulls; not one that was erased.
        limit: At most so many.
        cell: Characters of one at most.
    """
    values = _parsed(content.text)
    if content.omitted or not isinstance(values, list):
        return content.text
    told = [f"${at} = {_value(value, cell)}" for at, value in enumerate(values[:limit], 1)]
    if (more := len(values) - limit) > 0:
        told.append(f"and {more:,} more")
    return ", ".join(told)


def handed_on(came: Content | None, given: Content | None) -> bool:
    """Whether what a server gave back is what the client handed to the model.

    Clients hand on the texts or, as Claude Code does, the structured content where there is any.
    """
    if came is None or given is None or given.erased or given.omitted:
        return False
    if words(came) == given:
        return True
    value = None if came.erased or came.omitted else _parsed(came.text)
    structured = value.get("structuredContent") if isinstance(value, dict) else None
    return structured is not None and bool(_parsed(given.text) == structured)


def _text(result: Mapping[str, Any]) -> str:
    """Of a CallToolResult the texts, of a JSON-RPC error its message (MCP 2025-11-25, schema)."""
    if isinstance(message := result.get("message"), str) and "content" not in result:
        return message
    blocks = result.get("content")
    if not isinstance(blocks, list):
        return ""
    texts = [_block(block) for block in blocks if isinstance(block, dict)]
    structured = result.get("structuredContent")
    if structured is not None and not any(_parsed(text) == structured for text in texts):
        texts.append(json.dumps(structured, ensure_ascii=False))
    return "\n".join(texts)


def _value(value: object, limit: int) -> str:
    """A value as PostgreSQL reads it: a text with a quote in it cannot end itself."""
    return "NULL" if value is None else "'" + short(str(value), limit).replace("'", "''") + "'"


def _block(block: Mapping[str, Any]) -> str:
    text = block.get("text")
    return text if isinstance(text, str) else f"[{block.get('type')}]"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
