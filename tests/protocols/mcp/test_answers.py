"""An answer is judged message by message, however it is cut."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import InternalError, ProctorError, RefusedError, UpstreamError
from proctor.protocols.mcp.answers import (
    Asked,
    Denied,
    Framing,
    McpAnswer,
    Outcome,
    Pass,
    framing,
)
from proctor.protocols.mcp.messages import Message, read
from proctor.redaction.handling import Rewritten, joined
from proctor.redaction.model import RedactionError

NO = RefusedError("policy-denied", "No sampling from here.", rule_id="no-sampling")
SECRET = b"hunter2"


class Person:
    """Judges as a test says."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome
        self.asked: list[Asked] = []
        self.seen: list[Any] = []

    def keep(self, tool: Mapping[str, Any]) -> bool:
        self.seen.append(tool["name"])
        return not tool["name"].startswith("bad")

    def instructions(self, text: str) -> bool:
        self.seen.append(text)
        return "IMPORTANT" not in text

    def ask(self, asked: Asked) -> Outcome | None:
        self.asked.append(asked)
        return self.outcome


def untouched(raw: bytes) -> Rewritten:
    return Rewritten(raw, raw)


def masked(raw: bytes) -> Rewritten:
    return Rewritten(raw, raw.replace(SECRET, b"*"))


def request(method: str = "tools/call", *, modern: bool = False) -> Message:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"} if modern else {}
    params = {"name": "t", "_meta": meta}
    return read(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    )


def message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def event(data: bytes, end: bytes = b"\n", lines: bytes = b"event: message\n") -> bytes:
    return lines.replace(b"\n", end) + b"data: " + data + end + end


def answer(
    way: Framing = Framing.EVENTS,
    judge: Person | None = None,
    *,
    to: Message | None = None,
    redact: Callable[[bytes], Rewritten] = untouched,
    clock: Callable[[], float] = lambda: 0.0,
    **limits: int,
) -> McpAnswer:
    return McpAnswer(to, way, judge or Person(Pass()), redact, clock=clock, **limits)


