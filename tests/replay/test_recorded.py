"""What of a recorded session can be served."""

import json
from pathlib import Path

import pytest

from proctor.audit.conversation import conversation
from proctor.audit.find import find
from proctor.audit.reader import opened
from proctor.errors import ClientError
from proctor.replay.recorded import Recording, read, route, to_send
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
