"""MCP fails closed; and what calls outside is put beside the model's call that it comes from."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proctor.stages.recording import Recording
from proctor.stages.redaction import Redaction
from proctor.stages.suite import ORDER
from tests.support.mcpwire import (
    Known,
    asking,
    calling,
    event,
    message,
    result,
    said_events,
    said_json,
    text,
    tool,
    wire,
)
from tests.support.origin import Origin
from tests.support.redacted import closed
from tests.support.scripted import Conversation, Scripted
from tests.support.stand import OK, house, listener, post, running

ANSWER = said_json(text("evil"))


def raises(_flow: object) -> Any:
    raise RuntimeError("broken")


async def raises_later(_flow: object) -> Any:
    await asyncio.sleep(0)
    raise RuntimeError("broken")


@pytest.mark.parametrize("fail", [raises, raises_later])
@pytest.mark.parametrize("stage", range(len(ORDER)))
def test_a_stage_that_fails_lets_nothing_out(
    tmp_path: Path, stage: int, fail: Callable[[object], Any]
) -> None:
    with Origin(ANSWER) as origin, wire(origin, tmp_path) as this:
        broken = this.stand.suite.stages_in_order[stage]
        hook = "request" if hasattr(broken, "request") else "requestheaders"
        setattr(broken, hook, fail)
        for sent in (calling("t", {}), asking(b"", method="GET")):
            said = this.say(sent)
            assert b"evil" not in said.raw
        assert origin.received == b""
        closed(this.stand)


@pytest.mark.parametrize("fail", [raises, raises_later])
@pytest.mark.parametrize(
    ("stage", "hook"),
    [(Redaction, "responseheaders"), (Recording, "responseheaders")],
)
@pytest.mark.parametrize("events", [False, True])
def test_an_answer_that_cannot_be_judged_is_not_passed_on(
    tmp_path: Path, stage: type, hook: str, fail: Callable[[object], Any], *, events: bool
) -> None:
    answer = said_events(result(text("evil"))) if events else ANSWER
    with Origin(answer) as origin, wire(origin, tmp_path) as this:
        broken = next(s for s in this.stand.suite.stages_in_order if isinstance(s, stage))
        setattr(broken, hook, fail)
        assert b"evil" not in this.say(calling("t", {})).raw


@pytest.mark.parametrize("events", [False, True])
def test_a_judge_that_fails_ends_the_answer(*, events: bool) -> None:
    class Broken(Known):
        def look(self, server: str, tool: Any) -> Any:
            raise RuntimeError("broken")

    tools = result({"tools": [tool("evil")]})
    with Origin(said_events(tools) if events else said_json({"tools": [tool("evil")]})) as origin:
        this = house(listener(origin.port, name="tools", speaks="mcp"), pins=Broken())
        with running(this, "tools") as proxy:
            assert b"evil" not in proxy.request("tools", asking(message("tools/list")))


def test_a_record_that_cannot_be_written_lets_nothing_out() -> None:
    with Origin(ANSWER) as origin, wire(origin) as this:
        this.stand.store.broken = True
        said = this.say(calling("t", {}))
        assert b"evil" not in said.raw
        assert said.json["result"]["isError"] is True
        assert origin.received == b""


def test_an_answer_that_breaks_off_is_on_record_and_ends() -> None:
    begun = event(message("notifications/message", {"data": "begun"}, named=None))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(head + begun)

    with Scripted() as origin, wire(origin) as this:
        origin.script = script
        assert b"begun" in this.say(calling("t", {})).raw
        closed(this.stand)
        assert this.endings[0]["error"]


# One run.

TOOL_USE = "t1"
"""The call in the stand-in model's answer."""


def outside(use: str, token: str = "a") -> bytes:
    params = {"name": "t", "_meta": {"claudecode/toolUseId": use}}
    return asking(message("tools/call", params), token=token)


@pytest.mark.parametrize(
    ("use", "token", "how"),
    [
        (TOOL_USE, "a", "tool_use"),
        ("another", "a", "principal"),  # a guess: alice has this one run only
        (TOOL_USE, "b", None),  # another's call
    ],
)
def test_a_call_joins_the_run_that_the_model_called_in(
    use: str, token: str, how: str | None
) -> None:
    with Origin(OK) as model, Origin(said_json(text("done"))) as server:
        this = house(
            listener(model.port),
            listener(server.port, name="tools", speaks="mcp"),
            pins=Known(),
        )
        with running(this, "claude", "tools") as proxy:
            proxy.request("claude", post(more=b"x-claude-code-session-id: run-1\r\n"))
            assert b"done" in proxy.request("tools", outside(use, token))
    begun = [fields for kind, fields in this.store.appended if kind == "flow.begin"]
    assert begun[0]["session_id"] == "run-1"
    named = begun[1]["session_id"], begun[1]["correlated_by"]
    assert named == (("run-1", how) if how else (None, None))


def test_of_two_runs_nobody_guesses() -> None:
    with Origin(OK) as model, Origin(said_json(text("done"))) as server:
        this = house(
            listener(model.port),
            listener(server.port, name="tools", speaks="mcp"),
            pins=Known(),
        )
        with running(this, "claude", "tools") as proxy:
            for run in (b"run-1", b"run-2"):
                proxy.request("claude", post(more=b"x-claude-code-session-id: %s\r\n" % run))
            proxy.request("tools", outside("another"))
    last = [fields for kind, fields in this.store.appended if kind == "flow.begin"][-1]
    assert last["session_id"] is None
