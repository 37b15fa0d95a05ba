"""Tool calls in a stream: judged, held, released, replaced."""

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from proctor.errors import InternalError, RefusedError
from proctor.protocols.anthropic.calls import Call, Instead, Outcome, Pass
from proctor.protocols.anthropic.events import PING, fields_of, text_block
from proctor.protocols.anthropic.rewrite import AnswerRewriter
from proctor.protocols.sse import RawEventStream
from proctor.redaction.handling import Handling, Rewritten
from proctor.redaction.model import RedactionError
from proctor.redaction.passing import Passing
from proctor.testing import framing
from proctor.testing.conversation import Reply
from tests.protocols.anthropic.conversation import text, words
from tests.protocols.anthropic.deciding import Decider
from tests.redaction.handled import BACK, JANE, ROE, Small
from tests.redaction.planted import TOKEN

_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made(
    judge: Decider, handling: Handling | None = None, **limits: Any
) -> tuple[AnswerRewriter, Clock]:
    clock = Clock()
    return AnswerRewriter(handling or Passing(), judge, clock=clock, **limits), clock


def call(number: int, kind: str = "tool_use", **arguments: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "id": f"toolu_{number:04}",
        "name": "Bash" if kind == "tool_use" else "web_search",
        "input": arguments,
    }


def answer(*content: dict[str, Any], stop: str = "tool_use") -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 7}
    reply = Reply(id="msg_1", model="claude-x", content=content, stop_reason=stop, usage=usage)
    return b"".join(framing.events(reply))


def split(data: bytes) -> list[bytes]:
    return [event.raw for event in RawEventStream().feed(data)]


def said(data: bytes) -> list[dict[str, Any]]:
    """What all events but pings say."""
    return [
        event for event in (fields_of(raw) for raw in split(data)) if event.get("type") != "ping"
    ]


