"""A session played in a terminal."""

import os
import pty
from io import StringIO

import pytest
from rich.console import Console

from proctor.cli.film import at_once, drawn, keys, play, shown
from proctor.replay.film import Event
from tests.support.recorded import HOSTILE


def event(at: float, long: float, kind: str, text: str, label: str = "") -> Event:
    return Event(at=at, until=at + long, turn=1, kind=kind, text=text, label=label)


EVENTS = [
    event(0, 0, "turn", "", "12:00 · m"),
    event(0, 0, "you", "hello\nthere"),
    event(1, 8, "claude", "word " * 20),
    event(3, 0, "outside", "", "GET https://api.internal/"),
    event(11, 0, "tool", HOSTILE, f"Bash{HOSTILE}"),
]


def text(*events: Event) -> str:
    return "".join(piece.plain for _, piece in shown(events))


def test_what_is_shown() -> None:
    told = text(*EVENTS)
    assert told.startswith("\n── 1 · 12:00 · m \nyou       hello\n          there\nclaude    word")
    # Something else happened in between, and then the same goes on.
    assert "\n── 1 · GET https://api.internal/ \nclaude    word" in told
    assert told.count("word ") == 20


def test_nothing_is_obeyed() -> None:
    for given in (text(*EVENTS), "".join(each for _, each in drawn(EVENTS, 80))):
        assert "owned" in given
        for bad in ("\x1b]", "\x07", "\u202e", "\r", "\x1b[2J", "\x9b"):
            assert bad not in given
    out = StringIO()
    at_once(EVENTS, Console(file=out, markup=False, highlight=False))
    assert "\x1b" not in out.getvalue()
    assert "[red]x[/red]" in out.getvalue()


def test_time_passes_as_it_did() -> None:
    for speed in (1.0, 4.0):
        waited: list[float] = []

        def wait(seconds: float, waited: list[float] = waited) -> bool:
            waited.append(seconds)
            return True

        assert play(EVENTS, Console(file=StringIO()), wait, speed=speed)
        assert round(sum(waited), 6) == 11 / speed


def test_it_can_be_ended() -> None:
    out = StringIO()
    assert not play(EVENTS, Console(file=out), lambda _: False, speed=1)
    assert "hello" in out.getvalue()
    assert "word" not in out.getvalue()


@pytest.mark.parametrize(
    ("typed", "goes_on"), [(b"x", True), (b"  ", True), (b"q", False), (b" q", False)]
)
def test_keys(typed: bytes, *, goes_on: bool) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "rb", buffering=0) as terminal, keys(terminal) as wait:  # type: ignore[arg-type] # only its number counts
        os.write(ours, typed)
        assert wait(0.05) is goes_on
    os.close(ours)


def test_without_a_terminal_time_just_passes() -> None:
    with keys(StringIO()) as wait:
        assert wait(0.001)
