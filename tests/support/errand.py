"""A stand-in model that sends its agent on an errand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proctor.testing.conversation import Reply

type Step = tuple[str, Mapping[str, Any]]
"""A tool, and what it is given."""


@dataclass(slots=True)
class Errand:
    """The model: one step an answer, whatever came of the one before.

    Attributes:
        steps: In order; afterwards it says that it is done.
    """

    steps: Sequence[Step] = ()

    def __call__(self, request: Mapping[str, Any]) -> Reply:
        """The next step, counted by how often it has spoken."""
        number = sum(each["role"] == "assistant" for each in request["messages"])
        block: dict[str, Any] = {"type": "text", "text": "That is all."}
        if number < len(self.steps):
            name, given = self.steps[number]
            block = {"type": "tool_use", "id": call(number), "name": name, "input": dict(given)}
        return Reply(
            id=f"msg_{number:024d}",
            model=str(request["model"]),
            content=(block,),
            stop_reason="tool_use" if number < len(self.steps) else "end_turn",
            usage={"input_tokens": 1, "output_tokens": 1},
        )


def call(number: int) -> str:
    """The id of a step's call."""
    return f"toolu_{number:024d}"


def bash(command: str) -> Step:
    """A step of Bash."""
    return "Bash", {"command": command, "description": "Runs an errand"}
