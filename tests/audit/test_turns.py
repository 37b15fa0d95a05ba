"""A session laid out: what belongs together, and what comes when."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from proctor.audit.conversation import Conversation, conversation
from proctor.audit.exchanges import Exchange, Tool
from proctor.audit.find import Target
from proctor.audit.held import Held, Step
from proctor.audit.reader import opened
from proctor.audit.turns import Call, Layout, Turn, laid_out
from tests.cli.test_transcript import EXCHANGE
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, START
from tests.support.ventured import APPROVED, CREATED, WITHDRAWN, venture


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    path = venture(tmp_path_factory.mktemp("turns") / "r")
    with opened(path) as reader:
        assert reader is not None
        yield conversation(reader, Target(principal=ALICE.key, session_id=SESSION))


def the_call(turn: Turn) -> Call:
    (found,) = (part for part in turn.parts if isinstance(part, Call))
    return found


def said(call: Call) -> str:
    assert call.result is not None
    assert call.result.content is not None
    return call.result.content.text


def test_everything_is_there_in_order_of_time(session: Conversation) -> None:
    turns = list(session.turns())
    assert [turn.number for turn in turns] == list(range(1, 10))
    starts = [turn.exchange.started_at for turn in turns]
    assert all(one <= two for one, two in pairwise(starts))
    assert [turn.number for turn in turns if turn.outside] == [2, 3, 5, 6, 7, 8]
    assert [turn.asks for turn in turns if turn.asks] == ["tools/list"] + ["tools/call"] * 2
    totals = session.totals
    assert (totals.turns, totals.outside, totals.tool_calls, totals.refused) == (3, 6, 3, 2)


def test_a_call_over_mcp_stands_with_the_models_own(session: Conversation) -> None:
    turns = list(session.turns())
    made = the_call(turns[0])
    assert (made.source, made.held, said(made)) == ("llm", (), CREATED)
    (over,) = made.over
    assert over == turns[2]
    assert over.belongs == (1, "toolu_m1")
    came = the_call(over)
    assert (came.source, came.verdict, came.rule_id) == ("mcp", "hold", "tickets-held")
    assert '"text": "Created JIRA-7"' in said(came)
    assert [turn.number for turn in turns if turn.belongs] == [3]
    alone = the_call(turns[7])
    assert (alone.id, alone.verdict, alone.result, alone.over) == ("f0008-0000", "deny", None, ())


def test_who_decided(session: Conversation) -> None:
    turns = list(session.turns())
    (held,) = the_call(turns[2]).held
    assert (held.id, held.state) == (APPROVED, "used")
    assert [step.state for step in held.steps] == ["pending", "approved", "used"]
    assert held.steps[1].by.endswith("#bob")
    assert [[each.id for each in turn.after] for turn in turns if turn.after] == [[WITHDRAWN]]


def test_what_is_outside_is_no_part_of_the_talk(session: Conversation) -> None:
    turns = list(session.turns())
    assert [turn.pause for turn in turns if turn.outside] == [None] * 6
    last = turns[8]  # the tunnel is open still
    assert last.beside == ()
    assert last.pause == pytest.approx(1.55)


def test_bodies_of_others_are_read_only_where_asked_for(session: Conversation) -> None:
    (turn,) = session.turns(only=6)
    assert turn.response_body is None
    (turn,) = session.turns(only=2, bodies=True)
    assert turn.request_body is not None
    assert '"tools/list"' in turn.request_body.text


def tool(name: str, source: str, **more: Any) -> Tool:
    return Tool(id=name, name="t", source=source, input=None, verdict="allow", rule_id=None, **more)


def exchange(number: int, *tools: Tool, **more: Any) -> Exchange:
    at = START + timedelta(seconds=number)
    host = {} if "host" in more else {"host": "mcp.internal", "model": None}
    return replace(
        EXCHANGE, seq=number, flow_id=f"f{number}", started_at=at, ended=at, ended_at=at,
        tools=tools, **{**host, **more},
    )  # fmt: skip


def test_no_number_of_calls_under_one_id_hides() -> None:
    """A client may say of any call that it comes from that one of the model's."""
    model = exchange(0, tool("a", "llm"), host="api.example", model="m")
    laid: Layout = laid_out([model, *(exchange(n, tool("a", "mcp")) for n in range(1, 101))], [])
    with_it = [turn.number for turn in laid.turns if turn.belongs]
    assert with_it == list(range(2, 22))
    assert laid.over == {(1, "a"): with_it}
    assert laid.totals.tool_calls == 100
    assert laid.totals.outside == 100


def test_another_model_call_of_the_same_id_takes_nothing() -> None:
    model = [exchange(n, tool("a", "llm"), host="api.example", model="m") for n in (0, 2)]
    laid = laid_out([model[0], exchange(1, tool("a", "mcp")), model[1]], [])
    assert laid.over == {(1, "a"): [2]}
    assert laid.totals.tool_calls == 2


def held(name: str, flow_id: str, seconds: float) -> Held:
    step = Step(at=START + timedelta(seconds=seconds), state="pending", by="proctor", reason="")
    return Held(id=name, flow_id=flow_id, tool_use_id="", rule_id="r", steps=(step,))


def test_what_was_held_is_where_it_was_asked_and_used() -> None:
    used = exchange(2, tool("b", "mcp", approval_id="ap_1"), approval_id="ap_1")
    found = [
        held("ap_1", "f1", 1), held("ap_2", "gone", -5), held("ap_3", "gone", 2.5),
    ]  # fmt: skip
    turns = laid_out([exchange(1), used, exchange(3)], found).turns
    assert [[each.id for each in turn.held] for turn in turns] == [["ap_1"], ["ap_1"], []]
    assert [[each.id for each in turn.after] for turn in turns] == [["ap_2"], ["ap_3"], []]