def whole(sent: McpAnswer, raw: bytes, size: int = 0) -> Rewritten:
    size = size or len(raw) or 1
    parts = [sent.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    return joined([*parts, sent.finish()])


RESULT = message(id=1, result={"content": [{"type": "text", "text": "hunter2 é"}]})
PROGRESS = message(method="notifications/progress", params={"progress": 1})
SAMPLING = message(id=7, method="sampling/createMessage", params={"maxTokens": 5})
TOOLS = message(
    id=1,
    result={
        "tools": [{"name": "good", "n": 1.5}, {"name": "bad", "x": [1]}, "odd", {"name": "fine"}],
        "nextCursor": "c",
        "ttlMs": 5,
    },
)
LEFT = {"tools": [{"name": "good", "n": 1.5}, {"name": "fine"}], "nextCursor": "c", "ttlMs": 5}
ASKS = message(
    id=1,
    result={
        "resultType": "input_required",
        "inputRequests": {
            "a": {"method": "elicitation/create", "params": {"message": "?"}},
            "b": {"method": "roots/list"},
        },
        "requestState": "s",
    },
)


def test_the_message_that_was_read_last_is_at_hand() -> None:
    for way, raw in ((Framing.JSON, RESULT), (Framing.EVENTS, event(PROGRESS) + event(RESULT))):
        it = answer(way)
        assert it.last is None
        whole(it, raw)
        assert it.last == read(RESULT)


def test_framing() -> None:
    assert framing("application/json; charset=utf-8") is Framing.JSON
    assert framing("Text/Event-Stream") is Framing.EVENTS
    assert framing("text/html") is None
    assert framing("") is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_unchanged_byte_for_byte_at_every_cut(end: bytes) -> None:
    raw = b"".join(
        (
            b"id: 0" + end + b"data:" + end + end,
            b"retry: 50" + end + end,
            event(PROGRESS, end, b"id: 5\nevent: message\n"),
            b":" + end + end,
            event(PROGRESS.replace(b", ", b"," + end + b"data: "), end, b""),
            event(RESULT, end),
        )
    )
    for size in range(1, len(raw) + 1):
        assert whole(answer(to=request()), raw, size) == Rewritten(raw, raw)


def test_json_byte_for_byte_at_every_cut() -> None:
    raw = b" \r\n" + RESULT + b"\n"
    for size in range(1, len(raw) + 1):
        assert whole(answer(Framing.JSON, to=request()), raw, size) == Rewritten(raw, raw)


def test_messages_go_on_as_they_come() -> None:
    sent = answer(to=request())
    first = event(PROGRESS)
    assert sent.feed(first[:-1]).client == b""
    assert sent.feed(first[-1:]).client == first
    assert sent.feed(event(RESULT)).client == event(RESULT)


def test_redacted_for_the_record_alone() -> None:
    raw = event(RESULT, b"\r\n", b"id: 9\n")
    out = whole(answer(to=request(), redact=masked), raw)
    assert out.client == raw
    assert out.record == b"id: 9\r\ndata: " + RESULT.replace(SECRET, b"*") + b"\n\n"
    out = whole(answer(Framing.JSON, to=request(), redact=masked), RESULT)
    assert (out.client, out.record) == (RESULT, RESULT.replace(SECRET, b"*"))


@pytest.mark.parametrize("to", [request("tools/list"), request("tools/call"), None])
def test_lists_of_tools_are_filtered(to: Message | None) -> None:
    """By shape: clients may take any response for the one they wait for."""
    judge = Person(Pass())
    out = whole(answer(Framing.JSON, judge, to=to), TOOLS)
    assert json.loads(out.client) == {"jsonrpc": "2.0", "id": 1, "result": LEFT}
    assert judge.seen == ["good", "bad", "fine"]
    out = whole(answer(to=to), event(TOOLS, b"\r\n", b"id: 4\n"))
    assert out.client.startswith(b"id: 4\r\ndata: {")
    assert json.loads(out.client.partition(b"data: ")[2])["result"] == LEFT


def test_a_list_that_stays_is_not_touched() -> None:
    raw = message(id=1, result={"tools": [{"name": "good", "n": 1.50}]}).replace(b"1.5", b"1.500")
    assert whole(answer(Framing.JSON, to=request("tools/list")), raw).client == raw


def test_instructions() -> None:
    kept = message(id=1, result={"instructions": "Weather.", "supportedVersions": []})
    assert whole(answer(Framing.JSON, to=request("server/discover")), kept).client == kept
    for said in ("<IMPORTANT>", 7):
        raw = message(id=1, result={"instructions": said, "supportedVersions": []})
        out = whole(answer(Framing.JSON, to=request("initialize")), raw)
        assert json.loads(out.client)["result"] == {"supportedVersions": []}


def test_server_questions_pass_where_they_may() -> None:
    judge = Person(Pass())
    raw = event(SAMPLING) + event(RESULT)
    assert whole(answer(judge=judge, to=request()), raw).client == raw
    assert [(each.number, each.method, each.params) for each in judge.asked] == [
        (0, "sampling/createMessage", {"maxTokens": 5})
    ]


def test_a_ping_is_no_question() -> None:
    judge = Person(Denied(NO))
    raw = event(message(id=3, method="ping"))
    assert whole(answer(judge=judge), raw).client == raw
    assert judge.asked == []


def test_a_denied_question_keeps_its_id_and_frame() -> None:
    raw = event(SAMPLING, b"\r\n", b"id: 3\n") + event(RESULT)
    out = whole(answer(judge=Person(Denied(NO)), to=request()), raw)
    denied = b'{"jsonrpc":"2.0","id":7,"method":"proctor/denied"}'
    assert out.client == b"id: 3\r\ndata: " + denied + b"\n\n" + event(RESULT)
    assert out.record == out.client


def test_what_waits_keeps_all_behind_it_in_order() -> None:
    judge = Person(None)
    sent = answer(judge=judge, to=request())
    second = message(id=8, method="roots/list")
    out = sent.feed(event(PROGRESS) + event(SAMPLING) + event(second) + event(RESULT))
    assert out.client == event(PROGRESS)
    assert sent.idle is False
    assert sent.waiting == tuple(judge.asked)
    sent.settle(1, Denied(NO))
    assert sent.released().client == b""
    sent.settle(0, Pass())
    out = sent.released()
    assert out.client == event(SAMPLING) + event(second).replace(
        second, b'{"jsonrpc":"2.0","id":8,"method":"proctor/denied"}'
    ) + event(RESULT)
    assert (sent.idle, sent.waiting) == (True, ())
    assert sent.finish().client == b""


@pytest.mark.parametrize("way", list(Framing))
@pytest.mark.parametrize("modern", [False, True])
def test_denied_input_requests_answer_the_request(way: Framing, modern: bool) -> None:  # noqa: FBT001
    judge = Person(None)
    sent = answer(way, judge, to=request(modern=modern))
    raw = ASKS if way is Framing.JSON else event(ASKS)
    assert whole(sent, raw).client == b""
    assert [each.method for each in judge.asked] == ["elicitation/create", "roots/list"]
    sent.settle(0, Pass())
    assert sent.released().client == b""
    sent.settle(1, Denied(NO))
    said = json.loads(sent.released().client.removeprefix(b"event: message\ndata: "))
    assert said["id"] == 1
    assert said["result"]["isError"] is True
    assert "No sampling from here" in said["result"]["content"][0]["text"]
    assert said["result"].get("resultType") == ("complete" if modern else None)


def test_input_requests_that_may_pass() -> None:
    raw = event(ASKS)
    assert whole(answer(to=request()), raw).client == raw


def test_denied_input_requests_of_other_requests_are_errors() -> None:
    for to in (request("prompts/get"), None):
        out = whole(answer(Framing.JSON, Person(Denied(NO)), to=to), ASKS)
        said = json.loads(out.client)
        assert (said["id"], said["error"]["code"]) == (1, 451)


def test_a_tasks_notification_that_asks() -> None:
    inputs = {"a": {"method": "elicitation/create", "params": {}}}
    for params in ({"inputRequests": inputs}, {"task": {"inputRequests": inputs}}):
        raw = event(message(method="notifications/tasks", params=params))
        judge = Person(Denied(NO))
        assert whole(answer(judge=judge), raw + event(PROGRESS)).client == event(PROGRESS)
        assert [each.method for each in judge.asked] == ["elicitation/create"]


def test_url_elicitation_in_an_error() -> None:
    asked = {"mode": "url", "url": "https://example.com/pay", "message": "?", "elicitationId": "e"}
    raw = message(id=1, error={"code": -32042, "message": "", "data": {"elicitations": [asked]}})
    judge = Person(Denied(NO))
    out = whole(answer(Framing.JSON, judge, to=request()), raw)
    assert json.loads(out.client)["result"]["isError"] is True
    assert judge.asked[0].params == asked
    assert whole(answer(Framing.JSON, Person(Pass()), to=request()), raw).client == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"no json",
        b"[]",
        b"[" + RESULT + b"]",
        RESULT + RESULT,
        RESULT[:-1],
        message(id=2, result={}),
        message(id="1", result={}),
        message(id=2, error={"code": 1, "message": ""}),
        message(id=1, result={"tools": {}}),
        message(id=1, result={"tools": "x"}),
        message(id=1, result={"inputRequests": []}),
        message(id=1, result={"inputRequests": {"a": "x"}}),
        message(id=1, result={"inputRequests": {"a": {"method": 1}}}),
        message(id=1, result={"inputRequests": {"a": {"method": "x", "params": 1}}}),
        message(id=1, result={"inputRequests": {"a": {"method": "x", "Method": "y"}}}),
        message(id=1, error={"code": -32042, "message": "", "data": {}}),
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}',
    ],
)
def test_unreadable_ends_the_answer(raw: bytes) -> None:
    for way, sent in ((Framing.JSON, raw), (Framing.EVENTS, event(raw))):
        with pytest.raises(UpstreamError) as caught:
            whole(answer(way, to=request()), sent)
        assert caught.value.code == "mcp-answer"


