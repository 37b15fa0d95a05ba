"""Whole answers, redacted."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import InternalError
from proctor.protocols.anthropic.calls import Instead, Outcome, Pass
from proctor.protocols.anthropic.events import dumped
from proctor.protocols.anthropic.rewritejson import JsonRewriter
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import RedactionError
from proctor.redaction.passing import Passing
from tests.protocols.anthropic.deciding import Decider
from tests.redaction.handled import BACK, JANE, ROE, Small
from tests.redaction.planted import KINDS, TOKEN, VALUES


def body(*content: Any, **members: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": list(content)}
    return json.dumps(
        {**message, "model": "claude-x", "usage": {"output_tokens": 7}, **members}
    ).encode()


def rewritten(raw: bytes, handling: Small) -> Rewritten:
    rewriter = JsonRewriter(raw, handling, handling)
    rewriter.ask()
    return rewriter.result()


def test_what_needs_no_change_stays_byte_for_byte() -> None:
    raw = body({"type": "text", "text": "Caf\u00e9"}, stop_sequence=None).replace(b", ", b" ,\n ")
    out = rewritten(raw, Small())
    assert out.client == out.record == raw


def test_blocks_are_redacted_each_in_its_way() -> None:
    handling = Small()
    handling.types = frozenset({"PERSON"})
    thinking = {"type": "thinking", "thinking": f"{JANE}: {TOKEN} x", "signature": "Ab+/" * 20}
    content = [
        thinking,
        {"type": "text", "text": f"{TOKEN} of {JANE}"},
        {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": JANE, "of": ROE}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "find", "input": {"q": ROE}},
        {"type": "redacted_thinking", "data": TOKEN},
        f"odd {TOKEN} x",
    ]
    out = rewritten(body(*content, stop_sequence=f"{TOKEN} x"), handling)
    client, record = json.loads(out.client), json.loads(out.record)
    assert client["content"][0] == thinking
    assert record["content"][0] == {**thinking, "thinking": f"{JANE}: <API_KEY> x"}
    assert client["content"][1]["text"] == f"<API_KEY> of {BACK[JANE]}"
    assert record["content"][1]["text"] == f"<API_KEY> of {JANE}"
    assert client["content"][2]["input"] == {"to": JANE, "of": BACK[ROE]}
    assert record["content"][2:5] == content[2:5]
    assert client["content"][3:5] == content[3:5]
    assert record["content"][5] == "odd <API_KEY> x"
    assert record["stop_sequence"] == "<API_KEY> x"
    assert handling.asked == [("send", dumped({"to": JANE, "of": ROE}))]
    assert ("API_KEY", "content[0].thinking", True) in handling.found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_value_leaks(kind: str) -> None:
    text = KINDS[kind]
    out = rewritten(
        body(
            {"type": "text", "text": text},
            {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"a": [text]}},
            {"type": "web_search_tool_result", "content": [{"title": text}]},
            other={"deep": text},
        ),
        Small(),
    )
    for value in VALUES:
        assert value.encode() not in out.client + out.record


def test_errors_are_looked_at_too() -> None:
    raw = json.dumps({"type": "error", "error": {"type": "api_error", "message": f"{TOKEN} x"}})
    out = rewritten(raw.encode(), Small())
    assert json.loads(out.client)["error"] == {"type": "api_error", "message": "<API_KEY> x"}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 9000])
def test_what_cannot_be_read_is_an_error(raw: bytes) -> None:
    with pytest.raises(RedactionError) as error:
        rewritten(raw, Small())
    assert error.value.code == "redaction-decoder"
    assert error.value.__cause__ is None


def call(number: int, kind: str = "tool_use", **arguments: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"toolu_{number:04}", "name": "Bash", "input": arguments}


def made(raw: bytes, judge: Decider) -> JsonRewriter:
    rewriter = JsonRewriter(raw, Passing(), judge)
    rewriter.ask()
    return rewriter


def test_a_call_waits_and_the_answer_with_it() -> None:
    raw = body({"type": "text", "text": "So."}, call(0, a=1), stop_reason="tool_use")
    judge = Decider()
    rewriter = JsonRewriter(raw, Small(), judge)
    assert judge.calls == []
    with pytest.raises(InternalError) as error:
        rewriter.result()
    assert error.value.code == "call-waits"
    rewriter.ask()
    rewriter.ask()
    assert rewriter.waiting == tuple(judge.calls)
    (asked,) = judge.calls
    assert (asked.number, asked.index, asked.id, asked.name) == (0, 1, "toolu_0000", "Bash")
    assert asked.arguments == asked.record == asked.raw == '{"a":1}'
    assert asked.complete
    with pytest.raises(InternalError):
        rewriter.result()
    rewriter.settle(0, Pass())
    assert rewriter.result() == Rewritten(raw, raw)
    with pytest.raises(InternalError):
        rewriter.settle(0, Pass())


@pytest.mark.parametrize(
    ("block", "complete"),
    [
        (call(0), True),
        (call(0) | {"input": None}, False),
        (call(0) | {"input": "rm"}, False),
        (call(0) | {"input": [{}]}, False),
        ({"type": "tool_use"}, False),
        ({"type": "future_use", "input": {"a": 1}}, True),
    ],
)
def test_calls_that_nobody_should_run(block: dict[str, Any], *, complete: bool) -> None:
    judge = Decider()
    made(body(block), judge)
    assert [asked.complete for asked in judge.calls] == [complete]
    assert json.loads(judge.calls[0].arguments) == block.get("input")


def test_what_is_judged_is_what_the_client_gets() -> None:
    judge = Decider({0: Pass()})
    rewriter = JsonRewriter(body(call(0, to=JANE, key=f"{TOKEN} x")), Small(), judge)
    rewriter.ask()
    (asked,) = judge.calls
    client, record = json.loads(rewriter.result().client), json.loads(rewriter.result().record)
    assert json.loads(asked.arguments) == client["content"][0]["input"]
    assert json.loads(asked.record) == record["content"][0]["input"]
    assert client["content"][0]["input"] == {"to": BACK[JANE], "key": "<API_KEY> x"}
    assert json.loads(asked.raw) == {"to": JANE, "key": f"{TOKEN} x"}


def test_what_is_turned_back_may_give_a_name_twice() -> None:
    class Back(Passing):
        def document(self, raw: bytes, location: str, **how: Any) -> Rewritten:
            return Rewritten(raw.replace(JANE.encode(), b"jane"), raw)

    judge = Decider()
    arguments: dict[str, Any] = {JANE: 1, "jane": 2}
    for handling in (Passing(), Back()):
        JsonRewriter(body(call(0, **arguments)), handling, judge).ask()
    assert [asked.complete for asked in judge.calls] == [True, False]


def test_tools_of_the_provider_s_are_not_judged() -> None:
    judge = Decider()
    raw = body(call(0, "server_tool_use", a=1), call(1, "mcp_tool_use", a=1))
    assert made(raw, judge).result() == Rewritten(raw, raw)
    assert judge.calls == []


@pytest.mark.parametrize("content", ["x", {"type": "tool_use", "input": {}}, 1])
def test_content_comes_in_a_list(content: object) -> None:
    with pytest.raises(RedactionError):
        made(json.dumps({"content": content}).encode(), Decider())


def test_only_so_many_wait() -> None:
    rewriter = JsonRewriter(body(*(call(n) for n in range(101))), Passing(), Decider())
    with pytest.raises(RedactionError):
        rewriter.ask()
    with pytest.raises(InternalError):
        rewriter.result()


@settings(max_examples=100, deadline=None)
@given(
    blocks=st.lists(
        st.sampled_from(["text", "tool_use", "tool_use", "tool_use", "server_tool_use"]),
        max_size=6,
    ),
    plans=st.lists(
        st.tuples(st.booleans(), st.sampled_from([Pass(), Instead('no "x"'), Instead("ö")])),
        min_size=6,
        max_size=6,
    ),
    order=st.lists(st.integers(0, 9), min_size=6, max_size=6),
    stop=st.sampled_from(["tool_use", "max_tokens", None]),
)
def test_any_answer_decided_in_any_order(
    blocks: list[str], plans: list[tuple[bool, Outcome]], order: list[int], stop: str | None
) -> None:
    content = [
        {"type": "text", "text": "So."} if kind == "text" else call(index, kind, a=index)
        for index, kind in enumerate(blocks)
    ]
    raw = body(*content, stop_reason=stop).replace(b", ", b" ,\n")
    outcomes = [outcome for _, outcome in plans]
    rewriter = made(raw, Decider({n: o for n, (at_once, o) in enumerate(plans) if at_once}))
    for which in order:
        if rewriter.waiting:
            number = rewriter.waiting[which % len(rewriter.waiting)].number
            rewriter.settle(number, outcomes[number])
    out = rewriter.result()
    expected = json.loads(raw)
    calls = [n for n, kind in enumerate(blocks) if kind == "tool_use"]
    replaced = 0
    for index, outcome in zip(calls, outcomes, strict=False):
        if isinstance(outcome, Instead):
            expected["content"][index] = {"type": "text", "text": outcome.text}
            replaced += 1
    if calls and replaced == len(calls) and stop == "tool_use":
        expected["stop_reason"] = "end_turn"
    assert json.loads(out.client) == expected
    assert out.record == out.client
    if not replaced:
        assert out.client == raw
