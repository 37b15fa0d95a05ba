"""What the model said, in the order in which it said it, from the recorded bytes of its answer."""

from dataclasses import dataclass

from proctor.audit.reader import Content
from proctor.protocols.anthropic.answer import CLIENT_TOOL_USE, Block
from proctor.protocols.anthropic.response import AnswerReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Words of the model.

    Attributes:
        kind: The block's `type`: `text`, `thinking`, or one that has no words to show.
    """

    kind: str
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCall:
    """A tool that the provider ran itself; `input` is JSON."""

    name: str
    server: str
    input: Content


def parts(response: Content | None) -> tuple[tuple[Said | ServerCall | str, ...], str | None]:
    """What an answer consists of; the client's tool calls by their ids alone.

    Returns:
        The parts, and what the upstream said went wrong.
    """
    if response is None or not response.text:
        return (), None
    kind = "application/json" if response.text.lstrip()[:1] == "{" else "text/event-stream"
    reader = AnswerReader(kind)
    reader.feed(response.text.encode())
    answer = reader.finish()
    problem = answer.error
    return (
        tuple(_part(block) for block in answer.blocks),
        f"{problem.type}: {problem.message}" if problem else None,
    )


def _part(block: Block) -> Said | ServerCall | str:
    if block.tool is None:
        return Said(kind=block.kind, content=_content(block.text))
    if block.kind == CLIENT_TOOL_USE:
        return block.tool.id
    return ServerCall(
        name=block.tool.name, server=block.tool.server, input=_content(block.tool.input_text)
    )


def _content(text: str) -> Content:
    return Content(text=text, size=len(text.encode()))