def test_two_responses_to_one_request() -> None:
    sent = answer(to=request())
    assert sent.feed(event(RESULT)).client
    with pytest.raises(UpstreamError):
        sent.feed(event(message(id=1, result={})))


def test_bytes_that_are_not_utf8() -> None:
    with pytest.raises(UpstreamError):
        whole(answer(to=request()), event(RESULT.replace(b"hunter2", b"\xff")))


def test_other_events_and_comments_bring_nothing_along() -> None:
    raw = (
        b": password hunter2\r\nid: 4\r\nx-more: hunter2\r\n\r\n"
        + event(b"hunter2", lines=b"event: endpoint\nid: 5\n")
        + b"event: ping\ndata: "
        + RESULT
        + b"\n\n"
    )
    out = whole(answer(), raw)
    assert out.client == b":\r\nid: 4\r\n\r\nid: 5\n\n\n"
    assert out.record == out.client


def test_half_an_event_is_dropped() -> None:
    sent = answer(to=request())
    assert sent.feed(event(RESULT)[:-1]).client == b""
    assert sent.finish() == Rewritten()


def test_limits() -> None:
    with pytest.raises(UpstreamError):
        answer(Framing.JSON, max_message=100).feed(b" " * 101)
    with pytest.raises(UpstreamError):
        answer(max_message=100).feed(b"data: " + b"x" * 100)
    with pytest.raises(UpstreamError):
        answer(max_message=100).feed(event(message(method="x", params={"a": "b" * 100})))
    sent = answer(judge=Person(None), to=request(), max_waiting=200)
    sent.feed(event(SAMPLING))
    with pytest.raises(UpstreamError):
        sent.feed(event(PROGRESS) * 3)
    many = {str(i): {"method": "roots/list"} for i in range(101)}
    with pytest.raises(UpstreamError):
        whole(
            answer(judge=Person(None), to=request()),
            event(message(id=1, result={"inputRequests": many})),
        )


