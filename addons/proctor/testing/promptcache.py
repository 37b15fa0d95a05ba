"""The provider's prompt cache, so that a test sees whether a gateway in between spoils it.

A request is a list of blocks: tools, system, messages. One that carries `cache_control` is a
breakpoint: everything up to it is kept, and what a later request begins with is read from there.
A cache belongs to one model. The smallest size and the five minutes of the real one are left out.
Rules: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from proctor.testing.conversation import Reply

_LOOKBACK = 20  # blocks before a breakpoint at which something kept is found
_BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one request got from the cache.

    Attributes:
        blocks: In the request.
        read: Of them, from the first on, from the cache.
        written: Of them, after those, kept for later.
        read_tokens: Tokens of what was read.
        written_tokens: Tokens of what was written.
        fresh_tokens: Tokens of the rest.
    """

    blocks: int
    read: int
    written: int
    read_tokens: int
    written_tokens: int
    fresh_tokens: int


class PromptCache:
    """A script for `StandIn` whose replies count what a cache would have given.

    Args:
        script: Makes the replies.

    Attributes:
        readings: One for each request, in order.
    """

    def __init__(self, script: Callable[[Mapping[str, Any]], Reply]) -> None:
        self.readings: list[Reading] = []
        self._script = script
        self._kept: set[bytes] = set()

    def __call__(self, request: Mapping[str, Any]) -> Reply:
        """Answer one request."""
        reply = self._script(request)
        reading = self._read(request)
        self.readings.append(reading)
        usage = {
            **reply.usage,
            "input_tokens": reading.fresh_tokens,
            "cache_read_input_tokens": reading.read_tokens,
            "cache_creation_input_tokens": reading.written_tokens,
        }
        return replace(reply, usage=usage)

    def _read(self, request: Mapping[str, Any]) -> Reading:
        names: list[bytes] = []
        sizes: list[int] = []
        breakpoints: list[int] = []
        state = sha256(str(request["model"]).encode())
        for number, (text, is_breakpoint) in enumerate(_blocks(request), 1):
            state.update(text + b"\n")
            names.append(state.digest())
            sizes.append(len(text) // _BYTES_A_TOKEN)
            if is_breakpoint:
                breakpoints.append(number)
        read = max(
            (
                number
                for last in breakpoints
                for number in range(max(1, last - _LOOKBACK + 1), last + 1)
                if names[number - 1] in self._kept
            ),
            default=0,
        )
        end = max([read, *breakpoints])
        self._kept.update(names[number - 1] for number in breakpoints)
        return Reading(
            blocks=len(names),
            read=read,
            written=end - read,
            read_tokens=sum(sizes[:read]),
            written_tokens=sum(sizes[read:end]),
            fresh_tokens=sum(sizes[end:]),
        )


def _blocks(request: Mapping[str, Any]) -> Iterator[tuple[bytes, bool]]:
    """Every block as text, and whether it is a breakpoint."""
    for tool in request.get("tools", ()):
        yield _block("tool", tool)
    for block in _listed(request.get("system", [])):
        yield _block("system", block)
    for message in request["messages"]:
        for block in _listed(message["content"]):
            yield _block(message["role"], block)


def _block(place: str, block: Mapping[str, Any]) -> tuple[bytes, bool]:
    # The marks move from turn to turn; they are no part of what is compared.
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    return json.dumps([place, bare]).encode(), "cache_control" in block


def _listed(content: Any) -> list[Mapping[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
