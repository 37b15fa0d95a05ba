"""A session played in a terminal: at its own pace, with a key to pause it and one to end it."""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from time import monotonic
from typing import IO, Final

from rich.console import Console
from rich.text import Text

from proctor.cli.screen import plain
from proctor.replay.film import Event, pieces

_LABEL: Final = 10
_STYLES: Final = {
    "turn": "bold",
    "outside": "bold blue",
    "you": "bold cyan",
    "claude": "bold green",
    "thinks": "dim italic",
    "tool": "bold magenta",
    "sql": "bold blue",
    "result": "magenta",
    "rows": "blue",
    "failed": "bold red",
    "refused": "bold red",
    "error": "bold red",
    "held": "bold yellow",
}
_DIM: Final = frozenset({"thinks", "result"})
_SPACE, _QUIT = b" ", b"q"

type Wait = Callable[[float], bool]
"""Waits so many seconds; false where the person wants no more."""


def shown(events: Sequence[Event]) -> Iterator[tuple[float, Text]]:
    """When what is put on the screen; whatever a terminal would obey is written out."""
    last: int | None = None
    for piece in pieces(events):
        event = events[piece.event]
        text = Text()
        if piece.event != last:
            text.append("" if last is None else "\n")
            text.append(_head(event, again=not piece.first))
        text.append(_indented(piece.text, "dim" if event.kind in _DIM else ""))
        last = piece.event
        yield piece.at, text
    if last is not None:
        yield max(event.until for event in events), Text("\n")


def _head(event: Event, *, again: bool) -> Text:
    if event.kind in {"turn", "outside"}:
        what = f"{event.turn} · {event.label}"
        return Text.assemble("\n", plain(f"── {what} ", _STYLES[event.kind]))
    head = Text(f"{event.kind:<{_LABEL}}", style=_STYLES[event.kind])
    if event.label and not again:
        head.append(plain(event.label, "bold"))
        head.append("\n" + " " * _LABEL if event.text else "")
    return head


def _indented(text: str, style: str) -> Text:
    return plain(text.replace("\n", "\n" + " " * _LABEL), style)


def play(events: Sequence[Event], console: Console, wait: Wait, *, speed: float) -> bool:
    """Show the events at their times; false if the person ended it.

    Args:
        events: In order of time.
        console: Where to.
        wait: How time passes.
        speed: How much faster than it was.
    """
    before = 0.0
    for at, text in shown(events):
        if at > before and not wait((at - before) / speed):
            console.print()
            return False
        before = max(before, at)
        console.print(text, end="", soft_wrap=True)
    return True


def at_once(events: Sequence[Event], console: Console) -> None:
    """Show all of it, without timing; nothing waits for a word that comes later."""
    for index, event in enumerate(events):
        text = Text("" if index == 0 else "\n")
        text.append(_head(event, again=False))
        text.append(_indented(event.text, "dim" if event.kind in _DIM else ""))
        console.print(text, end="", soft_wrap=True)
    console.print()


def drawn(events: Sequence[Event], columns: int) -> Iterator[tuple[float, str]]:
    """The same as `play` shows, as what a terminal gets."""
    for at, text in shown(events):
        out = StringIO()
        screen = Console(
            file=out, width=columns, force_terminal=True, color_system="standard", highlight=False
        )
        screen.print(text, end="", soft_wrap=True)
        yield at, out.getvalue()


@contextmanager
def keys(stream: IO[str] = sys.stdin) -> Iterator[Wait]:
    """Waits that listen to keys: space pauses, `q` ends. Without a terminal they only wait."""
    if not stream.isatty():
        never = threading.Event()
        yield lambda seconds: not never.wait(seconds)
        return
    number = stream.fileno()
    kept = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield lambda seconds: _listening(number, seconds)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, kept)


def _listening(number: int, seconds: float) -> bool:
    ends = monotonic() + seconds
    while select.select([number], [], [], max(0.0, ends - monotonic()))[0]:
        key = os.read(number, 1)
        if key == _SPACE:
            stopped = monotonic()
            while (key := os.read(number, 1)) not in {_SPACE, _QUIT, b""}:
                pass
            ends += monotonic() - stopped
        if key in {_QUIT, b""}:
            return False
    return True
