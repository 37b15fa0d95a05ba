"""The model's tool calls wait for a human in the stream, and never pass without leave."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from proctor.approval.model import Approval, Kill, KillScope, State
from proctor.model import Action, ActionKind, Allow, Case, Decision, Deny, Hold
from tests.support.desks import NOW, FakeDesk, terms
from tests.support.live import Live, read_answer
from tests.support.origin import Origin
from tests.support.parts import Rules
from tests.support.stand import Stand, house, listener, post, running

DANGER = "rm -rf build"


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def text(index: int, words: str) -> bytes:
    return (
        event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=index, delta={"type": "text_delta", "text": words})
        + event("content_block_stop", index=index)
    )


def call(index: int, command: str) -> bytes:
    block = {"type": "tool_use", "id": f"toolu_{index}", "name": "Bash", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": json.dumps({"command": command})}
    return (
        event("content_block_start", index=index, content_block=block)
        + event("content_block_delta", index=index, delta=delta)
        + event("content_block_stop", index=index)
    )


def stream(*blocks: bytes) -> bytes:
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    return (
        event("message_start", message=message)
        + b"".join(blocks)
        + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9})
        + event("message_stop")
    )


def sse(body: bytes, *, chunked: bool) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    if chunked:
        parts = b"".join(
            b"%x\r\n%s\r\n" % (len(body[i : i + 50]), body[i : i + 50])
            for i in range(0, len(body), 50)
        )
        return head + b"transfer-encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def whole(*commands: str) -> bytes:
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "tool_use", "id": f"toolu_{i}", "name": "Bash", "input": {"command": each}}
            for i, each in enumerate(commands)
        ],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    body = json.dumps(message).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


class Commands(Rules):
    """Holds what is dangerous, denies what is forbidden, allows the rest."""

    def decide(self, case: Case) -> Decision:
        self.cases.append(case)
        action: Action = case.action
        command = action.tool.command if action.tool else ""
        if action.kind is ActionKind.LLM_TOOL_USE and command.startswith("rm"):
            reason = "Deleting needs a second pair of eyes."
            return Decision(verdict=Hold(rule_id="shell", reason=reason, terms=(self.terms,)))
        if command.startswith("curl"):
            return Decision(verdict=Deny(rule_id="no-curl", reason="Nothing is fetched."))
        return Decision(verdict=Allow(rule_id="all"))

    terms = terms("shell")


@dataclass
class Gated:
    stand: Stand
    desk: FakeDesk
    live: Live
    origin: Origin

    @contextmanager
    def asking(self, *, streamed: bool = True) -> Iterator[socket.socket]:
        body = {"model": "m", "max_tokens": 9, "stream": streamed,
                "messages": [{"role": "user", "content": "tidy up"}]}  # fmt: skip
        address = ("127.0.0.1", self.live.ports["claude"])
        with socket.create_connection(address, 20) as connection:
            connection.sendall(post(json.dumps(body).encode()))
            yield connection

    def pending(self, count: int = 1) -> list[Approval]:
        return self.live.do(lambda: self.desk.pending(count))

    def decide(self, name: str, state: State, reason: str = "") -> None:
        self.live.do(lambda: self.desk.change(name, state, reason))

    def tools(self) -> list[dict[str, Any]]:
        (end,) = [fields for kind, fields in self.stand.store.appended if kind == "flow.end"]
        found: list[dict[str, Any]] = end["tools"]
        return found


@contextmanager
def gated(answer: bytes) -> Iterator[Gated]:
    desk = FakeDesk()
    with Origin(answer) as origin:
        stand = house(listener(origin.port), desk=desk)
        rules = Commands()
        stand.rules = rules
        stand.suite.gate._policies = rules
        with running(stand) as live:
            yield Gated(stand, desk, live, origin)


def until(connection: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        more = connection.recv(65536)
        assert more, data
        data += more
    return data


@pytest.mark.parametrize("chunked", [True, False])
def test_text_flows_and_the_call_waits(chunked: bool) -> None:  # noqa: FBT001 - a parameter
    answer = sse(
        stream(text(0, "I will tidy."), call(1, DANGER), text(2, "after")), chunked=chunked
    )
    with gated(answer) as this, this.asking() as client:
        before = until(client, b"I will tidy.")
        (approval,) = this.pending()
        assert DANGER.encode() not in before
        assert approval.asking.card.summary == DANGER
        assert approval.asking.card.tool_use_id == "toolu_1"
        assert approval.asking.prompt
        this.decide(approval.id, State.APPROVED)
        rest = until(client, b"0\r\n\r\n")
        assert DANGER.encode() in rest
        assert rest.index(DANGER.encode()) < rest.index(b"after")
        assert b'"tool_use"' in rest
        assert this.desk.approvals[approval.id].state is State.USED
    (tool,) = this.tools()
    assert (tool["verdict"], tool["rule_id"], tool["approval_id"]) == ("hold", "shell", "ap_0")


def test_a_denied_call_becomes_words_and_the_turn_ends() -> None:
    answer = sse(stream(call(0, DANGER)), chunked=True)
    with gated(answer) as this, this.asking() as client:
        (approval,) = this.pending()
        this.decide(approval.id, State.DENIED, "not on Fridays")
        said = until(client, b"0\r\n\r\n")
        assert DANGER.encode() not in said
        assert b"not on Fridays" in said
        assert b"rule shell" in said
        assert b"end_turn" in said
        assert b"tool_use" not in said
    (tool,) = this.tools()
    assert (tool["verdict"], tool["approval_id"]) == ("hold", "ap_0")


def test_calls_are_judged_one_by_one() -> None:
    answer = sse(
        stream(call(0, DANGER), call(1, "ls"), call(2, "curl x"), call(3, "rm x")), chunked=True
    )
    with gated(answer) as this, this.asking() as client:
        first, second = this.pending(2)
        this.decide(second.id, State.APPROVED)
        this.decide(first.id, State.DENIED)
        said = until(client, b"0\r\n\r\n")
        for gone in (DANGER, "curl x"):
            assert f'"{gone}' not in said.decode().replace("\\", "")
        order = [
            said.index(mark) for mark in (b"Denied by bob", b"toolu_1", b"Nothing is", b"toolu_3")
        ]
        assert order == sorted(order)
        assert b'"stop_reason": "tool_use"' in said
    assert [tool["verdict"] for tool in this.tools()] == ["hold", "allow", "deny", "hold"]


@pytest.mark.parametrize("state", [State.APPROVED, State.DENIED])
def test_an_answer_in_one_piece_waits_too(state: State) -> None:
    with gated(whole("ls", DANGER)) as this, this.asking(streamed=False) as client:
        (approval,) = this.pending()
        this.decide(approval.id, state, "so")
        head, _, body = read_answer(client).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        message = json.loads(body)
        kinds = [block["type"] for block in message["content"]]
        approved = state is State.APPROVED
        assert kinds == ["tool_use", "tool_use" if approved else "text"]
        assert message["stop_reason"] == "tool_use"
        assert (DANGER.encode() in body) is approved


def test_a_retry_without_streaming_meets_the_same_answer() -> None:
    with gated(sse(stream(call(0, DANGER)), chunked=True)) as this:
        with this.asking() as client:
            (approval,) = this.pending()
            this.decide(approval.id, State.DENIED, "no")
            until(client, b"0\r\n\r\n")
        this.origin.answer = whole(DANGER)
        with this.asking(streamed=False) as client:
            body = read_answer(client).partition(b"\r\n\r\n")[2]
        message = json.loads(body)
        assert message["stop_reason"] == "end_turn"
        assert [block["type"] for block in message["content"]] == ["text"]
        assert len(this.desk.approvals) == 1


def test_a_client_that_goes_away_cancels() -> None:
    with gated(sse(stream(text(0, "hm"), call(1, DANGER)), chunked=True)) as this:
        with this.asking():
            (approval,) = this.pending()

        async def gone() -> None:
            async with this.desk._changed:
                await this.desk._changed.wait_for(
                    lambda: this.desk.approvals[approval.id].state is State.CANCELLED
                )

        this.live.do(gone)


def test_nobody_is_asked_any_more_about_an_answer_that_was_cut_off() -> None:
    # Else an approval would be used up, and be on record as used, though nothing went on.
    begun = sse(stream(call(0, DANGER)), chunked=True).removesuffix(b"0\r\n\r\n")
    with gated(begun) as this, this.asking() as client:
        (approval,) = this.pending()
        this.origin._open[-1].sendall(b"d\r\ndata: {oops\n\n\r\n0\r\n\r\n")
        said = until(client, b"0\r\n\r\n")
        assert b"cut off" in said
        assert DANGER.encode() not in said

        async def over() -> None:
            async with this.desk._changed:
                await this.desk._changed.wait_for(
                    lambda: this.desk.approvals[approval.id].state is State.CANCELLED
                )

        this.live.do(over)
    (tool,) = this.tools()
    assert (tool["verdict"], tool["approval_id"]) == ("hold", approval.id)


def test_a_kill_ends_a_running_stream() -> None:
    kill = Kill(id="ki_1", scope=KillScope.ALL, target="", by="c", reason="Fire drill.", at=NOW)
    with (
        gated(sse(stream(text(0, "hm"), call(1, DANGER)), chunked=True)) as this,
        this.asking() as client,
    ):
        (approval,) = this.pending()
        this.desk.kill = kill

        async def strike() -> None:
            this.stand.suite.kill(kill)

        this.live.do(strike)
        said = read_answer(client)
        assert DANGER.encode() not in said
        assert b"Fire drill." in said
        assert this.desk.approvals[approval.id].state is State.CANCELLED


def test_a_call_that_was_cut_off_is_not_run() -> None:
    block = {"type": "tool_use", "id": "toolu_0", "name": "Bash", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"command": "rm -r'}
    cut = (
        event("content_block_start", index=0, content_block=block)
        + event("content_block_delta", index=0, delta=delta)
        + event("content_block_stop", index=0)
    )
    with gated(sse(stream(cut), chunked=True)) as this, this.asking() as client:
        said = until(client, b"0\r\n\r\n")
        assert b"rm -r" not in said
        assert b"cut off" in said
    assert [tool["verdict"] for tool in this.tools()] == ["deny"]


def test_an_answer_of_an_unknown_kind_is_refused() -> None:
    odd = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"
    with gated(odd) as this, this.asking() as client:
        said = read_answer(client)
        assert b"200 OK" not in said


def test_a_store_that_fails_lets_no_call_through() -> None:
    with gated(sse(stream(call(0, DANGER)), chunked=True)) as this, this.asking() as client:
        this.desk.ask = _fail  # type: ignore[method-assign,assignment]  # breaks on purpose
        said = until(client, b"0\r\n\r\n")
        assert DANGER.encode() not in said
        assert b"could not be found out" in said


async def _fail(_asking: object) -> Approval:
    raise RuntimeError("broken on purpose")
