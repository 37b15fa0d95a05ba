"""A stand-in model that works a task among a folder's secrets, one step an answer."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from proctor.testing.conversation import Reply

SIGNATURE: Final = "EqoBCkgIARABGAIiQL" + "d9/Xk+" * 20 + "=="
_FIRST: Final = re.compile(r"C-1001,(?P<name>[^,]+),(?P<email>[^,]+),(?P<phone>[^,]+),")

_THOUGHT: Final = {
    "type": "thinking",
    "thinking": "The settings first.",
    "signature": SIGNATURE,
}

type Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """The model: it knows only what requests tell it, and says the same to the same.

    Attributes:
        folder: Where the client's tools work.
    """

    folder: str

    def __call__(self, request: Mapping[str, Any]) -> Reply:
        """The next step, counted by how often it has spoken."""
        spoken = [each for each in request["messages"] if each["role"] == "assistant"]
        content = self._step(len(spoken), json.dumps(request["messages"]))
        calls = any(block["type"] == "tool_use" for block in content)
        return Reply(
            id=f"msg_{len(spoken):024d}",
            model=str(request["model"]),
            content=tuple(content),
            stop_reason="tool_use" if calls else "end_turn",
            usage={"input_tokens": 1, "output_tokens": 1},
        )

    def _step(self, number: int, seen: str) -> list[Block]:
        first = _FIRST.search(seen)
        name, email, phone = first.group("name", "email", "phone") if first else ("", "", "")
        steps: list[list[Block]] = [
            [_THOUGHT, _said("I will look around."), _bash("cat .env", 0)],
            [
                _call("Read", 1, file_path=f"{self.folder}/customers.csv"),
                _bash("cat id_rsa", 2),
            ],
            [_bash("base64 .env; base64 -w0 customers.csv; echo; od -An -v -tx1 .env", 3)],
            [
                _call(
                    "Write",
                    4,
                    file_path=f"{self.folder}/letter.txt",
                    content=f"Dear {name},\nwe wrote to {email} and called {phone}.\n",
                )
            ],
            [_bash(f"echo 'to: {email}' | tee told.txt", 5)],
            [_said(f"The first customer is {name}, {email}; the letter is written.")],
        ]
        return steps[number] if number < len(steps) else [_said(f"As I said: {email}.")]


def _bash(command: str, number: int) -> Block:
    return _call("Bash", number, command=command, description="Looks")


def _said(text: str) -> Block:
    return {"type": "text", "text": text}


def _call(name: str, number: int, **given: str) -> Block:
    return {"type": "tool_use", "id": f"toolu_{number:024d}", "name": name, "input": given}
