"""A session as turns."""

from collections.abc import Iterator

import pytest

from proctor.audit import conversation as module
from proctor.audit.answers import Said
from proctor.audit.conversation import Conversation, conversation
from proctor.audit.find import find
from proctor.audit.reader import Content, Reader, opened
from proctor.audit.turns import Call, Turn
from proctor.errors import ClientError
from proctor.model import ContentRef
from tests.support.parts import ALICE
from tests.support.recorded import (
    SESSION,
    Tape,
    answer,
    call,
    others,
    record,
    result,
    story,
    text,
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path = record(tmp_path_factory.mktemp("conversation") / "r", story, others, twice)
    with opened(path) as found:
        assert found is not None
        yield found


async def twice(tape: Tape) -> None:
    """One id for two calls, and a result that comes twice."""
    same = answer(call("Bash", "t", command="ls"), call("Bash", "t", command="rm -rf /"))
    await tape.turn(tape.say(text("go")), same, session="twice")
    body = tape.say(result("t", "first"))
    await tape.turn(body, answer(text("a")), session="twice")
    tape.messages[-2:] = []
    await tape.turn(tape.say(result("t", "second")), answer(text("b")), session="twice")


@pytest.fixture
def alices(reader: Reader) -> Conversation:
    return conversation(reader, find(reader, SESSION, "alice"))


def calls(turn: Turn) -> list[Call]:
    return [part for part in turn.parts if isinstance(part, Call)]


def test_totals(alices: Conversation) -> None:
    totals = alices.totals
    assert (totals.session_id, totals.principal, totals.client) == (
        SESSION, ALICE.key, "claude-cli/2.1.330",
    )  # fmt: skip
    assert (totals.runs, totals.exchanges, totals.turns) == (2, 10, 9)
    assert (totals.tool_calls, totals.refused, totals.cache_read_tokens) == (4, 1, 36_000)
    assert len(alices) == 10


def test_timing(alices: Conversation) -> None:
    turns = list(alices.turns())
    assert [turn.number for turn in turns] == list(range(1, 11))
    assert [turn.seconds for turn in turns][:2] == [1.25, 1.25]
    assert (turns[0].pause, turns[1].pause, turns[3].pause) == (None, 3.5, None)
    assert [turn.beside for turn in turns][2:4] == [(), (3,)]
    assert [turn.number for turn in turns if turn.new_run] == [9]
    assert turns[6].same_as == 6
    assert turns[9].seconds is None


def test_results_stand_with_their_calls(alices: Conversation) -> None:
    turns = list(alices.turns())
    (bash,) = calls(turns[0])
    assert bash.result is not None
    assert bash.result.content is not None
    assert bash.result.content.text.startswith("line 0\n")
    assert (bash.result.turn, bash.result.after, bash.verdict) == (2, 3.5, "allow")
    read, _ = calls(turns[1])
    assert read.result is not None
    assert read.result.is_error
    assert turns[1].results == ()


def test_parts_are_in_order(alices: Conversation) -> None:
    first = next(alices.turns())
    assert [getattr(part, "kind", "call") for part in first.parts] == ["thinking", "text", "call"]
    assert first.prompt is not None
    assert first.prompt.text.endswith("How many files are here?")


def test_errors(alices: Conversation) -> None:
    turns = list(alices.turns())
    assert turns[5].problem == "overloaded_error: Overloaded"
    assert (turns[6].exchange.coverage or "").startswith("cut:")


def test_only_metadata(alices: Conversation) -> None:
    (turn,) = alices.turns(only=8)
    assert (turn.exchange.record, turn.prompt) == ("metadata", None)
    assert [(each.name, each.input) for each in calls(turn)] == [("Bash", None)]


def test_a_limit(alices: Conversation) -> None:
    first = next(alices.turns(limit=10))
    assert first.prompt is not None
    assert len(first.prompt.text) == 10
    assert first.prompt.omitted == first.prompt.size - 10


def test_bodies(alices: Conversation) -> None:
    (turn,) = alices.turns(only=2, bodies=True)
    assert turn.request_body is not None
    assert turn.response_body is not None
    assert turn.request_body.text.startswith('{"model"')
    assert turn.response_body.text.startswith('{"id"')
    (without,) = alices.turns(only=2)
    assert without.request_body is None


def test_from_one_to_another(alices: Conversation) -> None:
    assert [turn.number for turn in alices.turns(only=3, last=5)] == [3, 4, 5]
    assert [turn.number for turn in alices.turns(only=9, last=99)] == [9, 10]


@pytest.mark.parametrize("only", [0, 11, -1])
def test_no_such_turn(alices: Conversation, only: int) -> None:
    with pytest.raises(ClientError, match="1 to 10"):
        next(alices.turns(only=only))


def test_one_exchange_is_a_turn_of_its_session(reader: Reader) -> None:
    found = conversation(reader, find(reader, "f0002"))
    assert found.number("f0002-0000") == 2
    assert len(found) == 10


def test_batches_are_bounded(alices: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    contents = Reader.contents

    def counted(self: Reader, wanted: dict[ContentRef, int | None]) -> dict[ContentRef, Content]:
        asked.append(len(wanted))
        return contents(self, wanted)

    whole = list(alices.turns())
    monkeypatch.setattr(module, "_BATCH_TURNS", 3)
    monkeypatch.setattr(Reader, "contents", counted)
    assert list(alices.turns()) == whole
    assert len(asked) == 4
    monkeypatch.setattr(module, "_BATCH_BYTES", 1)
    assert list(alices.turns()) == whole
    assert len(asked) == 12  # turns without content go with the next


def test_no_call_hides_behind_the_id_of_another(reader: Reader) -> None:
    found = conversation(reader, find(reader, "twice"))
    first, second, third = found.turns()
    assert [each.input and each.input.text for each in calls(first)] == [
        '{"command":"ls"}', '{"command":"rm -rf /"}',
    ]  # fmt: skip
    outcomes = [each.result for each in calls(first)]
    assert [each and each.content and each.content.text for each in outcomes] == ["first"] * 2
    assert second.results == third.results == ()
    assert [part.content.text for part in second.parts if isinstance(part, Said)] == ["a"]
