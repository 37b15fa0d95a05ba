"""Which recorded turn answers a request, and where the two part.

A client that runs the same conversation again sends the same messages. Requests are told apart by
them, and only then by the rest: system prompt, tools, model. A turn that was recorded several times
(a client's retries) is played in that order, its last time again and again.

Where a client went another way and was answered all the same, its history says so from then on.
That is one divergence, not one in each later request: what was answered once counts as recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from proctor.replay.normal import Asked
from proctor.replay.same import Redacted

_BEFORE = 30
_AFTER = 160
"""Characters shown before and after the place at which two messages part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recorded turn that can be served.

    Attributes:
        turn: Its number in the session.
        route: `/v1/messages` or `/v1/messages/count_tokens`.
        asked: The request.
        status: HTTP status of the answer.
        answer: The answer's exact bytes, as they are on record.
        cut: The answer broke off before its end.
    """

    turn: int
    route: str
    asked: Asked
    status: int
    answer: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first place at which a request is not what was recorded.

    Attributes:
        turn: The recorded turn that is nearest.
        message: Number of the message, from 1; reminders are not counted.
        recorded: What the record has there; "" where it has no such message.
        asked: What the client sent there; "" where it sent no such message.
    """

    turn: int
    message: int
    recorded: str
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What answers a request.

    Attributes:
        recorded: The turn.
        divergence: None where the conversation is the recorded one.
        besides: What else differs: `model`, `system`, `tools`.
        again: The turn has answered before.
    """

    recorded: Recorded
    divergence: Divergence | None
    besides: tuple[str, ...]
    again: bool


class Script:
    """A session's turns, to be asked for one after the other. Not for several threads at once.

    Args:
        turns: In order of time.
        redacted: What stands in place of values in them.
        goes_on: Requests that go another way are answered, too.
    """

    def __init__(
        self, turns: Sequence[Recorded], redacted: Redacted, *, goes_on: bool = True
    ) -> None:
        self.turns = turns
        self.used: set[int] = set()
        self._redacted = redacted
        self._goes_on = goes_on
        self._taken: set[tuple[str, str]] = set()
        # The history comes with each request: what is one object is compared at once.
        self._known = {text: text for each in turns for text in each.asked.messages}

    @property
    def unused(self) -> tuple[int, ...]:
        """Numbers of the turns that have not answered."""
        return tuple(each.turn for each in self.turns if each.turn not in self.used)

    def find(self, route: str, asked: Asked) -> Match | None:
        """The turn that answers, or None where the session has nothing of the kind.

        Requests with tools and without are of different kinds: a title is no turn of the agent's.
        """
        asked = replace(asked, messages=tuple(self._known.get(m, m) for m in asked.messages))
        kin = [
            each
            for each in self.turns
            if each.route == route and bool(each.asked.tools) == bool(asked.tools)
        ]
        if not kin:
            return None
        common = {each.turn: self._common(each.asked, asked) for each in kin}
        exact = [each for each in kin if self._is_same(each.asked, asked, common[each.turn])]
        if exact:
            alike = max(_alike(each.asked, asked) for each in exact)
            best = [each for each in exact if _alike(each.asked, asked) == alike]
            found = next((each for each in best if each.turn not in self.used), best[-1])
            return self._match(found, asked, None)
        length = len(asked.messages)
        nearest = max(
            kin,
            key=lambda each: (
                common[each.turn],
                -abs(len(each.asked.messages) - length),
                _alike(each.asked, asked),
                each.turn not in self.used,
                -each.turn,
            ),
        )
        parts = self._parts(nearest, asked, common[nearest.turn])
        if self._goes_on and len(nearest.asked.messages) == length:
            self._taken |= {
                (one, other)
                for one, other in zip(nearest.asked.messages, asked.messages, strict=True)
                if not self._redacted.same(one, other)
            }
        return self._match(nearest, asked, parts)

    def _match(self, found: Recorded, asked: Asked, divergence: Divergence | None) -> Match:
        again = found.turn in self.used
        self.used.add(found.turn)
        told = found.asked
        besides = tuple(
            name
            for name, same in (
                ("model", told.model == asked.model),
                ("system", self._redacted.same(told.system, asked.system)),
                ("tools", told.tools == asked.tools),
            )
            if not same
        )
        return Match(recorded=found, divergence=divergence, besides=besides, again=again)

    def _common(self, recorded: Asked, asked: Asked) -> int:
        """How many messages are the same from the beginning on."""
        count = 0
        for one, other in zip(recorded.messages, asked.messages, strict=False):
            same = one is other or self._redacted.same(one, other) or (one, other) in self._taken
            if not same:
                break
            count += 1
        return count

    @staticmethod
    def _is_same(recorded: Asked, asked: Asked, common: int) -> bool:
        return common == len(recorded.messages) == len(asked.messages)

    def _parts(self, nearest: Recorded, asked: Asked, common: int) -> Divergence:
        one = nearest.asked.messages[common] if common < len(nearest.asked.messages) else ""
        other = asked.messages[common] if common < len(asked.messages) else ""
        at = self._redacted.differs(one, other) if one and other else None
        return Divergence(
            turn=nearest.turn,
            message=common + 1,
            recorded=_around(one, at[0] if at else 0),
            asked=_around(other, at[1] if at else 0),
        )


def _alike(recorded: Asked, asked: Asked) -> tuple[bool, bool, bool, bool]:
    return (
        recorded.head == asked.head,
        recorded.system == asked.system,
        recorded.tools == asked.tools,
        recorded.model == asked.model,
    )


def _around(text: str, at: int) -> str:
    start = max(0, at - _BEFORE)
    shown = text[start : at + _AFTER]
    return f"{'…' if start else ''}{shown}{'…' if at + _AFTER < len(text) else ''}"
