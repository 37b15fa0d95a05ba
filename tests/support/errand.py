"""A stand-in model that sends Claude Code on an errand: outside, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proctor.testing.conversation import Reply


@dataclass(frozen=True, slots=True)
class Bash:
    """A command."""

    command: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of another tool."""

    tool: str
    given: Mapping[str, Any]


type Step = Bash | Call


@dataclass(frozen=True, slots=True)
class Errand:
    """The model: one step an answer, whatever came of the one before.

    Attributes:
        steps: What it calls, in order; afterwards it says that it is done.
    """

    steps: Sequence[Step]

    def __call__(self, request: Mapping[str, Any]) -> Reply:
        """The next step, counted by how often it has spoken."""
        number = sum(each["role"] == "assistant" for each in request["messages"])
        if not request.get("tools") or number >= len(self.steps):
            content: dict[str, Any] = {"type": "text", "text": "That is all."}
        else:
            content = _called(self.steps[number], number)
        return Reply(
            id=f"msg_{number:024d}",
            model=str(request["model"]),
            content=(content,),
            stop_reason=content["type"] if content["type"] == "tool_use" else "end_turn",
            usage={"input_tokens": 1, "output_tokens": 1},
        )


def named(number: int) -> str:
    """The id of a step's call."""
    return f"toolu_{number:024d}"


def _called(step: Step, number: int) -> dict[str, Any]:
    match step:
        case Bash(command):
            tool, given = "Bash", {"command": command, "description": "Runs an errand"}
        case Call(tool, given):
            pass
    return {"type": "tool_use", "id": named(number), "name": tool, "input": dict(given)}
