"""What waits, in order."""

import pytest

from proctor.protocols.anthropic.calls import Call, Calls, Instead, Pass
from proctor.protocols.anthropic.events import text_block
from proctor.protocols.anthropic.queue import Queue
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import RedactionError
from proctor.testing import framing
from tests.protocols.anthropic.deciding import Decider

STOP = framing.event("message_delta", delta={"stop_reason": "tool_use"})
ENDED = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'


def queue(count: int, *, max_size: int = 1000) -> tuple[Queue, Calls]:
    """With so many calls that wait, each a letter for the client and another for the record."""
    calls = Calls(Decider())
    made = Queue(calls, max_size=max_size)
    for number in range(count):
        calls.ask(
            Call(
                number=number,
                index=number,
                id="",
                name="",
                arguments="",
                record="",
                raw="",
                complete=True,
            )
        )
        made.call(number, number, Rewritten(b"c%d" % number, b"r%d" % number))
    return made, calls


def test_nothing_waits_behind_nothing() -> None:
    made, _ = queue(0)
    assert not made
    made.plain(Rewritten(b"a", b"b"))
    made.delta(Rewritten(STOP, STOP))
    assert made.drain() == Rewritten(b"a" + STOP, b"b" + STOP)
    assert not made


def test_the_first_that_waits_keeps_the_others() -> None:
    made, calls = queue(2)
    made.plain(Rewritten(b"x", b"y"))
    made.plain(Rewritten(b"x", b"y"))
    made.delta(Rewritten(STOP, STOP))
    calls.settle(1, Instead("no"))
    assert made.drain() == Rewritten()
    calls.settle(0, Pass())
    words = text_block(1, "no")
    assert made.drain() == Rewritten(b"c0" + words + b"xx" + STOP, b"r0" + words + b"yy" + STOP)


def test_what_comes_before_a_call_that_waits_goes() -> None:
    made, calls = queue(2)
    calls.settle(0, Pass())
    assert made.drain() == Rewritten(b"c0", b"r0")
    assert made


def test_the_stop_reason_goes_by_all_calls() -> None:
    made, calls = queue(2)
    made.delta(Rewritten(STOP, STOP))
    for number in range(2):
        calls.settle(number, Instead("no"))
    assert made.drain().client.endswith(ENDED)


def test_only_so_much_waits() -> None:
    made, calls = queue(1, max_size=10)
    made.plain(Rewritten(b"12345678", b""))
    assert made.drain() == Rewritten()
    made.delta(Rewritten(b"9", b""))
    with pytest.raises(RedactionError) as caught:
        made.drain()
    assert caught.value.code == "redaction-size"
    made.clear()
    assert made.drain() == Rewritten()
    made.plain(Rewritten(b"x" * 99, b""))
    assert len(made.drain().client) == 99
    calls.settle(0, Pass())
    assert not made
