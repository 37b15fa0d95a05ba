"""What of an event stream may not go on yet: a tool call that waits, and all that came behind it.

The order is kept. The stop reason comes behind all calls, so when its turn comes each of them is
decided, and it can be set right.
"""

from collections import deque
from dataclasses import dataclass, field

from proctor.protocols.anthropic.calls import CALLED, ENDED, Calls, Instead
from proctor.protocols.anthropic.events import text_block, with_stop_reason
from proctor.redaction.handling import Rewritten, joined
from proctor.redaction.model import RedactionError


@dataclass(slots=True)
class _Plain:
    """Events that go on as they are."""

    client: bytearray = field(default_factory=bytearray)
    record: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class _Held:
    """A whole call, as it goes on if it passes."""

    number: int
    index: int
    passed: Rewritten


@dataclass(frozen=True, slots=True)
class _Delta:
    """A message_delta, which brings the stop reason."""

    lines: Rewritten


class Queue:
    """Events in order, up to the first that has to wait.

    Args:
        calls: What becomes of the calls.
        max_size: Bytes that may wait.
    """

    def __init__(self, calls: Calls, *, max_size: int) -> None:
        self._calls = calls
        self._max_size = max_size
        self._items: deque[_Plain | _Held | _Delta] = deque()
        self._size = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._items)

    def plain(self, lines: Rewritten) -> None:
        """Events that wait for no decision of their own."""
        if not self._items or not isinstance(self._items[-1], _Plain):
            self._items.append(_Plain())
        last = self._items[-1]
        if isinstance(last, _Plain):
            last.client += lines.client
            last.record += lines.record
        self._size += len(lines.client)

    def call(self, number: int, index: int, passed: Rewritten) -> None:
        """A whole call, from its start to its end."""
        if passed.client == passed.record:
            passed = Rewritten(passed.client, passed.client)  # many may wait at once
        self._items.append(_Held(number, index, passed))
        self._size += len(passed.client)

    def delta(self, lines: Rewritten) -> None:
        """A message_delta."""
        self._items.append(_Delta(lines))
        self._size += len(lines.client)

    def drain(self) -> Rewritten:
        """What may go now.

        Raises:
            RedactionError: Too much waits.
        """
        parts: list[Rewritten] = []
        while self._items:
            out = self._out(self._items[0])
            if out is None:
                break
            self._size -= _size(self._items.popleft())
            parts.append(out)
        if self._size > self._max_size:
            raise RedactionError(
                "redaction-size",
                "Too much of the answer waits behind a tool call, so it was cut off",
                got=f"more than {self._max_size} bytes",
            )
        return joined(parts)

    def clear(self) -> None:
        """Nothing of it goes on."""
        self._items.clear()
        self._size = 0

    def _out(self, item: _Plain | _Held | _Delta) -> Rewritten | None:
        if isinstance(item, _Plain):
            return Rewritten(bytes(item.client), bytes(item.record))
        if isinstance(item, _Delta):
            if not self._calls.none_left:
                return item.lines
            return Rewritten(
                with_stop_reason(item.lines.client, CALLED, ENDED),
                with_stop_reason(item.lines.record, CALLED, ENDED),
            )
        outcome = self._calls.outcome(item.number)
        if outcome is None:
            return None
        if isinstance(outcome, Instead):
            words = text_block(item.index, outcome.text)
            return Rewritten(words, words)
        return item.passed


def _size(item: _Plain | _Held | _Delta) -> int:
    match item:
        case _Plain():
            return len(item.client)
        case _Held():
            return len(item.passed.client)
        case _Delta():
            return len(item.lines.client)
