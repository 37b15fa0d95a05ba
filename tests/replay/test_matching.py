"""Which recorded turn answers."""

from dataclasses import replace

from proctor.replay.matching import Match, Recorded, Script
from proctor.replay.normal import Asked
from proctor.replay.same import Redacted

PATH = "/v1/messages"


def ask(*messages: str, tools: tuple[str, ...] = ("Bash",), head: str = "main") -> Asked:
    return Asked(
        model="m", stream=True, tools=tools, head=head, system=f"{head} rest", messages=messages
    )


def turn(number: int, asked: Asked, route: str = PATH) -> Recorded:
    return Recorded(turn=number, route=route, asked=asked, status=200, answer=b"%d" % number)


def found(script: Script, asked: Asked, route: str = PATH) -> Match:
    match = script.find(route, asked)
    assert match is not None
    return match


def test_by_the_conversation() -> None:
    script = Script([turn(1, ask("a")), turn(2, ask("a", "b", "c")), turn(3, ask("x"))], Redacted())
    for asked, number in ((ask("a", "b", "c"), 2), (ask("x"), 3), (ask("a"), 1)):
        match = found(script, asked)
        assert (match.recorded.turn, match.divergence, match.besides) == (number, None, ())
    assert script.unused == ()


def test_a_retry_gets_the_same_again() -> None:
    script = Script([turn(1, ask("a")), turn(2, ask("b"))], Redacted())
    assert [found(script, ask("a")).again for _ in range(3)] == [False, True, True]


def test_recorded_retries_come_in_their_order() -> None:
    script = Script([turn(1, ask("a")), turn(2, ask("a")), turn(3, ask("b"))], Redacted())
    assert [found(script, ask("a")).recorded.turn for _ in range(4)] == [1, 2, 2, 2]


def test_side_requests_are_apart() -> None:
    title = ask("a", tools=(), head="title")
    helper = ask("a", head="helper")
    script = Script([turn(1, ask("a")), turn(2, title), turn(3, helper)], Redacted())
    assert found(script, helper).recorded.turn == 3
    assert found(script, title).recorded.turn == 2
    assert found(script, ask("a")).recorded.turn == 1


def test_nothing_of_the_kind() -> None:
    script = Script([turn(1, ask("a"))], Redacted())
    assert script.find(PATH, ask("a", tools=())) is None
    assert script.find(f"{PATH}/count_tokens", ask("a")) is None
    assert script.unused == (1,)


def test_the_first_divergence_and_what_comes_after_it() -> None:
    script = Script(
        [turn(1, ask("a")), turn(2, ask("a", "b", "c")), turn(3, ask("a", "b", "c", "d", "e"))],
        Redacted(),
    )
    found(script, ask("a"))
    first = found(script, ask("a", "b", "other"))
    assert first.recorded.turn == 2
    assert first.divergence is not None
    assert (first.divergence.turn, first.divergence.message) == (2, 3)
    assert (first.divergence.recorded, first.divergence.asked) == ("c", "other")
    # The conversation goes on beside the recorded one, and does not stay where it parted.
    assert found(script, ask("a", "b", "other", "d", "e")).recorded.turn == 3


def test_a_message_too_many_and_one_too_few() -> None:
    script = Script([turn(1, ask("a", "b"))], Redacted())
    more, less = found(script, ask("a", "b", "c")).divergence, found(script, ask("a")).divergence
    assert more is not None
    assert less is not None
    assert (more.message, more.recorded, more.asked) == (3, "", "c")
    assert (less.message, less.recorded, less.asked) == (2, "b", "")


def test_only_what_is_around_is_shown() -> None:
    script = Script([turn(1, ask("x" * 1000 + "one" + "y" * 1000))], Redacted())
    found_ = found(script, ask("x" * 1000 + "two" + "y" * 1000)).divergence
    assert found_ is not None
    assert found_.recorded == f"…{'x' * 30}one{'y' * 157}…"
    assert found_.asked == f"…{'x' * 30}two{'y' * 157}…"


def test_what_else_differs() -> None:
    script = Script([turn(1, ask("a"))], Redacted())
    other = replace(ask("a", tools=("Read",), head="else"), model="n")
    match = found(script, other)
    assert (match.divergence, match.besides) == (None, ("model", "system", "tools"))


def test_what_was_taken_out_is_no_divergence() -> None:
    script = Script([turn(1, ask("I am <PERSON>."))], Redacted({"PERSON"}))
    assert found(script, ask("I am Alice.")).divergence is None


def test_one_divergence_is_told_once() -> None:
    turns = [turn(1, ask("a", "b")), turn(2, ask("a", "b", "c")), turn(3, ask("a", "b", "c", "d"))]
    script = Script(turns, Redacted())
    first = found(script, ask("a", "B"))
    assert (first.recorded.turn, first.divergence and first.divergence.asked) == (1, "B")
    after = found(script, ask("a", "B", "c"))
    assert (after.recorded.turn, after.divergence) == (2, None)
    again = found(script, ask("a", "B", "c", "D"))
    assert again.divergence is not None
    assert (again.recorded.turn, again.divergence.asked) == (3, "D")
    assert found(script, ask("a", "X", "c")).divergence is not None


def test_where_a_divergence_ends_it_all_it_is_one_each_time() -> None:
    turns = [turn(1, ask("a", "b")), turn(2, ask("a", "b", "c"))]
    script = Script(turns, Redacted(), goes_on=False)
    for asked in (ask("a", "B"), ask("a", "B"), ask("a", "B", "c")):
        assert found(script, asked).divergence is not None


def test_messages_that_are_not_there_are_not_taken_for_others() -> None:
    script = Script([turn(1, ask("a", "b")), turn(2, ask("a", "b", "c"))], Redacted())
    for _ in range(2):
        assert found(script, ask("a", "x", "y", "z")).divergence is not None