def accumulated(data: bytes) -> Message:
    """What the SDK makes of it."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in said(data):
        snapshot = accumulate_event(
            event=_EVENT.validate_python(event), current_snapshot=snapshot, json_bufs=buffers
        )
    return Message.model_validate(snapshot.to_dict())


def before(data: bytes, mark: bytes) -> tuple[bytes, bytes]:
    """Cut before the event in which the mark stands."""
    parts = split(data)
    at = next(index for index, part in enumerate(parts) if mark in part)
    return b"".join(parts[:at]), b"".join(parts[at:])


def waits(rewriter: AnswerRewriter) -> bool:
    return not rewriter.idle


def test_a_call_waits_and_all_behind_it() -> None:
    judge = Decider()
    rewriter, clock = made(judge)
    data = answer(text("Let me see."), call(0, command="rm -rf x"), text("So."))
    first, rest = before(data, b"toolu_0000")
    assert rewriter.feed(first).client == first
    assert rewriter.feed(rest) == Rewritten()
    assert waits(rewriter)
    assert rewriter.waiting == tuple(judge.calls)
    (asked,) = judge.calls
    assert (asked.number, asked.index, asked.id, asked.name, asked.complete) == (
        0, 1, "toolu_0000", "Bash", True,
    )  # fmt: skip
    assert asked.arguments == asked.record == asked.raw == '{"command": "rm -rf x"}'
    assert rewriter.finish() == rewriter.released() == Rewritten()
    assert rewriter.ping() == b""
    clock.now = 10.0
    assert rewriter.ping() == PING
    assert rewriter.ping() == b""
    rewriter.settle(0, Pass())
    assert rewriter.released() == Rewritten(rest, rest)
    assert rewriter.idle
    assert rewriter.waiting == ()
    clock.now = 99.0
    assert rewriter.ping() == b""
    for number in (0, 1):
        with pytest.raises(InternalError) as caught:
            rewriter.settle(number, Pass())
        assert caught.value.code == "call-not-waiting"


def test_words_stand_in_its_place() -> None:
    rewriter, _ = made(Decider({0: Instead('No: "rule" x.')}))
    out = rewriter.feed(answer(text("Let me see."), call(0, command="rm")))
    assert b"toolu_0000" not in out.client
    message = accumulated(out.client)
    assert [block.model_dump(include={"type", "text"}) for block in message.content] == [
        {"type": "text", "text": "Let me see."},
        {"type": "text", "text": 'No: "rule" x.'},
    ]
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 7
    assert out.record == out.client


@pytest.mark.parametrize(
    ("outcomes", "stop", "then"),
    [
        ([Instead("a"), Instead("b")], "tool_use", "end_turn"),
        ([Instead("a"), Pass()], "tool_use", "tool_use"),
        ([Pass(), Pass()], "tool_use", "tool_use"),
        ([Instead("a"), Instead("b")], "max_tokens", "max_tokens"),
        ([], "tool_use", "tool_use"),
    ],
)
def test_the_stop_reason_is_set_right(outcomes: list[Outcome], stop: str, then: str) -> None:
    rewriter, _ = made(Decider())
    calls = [call(number, a=number) for number in range(len(outcomes))]
    out = rewriter.feed(answer(*calls, stop=stop))
    for number, outcome in reversed(list(enumerate(outcomes))):
        rewriter.settle(number, outcome)
    out += rewriter.released() + rewriter.finish()
    assert accumulated(out.client).stop_reason == then
    assert accumulated(out.record).stop_reason == then


def test_calls_are_judged_at_once_and_go_in_order() -> None:
    judge = Decider({1: Pass(), 2: Instead("no")})
    rewriter, _ = made(judge)
    rewriter.feed(answer(call(0, a=1), call(1, a=2), call(2, a=3), call(3, a=4)))
    assert [each.number for each in judge.calls] == [0, 1, 2, 3]
    assert [each.number for each in rewriter.waiting] == [0, 3]
    rewriter.settle(3, Pass())
    assert rewriter.released() == Rewritten()
    rewriter.settle(0, Instead("nor this"))
    out = rewriter.released().client
    assert [event.get("index") for event in said(out) if "index" in event] == sorted(
        event["index"] for event in said(out) if "index" in event
    )
    assert b"toolu_0000" not in out
    assert b"toolu_0001" in out
    assert b"toolu_0003" in out


def test_what_comes_within_a_call_goes_behind_it() -> None:
    rewriter, _ = made(Decider({1: Pass()}))
    whole, rest = before(answer(call(0, a=1), call(1, a=2)), b"toolu_0001")
    start, *more = split(rest)
    other = framing.event("some_event", said="x")
    assert rewriter.feed(whole) == Rewritten(*2 * (before(whole, b"toolu_0000")[0],))
    assert rewriter.feed(start + other + b"".join(more)) == Rewritten()
    rewriter.settle(0, Pass())
    out = split(rewriter.released().client)
    stop = out.index(framing.event("content_block_stop", index=1))
    assert out[stop + 1] == other
    assert out[-1] == framing.event("message_stop")


def test_an_error_waits_its_turn_and_pings_do_not() -> None:
    rewriter, _ = made(Decider())
    rewriter.feed(before(answer(call(0)), b"message_delta")[0])
    error = framing.event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    assert rewriter.feed(error) == Rewritten()
    ping = framing.event("ping")
    assert rewriter.feed(ping).client == ping
    assert rewriter.feed(b": hi\n\n").client == b": hi\n\n"
    rewriter.settle(0, Instead("no"))
    assert rewriter.released().client == text_block(0, "no") + error


def test_what_is_not_for_the_client_is_not_judged() -> None:
    judge = Decider()
    rewriter, _ = made(judge)
    kinds = ("server_tool_use", "mcp_tool_use")
    data = answer(*(call(number, kind, a=1) for number, kind in enumerate(kinds)), stop="end_turn")
    assert rewriter.feed(data).client == data
    assert judge.calls == []
    rewriter, _ = made(judge)
    rewriter.feed(answer(call(0, "some_future_use", a=1)))
    assert [each.number for each in rewriter.waiting] == [0]


def test_what_is_judged_is_what_the_client_gets() -> None:
    judge = Decider()
    rewriter, _ = made(judge, Small())
    rewriter.feed(answer(call(0, to=JANE, of=ROE, key=f"{TOKEN} x")))
    (asked,) = judge.calls
    assert json.loads(asked.arguments) == {"to": BACK[JANE], "of": ROE, "key": "<API_KEY> x"}
    assert json.loads(asked.record) == {"to": JANE, "of": ROE, "key": "<API_KEY> x"}
    assert json.loads(asked.raw) == {"to": JANE, "of": ROE, "key": f"{TOKEN} x"}
    assert TOKEN not in repr(asked)
    rewriter.settle(0, Pass())
    deltas = [e["delta"]["partial_json"] for e in said(rewriter.released().client) if "index" in e
              and "delta" in e]  # fmt: skip
    assert "".join(deltas) == asked.arguments
    judge = Decider()
    rewriter, _ = made(judge, Small())
    rewriter.feed(answer(call(0) | {"name": f"{TOKEN} x"}))
    assert judge.calls[0].name == "<API_KEY> x"


@pytest.mark.parametrize(
    ("pieces", "raw", "complete"),
    [
        ([], "{}", True),
        (["", ""], "{}", True),
        (['{"a"', ": 1}"], '{"a": 1}', True),
        ([' {"a":\t1}\n'], ' {"a":\t1}\n', True),
        (['{"command": "rm -rf'], '{"command": "rm -rf', False),
        (['{"a": 1, "a": 2}'], '{"a": 1, "a": 2}', False),
        (['{"a": 1}{"b": 2}'], '{"a": 1}{"b": 2}', False),
        (["[1]"], "[1]", False),
        (['"rm"'], '"rm"', False),
        (["null"], "null", False),
        (['{"a": NaN}'], '{"a": NaN}', False),
        (['{"a": "\\ud800"}'], '{"a": "\\ud800"}', False),
        (['{"a": "\ud800"}'], '{"a": "\ud800"}', False),
        (['\ufeff{"a": 1}'], '\ufeff{"a": 1}', False),
        ([" "], " ", False),
    ],
)
@pytest.mark.parametrize("handling", [Passing, Small])
def test_inputs_as_they_come(
    pieces: list[str], raw: str, handling: type[Handling], *, complete: bool
) -> None:
    judge = Decider()
    rewriter, _ = made(judge, handling())
    data = framing.event("content_block_start", index=0, content_block=call(0))
    for piece in pieces:
        delta = {"type": "input_json_delta", "partial_json": piece}
        data += framing.event("content_block_delta", index=0, delta=delta)
    data += framing.event("content_block_stop", index=0)
    assert rewriter.feed(data) == Rewritten()
    (asked,) = judge.calls
    assert (asked.raw, asked.arguments, asked.complete) == (raw, raw, complete)
    rewriter.settle(0, Pass())
    assert rewriter.released() == Rewritten(data, data)


def test_what_is_turned_back_may_give_a_name_twice() -> None:
    class Back(Passing):
        def document(self, raw: bytes, location: str, **how: Any) -> Rewritten:
            return Rewritten(raw.replace(JANE.encode(), b"jane"), raw)

    arguments: dict[str, Any] = {JANE: 1, "jane": 2}
    judge = Decider()
    for handling, complete in ((Passing(), True), (Back(), False)):
        rewriter, _ = made(judge, handling)
        rewriter.feed(answer(call(0, **arguments)))
        assert judge.calls[-1].complete is complete


def test_an_input_given_at_once() -> None:
    judge = Decider()
    rewriter, _ = made(judge)
    for whole, complete in (({"a": 1}, True), (["a"], False), ("rm", False)):
        rewriter, _ = made(judge)
        block = call(0) | {"input": whole}
        data = framing.event("content_block_start", index=0, content_block=block)
        rewriter.feed(data + framing.event("content_block_stop", index=0))
        asked = judge.calls[-1]
        assert json.loads(asked.arguments) == whole
        assert asked.complete is complete


def test_a_call_stands_where_it_says() -> None:
    data = answer(text("x"), call(0, a=1))
    for index in (0, 2, 7):
        moved = data.replace(b'"index": 1', b'"index": %d' % index)
        rewriter, _ = made(Decider({0: Pass()}))
        with pytest.raises(RedactionError) as caught:
            rewriter.feed(moved)
        assert caught.value.code == "redaction-decoder"


def test_what_waits_is_bounded() -> None:
    rewriter, _ = made(Decider(), max_waiting=5000)
    behind = framing.event("some_event", said="x" * 100)
    rewriter.feed(before(answer(call(0, a="x" * 20)), b"message_delta")[0])
    rewriter.feed(behind * 10)
    with pytest.raises(RedactionError) as caught:
        rewriter.feed(behind * 40)
    assert caught.value.code == "redaction-size"
    rewriter, _ = made(Decider())
    with pytest.raises(RedactionError) as caught:
        rewriter.feed(answer(*(call(number) for number in range(101))))
    assert caught.value.code == "redaction-size"
    rewriter, _ = made(Decider(dict.fromkeys(range(300), Pass())), max_waiting=1000)
    assert rewriter.feed(answer(*(call(number) for number in range(300)))).client.count(
        b"toolu_"
    ) == 300  # fmt: skip


def test_what_a_judge_raises_ends_the_answer() -> None:
    class Raises(Decider):
        def judge(self, call: Call) -> Outcome | None:
            raise RefusedError("approvals-unavailable", "No")

    rewriter, _ = made(Raises())
    with pytest.raises(RefusedError):
        rewriter.feed(answer(call(0)))
    assert rewriter.released() == Rewritten()


def test_broken_gives_up_what_waits() -> None:
    rewriter, _ = made(Decider())
    rewriter.feed(answer(call(0), call(1)))
    assert rewriter.broken(RefusedError("killed", "Ended")).startswith(b"event: error\n")
    assert rewriter.idle
    assert rewriter.waiting == ()
    rewriter.settle(1, Pass())
    assert rewriter.released() == rewriter.finish() == Rewritten()
    with pytest.raises(InternalError):
        rewriter.settle(1, Pass())


def test_a_call_that_does_not_end_is_lost_behind_one_that_waits() -> None:
    judge = Decider()
    rewriter, _ = made(judge)
    whole, rest = before(answer(call(0, a=1), call(1, a=2)), b"toolu_0001")
    start = split(rest)[0]
    rewriter.feed(whole + start)
    assert rewriter.finish() == Rewritten()
    rewriter.settle(0, Pass())
    out = rewriter.released()
    assert b"toolu_0000" in out.client
    assert b"toolu_0001" not in out.client


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type": "message"}',
        b'{"type": "message"}\n\n',
        b'\n{\n "type": "message"}\n\n',
        b"HTTP/1.1 200 OK\r\n\r\n",
        b'event: ping\ndata: {"type": "ping"}\nmore: x\n\n',
    ],
)
def test_what_is_no_event_stream_never_passes(raw: bytes) -> None:
    rewriter, _ = made(Decider())
    out = Rewritten()
    with pytest.raises(RedactionError):
        out = rewriter.feed(raw) + rewriter.finish()
    assert out == Rewritten()


_ARGUMENTS = st.dictionaries(
    st.sampled_from(["command", "file_path", "to"]),
    st.sampled_from(["rm -rf x", words(40, 3), JANE, ROE, f"{TOKEN} x", "", "\u00e9\U0001f600"]),
    max_size=2,
)
_BLOCKS = st.lists(
    st.one_of(
        st.builds(text, st.sampled_from(["", "So.", words(60, 1), f"Dear {JANE}, {TOKEN} it is"])),
        st.just({"type": "thinking", "thinking": "I see", "signature": "Ab+/" * 9}),
        st.tuples(st.sampled_from(["tool_use"] * 4 + ["server_tool_use"]), _ARGUMENTS),
    ),
    max_size=5,
)
_PLANS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([Pass(), Pass(), Instead("no"), Instead("nö: x")])),
    min_size=5,
    max_size=5,
)


def expected(data: bytes, plan: dict[str, Outcome]) -> list[dict[str, Any]]:
    """The events of an answer in which all passed, with other words in the place of some calls."""
    out: list[dict[str, Any]] = []
    events = said(data)
    calls = {
        event["index"]: plan[block["id"]]
        for event in events
        if (block := event.get("content_block", {})).get("type") == "tool_use"
    }
    for event in events:
        outcome = calls.get(event.get("index", -1))
        if not isinstance(outcome, Instead):
            out.append(event)
        elif event["type"] == "content_block_stop":
            out += said(text_block(event["index"], outcome.text))
    if calls and all(isinstance(outcome, Instead) for outcome in calls.values()):
        out[-2]["delta"]["stop_reason"] = "end_turn"
    return out


class Run:
    """One answer on its way, and whether a call was ever seen before it was let pass."""

    def __init__(self, plan: dict[str, Outcome], at_once: list[bool], handling: Handling) -> None:
        now = {n: plan[name] for n, name in enumerate(plan) if at_once[n]}
        self.rewriter, _ = made(Decider(now), handling)
        self.out = Rewritten()
        self._plan = plan
        self._decided = {name for n, name in enumerate(plan) if n in now}

    def see(self, more: Rewritten) -> None:
        self.out += more
        seen = {name for name in self._plan if name.encode() in more.client + more.record}
        assert seen <= self._decided
        assert all(isinstance(self._plan[name], Pass) for name in seen)

    def settle(self, which: int) -> None:
        waiting = self.rewriter.waiting
        if waiting:
            assert not self.rewriter.idle
            chosen = waiting[which % len(waiting)]
            self._decided.add(chosen.id)
            self.rewriter.settle(chosen.number, self._plan[chosen.id])
            self.see(self.rewriter.released())

    def whole(self, data: bytes, cuts: list[int], order: list[int]) -> None:
        """Feed it all, with decisions between the pieces, and make the rest of them."""
        marks = sorted(min(cut, len(data)) for cut in cuts)
        turns = iter(order)
        for start, end in zip((0, *marks), (*marks, len(data)), strict=True):
            self.see(self.rewriter.feed(data[start:end]))
            which = next(turns, 0)
            if which > 4:
                self.settle(which)
        self.see(self.rewriter.finish())
        while self.rewriter.waiting:
            self.settle(next(turns, 0))
        assert self.rewriter.idle
        assert self.rewriter.released() == Rewritten()


@settings(max_examples=150, deadline=None)
@given(
    blocks=_BLOCKS,
    plans=_PLANS,
    cuts=st.lists(st.integers(0, 6000), max_size=12),
    order=st.lists(st.integers(0, 9), max_size=20),
    handling=st.sampled_from([Passing, Small]),
)
def test_any_answer_cut_anywhere_and_decided_in_any_order(
    blocks: list[Any],
    plans: list[tuple[bool, Outcome]],
    cuts: list[int],
    order: list[int],
    handling: type[Handling],
) -> None:
    content = [
        block if isinstance(block, dict) else call(index, block[0], **block[1])
        for index, block in enumerate(blocks)
    ]
    ids = [block["id"] for block in content if block["type"] == "tool_use"]
    plan = dict(zip(ids, (outcome for _, outcome in plans), strict=False))
    data = answer(*content, stop="tool_use" if ids else "end_turn")
    run = Run(plan, [at_once for at_once, _ in plans], handling())
    run.whole(data, cuts, order)
    passing = Run(dict.fromkeys(ids, Pass()), [True] * 5, handling())
    passing.whole(data, [], [])

    assert said(run.out.client) == expected(passing.out.client, plan)
    assert said(run.out.record) == expected(passing.out.record, plan)
    replaced = {name for name, outcome in plan.items() if isinstance(outcome, Instead)}
    assert [block.type for block in accumulated(run.out.client).content] == [
        "text" if block.get("id") in replaced else block["type"] for block in content
    ]
    if not replaced:
        assert run.out.client.replace(PING, b"") == passing.out.client.replace(PING, b"")
        assert run.out.record.replace(PING, b"") == passing.out.record.replace(PING, b"")
    if handling is Passing:
        assert passing.out == Rewritten(data, data)


def test_cut_at_every_byte() -> None:
    data = answer(text("So."), call(0, to=JANE), call(1, a=1), text("Bye."))
    outs = set()
    for cut in range(0, len(data), 7):
        rewriter, _ = made(Decider({1: Instead("no")}), Small())
        out = rewriter.feed(data[:cut]) + rewriter.feed(data[cut:])
        rewriter.settle(0, Pass())
        outs.add(out + rewriter.released() + rewriter.finish())
    assert len(outs) == 1
