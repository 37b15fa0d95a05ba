"""What of a recorded session can be served."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.conversation import conversation
from proctor.audit.find import find
from proctor.audit.reader import opened
from proctor.errors import ClientError
from proctor.model import Action, ActionKind, Allow, Decision, HttpFields, RecordMode
from proctor.record import Closing, Opening, Seen
from proctor.replay.plan import Request
from proctor.replay.recorded import Recording, read, route, to_send
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, STREAM, Tape, record, redacted, story, text
from tests.support.ventured import venture


def of(folder: Path) -> Recording:
    with opened(folder) as reader:
        assert reader is not None
        return read(conversation(reader, find(reader, SESSION)))


def test_a_session(tmp_path: Path) -> None:
    found = of(record(tmp_path / "r", story))
    assert [each.turn for each in found.turns] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert found.left_out == {8: "its content was not recorded", 10: "it had no answer"}
    first, *_, again, count = found.turns
    assert (first.answer, first.status, first.cut) == (STREAM, 200, False)
    assert (again.cut, again.answer) == (True, STREAM[: len(again.answer)])
    assert count.route == "/v1/messages/count_tokens"
    busy = found.turns[5]
    assert (busy.status, busy.cut) == (529, False)
    assert [len(each.asked.messages) for each in found.turns[:2]] == [1, 3]
    assert first.asked.messages[0] is found.turns[1].asked.messages[0]


def test_what_was_taken_out_is_known(tmp_path: Path) -> None:
    assert of(record(tmp_path / "r", redacted)).types == {"PASSWORD", "PERSON", "EMAIL_ADDRESS"}


def test_only_the_model_s_turns(tmp_path: Path) -> None:
    venture(tmp_path / "r")
    found = of(tmp_path / "r")
    assert {route(each.route) for each in found.turns} == {"/v1/messages"}
    assert found.left_out == {}


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    async def odd(tape: Tape) -> None:
        await tape.turn(tape.say(text("a")), b"event: \xff\n\n")

    with pytest.raises(ClientError) as caught:
        of(record(tmp_path / "r", odd))
    assert (caught.value.code, caught.value.got) == ("replay-nothing", "its answer is no UTF-8")


def test_a_session_that_never_asked(tmp_path: Path) -> None:
    async def refused(tape: Tape) -> None:
        await tape.refuse(tape.say(text("a")), status=401)

    with pytest.raises(ClientError) as caught:
        of(record(tmp_path / "r", refused))
    assert (caught.value.code, caught.value.got) == ("replay-nothing", "proctor did not let it in")


def test_what_a_rule_said_no_to_is_served_and_never_sent(tmp_path: Path) -> None:
    async def refused(tape: Tape) -> None:
        await tape.refuse(tape.say(text("a")))

    with opened(record(tmp_path / "r", refused)) as reader:
        assert reader is not None
        talk = conversation(reader, find(reader, SESSION))
        (turn,) = read(talk).turns
        with pytest.raises(ClientError) as caught:
            to_send(talk, 1, 9)
    assert (turn.status, turn.cut, len(turn.asked.messages)) == (451, False, 1)
    said = json.loads(turn.answer)["error"]["message"]
    assert said == "proctor: The model is not to search the web. (rule no-remote-features)"
    assert (caught.value.code, caught.value.got) == ("replay-nothing", "proctor refused it")


async def api(
    tape: Tape,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    answer: bytes = b"{}",
    status: int = 200,
    headers: dict[str, str | None] | None = None,
    record_: RecordMode = RecordMode.FULL,
    listener: str = "tickets",
) -> None:
    run_ = tape.session(SESSION, ALICE)
    tape.flows += 1
    action = Action(
        kind=ActionKind.HTTP_REQUEST, listener=listener, target=path, size=len(body),
        http=HttpFields(method=method, scheme="https", host="api.internal", port=443, path=path),
    )  # fmt: skip
    tape.rules.answers[listener] = Decision(verdict=Allow(rule_id="api"), record=record_)
    opening = Opening(
        flow_id=f"h{tape.flows:04d}-0000", listener=listener, protocol="http/1.1", method=method,
        scheme="https", host="api.internal", port=443, path=path, started_at=tape.now,
        body=body or None,
        seen=Seen(size=len(body), headers=headers) if headers is not None else None,
    )  # fmt: skip
    ticket = await tape.gate.begin(opening, ALICE, run_, tape.gate.decide(ALICE, run_, [action]))
    content = tape.gate.stream(ticket)
    if content and answer:
        content.feed(answer)
    closing = Closing(
        status=status, request_bytes=len(body), response_bytes=len(answer), body=content
    )
    await tape.gate.end(ticket, closing)


JSON: dict[str, str | None] = {"content-type": "application/json; charset=utf-8", "accept": "x"}


def sendable(folder: Path, *plays: Callable[[Tape], Awaitable[None]]) -> list[Request]:
    record(folder, *plays)
    with opened(folder) as reader:
        assert reader is not None
        return to_send(conversation(reader, find(reader, SESSION)), 1, 99, "tickets")


def test_requests_to_an_api(tmp_path: Path) -> None:
    async def play(tape: Tape) -> None:
        await tape.turn(tape.say(text("a")), STREAM)
        await api(tape, "GET", "/items?all=1", headers={}, answer=b"[1]")
        await api(tape, "PUT", "/items/7", body=b'{"a":"\xc3\xa9"}', headers=JSON, status=204,
                  answer=b"")  # fmt: skip
        await api(tape, "GET", "/elsewhere", headers={}, listener="other")

    get, put = sendable(tmp_path / "r", play)
    assert (get.turn, get.kind, get.method, get.path, get.body, get.content_type) == (
        2, ActionKind.HTTP_REQUEST, "GET", "/items?all=1", b"", "",
    )  # fmt: skip
    assert (get.recorded.status, get.recorded.text) == (200, "[1]")
    assert (put.method, put.body, put.content_type) == (
        "PUT", b'{"a":"\xc3\xa9"}', "application/json; charset=utf-8",
    )  # fmt: skip
    assert (put.recorded.status, put.recorded.text, put.model) == (204, "", "")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"body": b"x"}, "the type of its body is not on record"),
        ({"body": b"x", "headers": {"content-type": None}}, "the type of its body is not on recor"),
        ({"body": b"x", "headers": JSON | {"content-encoding": "gzip"}}, "its body was compressed"),
        ({"body": b"\xff", "headers": JSON}, "its request is no UTF-8"),
        ({"record_": RecordMode.METADATA, "headers": {}}, "its content was not recorded"),
        ({"status": 101, "headers": {}}, "it is no request"),
        ({"listener": "other"}, "no request through that listener"),
    ],
)
def test_requests_of_which_something_is_missing(
    tmp_path: Path, given: dict[str, Any], why: str
) -> None:
    async def play(tape: Tape) -> None:
        await api(tape, "POST", "/items", **given)

    with pytest.raises(ClientError) as caught:
        sendable(tmp_path / "r", play)
    assert caught.value.code == "replay-nothing"
    assert str(caught.value.got).startswith(why)
