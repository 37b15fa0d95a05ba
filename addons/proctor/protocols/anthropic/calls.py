"""The tool calls of one answer: each is judged before the client gets it.

A call is passed on, or words stand in its place. Where humans are asked first, it waits. Whoever
takes the answer apart keeps it and all that comes behind it back meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from proctor.errors import ClientError, InternalError
from proctor.protocols.anthropic.answer import CLIENT_TOOL_USE, TOOL_USES
from proctor.protocols.anthropic.blocks import is_tool
from proctor.protocols.jsonspan import SpanReader
from proctor.redaction.model import RedactionError

CALLED: Final = "tool_use"
"""The `stop_reason` that has a client run tools (StopReason of the SDK)."""

ENDED: Final = "end_turn"
"""The one it gets where no call is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool call of the model's.

    Attributes:
        number: Its place among the judged calls of this answer, from 0.
        index: Its place among the answer's blocks.
        id: What its result will name.
        name: The tool's name, as the client gets it.
        arguments: Its input as JSON, as the client would get it: surrogates are turned back as far
            as rules let them.
        record: The same as it is recorded.
        raw: The same as the model wrote it.
        complete: Whether the input is one unambiguous JSON object. A call that was cut off, or that
            two parsers may read differently, is not; clients may run it all the same.
    """

    number: int
    index: int
    id: str
    name: str
    arguments: str = field(repr=False)
    record: str = field(repr=False)
    raw: str = field(repr=False)
    complete: bool


@dataclass(frozen=True, slots=True)
class Pass:
    """The client gets the call."""


@dataclass(frozen=True, slots=True)
class Instead:
    """The client gets these words in the call's place, and so does the record."""

    text: str = field(repr=False)


type Outcome = Pass | Instead


class Judge(Protocol):
    """Says what becomes of tool calls. What it raises ends the answer."""

    def restored(self, name: str, arguments: str) -> frozenset[str]:
        """The entity types whose surrogates a rule turns back in this tool's input.

        It is asked before `judge`, about calls for the client only; for large bodies in another
        thread than the event loop's.

        Args:
            name: The tool's name.
            arguments: Its input, as the model wrote it.
        """
        ...

    def judge(self, call: Call) -> Outcome | None:
        """What becomes of a call; None where humans are asked, and it is settled later."""
        ...


class Calls:
    """The calls of one answer, and what became of them.

    Args:
        judge: Is asked about each.
        max_waiting: Calls that may wait at once.
    """

    def __init__(self, judge: Judge, *, max_waiting: int = 100) -> None:
        self._judge = judge
        self._max_waiting = max_waiting
        self._waiting: dict[int, Call] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._given_up: set[int] = set()
        self.count = 0
        """How many there were; the next one's number."""

    @property
    def waiting(self) -> tuple[Call, ...]:
        """Those that are not decided, in order."""
        return tuple(self._waiting.values())

    @property
    def none_left(self) -> bool:
        """Whether there were calls, and words stand in the place of each."""
        return 0 < self.count == sum(isinstance(o, Instead) for o in self._outcomes.values())

    def restored(self, kind: object, name: str, arguments: str) -> frozenset[str]:
        """As of the judge; nothing for tools that the provider runs."""
        if kind != CLIENT_TOOL_USE:
            return frozenset()
        return self._judge.restored(name, arguments)

    def ask(self, call: Call) -> None:
        """Have the next call judged.

        Raises:
            RedactionError: Too many wait.
        """
        if len(self._waiting) >= self._max_waiting:
            raise RedactionError(
                "redaction-size",
                "Too many tool calls of one answer wait for a human, so it was cut off",
                got=f"more than {self._max_waiting}",
            )
        self.count += 1
        outcome = self._judge.judge(call)
        if outcome is None:
            self._waiting[call.number] = call
        else:
            self._outcomes[call.number] = outcome

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say what becomes of a call that waits; of one that was given up it changes nothing.

        Raises:
            InternalError: `call-not-waiting`: there is none of this number, or it was decided.
        """
        if number in self._given_up:
            self._given_up.remove(number)
            return
        if self._waiting.pop(number, None) is None:
            raise InternalError("call-not-waiting", "A tool call was decided that does not wait")
        self._outcomes[number] = outcome

    def outcome(self, number: int) -> Outcome | None:
        """What became of a call; None while it waits."""
        return self._outcomes.get(number)

    def give_up(self) -> None:
        """Nothing more of the answer is passed on, so nothing waits."""
        self._given_up.update(self._waiting)
        self._waiting.clear()


def is_judged(block: Mapping[str, Any]) -> bool:
    """Whether a content block is a call that a client may run.

    Tools of the provider's own were run before the client sees them. A kind that is not known here
    counts as the client's.
    """
    kind = block.get("type")
    return is_tool(block) and (kind == CLIENT_TOOL_USE or kind not in TOOL_USES)


def one_object(raw: bytes) -> bool:
    """Whether this is one JSON object that all parsers read alike."""
    try:
        SpanReader[None]({}, capacity=0).read(raw)
    except ClientError:
        return False
    return True
