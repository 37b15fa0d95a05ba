"""Which run an exchange is part of."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.model import GUESSED
from proctor.runs import IDLE, MAX_CALLS, TOLD, Runs, open_met
from tests.support.parts import ALICE, BOB

START = datetime(2026, 1, 2, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def test_a_run_goes_on_until_it_has_rested() -> None:
    clock = Clock()
    runs = Runs(clock)
    first = runs.session(ALICE, "a", client="x/1", turn=True)
    clock.now += IDLE
    again = runs.session(ALICE, "a", client="y/2")
    assert (again.started, again.client, again.turns) == (first.started, "x/1", 1)
    clock.now += IDLE + timedelta(seconds=1)
    assert runs.session(ALICE, "a").started == clock.now


def test_two_principals_share_no_run() -> None:
    runs = Runs(Clock())
    runs.session(ALICE, "a", repository="/work")
    assert runs.session(BOB, "a").repository == ""
    assert runs.session(ALICE, "a").repository == "/work"


def test_the_only_run_is_guessed() -> None:
    runs = Runs(Clock())
    assert runs.joined(ALICE) is None
    runs.session(ALICE, "a")
    found = runs.joined(ALICE)
    assert found is not None
    assert (found.id, found.correlated_by) == ("a", GUESSED)
    runs.session(ALICE, "b")
    assert runs.joined(ALICE) is None


def test_a_call_is_known_again() -> None:
    runs = Runs(Clock())
    runs.called(ALICE, runs.session(ALICE, "a"), "t1")
    runs.session(ALICE, "b")
    found = runs.joined(ALICE, "t1")
    assert found is not None
    assert (found.id, found.correlated_by) == ("a", "tool_use")
    assert runs.joined(BOB, "t1") is None


def test_calls_are_forgotten_in_the_end() -> None:
    runs = Runs(Clock())
    first = runs.session(ALICE, "a")
    runs.session(ALICE, "b")
    for number in range(MAX_CALLS + 1):
        runs.called(ALICE, first, f"t{number}")
    assert runs.joined(ALICE, "t0") is None
    assert runs.joined(ALICE, "t1") is not None


def test_what_was_met_is_known_of_every_run_of_a_principal() -> None:
    clock = Clock()
    runs = Runs(clock)
    session = runs.session(ALICE, "s1")
    assert runs.told(ALICE, session) == session
    assert runs.told(ALICE, None) is None
    runs.meet(ALICE, ["SECRET", "API_KEY"], 0.4)
    runs.meet(ALICE, ["API_KEY"], 0.9)
    runs.meet(ALICE, [], 0.2)
    for told in (runs.told(ALICE, session), runs.told(ALICE, None)):
        assert told
        assert told.exposed == ("API_KEY", "SECRET")
        assert told.suspicious == 0.9
    assert runs.told(BOB, None) is None


def test_what_was_met_is_forgotten() -> None:
    clock = Clock()
    runs = Runs(clock)
    runs.meet(ALICE, ["SECRET"], 0.9)
    clock.now += IDLE + timedelta(seconds=1)
    assert runs.told(ALICE, None) is None
    runs.meet(ALICE, ["SECRET"], 0.9)
    for _ in range(49):
        clock.now += IDLE
        runs.told(ALICE, None)
    assert runs.told(ALICE, None) is None


def test_a_host_is_new_once_or_as_long_as_it_came_after_what_was_met() -> None:
    clock = Clock()
    runs = Runs(clock)
    assert runs.new_host(ALICE, "a.test")
    assert not runs.new_host(ALICE, "a.test")
    clock.now += timedelta(seconds=1)
    runs.meet(ALICE, ["SECRET"])
    assert not runs.new_host(ALICE, "a.test")
    assert [runs.new_host(ALICE, "b.test") for _ in range(2)] == [True, True]
    assert not runs.new_host(ALICE, "127.0.0.1")
    assert not runs.new_host(ALICE, "localhost")


def test_what_reached_an_agent_through_one_process_is_known_to_the_next(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    clock = Clock()
    with closing(open_met(tmp_path)) as here, closing(open_met(tmp_path)) as there:
        one, two = Runs(clock, here), Runs(clock, there)
        assert two.told(ALICE, None) is None
        one.meet(ALICE, ["API_KEY"], 0.6)
        for runs in (one, two):
            told = runs.told(ALICE, None)
            assert told is not None
            assert (told.exposed, told.suspicious) == (("API_KEY",), 0.6)
        assert two.told(BOB, None) is None
        two.meet(ALICE, ["PASSWORD"], 0.3)
        back = one.told(ALICE, None)
        assert back is not None
        assert (back.exposed, back.suspicious) == (("API_KEY", "PASSWORD"), 0.6)


def test_what_rules_saw_is_told_again_without_asking_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    clock = Clock()
    with closing(open_met(tmp_path)) as here, closing(open_met(tmp_path)) as there:
        one, two = Runs(clock, here), Runs(clock, there)
        assert two.told_before(ALICE, None) is None
        one.meet(ALICE, ["API_KEY"])
        assert two.told(ALICE, None) is not None
        one.meet(ALICE, ["PASSWORD"])
        seen = two.told_before(ALICE, None)
        assert seen is not None
        assert seen.exposed == ("API_KEY",)


def test_whoever_goes_on_in_one_process_is_not_forgotten_in_the_next(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    clock = Clock()
    with closing(open_met(tmp_path)) as here, closing(open_met(tmp_path)) as there:
        one, two = Runs(clock, here), Runs(clock, there)
        one.meet(ALICE, ["API_KEY"])
        for _ in range(4):
            clock.now += IDLE - timedelta(minutes=1)
            assert one.told(ALICE, None) is not None
        assert two.told(ALICE, None) is not None
        clock.now += IDLE + TOLD + timedelta(seconds=1)
        assert two.told(ALICE, None) is None
        assert one.told(ALICE, None) is None


def test_what_cannot_be_shared_is_not_met(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with closing(open_met(tmp_path)) as here:
        runs = Runs(Clock(), here)
        assert runs.told(ALICE, None) is None
    with pytest.raises(InternalError):
        runs.meet(ALICE, ["API_KEY"])
    with pytest.raises(InternalError):
        runs.told(ALICE, None)
