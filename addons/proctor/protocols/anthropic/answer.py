"""What the model answered, as it is put together from an event stream or from JSON."""

from dataclasses import dataclass
from typing import Any, Final

CLIENT_TOOL_USE: Final = "tool_use"
TOOL_USES: Final = (CLIENT_TOOL_USE, "server_tool_use", "mcp_tool_use")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A tool call that the model makes.

    Attributes:
        kind: `tool_use` for the client, `server_tool_use` or `mcp_tool_use` for the provider.
        id: What its result will name.
        name: The tool's name.
        server: The MCP server's name, for `mcp_tool_use`.
        input: The arguments, or None where they cannot be read.
        input_text: The arguments as compact JSON; as they came where they cannot be read.
        complete: Whether the block came to its end and its input is a JSON object.
    """

    kind: str
    id: str
    name: str
    server: str = ""
    input: dict[str, Any] | None = None
    input_text: str = ""
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One content block, in the answer's order.

    Attributes:
        kind: The block's `type`.
        text: Of `text` and `compaction` blocks their text, of `thinking` the thinking.
        tool: For tool calls.
    """

    kind: str
    text: str = ""
    tool: ToolUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as billed."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerError:
    """What went wrong, as the upstream says; `type` as in ErrorType of the SDK."""

    type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model answered.

    Attributes:
        id: The message's id.
        model: The model that answered.
        blocks: Content in order.
        usage: Tokens.
        stop_reason: As the API names it; "" where none came.
        error: An error instead of an answer, or in the midst of one.
        complete: The answer came to its end (`message_stop`, or one whole JSON message).
        cut: The answer ended without its end and without an error.
        coverage: `full`, or what was not read and why.
        unknown_events: Events and deltas of kinds not known here.
    """

    id: str = ""
    model: str = ""
    blocks: tuple[Block, ...] = ()
    usage: Usage = Usage()
    stop_reason: str = ""
    error: AnswerError | None = None
    complete: bool = False
    cut: bool = False
    coverage: str = "full"
    unknown_events: int = 0

    @property
    def text(self) -> str:
        """What the model says, blocks joined by newlines."""
        return "\n".join(block.text for block in self.blocks if block.kind == "text")

    @property
    def thinking(self) -> str:
        """What the model shows of its thinking."""
        return "\n".join(block.text for block in self.blocks if block.kind == "thinking")

    @property
    def tool_uses(self) -> tuple[ToolUse, ...]:
        """Calls for the client to run."""
        return tuple(b.tool for b in self.blocks if b.tool and b.kind == CLIENT_TOOL_USE)

    @property
    def server_tool_uses(self) -> tuple[ToolUse, ...]:
        """Calls that the provider runs itself."""
        return tuple(b.tool for b in self.blocks if b.tool and b.kind != CLIENT_TOOL_USE)