def test_empty_body_of_a_202() -> None:
    assert whole(answer(Framing.JSON), b"") == Rewritten()
    assert whole(answer(Framing.JSON), b"\r\n") == Rewritten(b"\r\n", b"\r\n")


@pytest.mark.parametrize("way", list(Framing))
def test_pings_while_it_waits(way: Framing) -> None:
    now = [0.0]
    sent = answer(way, Person(None), to=request(), clock=lambda: now[0])
    whole(sent, ASKS if way is Framing.JSON else event(ASKS))
    assert sent.ping() == b""
    now[0] = 9.5
    first = sent.ping()
    assert first == (b" " if way is Framing.JSON else b": ping\n\n")
    assert sent.ping() == b""
    sent.settle(0, Pass())
    sent.settle(1, Pass())
    out = first + sent.released().client
    assert json.loads(out.partition(b"data: ")[2] if way is Framing.EVENTS else out)
    now[0] = 30
    assert sent.ping() == b""


@pytest.mark.parametrize("way", list(Framing))
def test_broken_tells_the_client(way: Framing) -> None:
    error = UpstreamError("mcp-answer", "It cannot be read")
    sent = answer(way, Person(None), to=request("tools/list"))
    whole(sent, ASKS if way is Framing.JSON else event(ASKS))
    said = sent.broken(error)
    assert said is not None
    body = json.loads(said.removeprefix(b"event: message\ndata: "))
    assert (body["id"], body["error"]["code"]) == (1, 502)
    assert sent.idle
    assert sent.broken(error) is None
    sent.settle(0, Pass())  # too late, and of no effect
    assert sent.released() == Rewritten()


def test_broken_after_the_response_or_without_a_request_cuts_off() -> None:
    error = UpstreamError("mcp-answer", "It cannot be read")
    sent = answer(to=request())
    sent.feed(event(RESULT))
    assert sent.broken(error) is None
    assert answer().broken(error) is None
    assert answer(to=read(PROGRESS)).broken(error) is None


def test_settling_what_does_not_wait() -> None:
    with pytest.raises(InternalError) as caught:
        answer().settle(0, Pass())
    assert caught.value.code == "question-not-waiting"


def test_what_redaction_or_the_judge_raises_surfaces() -> None:
    def fails(_: bytes) -> Rewritten:
        raise RedactionError("redaction-hits", "Too many")

    class Broken(Person):
        def keep(self, tool: Mapping[str, Any]) -> bool:
            raise InternalError("pins", "The pins cannot be read")

    with pytest.raises(RedactionError):
        whole(answer(to=request(), redact=fails), event(RESULT))
    with pytest.raises(ProctorError):
        whole(answer(judge=Broken(), to=request()), event(TOOLS))


@given(st.binary(max_size=200), st.sampled_from(list(Framing)), st.integers(1, 20))
def test_anything(raw: bytes, way: Framing, size: int) -> None:
    with suppress(UpstreamError):
        whole(answer(way, to=request()), raw, size)


@given(
    st.lists(st.sampled_from([PROGRESS, SAMPLING, message(id=9, method="ping")]), max_size=6),
    st.lists(st.booleans(), max_size=6),
    st.data(),
)
def test_order_is_kept_whatever_is_decided_when(
    sent: list[bytes], votes: list[bool], data: st.DataObject
) -> None:
    judge = Person(None)
    way = answer(judge=judge, to=request())
    out = b""
    for raw in [*sent, RESULT]:
        out += way.feed(event(raw)).client
        numbers = [asked.number for asked in way.waiting]
        settle: bool = data.draw(st.booleans())
        if settle and numbers:
            number: int = data.draw(st.sampled_from(numbers))
            way.settle(number, Denied(NO) if number < len(votes) and votes[number] else Pass())
            out += way.released().client
    for asked in way.waiting:
        denied = asked.number < len(votes) and votes[asked.number]
        way.settle(asked.number, Denied(NO) if denied else Pass())
    out += way.released().client
    number = 0
    expected = b""
    for raw in [*sent, RESULT]:
        shown = raw
        if raw == SAMPLING:
            if number < len(votes) and votes[number]:
                shown = b'{"jsonrpc":"2.0","id":7,"method":"proctor/denied"}'
            number += 1
        expected += event(shown)
    assert out == expected
    assert way.idle
