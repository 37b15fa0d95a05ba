"""What an answer came to, and how two of them differ."""

from dataclasses import dataclass, field
from difflib import unified_diff
from hashlib import sha256
from typing import Any, Final

from proctor.protocols.anthropic.response import AnswerReader
from proctor.replay.framing import kind

_MAX_TEXT: Final = 20_000
_MAX_DIFF: Final = 60
"""Lines of a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One answer.

    Attributes:
        status: HTTP status.
        stop_reason: "" where none came.
        text: What the model said, or the answer's body where no model was asked; shortened.
        tools: Name and input of each call.
        error: What went wrong, in the upstream's words or ours; "" if nothing.
        input_tokens: As billed, without the cache.
        output_tokens: The same.
        seconds: From the request's beginning to the answer's end.
    """

    status: int
    stop_reason: str = ""
    text: str = field(default="", repr=False)
    tools: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    error: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "status": self.status,
            "stop_reason": self.stop_reason,
            "text": self.text,
            "tools": [{"name": name, "input": given} for name, given in self.tools],
            "error": self.error,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "seconds": round(self.seconds, 3),
        }


def outcome(status: int, body: bytes, seconds: float) -> Outcome:
    """Read an answer.

    Args:
        status: HTTP status.
        body: Its bytes, without Content-Encoding.
        seconds: How long it took.
    """
    reader = AnswerReader(kind(body).partition(";")[0])
    reader.feed(body)
    answer = reader.finish()
    problem = f"{answer.error.type}: {answer.error.message}" if answer.error else ""
    return Outcome(
        status=status,
        stop_reason=answer.stop_reason,
        text=answer.text[:_MAX_TEXT],
        tools=tuple((use.name, use.input_text[:_MAX_TEXT]) for use in answer.tool_uses),
        error=problem[:_MAX_TEXT] or ("the answer broke off" if answer.cut else ""),
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        seconds=seconds,
    )


def plain_outcome(status: int, body: bytes, seconds: float) -> Outcome:
    """Read an answer of an API's: what counts is its body.

    Args:
        status: HTTP status.
        body: Its bytes, without Content-Encoding.
        seconds: How long it took.
    """
    text = body.decode("utf-8", "backslashreplace")
    if len(text) > _MAX_TEXT:
        rest = sha256(body).hexdigest()
        text = f"{text[:_MAX_TEXT]}\n… {len(body)} bytes in all, SHA-256 {rest}"
    return Outcome(status=status, text=text, seconds=seconds)


def differences(recorded: Outcome, sent: Outcome) -> tuple[str, ...]:
    """What is not the same; how long it took and what it cost never is."""
    return tuple(
        name
        for name in ("status", "stop_reason", "text", "tools", "error")
        if getattr(recorded, name) != getattr(sent, name)
    )


def text_diff(recorded: Outcome, sent: Outcome) -> list[str]:
    """The difference of what was said, as `diff -u` shows it."""
    lines = unified_diff(
        recorded.text.splitlines(), sent.text.splitlines(), "recorded", "sent", lineterm="", n=1
    )
    return [line for _, line in zip(range(_MAX_DIFF), lines, strict=False)]
