"""What a command runs besides itself, as it is told to the reading."""

from dataclasses import dataclass, field

from proctor.protocols.shell.model import LISTED, UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Another command. `settings` are variables for it alone; `elsewhere`: on another machine."""

    words: tuple[str, ...] = field(repr=False)
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A shell script; `process` if a shell of its own runs it."""

    text: str = field(repr=False)
    process: bool = True
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What it runs cannot be told."""

    why: str


type Inner = Run | Script | Hidden


def script(text: str, *, process: bool = True, elsewhere: bool = False) -> Inner:
    """A script to be read, unless a part of it is not known."""
    if UNKNOWN in text or LISTED in text:
        return Hidden(why="a part of the script that it runs is not known")
    return Script(text=text, process=process, elsewhere=elsewhere)
